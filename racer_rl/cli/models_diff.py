"""`racer models diff`: what two models differ in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from racer_rl.store.difference import Difference

_COLOURS = (('+++', 'bold'), ('---', 'bold'), ('@@', 'cyan'), ('+', 'green'), ('-', 'red'))


def diff_models(
    first: Annotated[str, typer.Argument(metavar='MODEL', help='Name of a model.')],
    second: Annotated[str, typer.Argument(metavar='MODEL', help='Name of another one.')],
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Show what differs: setup, settings, reward, origin, results and cost; not what is equal."""
    from racer_rl.store.difference import compare
    from racer_rl.store.models import open_model

    difference = compare(open_model(first), open_model(second))
    if as_json:
        typer.echo(json.dumps({'models': [first, second], **difference.as_dict()}))
    else:
        _show(first, second, difference, Console())


def _show(first: str, second: str, difference: Difference, console: Console) -> None:
    """A table, the reward functions' lines, and a line about the rest."""
    if difference.rows:
        table = Table(box=None, pad_edge=False)
        table.add_column('')
        for name in (first, second):
            table.add_column(name, overflow='fold')
        group = ''
        for row in difference.rows:
            if row.group != group:
                group = row.group
                table.add_row(Text(group, style='bold'))
            table.add_row(f'  {row.name}', _word(row.first), _word(row.second))
        console.print(table)
    for line in difference.reward:
        style = next((style for start, style in _COLOURS if line.startswith(start)), '')
        console.print(Text(line, style=style), soft_wrap=True)
    reward = 'different' if difference.reward else 'the same'
    console.print(f'facts that differ: {len(difference.rows)}; the same: {difference.same}; the '
                  f'reward functions are {reward}.', highlight=False)


def _word(value: Any) -> Text:
    """A value as a person writes it; a dash where there is none."""
    if value is None:
        return Text('-')
    if isinstance(value, list):
        return Text(', '.join(str(item) for item in value))
    return Text(f'{value:.10g}' if isinstance(value, float) else str(value))
