"""`racer advise`: what is worth money next for a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from racer_rl.cli.durations import format_duration

if TYPE_CHECKING:
    from racer_rl.advice.counsel import Advice
    from racer_rl.advice.evidence import Evidence

advise_app = typer.Typer(add_completion=False)


@advise_app.command()
def advise(
    model: Annotated[str, typer.Argument(metavar='MODEL', help='Name of the model.')],
    validate: Annotated[bool, typer.Option(
        '--validate/--no-validate', help='Also look whether its reward can be abused; takes '
        'seconds.')] = True,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Say what to do next with a model, what matters most first, each with its figures.

    Goes by its evaluations in and after training, its steps, its reward function, the ledger and
    the budgets. Nothing is changed, and nothing is trained.
    """
    from racer_rl.advice.counsel import counsel
    from racer_rl.advice.evidence import evidence_of
    from racer_rl.store.locks import present
    from racer_rl.store.models import open_model

    folder = open_model(model)
    with present(folder.path), Console(stderr=True).status(f'looking at {model}'):
        known = evidence_of(folder, validate=validate)
    found = counsel(known)
    if as_json:
        typer.echo(json.dumps({
            'model': model, 'is_training': known.is_training, 'steps': known.steps,
            'wall_s': round(known.wall_s, 3),
            'spent': [{'amount': money.amount, 'currency': money.currency}
                      for money in known.spent],
            'advice': [advice.as_dict() for advice in found]}, indent=2))
        return
    typer.echo(_standing(known))
    for number, advice in enumerate(found, start=1):
        _show(number, advice)
    if not found:
        typer.echo('nothing stands out: neither a fault nor a clear gain.')


def _standing(known: Evidence) -> str:
    words = [f'{known.name}: {known.steps:,} steps']
    if known.wall_s:
        words.append(format_duration(known.wall_s))
    words += [f'{money} spent' for money in known.spent]
    if known.is_training:
        words.append('in training at this moment: as of its last checkpoint')
    return ', '.join(words)


def _show(number: int, advice: Advice) -> None:
    typer.echo(f'\n{number}. {advice.action}: {advice.why}')
    for line in advice.evidence:
        typer.echo(f'   - {line}')
    if advice.gain:
        typer.echo(f'   expect: {advice.gain}')
    typer.echo(f'   cost:   {advice.cost}')
    typer.echo(f'   $ {advice.command}')
