"""`racer models import`: an archive into the store; what is of use in DeepRacer's models."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from racer_rl.cli.models_progress import byte_progress
from racer_vehicle.errors import ConfigError

ZIP_START = b'PK'


def import_model(
    source: Annotated[Path, typer.Argument(
        metavar='FILE|FOLDER', help='An archive of racer models export --archive, the folder of '
        'a model, or a folder or .tar.gz of DeepRacer.')],
    name: Annotated[str | None, typer.Option(
        help='Name in the store.', show_default='that it had')] = None,
    track: Annotated[str | None, typer.Option(
        help='Of a DeepRacer model: its track, by name or file.', show_default='looked for')] = (
        None),
    distill: Annotated[bool, typer.Option(
        '--distill', help='Of a DeepRacer model: learn from the laps in its log.')] = False,
    network: Annotated[str | None, typer.Option(
        help='With --distill: the network that learns.', show_default='as theirs')] = None,
    seed: Annotated[int, typer.Option(help='With --distill.', min=0)] = 0,
    out: Annotated[Path | None, typer.Option(
        help='Of a DeepRacer model: folder for its files.', show_default='by its name, here'),
    ] = None,
    force: Annotated[bool, typer.Option(
        '--force', help='Replace files in that folder.')] = False,
    as_json: Annotated[bool, typer.Option('--json', help='Print the result as JSON.')] = False,
) -> None:
    """Bring a model in.

    An archive of racer becomes a model of the store, whole: it evaluates as it did, and training
    goes on. DeepRacer's networks are TensorFlow's and stay where they are; its actions, sensors,
    settings and reward function are taken, for a fresh start, and with --distill a network of ours
    learns from the laps that its log holds.
    """
    if not (source.is_dir() or source.is_file()):
        raise ConfigError(f'there is no {source}; give a file or a folder.')
    if source.suffix == '.racer':
        raise ConfigError(f'{source} is a policy bundle, which drives a car and cannot be trained '
                          'on; where it was made: racer models export MODEL --archive.')
    theirs = {'--track': track, '--network': network, '--out': out, '--distill': distill or None,
              '--force': force or None, '--seed': seed or None}
    if _is_ours(source):
        _refuse(theirs, 'a model of racer brings its own')
        record = _import_ours(source, name)
    elif distill:
        _refuse({'--out': out, '--force': force or None}, 'the files go into the model')
        record = _distill(source, name, track, network, seed)
    else:
        _refuse({'--network': network, '--seed': seed or None}, 'they belong to --distill')
        record = _import_files(source, name, track, out, force=force)
    for note in record['notes']:
        typer.echo(f'note: {note}', err=True)
    said = record.pop('said')
    typer.echo(json.dumps(record) if as_json else said)


def _refuse(options: dict[str, Any], why: str) -> None:
    given = [option for option, value in options.items() if value is not None]
    if given:
        raise ConfigError(f'{", ".join(given)} given, but {why}; leave it out.')


def _is_ours(source: Path) -> bool:
    """Whether it is an archive, or a folder, of racer; DeepRacer has no zip files."""
    if source.is_dir():
        return (source / 'run.json').is_file()
    with source.open('rb') as stream:
        return stream.read(len(ZIP_START)) == ZIP_START


def _import_ours(source: Path, name: str | None) -> dict[str, Any]:
    from racer_rl.store.archive_reading import add_model, open_archive, open_folder
    from racer_rl.store.locks import TakenError

    with byte_progress(f'importing {source.name}') as watch:
        try:
            if source.is_dir():
                whole = open_folder(source)
                folder, notes = add_model(whole, name or whole.name, watch)
            else:
                with open_archive(source) as whole:
                    folder, notes = add_model(whole, name or whole.name, watch)
        except TakenError as error:
            raise ConfigError(f'{error} Another name: --name.') from None
    run, best = folder.run, folder.progress.get('best') or {}
    laps = f', {best["clean_laps"]} of {best["total_laps"]} laps clean' if best else ''
    return {
        'kind': 'model', 'model': folder.name, 'folder': str(folder.path), 'id': run.get('id'),
        'notes': notes, 'said': f'imported {folder.name}{laps}\n'
                                f'judge it: racer evaluate {folder.name}\n'
                                f'train on: racer train --name {folder.name} --resume'}


def _import_files(source: Path, name: str | None, track: str | None, out: Path | None, *,
                  force: bool) -> dict[str, Any]:
    """Their files into a folder, and the command that trains with them."""
    from racer_rl.store.community import FILES, WEIGHTS_NOTE, lay_out, read_community

    with Console(stderr=True).status(f'reading {source}'):
        model = read_community(source)
    name = name or model.name
    folder = out or Path(name)
    taken = [path for file in FILES.values() if (path := folder / file).exists()]
    if taken and not force:
        raise ConfigError(f'{taken[0]} exists already; give another --name or --out, or --force '
                          'to replace it.')
    try:
        start = lay_out(model, folder, name, track)
    except OSError as error:
        raise ConfigError(f'cannot write {error.filename or folder}: {error.strerror}; give '
                          'another --out.') from error
    command = shlex.join(('racer', 'train', *start.arguments))
    said = '\n'.join((*(f'wrote {path}' for path in start.files), 'train with them:',
                      f'  {command}'))
    if model.has_steps:
        said += '\nor let a network learn from its laps first: add --distill to this import'
    return {
        'kind': 'files', 'layout': model.layout, 'files': [str(path) for path in start.files],
        'track': model.world, 'direction': model.direction, 'has_log': model.has_steps,
        'command': command, 'said': said,
        'notes': [*((WEIGHTS_NOTE,) if model.has_weights else ()), *start.notes]}


def _distill(source: Path, name: str | None, track: str | None, network: str | None,
             seed: int) -> dict[str, Any]:
    """A model that has learnt from the laps in their log."""
    from racer_rl.store.community import read_community

    with Console(stderr=True).status(f'reading {source}') as status:
        model = read_community(source)
        given = track or model.world
        if given is None:
            raise ConfigError('nothing in the log tells which track it drove; give it: --track.')
        from racer_rl.training.from_traces import learn_from_log

        folder, notes = learn_from_log(source, model, name or model.name, given, network, seed,
                                       status.update)
    best = folder.progress['best']
    return {
        'kind': 'distilled', 'model': folder.name, 'folder': str(folder.path), 'best': best,
        'notes': notes,
        'said': f'{folder.name} drives {best["clean_laps"]} of {best["total_laps"]} laps clean, '
                f'{best["completion"]:.0%} of the distance\n'
                f'watch it: racer evaluate {folder.name} --video {folder.name}.mp4\n'
                f'train on: racer train --name {folder.name} --resume'}
