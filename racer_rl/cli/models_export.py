"""`racer models export`: a model into one file, for a car or for another computer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from racer_rl.cli.models_progress import byte_progress, readable_size
from racer_vehicle.errors import ConfigError

if TYPE_CHECKING:
    from rich.status import Status

    from racer_rl.store.models import ModelFolder
    from racer_vehicle.policy import PolicyBundle

BUNDLE_SUFFIX: Final = '.racer'
_WITH_BUNDLE: Final = {'sign': '--sign', 'int8': '--int8', 'checkpoint': '--checkpoint'}


def export_model(
    name: Annotated[str, typer.Argument(metavar='MODEL', help='Name of the model.')],
    out: Annotated[Path | None, typer.Option(
        help='File to write, or a folder for it.', show_default='by the model, here')] = None,
    archive: Annotated[bool, typer.Option(
        '--archive/--bundle',
        help='The whole model for another computer, or what a car needs to drive.')] = False,
    checkpoint: Annotated[str | None, typer.Option(
        help='Of the bundle: best, last, or the steps of an earlier one.',
        show_default='best')] = None,
    sign: Annotated[str | None, typer.Option(
        metavar='KEY', help='Sign the bundle: a key by name (racer keys list) or file.')] = None,
    int8: Annotated[bool, typer.Option(
        '--int8', help='Round the bundle to 8 bits, and say what that costs.')] = False,
    traces: Annotated[bool, typer.Option(
        '--traces/--no-traces', help='Of the archive: with what the cars did.')] = True,
    force: Annotated[bool, typer.Option('--force', help='Replace the file if it is there.')] = (
        False),
    as_json: Annotated[bool, typer.Option('--json', help='Print the result as JSON.')] = False,
) -> None:
    """Write a model into one file, also while it is being trained.

    A bundle (.racer) is what drives a car: network and card. An archive (.racer-model.zip) is the
    whole model: another computer imports it, evaluates it and trains it on.
    """
    from racer_rl.store.archive import SUFFIX
    from racer_rl.store.models import open_model

    given = {'sign': sign, 'int8': int8 or None, 'checkpoint': checkpoint}
    refused = [_WITH_BUNDLE[option] for option, value in given.items() if value is not None]
    if archive and refused:
        raise ConfigError(f'{", ".join(refused)} with --archive; allowed with --bundle; the '
                          'archive holds the whole model.')
    if not archive and not traces:
        raise ConfigError('--no-traces with --bundle; allowed with --archive: a bundle has none.')
    folder = open_model(name)
    file = f'{name}{SUFFIX if archive else BUNDLE_SUFFIX}'
    path = Path(file) if out is None else out / file if out.is_dir() else out
    _require_free(path, force=force)
    record = (_export_archive(folder, path, traces=traces) if archive else
              _export_bundle(folder, path, checkpoint or 'best', sign, int8=int8))
    if as_json:
        typer.echo(json.dumps({'model': name, 'file': str(path), **record}))
    else:
        typer.echo(f'wrote {path} ({readable_size(path.stat().st_size)})')


def _require_free(path: Path, *, force: bool) -> None:
    if path.exists() and not force:
        raise ConfigError(f'{path} exists already; give another --out, or --force to replace it.')


def _export_archive(folder: ModelFolder, path: Path, *, traces: bool) -> dict[str, Any]:
    from racer_rl.store.archive_writing import write_archive
    from racer_rl.store.lineage import file_sha256

    with byte_progress(f'packing {folder.name}') as watch, _named_if_refused(path):
        manifest = write_archive(folder, path, traces=traces, watch=watch)
    typer.echo(f'{len(manifest.members)} files; on the other computer: '
               f'racer models import {path.name}', err=True)
    return {'kind': 'archive', 'files': len(manifest.members), 'unpacked_bytes': manifest.size,
            'bytes': path.stat().st_size, 'sha256': file_sha256(path)}


def _export_bundle(folder: ModelFolder, path: Path, checkpoint: str, sign: str | None, *,
                   int8: bool) -> dict[str, Any]:
    """The network and its card; smaller and signed where that was asked for."""
    from racer_rl.export import Origin, make_bundle
    from racer_rl.store.keys import find_private_key
    from racer_rl.store.lineage import file_sha256
    from racer_rl.store.locks import present
    from racer_rl.training.checkpoint import load_checkpoint
    from racer_vehicle.signing import sign as signed

    key = None if sign is None else find_private_key(sign)
    record: dict[str, Any] = {'kind': 'bundle', 'checkpoint': checkpoint}
    with Console(stderr=True).status(f'exporting {folder.name}') as status:
        with present(folder.path):
            model = load_checkpoint(folder.require_checkpoint(checkpoint))[0]
            bundle = make_bundle(model, Origin.of(folder))
        if int8:
            bundle, record['int8'] = _rounded(folder, bundle, status)
        if key is not None:
            bundle = signed(bundle, key)
            record['key_id'] = key.key_id
        with _named_if_refused(path):
            bundle.write(path)
    return {**record, 'bytes': path.stat().st_size, 'sha256': file_sha256(path)}


def _rounded(folder: ModelFolder, bundle: PolicyBundle,
             status: Status) -> tuple[PolicyBundle, dict[str, Any]]:
    """The bundle in 8 bits, and what both drive; said on stderr too."""
    from racer_rl.evaluation.precision import compare_precisions
    from racer_rl.quantization import quantized

    status.update('rounding to 8 bits')
    small = quantized(bundle, folder.setup)
    status.update('driving laps with both')
    comparison = compare_precisions(bundle, small, folder.setup)
    typer.echo(comparison.summary, err=True)
    return small, comparison.as_dict()


@contextlib.contextmanager
def _named_if_refused(path: Path) -> Iterator[None]:
    """Turn what a disk says into one line.

    Raises:
        ConfigError: Instead.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(f'cannot write {path} ({error.strerror}); give an --out in a folder '
                          'that you may write to.') from error
