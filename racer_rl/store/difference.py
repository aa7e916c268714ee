"""What two models differ in: what they are for, how they learnt, and what came of it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from racer_rl.store.evaluations import read_evaluations
from racer_rl.store.lineage import file_sha256
from racer_rl.store.models import ModelFolder
from racer_rl.store.summary import summarise
from racer_sim.randomization import as_plain
from racer_sim.track_library import track_file
from racer_vehicle.action import ActionSpec, DiscreteActions
from racer_vehicle.errors import ModelMismatchError
from racer_vehicle.spec import spec_as_dict

_GROUPS: Final = ('setup', 'hyperparameters', 'randomization', 'run', 'results', 'cost')
_OF_A_RUN: Final = ('seed', 'method', 'versions')
_OF_A_RESULT: Final = ('clean_laps', 'total_laps', 'completion', 'mean_lap_s', 'best_lap_s',
                       'robust_score', 'score')
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Row:
    """A fact in which they differ.

    Attributes:
        group: `setup`, `hyperparameters`, `randomization`, `run`, `results` or `cost`.
        name: Of the fact, with dots where it is part of another.
        first: Plain value; None where the first model has none.
        second: The same of the second.
    """

    group: str
    name: str
    first: Any
    second: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """All in which two models differ.

    Attributes:
        rows: Facts that differ, group by group.
        reward: Lines of a unified diff of the reward functions; none if they are the same.
        same: How many facts are the same.
    """

    rows: tuple[Row, ...]
    reward: tuple[str, ...]
    same: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`: group to name to both values."""
        groups: dict[str, dict[str, list[Any]]] = {}
        for row in self.rows:
            groups.setdefault(row.group, {})[row.name] = [row.first, row.second]
        return {'differs': groups, 'reward': list(self.reward), 'same': self.same}


def compare(first: ModelFolder, second: ModelFolder) -> Difference:
    """Lay two models side by side.

    Raises:
        ModelMismatchError: One of them is damaged.
        ConfigError: The same.
    """
    facts = _facts(first), _facts(second)
    rows, same = list[Row](), 0
    for key in dict.fromkeys(chain(*facts)):
        values = [each.get(key, _ABSENT) for each in facts]
        if values[0] == values[1]:
            same += 1
        else:
            rows.append(Row(*key, *(None if value is _ABSENT else value for value in values)))
    rows.sort(key=lambda row: _GROUPS.index(row.group))
    return Difference(tuple(rows), tuple(_reward(first, second)), same)


def _facts(folder: ModelFolder) -> dict[tuple[str, str], Any]:
    """Group and name to a plain value, of all that can be compared."""
    run, setup, progress = folder.run, folder.setup, folder.progress
    metadata, lineage = folder.metadata, folder.lineage
    summary = summarise(folder)
    if summary.damage:
        raise ModelMismatchError(summary.damage)
    kept = {evaluation['kind']: evaluation['result']
            for evaluation in read_evaluations(folder.path)}
    groups: dict[str, Mapping[str, Any]] = {
        'setup': {
            'track': list(map(_track, run['track'], setup.tracks)),
            'direction': setup.direction, 'compat': setup.compat,
            'algorithm': metadata.training_algorithm.value, 'network': setup.network,
            'sensors': [sensor.value for sensor in setup.sensors],
            'actions': _actions(setup.actions), 'lidar': spec_as_dict(setup.lidar),
            'colour': setup.colour, 'stack': setup.stack,
            'image_age_s': list(setup.image_age_s), 'car': spec_as_dict(setup.car)},
        'hyperparameters': run['hyperparameters'],
        'randomization': as_plain(setup.randomization),
        'run': {**{name: run.get(name) for name in _OF_A_RUN},
                'from': 'nothing' if lineage is None else str(lineage)},
        'results': {
            'steps': summary.steps, 'episodes': progress.get('episodes'),
            'best_steps': summary.best_steps, 'best': _told(progress.get('best') or {}),
            **{f'newest {kind}': _told(result) for kind, result in kept.items()}},
        'cost': {'wall_s': summary.wall_s, 'cpu_s': summary.cpu_s,
                 'size_bytes': summary.size_bytes},
    }
    return {(group, name): value for group, facts in groups.items()
            for name, value in _flat(facts, '')}


def _track(name: str, place: str) -> str:
    """A track by name; by what is in its file too, where it is one of a person's own."""
    file = track_file(place)
    if file is None or not file.is_file():
        return name
    return f'{file.stem} (SHA-256 {file_sha256(file)[:8]})'


def _actions(space: ActionSpec) -> dict[str, Any]:
    """What can be asked for, in degrees and m/s."""
    if isinstance(space, DiscreteActions):
        pairs = zip(space.steering_rad, space.speed_mps, strict=True)
        return {'table': [f'{math.degrees(angle):.6g}° {speed:.6g} m/s' for angle, speed in pairs]}
    return {'steering_deg': [round(math.degrees(end), 9)
                             for end in (space.steering_low_rad, space.steering_high_rad)],
            'speed_mps': [space.speed_low_mps, space.speed_high_mps]}


def _told(result: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of an evaluation that say how good it was."""
    return {name: result[name] for name in _OF_A_RESULT if result.get(name) is not None}


def _flat(facts: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f'{prefix}{name}.')
        else:
            yield f'{prefix}{name}', value


def _reward(first: ModelFolder, second: ModelFolder) -> Iterator[str]:
    ours, theirs = (folder.reward_path.read_text(encoding='utf-8', errors='replace').splitlines()
                    for folder in (first, second))
    return difflib.unified_diff(ours, theirs, first.name, second.name, lineterm='')
