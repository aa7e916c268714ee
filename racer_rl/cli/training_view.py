"""What a person sees while a model trains: a live panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from racer_rl.cli.durations import format_duration
from racer_rl.training.plan import Limits
from racer_rl.training.standing import Standing, Watcher

PLAIN_INTERVAL_S: Final = 5.0
"""Between two lines where the output is not a terminal."""


class TrainingView(Watcher, Protocol):
    """Shows a run, and lines that people have to read beside it."""

    def say(self, line: str) -> None:
        """Print a line that stays."""
        ...


@contextmanager
def show_training(name: str, limits: Limits) -> Iterator[TrainingView]:
    """Show a run on stderr, so that stdout stays free for its result.

    Args:
        name: Of the model.
        limits: Of the run, for the time left.

    Yields:
        The watcher to hand to the training.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _PlainLines(console, limits)
        return
    first = Text.assemble((name, 'bold'), '  setting off; the first run compiles for some seconds')
    with Live(first, console=console, refresh_per_second=8, transient=True) as live:
        yield _LivePanel(live, name, limits)


class _LivePanel:
    """A panel that is drawn anew, below the lines that stay."""

    def __init__(self, live: Live, name: str, limits: Limits) -> None:
        self._live, self._name, self._limits = live, name, limits

    def __call__(self, standing: Standing) -> None:
        self._live.update(_panel(self._name, standing, self._limits))

    def say(self, line: str) -> None:
        self._live.console.print(line, highlight=False, soft_wrap=True)


class _PlainLines:
    """A line every few seconds, for logs and pipes."""

    def __init__(self, console: Console, limits: Limits) -> None:
        self._console, self._limits, self._next_s = console, limits, time.monotonic()
        self._warned: str | None = None

    def say(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)

    def __call__(self, standing: Standing) -> None:
        if standing.warning and standing.warning != self._warned:
            self._warned = standing.warning
            self.say(f'warning: {standing.warning}')
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + PLAIN_INTERVAL_S
        cells = [f'{label} {value}' for label, value in _rows(standing, self._limits)]
        self.say('  '.join(cells))


def time_left_s(standing: Standing, limits: Limits) -> float | None:
    """Longest that a run may still take by its limits; None without any."""
    left = [limits.time_s - standing.seconds]
    if limits.steps is not None and standing.session_steps:
        left.append((limits.steps - standing.steps) * standing.seconds / standing.session_steps)
    return max(min(left), 0.0) if min(left) != float('inf') else None


def _rows(standing: Standing, limits: Limits) -> list[tuple[str, str]]:
    """Labels and values in reading order; what is not known yet is a dash."""
    left, judged = time_left_s(standing, limits), standing.evaluation
    rate = standing.session_steps / max(standing.seconds, 1e-9)
    return [
        *([] if standing.phase is None else [('learner', standing.phase)]),
        ('steps', f'{standing.steps:,}'),
        ('steps/s', f'{rate:,.0f}'),
        ('reward', '-' if standing.mean_reward is None else f'{standing.mean_reward:.1f}'),
        ('completion', '-' if standing.completion is None else f'{standing.completion:.0%}'),
        ('best lap', '-' if standing.best_lap_s is None else f'{standing.best_lap_s:.2f} s'),
        ('clean laps', '-' if judged is None else f'{judged.clean_laps}/{judged.total_laps}'),
        *([] if standing.held_out is None else [('elsewhere', f'{standing.held_out:.0%}')]),
        ('elapsed', format_duration(standing.seconds)),
        ('at most left', '-' if left is None else format_duration(left)),
    ]


def _panel(name: str, standing: Standing, limits: Limits) -> Table:
    """The live view: a bar of the evaluated distance over the figures."""
    bar = Progress(
        TextColumn(f'[bold]{name}[/]  evaluated distance'),
        BarColumn(bar_width=40),
        TextColumn('{task.percentage:>3.0f} %'),
    )
    judged = standing.evaluation
    bar.add_task('', total=100, completed=round(100 * judged.completion) if judged else 0)
    figures = Table.grid(padding=(0, 3))
    rows = _rows(standing, limits)
    figures.add_row(*(f'[dim]{label}[/]' for label, _ in rows))
    figures.add_row(*(value for _, value in rows))
    panel = Table.grid()
    panel.add_row(bar)
    panel.add_row(figures)
    if standing.warning:
        panel.add_row(Text(f'warning: {standing.warning}', style='yellow'))
    return panel
