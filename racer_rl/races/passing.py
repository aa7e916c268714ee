"""How a bot gets past what is in its way: on which side, how slowly, or not at all.

Boxes and cars are handled alike: within a length of road around them, a width of it is taken. The
bot's line bends out of it to the side that is nearer and wide enough, and stays on that side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.bodies import Box
from racer_sim.encounters import PASSED_M
from racer_vehicle.spec import CarSpec

Records = NDArray[np.void]

SIGHT_M: Final = 1.5
SIGHT_S: Final = 1.0
"""How far ahead it looks, standing, and further by speed."""

RAMP_M: Final = 0.6
RAMP_S: Final = 0.45
"""Length of road on which it changes sides, and more by speed."""

ASIDE_M: Final = 0.06
BEFORE_M: Final = 0.12
"""Room that it leaves beside a body, and before it."""

SWERVE_MPS2: Final = 1.2
"""Grip that a change of sides may take: the speed for it follows."""

BRAKE_MPS2: Final = 3.0
CRAWL_MPS: Final = 0.3
"""A car that stands cannot turn away."""

Road = Callable[[float], tuple[float, float, float]]
"""Of an arc length: the line's offset to the left, and the half widths left and right."""


@dataclass(frozen=True, slots=True)
class Way:
    """What to do about what is ahead.

    Attributes:
        lateral_m: Offset to steer to, instead of the line's.
        speed_mps: Not faster than that.
    """

    lateral_m: float
    speed_mps: float


class Passing:
    """Finds its way among bodies, and remembers on which side it passes each."""

    def __init__(self, car: CarSpec) -> None:
        """Know one's own size."""
        self._car, self._box = car, Box(x_m=0.0, y_m=0.0)
        self._sides: dict[int, float] = {}

    def find(self, met: Records, road: Road, s_m: float, lateral_m: float, aim_m: float,
             speed_mps: float) -> Way:
        """Decide.

        Args:
            met: `ENCOUNTER`, (K,), of the car.
            road: What is where.
            s_m: Arc length of the car.
            lateral_m: Its offset.
            aim_m: Arc length of the place that it steers to.
            speed_mps: Its speed.
        """
        way, weight = Way(road(aim_m)[0], math.inf), 0.0
        sight_m = SIGHT_M + SIGHT_S * speed_mps
        for index in np.argsort(met['gap_m'], kind='stable').tolist():
            body = met[index]
            if not body['is_there'] or not -PASSED_M < body['gap_m'] < sight_m:
                self._sides.pop(index, None)
                continue
            width_m, length_m = self._room(bool(body['moves']))
            way = Way(way.lateral_m, min(
                way.speed_mps, _behind(body, abs(lateral_m - body['lateral_m']) < width_m,
                                       length_m, index in self._sides)))
            wanted = self._side(index, body, road, s_m, width_m)
            if wanted is None:
                continue
            from_line, to_side = wanted
            pull = _pull(aim_m - s_m - float(body['gap_m']), length_m, RAMP_M + RAMP_S * speed_mps)
            slow = min(way.speed_mps, _swerving(to_side - from_line, float(body['gap_m'])
                                                - length_m - RAMP_M, float(body['speed_mps'])))
            if pull > weight:
                weight = pull
                way = Way(way.lateral_m + pull * (to_side - way.lateral_m), slow)
            else:
                way = Way(way.lateral_m, slow)
        return way

    def _room(self, moves: bool) -> tuple[float, float]:
        """Half width and half length of the road that a body takes from the car's middle."""
        if moves:
            return self._car.width_m + ASIDE_M, self._car.length_m + BEFORE_M
        return (0.5 * (self._box.width_m + self._car.width_m) + ASIDE_M,
                0.5 * (self._box.length_m + self._car.length_m) + BEFORE_M)

    def _side(self, index: int, body: np.void, road: Road, s_m: float,
              width_m: float) -> tuple[float, float] | None:
        """Offsets of the line and of the free side at a body; None: not in the way, or no room."""
        at_m = float(body['lateral_m'])
        line_m, left_m, right_m = road(s_m + float(body['gap_m']))
        free = [side for side in (1.0, -1.0) if -right_m <= at_m + side * width_m <= left_m]
        if index not in self._sides and abs(line_m - at_m) < width_m and free:
            self._sides[index] = min(free, key=lambda side: abs(at_m + side * width_m - line_m))
        if index not in self._sides:
            return None
        if self._sides[index] not in free:
            del self._sides[index]
            return None
        edge_m, side = at_m + self._sides[index] * width_m, self._sides[index]
        return line_m, max(edge_m, line_m) if side > 0.0 else min(edge_m, line_m)


def _pull(beyond_m: float, length_m: float, ramp_m: float) -> float:
    """How much a place, so far beyond a body, is pulled aside: 1 beside it, 0 far from it."""
    return min(max(1.0 - (abs(beyond_m) - length_m) / ramp_m, 0.0), 1.0)


def _swerving(aside_m: float, ramp_in_m: float, body_mps: float) -> float:
    """Speed at which a change of sides can begin so far from here."""
    most = body_mps + math.sqrt(SWERVE_MPS2 / max(abs(aside_m), 0.01))
    return math.sqrt(most * most + 2.0 * BRAKE_MPS2 * max(ramp_in_m, 0.0))


def _behind(body: np.void, is_in_the_way: bool, length_m: float, passes: bool) -> float:
    """Speed at which one can still fall in behind a body."""
    if not is_in_the_way or body['gap_m'] < 0.0:
        return math.inf
    speed, free_m = float(body['speed_mps']), float(body['gap_m']) - length_m
    least = CRAWL_MPS if passes and free_m > -0.5 * BEFORE_M else 0.0
    return max(math.sqrt(speed * speed + 2.0 * BRAKE_MPS2 * max(free_m, 0.0)), least)
