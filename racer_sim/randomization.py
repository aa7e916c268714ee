"""What may differ from one episode to the next, and how far: ranges that an episode draws from.

A policy meets other light, another battery and worn gears than it was trained with. Training draws
all of that anew for each episode; the robustness suite sets one of it at a time. Every range is
(lowest, highest), drawn evenly; equal ends are a fixed value, and those of `Randomization()` are
the car, the ground and the camera as they are specified.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from racer_vehicle.errors import ConfigError, UnknownNameError


def _range(neutral: float, low: float, high: float) -> Any:
    """A range that by default is one value, with the widest ends that are allowed."""
    return field(default=(neutral, neutral), metadata={'low': low, 'high': high})


@dataclass(frozen=True, slots=True, kw_only=True)
class Randomization:
    """Ranges, each (lowest, highest).

    Attributes:
        asphalt: Added to the grey of the driving surface, levels of 255.
        lines: Added to that of border lines and dashes.
        surroundings: Added to that of the ground beside the track.
        sky: Added to that above the horizon.
        light: Factor on the whole image.
        exposure: Exponent of the image's brightness (gamma); below 1 it brightens what is dark.
        shadow: How much shadows across the track take of the light; 0 casts none.
        blur: Share of a pixel's light that its four neighbours get, each pass, 0 to 0.25.
        noise: Standard deviation of each pixel, levels of 255.
        smudge: Opacity of a smear on the lens; 0 is a clean one.
        scratch: Opacity of a scratch across the lens.
        camera_x_m: Added to the camera's place, forward.
        camera_y_m: To the left.
        camera_z_m: Upwards.
        camera_pitch_rad: Added to its angle downwards.
        camera_yaw_rad: Its angle to the left.
        camera_hfov: Factor on the horizontal field of view.
        frame_drop: Probability that a frame is lost: the car goes on as it was told before.
        friction: Factor on the tyres' friction.
        mass: Factor on the car's mass; motor and brake then push less or more of it.
        motor: Factor on the motor's force.
        battery_sag: Share of force and top speed that is lost in a minute.
        steering_trim_rad: Added to every steering command.
        steering_play_rad: How far worn gears let the wheels hang behind the servo, either way.
        wheel_radius: Factor on the wheels' radius, and so on the speed that a command gives.
        slope: Pull of an uneven floor, share of gravity, in a direction drawn evenly.
        latency_s: Added to the age of the image behind each command.
        jitter_s: Largest deviation of that age, drawn for every frame.
    """

    asphalt: tuple[float, float] = _range(0.0, -100.0, 100.0)
    lines: tuple[float, float] = _range(0.0, -150.0, 100.0)
    surroundings: tuple[float, float] = _range(0.0, -120.0, 150.0)
    sky: tuple[float, float] = _range(0.0, -255.0, 255.0)
    light: tuple[float, float] = _range(1.0, 0.1, 3.0)
    exposure: tuple[float, float] = _range(1.0, 0.3, 3.0)
    shadow: tuple[float, float] = _range(0.0, 0.0, 0.95)
    blur: tuple[float, float] = _range(0.0, 0.0, 0.25)
    noise: tuple[float, float] = _range(0.0, 0.0, 60.0)
    smudge: tuple[float, float] = _range(0.0, 0.0, 1.0)
    scratch: tuple[float, float] = _range(0.0, 0.0, 1.0)
    camera_x_m: tuple[float, float] = _range(0.0, -0.05, 0.05)
    camera_y_m: tuple[float, float] = _range(0.0, -0.05, 0.05)
    camera_z_m: tuple[float, float] = _range(0.0, -0.08, 0.1)
    camera_pitch_rad: tuple[float, float] = _range(0.0, -0.3, 0.3)
    camera_yaw_rad: tuple[float, float] = _range(0.0, -0.3, 0.3)
    camera_hfov: tuple[float, float] = _range(1.0, 0.6, 1.3)
    frame_drop: tuple[float, float] = _range(0.0, 0.0, 0.9)
    friction: tuple[float, float] = _range(1.0, 0.2, 2.0)
    mass: tuple[float, float] = _range(1.0, 0.5, 2.0)
    motor: tuple[float, float] = _range(1.0, 0.3, 2.0)
    battery_sag: tuple[float, float] = _range(0.0, 0.0, 0.9)
    steering_trim_rad: tuple[float, float] = _range(0.0, -0.3, 0.3)
    steering_play_rad: tuple[float, float] = _range(0.0, 0.0, 0.2)
    wheel_radius: tuple[float, float] = _range(1.0, 0.7, 1.4)
    slope: tuple[float, float] = _range(0.0, 0.0, 0.2)
    latency_s: tuple[float, float] = _range(0.0, 0.0, 0.06)
    jitter_s: tuple[float, float] = _range(0.0, 0.0, 0.066)

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(item, getattr(self, item.name))

    @property
    def is_neutral(self) -> bool:
        """Whether every episode is as specified."""
        return self == NONE

    @property
    def ends(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Lowest and highest of all ranges, in the order of the fields."""
        ranges = [getattr(self, item.name) for item in fields(self)]
        return tuple(low for low, _ in ranges), tuple(high for _, high in ranges)


def _check(item: Field[Any], given: Any) -> None:
    low, high = item.metadata['low'], item.metadata['high']
    wanted = (f'allowed: two numbers [lowest, highest] from {low:g} to {high:g}.')
    if (not isinstance(given, tuple) or len(given) != 2
            or not all(isinstance(end, int | float) and math.isfinite(end) for end in given)
            or not low <= given[0] <= given[1] <= high):
        raise ConfigError(f'randomization {item.name} is {given!r}; {wanted}')


NAMES: Final = tuple(item.name for item in fields(Randomization))
"""Of the ranges, in order."""

NONE: Final = Randomization()

DEFAULT: Final = Randomization(
    asphalt=(-25.0, 35.0), lines=(-60.0, 15.0), surroundings=(-50.0, 60.0), sky=(-120.0, 40.0),
    light=(0.7, 1.25), exposure=(0.8, 1.3), shadow=(0.0, 0.4), blur=(0.0, 0.15),
    noise=(0.0, 8.0), smudge=(0.0, 0.3), scratch=(0.0, 0.3),
    camera_x_m=(-0.01, 0.01), camera_y_m=(-0.005, 0.005), camera_z_m=(-0.01, 0.01),
    camera_pitch_rad=(-0.05, 0.05), camera_yaw_rad=(-0.03, 0.03), camera_hfov=(0.95, 1.05),
    frame_drop=(0.0, 0.03), friction=(0.75, 1.25), mass=(0.85, 1.2), motor=(0.8, 1.2),
    battery_sag=(0.0, 0.1), steering_trim_rad=(-0.04, 0.04), steering_play_rad=(0.0, 0.02),
    wheel_radius=(0.92, 1.08), slope=(0.0, 0.015), latency_s=(0.0, 0.01), jitter_s=(0.0, 0.01),
)

STRONG: Final = Randomization(
    asphalt=(-45.0, 70.0), lines=(-100.0, 15.0), surroundings=(-90.0, 110.0), sky=(-200.0, 60.0),
    light=(0.45, 1.6), exposure=(0.6, 1.7), shadow=(0.0, 0.7), blur=(0.0, 0.25),
    noise=(0.0, 20.0), smudge=(0.0, 0.7), scratch=(0.0, 0.7),
    camera_x_m=(-0.02, 0.02), camera_y_m=(-0.01, 0.01), camera_z_m=(-0.02, 0.02),
    camera_pitch_rad=(-0.1, 0.1), camera_yaw_rad=(-0.07, 0.07), camera_hfov=(0.9, 1.1),
    frame_drop=(0.0, 0.1), friction=(0.5, 1.5), mass=(0.7, 1.5), motor=(0.6, 1.3),
    battery_sag=(0.0, 0.3), steering_trim_rad=(-0.09, 0.09), steering_play_rad=(0.0, 0.05),
    wheel_radius=(0.85, 1.15), slope=(0.0, 0.04), latency_s=(0.0, 0.033), jitter_s=(0.0, 0.033),
)

PROFILES: Final[Mapping[str, Randomization]] = {
    'none': NONE, 'default': DEFAULT, 'strong': STRONG}
"""By name. Where no real car was measured, ranges are judgement; see docs/robustness.md."""


def find_randomization(name_or_path: str) -> Randomization:
    """A profile by its name, or the ranges of a JSON file.

    Args:
        name_or_path: A path ends in .json. The file holds one object: field to [lowest, highest],
            and perhaps `profile`, which gives what is left out (by default `none`).

    Raises:
        UnknownNameError: There is no such profile.
        ConfigError: The file cannot be used.
    """
    if not name_or_path.lower().endswith('.json'):
        if name_or_path not in PROFILES:
            raise UnknownNameError('randomization', name_or_path, list(PROFILES),
                                   'Or give a .json file with ranges.')
        return PROFILES[name_or_path]
    try:
        content = json.loads(Path(name_or_path).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise ConfigError(f'cannot read {name_or_path} ({error}); give a JSON file with one '
                          'object: range to [lowest, highest].') from None
    if not isinstance(content, dict):
        raise ConfigError(f'{name_or_path} holds {type(content).__name__}; allowed: one object, '
                          'range to [lowest, highest].')
    return randomization_from(content)


def randomization_from(content: Mapping[str, Any]) -> Randomization:
    """Ranges from plain data, as a file or a run's record holds them.

    Raises:
        UnknownNameError: A range or the profile does not exist.
        ConfigError: A range is none.
    """
    ranges = dict(content)
    profile = find_randomization(str(ranges.pop('profile', 'none')))
    for name in ranges:
        if name not in NAMES:
            raise UnknownNameError('range of randomization', name, list(NAMES))
    given = {name: tuple(ends) if isinstance(ends, list) else ends
             for name, ends in ranges.items()}
    return replace(profile, **given)


def as_plain(randomization: Randomization) -> dict[str, list[float]]:
    """The ranges that are not neutral, as `randomization_from` reads them."""
    return {name: list(getattr(randomization, name)) for name in NAMES
            if getattr(randomization, name) != getattr(NONE, name)}
