"""How far copying is, on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn


@contextmanager
def byte_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr while the block runs; nothing where that is no terminal.

    Yields:
        To be told how many bytes are done, and of how many.
    """
    columns = TextColumn('{task.description}'), BarColumn(), DownloadColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True,
                  disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def watch(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield watch


def readable_size(size: int) -> str:
    """Bytes for people: `640 B`, `1.3 MB`."""
    value = float(size)
    for unit in ('B', 'kB', 'MB'):
        if value < 1000.0:
            return f'{value:.0f} B' if unit == 'B' else f'{value:.1f} {unit}'
        value /= 1000.0
    return f'{value:.1f} GB'
