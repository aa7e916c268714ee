"""How a bot gets past what is in its way: on which side, how slowly, or not at all.

Boxes and cars are handled alike: within a length of road around them, a width of it is taken. The
bot's line bends out of it to the side that is nearer and wide enough, and stays on that side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

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

EARLY_M: Final = 0.25
EARLY_S: Final = 0.1
"""How long before a body it is to be aside."""

ASIDE_M: Final = 0.07
BEFORE_M: Final = 0.15
"""Room that it leaves beside a body, and before it."""

BEYOND_M: Final = 0.05
"""How far its middle may be off the road beside a body: half of its wheels stay on it."""

BESIDE_M: Final = 0.9
"""Bodies nearer to each other than this, along the road, are passed on one side."""

SWERVE_MPS2: Final = 1.2
"""Grip that a change of sides may take: the speed for it follows."""

BRAKE_MPS2: Final = 2.0
REACTION_S: Final = 0.2
"""Brakes like that, and begins so late."""

CRAWL_MPS: Final = 0.3
"""A car that stands cannot turn away."""

FASTER_MPS: Final = 0.15
"""Who would be faster by less stays behind."""



class Place(NamedTuple):
    """The road at an arc length.

    Attributes:
        line_m: Offset of the line, to the left.
        left_m: Half width there.
        right_m: The other.
        bend: Of the centre line, 1/m, never negative.
    """

    line_m: float
    left_m: float
    right_m: float
    bend: float


Road = Callable[[float], Place]


class Moment(NamedTuple):
    """A car that is looking for its way.

    Attributes:
        s_m: Its arc length.
        lateral_m: Its offset.
        aim_m: Arc length of the place that it steers to.
        speed_mps: Its speed.
        wanted_mps: The speed that it would have.
    """

    s_m: float
    lateral_m: float
    aim_m: float
    speed_mps: float
    wanted_mps: float


class Way(NamedTuple):
    """What to do about what is ahead.

    Attributes:
        lateral_m: Offset to steer to, instead of the line's.
        speed_mps: Not faster than that.
    """

    lateral_m: float
    speed_mps: float


class _Body(NamedTuple):
    """What is near: the way to it, its offset and speed, and half the road that it takes."""

    number: int
    gap_m: float
    lateral_m: float
    speed_mps: float
    width_m: float
    length_m: float


class Passing:
    """Finds its way among bodies, and remembers on which side it passes each."""

    def __init__(self, car: CarSpec) -> None:
        """Know one's own size."""
        self._car, self._box = car, Box(x_m=0.0, y_m=0.0)
        self._sides: dict[int, float] = {}

    def find(self, met: Records, road: Road, me: Moment) -> Way:
        """Decide.

        Args:
            met: `ENCOUNTER`, (K,), of the car.
            road: What is where.
            me: The car.
        """
        lateral_m = road(me.aim_m).line_m
        speed_mps, strongest = math.inf, 0.0
        near = self._near(met, road, me)
        self._sides = {body.number: self._sides[body.number] for body in near
                       if body.number in self._sides}
        for body in near:
            wanted = self._side(body, near, road, me)
            speed_mps = min(speed_mps, _behind(body, me, wanted is not None))
            if wanted is None:
                continue
            from_m, to_m = wanted
            ramp_m = RAMP_M + RAMP_S * me.speed_mps
            pull = _pull(me.aim_m - me.s_m - body.gap_m, body.length_m, me.speed_mps, ramp_m)
            speed_mps = min(speed_mps, _swerving(abs(to_m - from_m), body, ramp_m))
            if pull > strongest:
                strongest = pull
                lateral_m += pull * (to_m - lateral_m)
        return Way(self._kept_clear(lateral_m, near), speed_mps)

    def _kept_clear(self, lateral_m: float, near: list[_Body]) -> float:
        """The offset, or one that does not lead into whoever is beside the car now."""
        for body in near:
            if body.number in self._sides and abs(body.gap_m) < body.length_m:
                side = self._sides[body.number]
                edge_m = body.lateral_m + side * body.width_m
                lateral_m = max(lateral_m, edge_m) if side > 0.0 else min(lateral_m, edge_m)
        return lateral_m

    def _near(self, met: Records, road: Road, me: Moment) -> list[_Body]:
        """What is in sight, the nearest first."""
        sight_m = SIGHT_M + SIGHT_S * me.speed_mps
        seen = met['is_there'] & (met['gap_m'] > -PASSED_M) & (met['gap_m'] < sight_m)
        bodies = []
        for index in np.flatnonzero(seen).tolist():
            one, gap_m = met[index], float(met['gap_m'][index])
            size = self._car if one['moves'] else self._box
            half_m = 0.5 * (size.length_m + self._car.length_m)
            # What is straight sticks out of a lane that bends.
            bulge_m = 0.5 * half_m * half_m * road(me.s_m + gap_m).bend
            bodies.append(_Body(
                index, gap_m, float(one['lateral_m']), float(one['speed_mps']),
                0.5 * (size.width_m + self._car.width_m) + bulge_m + ASIDE_M, half_m + BEFORE_M))
        return sorted(bodies, key=lambda body: body.gap_m)

    def _side(self, body: _Body, near: list[_Body], road: Road,
              me: Moment) -> tuple[float, float] | None:
        """Offsets of the line and of the free side at a body; None: behind it, or not in the way.

        Who is beside it already stays on the side where it is.
        """
        place = road(me.s_m + body.gap_m)
        if abs(body.gap_m) < body.length_m - BEFORE_M:
            self._sides[body.number] = 1.0 if me.lateral_m > body.lateral_m else -1.0
        elif self._sides.get(body.number) not in (choices := self._choices(body, near)):
            self._sides.pop(body.number, None)
            if (abs(place.line_m - body.lateral_m) >= body.width_m
                    or body.speed_mps > me.wanted_mps - FASTER_MPS):
                return None
            free = [side for side in choices
                    if _is_free(body.lateral_m + side * body.width_m, body, near, place)]
            if not free:
                return None
            self._sides[body.number] = min(
                free, key=lambda side: abs(body.lateral_m + side * body.width_m - place.line_m))
        side = self._sides[body.number]
        edge_m = body.lateral_m + side * body.width_m
        if body.gap_m > body.length_m and not _is_free(edge_m, body, near, place):
            del self._sides[body.number]
            return None
        return place.line_m, (max if side > 0.0 else min)(edge_m, place.line_m)

    def _choices(self, body: _Body, near: list[_Body]) -> tuple[float, ...]:
        """Sides to choose from: that of the body just before it, where one is passed already."""
        before = [self._sides[other.number] for other in near
                  if 0.0 < body.gap_m - other.gap_m < BESIDE_M and other.number in self._sides]
        return tuple(before[-1:]) or (1.0, -1.0)


def _is_free(lateral_m: float, body: _Body, near: list[_Body], place: Place) -> bool:
    """Whether a car can be at an offset beside a body: on the road, and nobody else is there."""
    on_road = -place.right_m - BEYOND_M <= lateral_m <= place.left_m + BEYOND_M
    return on_road and not any(
        abs(other.lateral_m - lateral_m) < other.width_m - ASIDE_M
        and abs(other.gap_m - body.gap_m) < BESIDE_M
        for other in near if other.number != body.number)


def _pull(beyond_m: float, length_m: float, speed_mps: float, ramp_m: float) -> float:
    """How much a place, so far beyond a body, is pulled aside: 1 beside it, 0 far from it."""
    early_m = EARLY_M + EARLY_S * speed_mps if beyond_m < 0.0 else 0.0
    return min(max(1.0 - (abs(beyond_m) - length_m - early_m) / ramp_m, 0.0), 1.0)


def _swerving(aside_m: float, body: _Body, ramp_m: float) -> float:
    """Speed at which a change of sides can begin where it has to."""
    most = body.speed_mps + math.sqrt(SWERVE_MPS2 / max(aside_m, 0.01))
    return math.sqrt(most * most
                     + 2.0 * BRAKE_MPS2 * max(body.gap_m - body.length_m - ramp_m, 0.0))


def _behind(body: _Body, me: Moment, passes: bool) -> float:
    """Speed at which one can still fall in behind a body."""
    if body.gap_m < 0.0 or abs(me.lateral_m - body.lateral_m) >= body.width_m - 0.5 * ASIDE_M:
        return math.inf
    free_m = (body.gap_m - body.length_m
              - REACTION_S * max(me.speed_mps - body.speed_mps, 0.0))
    least = CRAWL_MPS if passes and body.gap_m > body.length_m - BEFORE_M else 0.0
    return max(math.sqrt(body.speed_mps**2 + 2.0 * BRAKE_MPS2 * max(free_m, 0.0))
               - (0.0 if free_m > 0.0 else FASTER_MPS), least)
