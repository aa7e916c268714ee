"""`racer budget runs`: the ledger, run by run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from racer_rl.cli.budget_words import readable_energy
from racer_rl.cli.durations import format_duration

if TYPE_CHECKING:
    from racer_rl.budget.ledger import Run, Sums

runs_app = typer.Typer(add_completion=False)


@runs_app.command('runs')
def list_runs(
    model: Annotated[str, typer.Option(metavar='MODEL', help='Only those of this model.')] = '',
    last: Annotated[int, typer.Option(metavar='N', min=1, help='How many, latest first.')] = 20,
    as_json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """List runs: what each took, and how it ended."""
    from racer_rl.budget.ledger import open_ledger
    from racer_vehicle.spec import spec_as_dict

    with open_ledger() as ledger:
        rows = ledger.runs(model=model, at_most=last)
    if as_json:
        typer.echo(json.dumps({'runs': [
            {**spec_as_dict(run), 'state': state(run), 'wall_s': sums.wall_s,
             'cpu_s': sums.cpu_s, 'energy_j': sums.energy_j if run.energy else None,
             'money': sums.money} for run, sums in rows]}, indent=2))
        return
    if not rows:
        typer.echo('nothing ran yet' + (f' with {model}' if model else ''))
        return
    table = Table(*(Column(heading, no_wrap=True) for heading in ('began, UTC', 'run', 'model')),
                  box=None, pad_edge=False, header_style='bold')
    for heading in ('time', 'of a core', 'steps', 'cost'):
        table.add_column(heading, justify='right', no_wrap=True)
    table.add_column('ended', overflow='fold')
    for run, sums in rows:
        table.add_row(run.began[5:16].replace('T', ' '), run.kind, run.model,
                      format_duration(sums.wall_s), format_duration(sums.cpu_s),
                      f'{run.steps:,}', _money(sums), state(run))
    Console().print(table)


def state(run: Run) -> str:
    """How a run ended; whether it goes on, as far as that can be known from here."""
    from racer_vehicle.children import boot_id, start_ticks

    if run.ended is not None:
        return run.outcome
    if run.boot == boot_id() and run.boot and start_ticks(run.pid) == run.pid_start:
        return 'goes on'
    return 'killed' if run.boot == boot_id() else 'cut off'


def sums_table(models: Sequence[Sums]) -> Table:
    """What models took."""
    table = Table('model', box=None, pad_edge=False, header_style='bold')
    for heading in ('runs', 'time', 'of a core', 'energy', 'cost'):
        table.add_column(heading, justify='right', no_wrap=True)
    for sums in models:
        table.add_row(sums.model, f'{sums.runs:,}', format_duration(sums.wall_s),
                      format_duration(sums.cpu_s),
                      readable_energy(sums.energy_j) if sums.energy_j else '-', _money(sums))
    return table


def _money(sums: Sums) -> str:
    from racer_rl.budget.money import Money

    return str(Money(sums.money, sums.currency))
