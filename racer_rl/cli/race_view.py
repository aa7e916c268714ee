"""A race as people see it: while it is driven, and what came of it."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import typer
from rich.console import Console
from rich.status import Status as Spinner
from rich.table import Table

if TYPE_CHECKING:  # they take a second to import
    from racer_rl.races.result import EntryResult, RaceResult
    from racer_sim.simulator import Simulator

REDRAW_S: Final = 0.2
LINE_EVERY_S: Final = 5.0
"""Between two lines of progress where the output is not a terminal."""


class RaceProgress:
    """Says on stderr how far a race is; a watch of `run_race`."""

    def __init__(self) -> None:
        """Begin to wait."""
        self._spinner = Spinner('racing', console=Console(stderr=True))
        self._told_s = time.monotonic()

    def __enter__(self) -> Self:
        self._spinner.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._spinner.stop()

    def __call__(self, simulator: Simulator) -> None:
        """Take note of the race as it is now."""
        is_terminal, now_s = self._spinner.console.is_terminal, time.monotonic()
        if now_s - self._told_s < (REDRAW_S if is_terminal else LINE_EVERY_S):
            return
        self._told_s = now_s
        race = simulator.control.race
        laps = race['travelled_m'] / simulator.length_m
        words = (f'racing: {float(race["time_s"].max()):.0f} s of the race, '
                 f'{float(np.max(laps)):.1f} of {simulator.control.rules.laps} laps')
        if is_terminal:
            self._spinner.update(words)
        else:
            typer.echo(words, err=True)


def print_result(result: RaceResult) -> None:
    """One row an entry, in the order of the finish, and the failures in words."""
    table = Table(box=None, pad_edge=False)
    table.add_column('place', justify='right')
    for heading in ('entry', 'status'):
        table.add_column(heading, no_wrap=True, overflow='ellipsis')
    for heading in ('laps', 'time s', 'best s', 'passed'):
        table.add_column(heading, justify='right', no_wrap=True)
    table.add_column('incidents')
    for place, entry in enumerate(result.placing, 1):
        table.add_row(*_cells(place, entry, result.plan.rules.laps))
    Console().print(table)
    if len(result.entries) == 1 and result.entries[0].lap_times_s:
        typer.echo(_lap_times(result.entries[0]))
    for entry in result.entries:
        if entry.failure:
            typer.echo(f'{entry.name}: {entry.failure}')


def _cells(place: int, entry: EntryResult, laps: int) -> tuple[str, ...]:
    best = entry.best_lap_s
    return (str(place), entry.name, entry.status.replace('_', ' '),
            f'{len(entry.lap_times_s)}/{laps}', f'{entry.time_s:.2f}',
            '-' if best is None else f'{best:.2f}', str(entry.overtakes),
            ', '.join(f'{count} {cause.replace("_", " ")}'
                      for cause, count in entry.incidents.items()) or '-')


def _lap_times(entry: EntryResult) -> str:
    """All laps; one with an incident carries a star."""
    times = ' '.join(f'{time_s:.2f}{"" if clean else "*"}' for time_s, clean
                     in zip(entry.lap_times_s, entry.lap_clean, strict=True))
    return f'laps: {times} s' + ('' if all(entry.lap_clean) else '; *: with an incident')


def placing_as_dict(result: RaceResult) -> list[dict[str, Any]]:
    """Who finished where, for `--json`."""
    return [{'place': place, 'name': entry.name, 'best_lap_s': entry.best_lap_s,
             'clean_laps': entry.clean_laps} for place, entry in enumerate(result.placing, 1)]
