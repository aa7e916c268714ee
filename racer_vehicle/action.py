"""Policy output to drive commands and back: a table of actions, or a continuous box.

The same two objects serve training (N cars), the exported policy's card and the car (N = 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import require_range

MAX_STEERING_RAD: Final = math.radians(30.0)
"""DeepRacer's action limit, to either side."""

MIN_SPEED_MPS: Final = 0.1
MAX_SPEED_MPS: Final = 4.0
"""DeepRacer's action limits of speed; a policy never asks for standstill or reverse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscreteActions:
    """A table of commands; the policy gives the index of one.

    Attributes:
        steering_rad: Steering angle of each action, positive left, +-30 degrees.
        speed_mps: Speed of each action, 0.1 to 4.0.
    """

    steering_rad: tuple[float, ...]
    speed_mps: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.steering_rad) != len(self.speed_mps) or len(self.steering_rad) < 2:
            raise ConfigError(
                f'DiscreteActions has {len(self.steering_rad)} steering angles and '
                f'{len(self.speed_mps)} speeds; allowed: one of each an action, 2 or more actions.'
            )
        for name, low, high in (('steering_rad', -MAX_STEERING_RAD, MAX_STEERING_RAD),
                                ('speed_mps', MIN_SPEED_MPS, MAX_SPEED_MPS)):
            for index, value in enumerate(getattr(self, name)):
                if not low <= value <= high:
                    raise ConfigError(f'DiscreteActions.{name}[{index}] is {value!r}; '
                                      f'allowed: {low:g} to {high:g}.')

    def __len__(self) -> int:
        """Number of actions in the table."""
        return len(self.steering_rad)

    @property
    def top_speed_mps(self) -> float:
        """Fastest speed of the table."""
        return max(self.speed_mps)

    def decode(self, policy_output: NDArray[np.integer]) -> NDArray[np.float64]:
        """Look the commands up.

        Args:
            policy_output: Integer indices, (N,), 0 to len - 1.

        Returns:
            float64, (N, 2): steering, rad; speed, m/s.

        Raises:
            ConfigError: Not integers of that shape, or an index outside the table.
        """
        indices = np.asarray(policy_output)
        if indices.ndim != 1 or indices.dtype.kind not in 'iu':
            raise ConfigError(
                f'discrete policy output has shape {indices.shape} and dtype {indices.dtype}; '
                'allowed: integers of shape (N,), one action index a car.'
            )
        outside = (indices < 0) | (indices >= len(self))
        if outside.any():
            row = int(outside.argmax())
            raise ConfigError(
                f'row {row} of the policy output is action {indices[row]}; allowed: 0 to '
                f'{len(self) - 1}. The policy was made for another action space: use its own.'
            )
        return self._table()[indices]

    def decode_one(self, output: Sequence[float]) -> tuple[float, float]:
        """The command that a policy prefers, of one car.

        Args:
            output: A finite number an action: how much it is preferred; the first of equals wins.

        Returns:
            Steering, rad, and speed, m/s.
        """
        best = max(range(len(self)), key=output.__getitem__)
        return self.steering_rad[best], self.speed_mps[best]

    def encode(self, commands: NDArray[np.float64]) -> NDArray[np.int64]:
        """Find the nearest action of the table, distances as shares of the limits' full range.

        Args:
            commands: float64, (N, 2): steering, rad; speed, m/s.

        Returns:
            int64, (N,): indices; the first of equally near ones.
        """
        full_range = np.array((2.0 * MAX_STEERING_RAD, MAX_SPEED_MPS - MIN_SPEED_MPS))
        apart = (np.asarray(commands)[:, np.newaxis, :] - self._table()) / full_range
        indices: NDArray[np.int64] = np.square(apart).sum(axis=2).argmin(axis=1)
        return indices

    def _table(self) -> NDArray[np.float64]:
        return np.array((self.steering_rad, self.speed_mps), dtype=np.float64).T


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuousActions:
    """A box of commands; the policy gives a point of it, steering and speed each in [-1, 1].

    Attributes:
        steering_low_rad: Steering at policy output -1: the sharpest right turn.
        steering_high_rad: Steering at +1: the sharpest left turn.
        speed_low_mps: Speed at policy output -1.
        speed_high_mps: Speed at +1.
    """

    steering_low_rad: float = -MAX_STEERING_RAD
    steering_high_rad: float = MAX_STEERING_RAD
    speed_low_mps: float = 0.5
    speed_high_mps: float = 2.0

    def __post_init__(self) -> None:
        steering, speed = (-MAX_STEERING_RAD, MAX_STEERING_RAD), (MIN_SPEED_MPS, MAX_SPEED_MPS)
        require_range(self, steering_low_rad=steering, steering_high_rad=steering,
                      speed_low_mps=speed, speed_high_mps=speed)
        for low, high in (('steering_low_rad', 'steering_high_rad'),
                          ('speed_low_mps', 'speed_high_mps')):
            if getattr(self, low) >= getattr(self, high):
                raise ConfigError(f'ContinuousActions.{low} is {getattr(self, low):g}; '
                                  f'allowed: less than {high}, {getattr(self, high):g}.')

    @property
    def top_speed_mps(self) -> float:
        """Fastest speed of the box."""
        return self.speed_high_mps

    def decode(self, policy_output: NDArray[np.floating]) -> NDArray[np.float64]:
        """Clip to [-1, 1] and rescale linearly.

        Args:
            policy_output: Floats, (N, 2): steering, speed.

        Returns:
            float64, (N, 2): steering, rad; speed, m/s.

        Raises:
            ConfigError: Another shape, or a number that is not finite, naming its row.
        """
        output = np.asarray(policy_output, dtype=np.float64)
        if output.ndim != 2 or output.shape[1] != 2:
            raise ConfigError(f'continuous policy output has shape {output.shape}; '
                              'allowed: (N, 2), steering and speed of each car.')
        finite = np.isfinite(output)
        if not finite.all():
            row = int(finite.all(axis=1).argmin())
            raise ConfigError(
                f'row {row} of the policy output is {output[row].tolist()}; allowed: finite '
                'numbers. The policy has diverged: use an earlier checkpoint.'
            )
        # np.clip takes longer.
        return _between(*_ends(self), np.minimum(np.maximum(output, -1.0), 1.0))

    def decode_one(self, output: Sequence[float]) -> tuple[float, float]:
        """`decode` for one car, to the last bit, in a tenth of the time.

        Args:
            output: Two finite numbers: steering, speed.

        Returns:
            Steering, rad, and speed, m/s.
        """
        steering, speed = output
        return (_between(self.steering_low_rad, self.steering_high_rad,
                         min(max(steering, -1.0), 1.0)),
                _between(self.speed_low_mps, self.speed_high_mps, min(max(speed, -1.0), 1.0)))

    def encode(self, commands: NDArray[np.float64]) -> NDArray[np.float64]:
        """Policy output that decodes to these commands, or to the nearest in the box.

        Args:
            commands: float64, (N, 2): steering, rad; speed, m/s.

        Returns:
            float64, (N, 2), inside [-1, 1].
        """
        low, high = _ends(self)
        return np.clip(2.0 * (np.asarray(commands) - low) / (high - low) - 1.0, -1.0, 1.0)


Value = TypeVar('Value', float, NDArray[np.float64])


def _between(low: Value, high: Value, output: Value) -> Value:
    """From low at output -1 to high at +1."""
    share = (output + 1.0) / 2.0
    # This form, unlike low + share * (high - low), returns both ends exactly.
    return (1.0 - share) * low + share * high


@lru_cache(maxsize=64)
def _ends(box: ContinuousActions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Commands at outputs -1 and +1, (2,) each; asked for at every decision of every car."""
    low = np.array((box.steering_low_rad, box.speed_low_mps), dtype=np.float64)
    high = np.array((box.steering_high_rad, box.speed_high_mps), dtype=np.float64)
    for end in (low, high):
        end.setflags(write=False)
    return low, high


ActionSpec = DiscreteActions | ContinuousActions
"""What a policy's outputs mean; both kinds have `decode`, `decode_one`, `encode` and
`top_speed_mps`."""
