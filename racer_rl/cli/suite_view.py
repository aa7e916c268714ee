"""`racer evaluate --suite robust`: the matrix of conditions as a table."""

from __future__ import annotations

import json
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from racer_rl.evaluation.laps import few_tracks
from racer_rl.evaluation.suite import STRENGTHS, Cell, SuitePlan, SuiteResult, run_suite
from racer_rl.store.evaluations import keep_evaluation
from racer_rl.store.models import ModelFolder

COLUMNS: Final = {'': 'as is', **{strength: strength for strength in STRENGTHS}}
"""Strength to heading, left to right."""

GOOD: Final = 0.9
FAIR: Final = 0.5
"""Shares of clean laps from which a field is green, and yellow."""


def show_suite(folder: ModelFolder, checkpoint: str, seed: int, *, as_json: bool) -> None:
    """Drive the suite with a model, keep what came of it in the model's folder, and print it.

    Args:
        folder: Of the model.
        checkpoint: `best`, `last` or a number of steps.
        seed: Of what is drawn.
        as_json: One JSON object instead of the table.
    """
    with Console(stderr=True).status('driving under all conditions'):
        result = run_suite(folder.policy(checkpoint), few_tracks(folder.setup),
                           SuitePlan(seed=seed))
    record = {'model': folder.name, 'checkpoint': checkpoint, **result.as_dict()}
    folder.write_robustness(record)
    keep_evaluation(folder.path, 'robust', record, {'seed': seed})
    if as_json:
        typer.echo(json.dumps(record, indent=2))
    else:
        _print(result)


def _print(result: SuiteResult) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column('condition', no_wrap=True)
    for heading in COLUMNS.values():
        table.add_column(heading, justify='right', no_wrap=True)
    rows: dict[str, dict[str, Cell]] = {}
    for cell in result.cells:
        rows.setdefault(cell.condition, {})[cell.strength] = cell
    for condition, cells in rows.items():
        table.add_row(condition, *(_field(cells.get(strength)) for strength in COLUMNS))
    Console().print(table)
    typer.echo(f'robust score {result.score:.2f}: the mean share of clean laps, by field; each '
               'shows that share, the distance and the mean lap.')


def _field(cell: Cell | None) -> str:
    if cell is None:
        return ''
    share, pace_s = cell.clean_share, cell.mean_lap_s
    colour = 'green' if share >= GOOD else 'yellow' if share >= FAIR else 'red'
    pace = '-' if pace_s is None else f'{pace_s:.1f} s'
    return f'[{colour}]{share:.0%}[/]  {cell.completion:.0%}  {pace}'
