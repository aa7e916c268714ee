"""The figures of `racer bench inference` for people, a paragraph a policy."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from racer_rl.benchmarks.inference import InferenceFigures, InferenceResult, TimeSpreads
from racer_rl.benchmarks.node_budget import NodeResult
from racer_rl.benchmarks.tables import plain_table


def print_inference(figures: InferenceFigures, console: Console) -> None:
    """Write the tables.

    Args:
        figures: What was found.
        console: Where to; 80 columns are enough.
    """
    width, height = figures.image_px
    console.print(
        f'\n[bold]Inference[/]  ms from a {width}x{height} image to the command, medians of '
        f'{figures.repeats} processes\nof {figures.count:,} decisions each (range of p99)',
        highlight=False,
    )
    policies = list(dict.fromkeys((row.name, row.precision) for row in figures.results))
    for policy in policies:
        rows = [row for row in figures.results if (row.name, row.precision) == policy]
        _print_policy(rows, console)
        _print_node([row for row in figures.nodes if (row.name, row.precision) == policy],
                    figures.node_seconds, console)
    _print_lens(figures, console)
    for share, period_ms in figures.period_ms.items():
        console.print(f'{share:.1%} of a core: 1 ms of every {period_ms:g} ms, by a quota of '
                      'Linux; back to back, so that every pause counts.', highlight=False)
    for counted in (figures.counted, *((figures.node_counted,) if figures.nodes else ())):
        console.print(f'Counted: {counted}.', highlight=False)


def _print_policy(rows: list[InferenceResult], console: Console) -> None:
    first = rows[0]
    kilobytes, memory_mib = first.network_bytes / 1e3, first.memory_mib.median
    console.print(
        f'\n[bold]{first.name}[/], {first.precision}, network of {kilobytes:,.0f} kB\nloaded in '
        f'{first.load_s.median:.2f} s; process of {memory_mib:.0f} MiB; at 15 Hz '
        f'{first.core_percent.median:.2f} % of a core', highlight=False)
    table = _times_table('decision, ms')
    for row in rows:
        table.add_row(_core(row.cpu_share), *_times(row.decided))
    console.print(table)


def _print_node(rows: list[NodeResult], seconds: float, console: Console) -> None:
    if not rows:
        return
    table = plain_table(f'node, {seconds:g} s, ms', 'p50', 'p99', 'longest', 'images',
                        'unanswered', 'CPU', 'MiB')
    for row in rows:
        times = row.answered
        shown = ('-',) * 3 if times is None else (
            f'{times.p50_ms:.1f}', f'{times.p99_ms:.1f}', f'{times.max_ms:.1f}')
        table.add_row(_core(row.cpu_share), *shown, f'{row.images:,}', str(row.unanswered),
                      f'{row.core_percent:.1f} %', f'{row.memory_mib:.0f}')
    console.print(table)


def _print_lens(figures: InferenceFigures, console: Console) -> None:
    """Of the first policy's processes: the lens is the same for all."""
    width, height = figures.image_px
    first = figures.results[0]
    raw = 'x'.join(map(str, figures.raw_px))
    console.print(f'\n[bold]Rectifying a lens[/], {raw} to {width}x{height}: of the camera node, '
                  'not in the figures above', highlight=False)
    table = _times_table('image, ms')
    for row in figures.results:
        if (row.name, row.precision) == (first.name, first.precision):
            table.add_row(_core(row.cpu_share), *_times(row.rectified))
    console.print(table)


def _core(share: float) -> str:
    return 'one core' if share == 1.0 else f'{share:.1%} of a core'


def _times_table(first: str) -> Table:
    return plain_table(first, 'p50', 'p95', 'p99', 'longest', 'mean', 'CPU, mean')


def _times(times: TimeSpreads) -> tuple[str, ...]:
    p99 = times.p99_ms
    return (f'{times.p50_ms.median:.2f}', f'{times.p95_ms.median:.2f}',
            f'{p99.median:.2f} ({p99.low:.2f}-{p99.high:.2f})', f'{times.max_ms.median:.1f}',
            f'{times.mean_ms.median:.3f}', f'{times.cpu_mean_ms.median:.3f}')
