"""Scripted drivers that show what a reward pays: two good ones, and the ways to drive badly.

They steer by ground truth, as arrays: every driver is a row of `Driver`, and one pure pursuit
follows all their lines. What they do depends only on the simulator's state and its clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_rl.reward.validation.lines import (
    centre_offsets_m,
    racing_offsets_m,
    right_lane_offsets_m,
    weave_offsets_m,
)
from racer_sim.courses import Course
from racer_sim.simulator import Simulator
from racer_sim.track import Track, vertex_normals
from racer_vehicle.spec import require_range

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Line = Callable[[Track, Floats], Floats]

POINTS: Final = 512
"""Of every line: at most 12 cm apart on the longest shipped track."""

CAREFUL_MPS: Final = 0.7
"""Of whoever drives as a learner first does: a reward must pay this more than any nonsense."""

QUICK_MPS: Final = 1.8
"""What the tightest shipped bend lets a car follow the racing line with, at a constant speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One way of driving.

    Attributes:
        name: In reports.
        does: What it does, the rest of a sentence that begins with its name.
        is_good: Whether a reward should prefer it.
        line: Offset to the left (K,) of what it follows, of a track and arc lengths (K,).
        speed_mps: Command.
        look_ahead_m: Distance along the course of the point it steers to.
        is_backward: Goes round the wrong way, from the start on.
        sideways: Metres it moves to the left of its line for every metre travelled.
        spin_after_s: Begins to turn left at full lock then, for ever.
    """

    name: str
    does: str
    is_good: bool = False
    line: Line = centre_offsets_m
    speed_mps: float = CAREFUL_MPS
    look_ahead_m: float = 0.35
    is_backward: bool = False
    sideways: float = 0.0
    spin_after_s: float = math.inf

    def __post_init__(self) -> None:
        require_range(self, speed_mps=(0.0, 4.0), look_ahead_m=(0.1, 10.0), sideways=(0.0, 1.0))


CENTRE_LINE: Final = Driver(
    name='centre-line follower', does='laps carefully along the centre line', is_good=True)
RACING_LINE: Final = Driver(
    name='racing-line follower', does='laps carefully along the racing line', is_good=True,
    line=racing_offsets_m)
QUICK_RACER: Final = Driver(
    name='quick racing-line follower', does='laps quickly along the racing line', is_good=True,
    line=racing_offsets_m, speed_mps=QUICK_MPS, look_ahead_m=0.55)

DRIVERS: Final = (
    CENTRE_LINE,
    RACING_LINE,
    QUICK_RACER,
    Driver(name='zigzag', does='weaves from border to border', line=weave_offsets_m),
    Driver(name='slow crawl', does='creeps along the centre line', speed_mps=0.25),
    Driver(name='standing still', does='does not move', speed_mps=0.0),
    # Fast enough to be turned the wrong way for less than the rules' patience, and a little way
    # ahead of its start, behind which `progress` reads 0.
    Driver(name='circling on the spot', does='turns in circles on one spot', speed_mps=1.5,
           line=right_lane_offsets_m, spin_after_s=0.5),
    Driver(name='driving backwards', does='laps the wrong way round', is_backward=True),
    Driver(name='cutting the corner', does='takes the short way across bends',
           look_ahead_m=3.5),
    Driver(name='drifting off the track', does='moves to the left until it has left the track',
           sideways=0.2),
)
"""All of them, the good ones first."""


class Grid:
    """Drivers on the courses of a simulator, one car for each driver, course and start.

    Attributes:
        drivers: Who drives.
        driver_of: int64 (N,), driver of each car.
        course_of: int64 (N,), course of each car.
        share: float64 (N,), where each car starts, as a share of the lap.
    """

    def __init__(self, drivers: Sequence[Driver], courses: Sequence[Course], starts: int,
                 ) -> None:
        """Lay the lines; cars are ordered by driver, then course, then start.

        Args:
            drivers: At least one.
            courses: The simulator's.
            starts: Cars of each driver on each course, spread evenly over the lap.
        """
        self.drivers = tuple(drivers)
        kinds = np.meshgrid(np.arange(len(drivers)), np.arange(len(courses)), np.arange(starts),
                            indexing='ij')
        self.driver_of, self.course_of, start = (kind.ravel() for kind in kinds)
        self.share = start / starts
        table = [_polyline(course.track, driver.line) for driver in drivers for course in courses]
        self._lines = np.array(table).reshape(len(drivers), len(courses), POINTS, 2)
        self._length_m = np.array([course.track.length_m for course in courses])[self.course_of]
        self._speed_mps = self._of_cars([driver.speed_mps for driver in drivers])
        self._sideways = self._of_cars([driver.sideways for driver in drivers])
        self._spin_after_s = self._of_cars([driver.spin_after_s for driver in drivers])
        self._sense = self._of_cars([-1.0 if each.is_backward else 1.0 for each in drivers])
        self._look_ahead_m = self._of_cars([each.look_ahead_m for each in drivers])

    def __len__(self) -> int:
        return len(self.driver_of)

    def _of_cars(self, values: Sequence[float]) -> Floats:
        """What each driver has, for each of its cars."""
        return np.array(values)[self.driver_of]

    def place(self, simulator: Simulator, cars: Indices) -> None:
        """Begin an episode with some cars, each at its start, on its line and along it.

        Args:
            simulator: With a car for each of the grid's.
            cars: int64 (K,), which.
        """
        simulator.course_of[cars] = self.course_of[cars]
        s_m = self.share[cars] * self._length_m[cars]
        here, there = self._at(cars, s_m), self._at(cars, s_m + 0.05 * self._sense[cars])
        x, y = here.T
        dx, dy = (there - here).T
        simulator.set_pose(cars, x, y, np.arctan2(dy, dx))

    def commands(self, simulator: Simulator) -> Floats:
        """What every driver does now, (N, 2): steering rad, speed m/s.

        Pure pursuit: the arc through a point at distance d and bearing a of the car's x axis has
        curvature 2 sin(a) / d (Coulter, *Implementation of the Pure Pursuit Path Tracking
        Algorithm*, 1992).
        """
        state, race = simulator.state, simulator.control.race
        cars = np.arange(len(self))
        aim_s_m = simulator.places['s_m'] + self._sense * self._look_ahead_m
        point, beyond = self._at(cars, aim_s_m), self._at(cars, aim_s_m + 0.05)
        along = (beyond - point) / np.hypot(*(beyond - point).T)[:, None]
        aside_m = self._sideways * np.maximum(race['travelled_m'], 0.0)
        point += aside_m[:, None] * np.stack((-along[:, 1], along[:, 0]), axis=1)
        dx, dy = point[:, 0] - state['x_m'], point[:, 1] - state['y_m']
        bearing = np.arctan2(dy, dx) - state['yaw_rad']
        curvature = 2.0 * np.sin(bearing) / np.maximum(np.hypot(dx, dy), 0.1)
        lock = simulator.car.max_steering_rad
        steering = np.clip(np.arctan(simulator.car.wheelbase_m * curvature), -lock, lock)
        spinning = race['time_s'] >= self._spin_after_s
        return np.column_stack((np.where(spinning, lock, steering), self._speed_mps))

    def _at(self, cars: Indices, s_m: Floats) -> Floats:
        """Points (K, 2) of the lines of some cars (K,) at arc lengths of the centre line (K,)."""
        place = np.mod(s_m / self._length_m[cars], 1.0) * POINTS
        before = place.astype(np.int64) % POINTS
        share = (place - np.floor(place))[:, None]
        driver, course = self.driver_of[cars], self.course_of[cars]
        return np.asarray((1.0 - share) * self._lines[driver, course, before]
                          + share * self._lines[driver, course, (before + 1) % POINTS])


def _polyline(track: Track, line: Line) -> Floats:
    """A line as `POINTS` points (K, 2) at equal steps along the centre line."""
    s_m = np.arange(POINTS) * track.length_m / POINTS
    centre = np.stack(track.pose_at(s_m)[:2], axis=1)
    return centre + line(track, s_m)[:, None] * vertex_normals(centre)
