"""`racer models`: what is in the store, and what to do with it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from racer_rl.cli.durations import format_duration
from racer_rl.cli.models_files import files_app
from racer_rl.cli.models_progress import readable_size
from racer_vehicle.errors import ConfigError, RacerError

if TYPE_CHECKING:
    from racer_rl.store.summary import ModelSummary

models_app = typer.Typer(add_completion=False, no_args_is_help=True,
                         help='What is in the store, and what to do with it.')
models_app.add_typer(files_app)

AsJson = Annotated[bool, typer.Option('--json', help='Print JSON.')]

MOST_TRACKS = 2
"""That are named in a list; of more, how many there are."""


@models_app.command('list')
def list_models(as_json: AsJson = False) -> None:
    """List all models: what they were trained on, what the best can do, what they cost."""
    from racer_rl.store.models import models_folder
    from racer_rl.store.summary import summaries

    found = summaries()
    if as_json:
        typer.echo(json.dumps([summary.as_dict() for summary in found], indent=2))
        return
    if not found:
        typer.echo(f'no model in {models_folder()} yet; train one: racer train --track oval '
                   '--name first')
        return
    table = Table(box=None, pad_edge=False)
    table.add_column('model', no_wrap=True)
    table.add_column('track', no_wrap=True, overflow='ellipsis')
    table.add_column('network', no_wrap=True)
    for heading in ('steps', 'laps', 'lap s', 'trained', 'size'):
        table.add_column(heading, justify='right', no_wrap=True)
    table.add_column('from', overflow='fold')
    for summary in found:
        table.add_row(*_row(summary))
    Console().print(table)
    for summary in found:
        if summary.damage:
            typer.echo(f'{summary.name}: {summary.damage}', err=True)


def _row(summary: ModelSummary) -> tuple[str, ...]:
    if summary.damage:
        return summary.name, 'damaged', *[''] * 5, readable_size(summary.size_bytes), ''
    trained = 'now' if summary.is_training else format_duration(summary.wall_s)
    return (summary.name, tracks_in_words(summary.tracks), short_network(summary.network),
            f'{summary.steps:,}', _laps(summary), _seconds(summary.mean_lap_s), trained,
            readable_size(summary.size_bytes), summary.parent_name)


def tracks_in_words(tracks: tuple[str, ...]) -> str:
    """Names of tracks without their folders; of many, their number."""
    names = [Path(track).stem for track in tracks]
    return ', '.join(names) if len(names) <= MOST_TRACKS else f'{len(names)} tracks'


def short_network(network: str) -> str:
    """DeepRacer's names are long, and alike for most of their length."""
    return network.replace('DEEP_CONVOLUTIONAL_NETWORK', 'CNN')


def _laps(summary: ModelSummary) -> str:
    return '-' if summary.clean_laps is None else f'{summary.clean_laps}/{summary.total_laps}'


def _seconds(value: float | None) -> str:
    return '-' if value is None else f'{value:.2f}'


@models_app.command('show')
def show_model(
    name: Annotated[str, typer.Argument(metavar='MODEL', help='Name of the model.')],
    as_json: AsJson = False,
) -> None:
    """Show one model: where it comes from, what it cost, its checkpoints and evaluations."""
    from racer_rl.store.evaluations import read_evaluations
    from racer_rl.store.models import open_model
    from racer_rl.store.summary import summarise

    folder = open_model(name)
    summary, evaluations = summarise(folder), read_evaluations(folder.path)
    if summary.damage:
        raise ConfigError(summary.damage)
    ancestors = _ancestors(name)
    if as_json:
        lineage = folder.lineage
        typer.echo(json.dumps({
            **summary.as_dict(), 'folder': str(folder.path), 'run': folder.run,
            'lineage': None if lineage is None else lineage.as_dict(), 'ancestors': ancestors,
            'sessions': [session.as_dict() for session in folder.sessions],
            'evaluations': evaluations}, indent=2))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style='bold', no_wrap=True)
    table.add_column(overflow='fold')
    for label, value in (*_facts(summary), ('from', ' <- '.join(ancestors) or 'nothing'),
                         ('folder', str(folder.path))):
        table.add_row(label, value)
    for index, session in enumerate(folder.sessions):
        table.add_row('' if index else 'sessions',
                      f'{_when(session.began)}  to {session.steps:,} steps in '
                      f'{format_duration(session.wall_s)}, {session.stopped or "cut off"}')
    for index, evaluation in enumerate(evaluations):
        table.add_row('' if index else 'evaluations', _evaluation(evaluation))
    Console().print(table)


def _facts(summary: ModelSummary) -> tuple[tuple[str, str], ...]:
    best = 'not judged yet'
    if summary.clean_laps is not None:
        best = f'{summary.clean_laps} of {summary.total_laps} laps clean'
        if summary.mean_lap_s is not None:
            best += f', mean lap {summary.mean_lap_s:.2f} s'
        if summary.held_out is not None:
            best += f', {summary.held_out:.0%} of the laps elsewhere'
    return (
        ('model', summary.name + (' (in training now)' if summary.is_training else '')),
        ('created', _when(summary.created)),
        ('track', f'{", ".join(summary.tracks)}, {summary.direction}'),
        ('reward', summary.reward),
        ('network', f'{summary.network}, {summary.method}, seed {summary.seed}'),
        ('best', best),
        ('checkpoints', ', '.join(summary.checkpoints)),
        ('cost', f'{summary.steps:,} steps, {format_duration(summary.wall_s)}, '
                 f'{format_duration(summary.cpu_s)} of a core, '
                 f'{readable_size(summary.size_bytes)} on the disk'),
    )


def _when(iso: str) -> str:
    return f'{iso[:19].replace("T", " ")} UTC' if iso else 'not recorded'


def _evaluation(evaluation: dict[str, Any]) -> str:
    result, conditions = evaluation['result'], evaluation.get('conditions', {})
    when = _when(evaluation['when'])
    if evaluation['kind'] == 'robust':
        return f'{when}  robust score {result.get("score", 0.0):.2f}'
    tracks = conditions.get('tracks', ())
    where = f'{tracks_in_words(tuple(tracks))}, ' if tracks else ''
    mean = result.get('mean_lap_s')
    return (f'{when}  {where}{result.get("clean_laps")} of {result.get("total_laps")} laps clean'
            + ('' if mean is None else f', mean lap {mean:.2f} s'))


def _ancestors(name: str) -> list[str]:
    """Where a model comes from, step by step, as far as the ancestors are still there."""
    from racer_rl.store.models import model_names, open_model

    ids = {}
    for each in model_names():
        with contextlib.suppress(RacerError):  # damage of another model is not this one's
            ids[open_model(each).run.get('id', '')] = each
    chain, seen = [], {name}
    lineage = open_model(name).lineage
    while lineage is not None:
        there = ids.get(lineage.id, '') if lineage.id else ''
        now = f', now called {there}' if there and there != lineage.model else ''
        gone = '' if there or not lineage.id else ', no longer here'
        chain.append(f'{lineage}{now}{gone}')
        if not there or there in seen:
            break
        seen.add(there)
        lineage = open_model(there).lineage
    return chain


@models_app.command('rename')
def rename_model(
    name: Annotated[str, typer.Argument(metavar='MODEL', help='Name of the model.')],
    new: Annotated[str, typer.Argument(metavar='NEW', help='What to call it from now on.')],
) -> None:
    """Give a model another name; its clones still know it."""
    from racer_rl.store.locks import move
    from racer_rl.store.models import model_folder, open_model

    move(open_model(name).path, model_folder(new).path)
    typer.echo(f'{name} is called {new} now.')


@models_app.command('delete')
def delete_models(
    names: Annotated[list[str], typer.Argument(metavar='MODEL…', help='Names of models.')],
    yes: Annotated[bool, typer.Option('--yes', help='Do not ask.')] = False,
) -> None:
    """Delete models with all their checkpoints, evaluations and traces, for good."""
    from racer_rl.store.locks import discard
    from racer_rl.store.models import open_model
    from racer_rl.store.summary import summarise

    folders = [open_model(name) for name in dict.fromkeys(names)]
    for folder in folders:
        summary = summarise(folder)
        typer.echo(f'{folder.name}: {summary.steps:,} steps, {_laps(summary)} laps clean, '
                   f'{readable_size(summary.size_bytes)}', err=True)
    if not yes:
        typer.confirm('Delete for good?', abort=True, err=True)
    for folder in folders:
        discard(folder.path)
        typer.echo(f'deleted {folder.name}.')
