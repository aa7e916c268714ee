"""Scripted cars, batched: they follow their lane at a speed of their own, and hit nobody.

They are moved, not simulated: no tyres, no servo. DeepRacer's were like that, too; unlike those,
they stop for what is in front of them, and change lanes only where nobody is beside them, so that
who meets one has itself to blame.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from racer_sim.courses import CourseGeometry
from racer_sim.obstacle_places import draw_places
from racer_sim.placement import along_course, half_width
from racer_sim.race_format import LANE_SHARE, Bots
from racer_vehicle.spec import CONTROL_PERIOD_S

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Records = NDArray[np.void]

BOT: Final = np.dtype([
    ('s_m', 'f8'), ('lateral', 'f8'), ('lane', 'f8'), ('left_lane', 'f8'), ('changed_m', 'f8'),
    ('wait_s', 'f8'), ('cruise_mps', 'f8'), ('speed_mps', 'f8'), ('x_m', 'f8'), ('y_m', 'f8'),
    ('yaw_rad', 'f8'),
])
"""Arc length; offset to the left as a share of the half width; the same of the lane it is in or
changes to, and of the one that it leaves; distance of the change driven so far; time until the
next; the speed of its run, and the one it has now; pose in the map."""

STOP_M: Final = 0.6
"""Nearest that a bot comes to what is ahead, middle to middle: a car's length and a half."""

ABREAST_M: Final = 0.3
"""Offset between two cars that pass each other with a hand's breadth between them."""

ROOM_M: Final = 1.2
"""What has to be free before and behind a bot that changes lanes."""


class BotFleet:
    """The bots of worlds with one other car each.

    Attributes:
        state: `BOT`, (worlds, bots).
    """

    def __init__(self, bots: Bots, worlds: int, geometry: CourseGeometry) -> None:
        """Park them; `start` sends them off.

        Args:
            bots: How many a world, and how they drive.
            worlds: How many.
            geometry: All courses.
        """
        self._bots, self._geometry = bots, geometry
        self.state = np.zeros((worlds, bots.count), dtype=BOT)

    def start(self, world: int, course: int, car_s_m: float, random: np.random.Generator) -> None:
        """Spread a world's bots over the lap.

        Args:
            world: Which.
            course: Index of its course.
            car_s_m: Where the other car is.
            random: Source of chance.
        """
        bots, rows = self._bots, self.state[world]
        s_m, lanes = draw_places(bots.count, bots.min_gap_m,
                                 float(self._geometry.length_m[course]), car_s_m, random)
        rows['s_m'], rows['lane'] = s_m, LANE_SHARE * lanes
        rows['lateral'] = rows['left_lane'] = rows['lane']
        rows['changed_m'] = bots.change_within_m
        steady = random.random(bots.count) < bots.steady_share
        rows['wait_s'] = np.where(steady, math.inf,
                                  random.uniform(*bots.change_after_s, bots.count))
        rows['cruise_mps'] = random.uniform(bots.slowest_mps, bots.fastest_mps)
        rows['speed_mps'] = rows['cruise_mps']
        self._pose(np.array([world]), np.array([course]))

    def step(self, course_of: Indices, cars: Records, racing: NDArray[np.bool_],
             random: np.random.Generator) -> None:
        """Drive one control period.

        Args:
            course_of: int64 (worlds,).
            cars: `PLACE`, (worlds,), of the other car.
            racing: bool (worlds,), whether it is on the track; the bots drive on without it.
            random: Source of chance.
        """
        length_m = self._geometry.length_m[course_of]
        _drive(self.state, cars['s_m'], cars['lateral_m'], cars['left_m'], cars['right_m'], racing,
               length_m, self._bots.changes_lanes, self._bots.change_within_m)
        due = self.state['wait_s'] < 0.0
        if due.any():  # a change has begun: when does the next?
            self.state['wait_s'][due] = random.uniform(*self._bots.change_after_s, int(due.sum()))
        self._pose(np.arange(len(course_of)), course_of)

    def write(self, bodies: NDArray[Any]) -> None:
        """Carry the bots' bodies, `BODY` (worlds, bots), to where the bots are."""
        for name in ('x_m', 'y_m', 'yaw_rad'):
            bodies[name] = self.state[name]

    def _pose(self, worlds: Indices, course_of: Indices) -> None:
        geometry = self._geometry
        _pose(self.state, worlds, course_of, geometry.points, geometry.s_m, geometry.left_m,
              geometry.right_m, geometry.first)


@njit(cache=True)
def _gap(from_m: float, to_m: float, length_m: float) -> float:
    """From one arc length to another, the short way round, ahead positive."""
    gap = to_m - from_m
    return gap - length_m * round(gap / length_m)


@njit(cache=True)
def _drive(bots: Records, car_s_m: Floats, car_lateral_m: Floats, left_m: Floats, right_m: Floats,
           racing: NDArray[np.bool_], length_m: Floats, changes: bool, within_m: float) -> None:
    for w in range(bots.shape[0]):
        half_m = 0.5 * (left_m[w] + right_m[w])
        for k in range(bots.shape[1]):
            bot = bots[w, k]
            gap = _gap(bot.s_m, car_s_m[w], length_m[w])
            beside = abs(car_lateral_m[w] - bot.lateral * half_m) < ABREAST_M
            stops = racing[w] and 0.0 <= gap < STOP_M and beside
            crowded = racing[w] and abs(gap) < ROOM_M
            for other in range(bots.shape[1]):
                if other != k:
                    gap = _gap(bot.s_m, bots[w, other].s_m, length_m[w])
                    # Of two at the very same place, one goes on.
                    ahead = 0.0 < gap < STOP_M or (gap == 0.0 and other < k)
                    beside = abs(bots[w, other].lateral - bot.lateral) * half_m < ABREAST_M
                    stops = stops or (ahead and beside)
                    crowded = crowded or abs(gap) < ROOM_M
            bot.speed_mps = 0.0 if stops else bot.cruise_mps
            moved = bot.speed_mps * CONTROL_PERIOD_S
            bot.s_m = (bot.s_m + moved) % length_m[w]
            bot.changed_m = min(bot.changed_m + moved, within_m)
            if changes and bot.changed_m >= within_m:
                bot.wait_s = max(bot.wait_s - CONTROL_PERIOD_S, 0.0)
                if bot.wait_s == 0.0 and not crowded:
                    bot.left_lane, bot.lane, bot.changed_m = bot.lane, -bot.lane, 0.0
                    bot.wait_s = -1.0
            share = bot.changed_m / within_m
            share *= share * (3.0 - 2.0 * share)  # without a jerk at either end
            bot.lateral = bot.left_lane + share * (bot.lane - bot.left_lane)


@njit(cache=True)
def _pose(bots: Records, worlds: Indices, course_of: Indices, points: Floats, s_m: Floats,
          left_m: Floats, right_m: Floats, first: Indices) -> None:
    for i in range(worlds.size):
        course = course_of[i]
        begin, end = first[course], first[course + 1]
        line, arc = points[begin:end], s_m[begin + course:end + course + 1]
        for k in range(bots.shape[1]):
            bot = bots[worlds[i], k]
            segment, fraction, x, y, yaw = along_course(line, arc, bot.s_m)
            lateral = bot.lateral * half_width(left_m[begin:end], right_m[begin:end], segment,
                                               fraction, bot.lateral)
            bot.x_m, bot.y_m = x - lateral * math.sin(yaw), y + lateral * math.cos(yaw)
            bot.yaw_rad = yaw
