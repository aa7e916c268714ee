"""What is of use in a DeepRacer model: console, DeepRacer-for-Cloud, self-hosted, folder or tar.

Its files say what it drove with and what it was paid for. Its weights are TensorFlow's: racer has
no TensorFlow, and converted weights would look through another lens than its camera.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.reward.loading import read_reward
from racer_rl.reward.validation.static import check
from racer_rl.reward.validation.validate import NOT_RUN
from racer_rl.store.models import NAME_RULE
from racer_rl.traces.descriptions import WORLD, Descriptions
from racer_rl.traces.entries import ARCHIVES, Entry, entries, is_archive, refused_if_broken
from racer_rl.traces.roles import Kind, layout_of, role_of
from racer_rl.training.hyperparameters import load_hyperparameters
from racer_rl.training.networks import find_network
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError, RacerError
from racer_vehicle.metadata import ModelMetadata
from racer_vehicle.storage import write_atomically

WEIGHTS_NOTE: Final = (
    'its weights are those of TensorFlow, which racer does not use, for a camera with another '
    'lens; they stay behind, and the model learns again, from the start or (--distill) from the '
    'laps in its log.')

FILES: Final = {Kind.METADATA: 'model_metadata.json', Kind.HYPERPARAMETERS: 'hyperparameters.json',
                Kind.REWARD: 'reward_function.py'}
"""What is taken, under the names that DeepRacer gives it."""

HEAD_BYTES: Final = 1 << 20
"""Of a log: its track is told in there."""

_STEPS: Final = (Kind.TABLE, Kind.PARQUET, Kind.LINES)
_WEIGHTS: Final = re.compile(r'\.pb$|\.ckpt[.-]|\.ckpt$|_checkpoints\.json$|\.coach_checkpoint$')
_REVERSED: Final = re.compile(
    r'^\W*(?:DR_TRAIN_)?REVERSE_DIR(?:ECTION)?["\']?\s*[=:][\s"\'\[-]*true', re.I | re.M)
_BOTH: Final = re.compile(
    r'^\W*(?:DR_TRAIN_)?ALTERNATE_DRIVING_DIRECTION["\']?\s*[=:][\s"\'\[-]*true', re.I | re.M)


@dataclass(frozen=True, slots=True)
class CommunityModel:
    """A DeepRacer model, as far as it is of use.

    Attributes:
        name: Of its folder or archive.
        layout: See `racer_rl.traces.log.Log`.
        texts: Its files by kind, as they are.
        world: Name of its track; None if nothing tells it.
        direction: `forward`, `reverse` or `both`.
        has_weights: Whether there are weights.
        has_steps: Whether there is a log to learn from.
    """

    name: str
    layout: str
    texts: dict[Kind, str]
    world: str | None
    direction: str
    has_weights: bool
    has_steps: bool


def read_community(source: Path) -> CommunityModel:
    """Look through a folder or an archive.

    Raises:
        ConfigError: It cannot be read, or nothing of a DeepRacer model is in it.
    """
    if not source.is_dir() and not is_archive(source):
        raise ConfigError(f'{source} is neither a folder nor a .tar.gz; give what DeepRacer made, '
                          'unpacked or as it came.')
    descriptions, paths, kinds, has_weights = Descriptions(), list[str](), set[Kind](), False
    head: str | None = None
    with refused_if_broken(source):
        for entry in entries(source):
            paths.append(entry.path)
            role, name = role_of(entry.path), entry.path.rpartition('/')[2]
            has_weights = has_weights or _WEIGHTS.search(name) is not None
            if role is None:
                continue
            kinds.add(role.kind)
            # What an evaluation was set to says nothing about the training.
            if role.kind in FILES or (role.kind is Kind.WORLD and not name.startswith('eval')):
                _take(descriptions, entry, role.kind)
            elif role.kind is Kind.LINES and head is None:
                head = _world_in_head(entry)
    texts = {kind: text for kind in FILES if (text := descriptions.text(kind)) is not None}
    has_steps = not kinds.isdisjoint(_STEPS)
    if not texts and not has_steps:
        raise ConfigError(
            f'{source} holds no {", ".join(FILES.values())} and no log; allowed: what '
            'racer models export --archive wrote, or the folder or .tar.gz of a DeepRacer model.')
    settings = descriptions.text(Kind.WORLD) or ''
    direction = ('both' if _BOTH.search(settings) else
                 'reverse' if _REVERSED.search(settings) else 'forward')
    return CommunityModel(_name_of(source), layout_of(paths, is_ours=False), texts,
                          descriptions.world or head, direction, has_weights, has_steps)


def _take(descriptions: Descriptions, entry: Entry, kind: Kind) -> None:
    try:
        descriptions.take(entry, kind)
    except ValueError as error:
        raise ConfigError(f'{entry.path}: {error}; that is not what DeepRacer writes.') from None


def _world_in_head(entry: Entry) -> str | None:
    """The track that a simulation log names before its first step."""
    with entry.open() as stream:
        match = WORLD.search(stream.read(HEAD_BYTES))
    return match[1].decode() if match else None


def _name_of(source: Path) -> str:
    """A model's name for it."""
    name = source.resolve().name
    for suffix in ARCHIVES:
        name = name.removesuffix(suffix)
    name = re.sub(r'[^A-Za-z0-9_.-]+', '-', name).strip('.-_')[:64]
    return name if NAME_RULE.fullmatch(name) else 'imported'


@dataclass(frozen=True, slots=True)
class FreshStart:
    """Their files, laid out for `racer train`.

    Attributes:
        files: That were written.
        arguments: Of the command that trains with them.
        notes: What a person should know, a sentence each.
    """

    files: tuple[Path, ...]
    arguments: tuple[str, ...]
    notes: tuple[str, ...]


def lay_out(model: CommunityModel, folder: Path, name: str, track: str | None) -> FreshStart:
    """Write a model's files into a folder, and say how to train with them.

    Args:
        model: Of `read_community`.
        folder: May be there; files in it that have these names are replaced.
        name: Of the model to train.
        track: Name or file, instead of the one it was trained on.

    Raises:
        OSError: The disk refused.
    """
    notes, files = list[str](), dict[Kind, Path]()
    for kind, text in model.texts.items():
        files[kind] = folder / FILES[kind]
        write_atomically(files[kind], text.encode())
    arguments = ['--name', name, *_track_arguments(model, track, notes)]
    network, algorithm = None, 'ppo'
    if (metadata := readable_metadata(model, notes)) is not None:
        network, algorithm = metadata.neural_network, metadata.training_algorithm.value
        arguments += ['--metadata', str(files[Kind.METADATA])]
    if Kind.HYPERPARAMETERS in files:
        try:
            notes += load_hyperparameters(files[Kind.HYPERPARAMETERS], algorithm,
                                          network or 'FAST')[1]
            arguments += ['--hyperparameters', str(files[Kind.HYPERPARAMETERS])]
        except RacerError as error:
            notes.append(f'hyperparameters.json is not used: {error}')
    if Kind.REWARD in files:
        notes += reward_notes(files[Kind.REWARD])[0]
        # Functions of DeepRacer's time were tuned to the values that its simulator passed.
        arguments += ['--reward', str(files[Kind.REWARD]), '--compat']
    else:
        notes.append('it brings no reward_function.py; racer train takes its own, progress, '
                     'unless you give one with --reward.')
    return FreshStart(tuple(files.values()), tuple(arguments), tuple(notes))


def _track_arguments(model: CommunityModel, track: str | None,
                     notes: list[str]) -> Iterator[str]:
    given = track or model.world
    if given is None:
        notes.append('nothing tells which track it drove; put one in the place of TRACK.')
    elif track is None:
        try:
            find_track(given)
        except RacerError:
            notes.append(f'it drove {given}, which is not here: racer tracks import {given}.npy '
                         f'--name {given}, or put another one in its place.')
    yield from ('--track', given or 'TRACK')
    if model.direction != 'forward':
        yield from ('--direction', model.direction)


def readable_metadata(model: CommunityModel, notes: list[str]) -> ModelMetadata | None:
    """Its actions, sensors and network; None and a note if they cannot be used."""
    text = model.texts.get(Kind.METADATA)
    if text is None:
        notes.append("it brings no model_metadata.json; actions and network are racer's own.")
        return None
    try:
        metadata = ModelMetadata.from_json(text)
        find_network(metadata.neural_network)
    except RacerError as error:
        notes.append(f'model_metadata.json is not used: {error}')
        return None
    return metadata


def reward_notes(path: Path) -> tuple[tuple[str, ...], bool]:
    """What reading a reward function shows, a line each, and whether it may be run."""
    try:
        found = check(read_reward(path))
    except RacerError as error:
        return (str(error),), False
    may_run = not any(finding.code in NOT_RUN for finding in found)
    return tuple(str(finding) for finding in found), may_run
