"""Whether race control goes by the rules of a race: its parameters say so."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from racer_sim.courses import Course
from racer_sim.nodes.race_settings import RaceSettings
from racer_sim.rules import RaceRules
from racer_vehicle.errors import ConfigError

_OF_BOTH: Final = tuple(
    item.name for item in dataclasses.fields(RaceRules)
    if item.name in {setting.name for setting in dataclasses.fields(RaceSettings)})
"""Rules that are parameters of race control."""

ASKED: Final = ('track', 'direction', *_OF_BOTH)
"""The parameters that have to be known."""


def require_rules(told: Mapping[str, Any], rules: RaceRules, course: Course) -> None:
    """Refuse a race control that goes by other rules.

    A track is known by its name: its file may lie elsewhere on another computer.

    Args:
        told: Race control's parameters, all of `ASKED`.
        rules: Of the race.
        course: Where it is raced.

    Raises:
        ConfigError: Saying each difference, and how to start race control instead.
    """
    wanted = {'track': course.track.name,
              'direction': 'reverse' if course.reverse else 'forward',
              **{name: getattr(rules, name) for name in _OF_BOTH}}
    given = {**told, 'track': Path(str(told['track'])).stem}
    others = [name for name in ASKED if given[name] != wanted[name]]
    if others:
        said = ', '.join(f'{name} {given[name]} and not {wanted[name]}' for name in others)
        options = ' '.join(f'-p {name}:={wanted[name]}' for name in ASKED)
        raise ConfigError(f'race control has {said}; allowed: the rules of the race. Start it so: '
                          f'ros2 run racer race_control_node --ros-args {options}')
