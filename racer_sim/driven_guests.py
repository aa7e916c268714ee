"""The boxes or bots on a track that somebody else drives on and judges.

Race control tells of runs and laps, and they move by what it says: every simulator alike, and the
same places in each for the same seed, run and lap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim import vehicle
from racer_sim.bodies import Box, car_body
from racer_sim.camera import BODY
from racer_sim.company import Company
from racer_sim.courses import Course, CourseGeometry
from racer_sim.placement import PLACE, locate
from racer_sim.race_format import RaceFormat
from racer_sim.simulator import CAR_COLOUR
from racer_sim.starting_grid import Pose
from racer_sim.traffic import ASIDE_M
from racer_vehicle.spec import CarSpec

Records = NDArray[np.void]

CAR: Final = np.zeros(1, dtype=np.int64)
"""The one car's index and the one course's."""


class DrivenGuests:
    """Boxes or bots of one world, around one car.

    Attributes:
        bodies: `BODY`, (K,), where they are; K may be 0.
    """

    def __init__(self, race: RaceFormat, course: Course, car: CarSpec, seed: int,
                 start: Pose) -> None:
        """Place them; a run that is told of places them anew.

        Args:
            race: Who and what.
            course: The course.
            car: Of the car, and of the bots.
            seed: Of where they are.
            start: Where the car stands.

        Raises:
            ConfigError: There is no room for them on the course.
        """
        self._geometry, self._seed = CourseGeometry.of([course]), seed
        self._company = Company(race, [course], self._geometry, 1)
        self._drive, self._waiting = race.bots.count > 0, False
        self.bodies = np.zeros(self._company.count, dtype=BODY)
        self.bodies[:] = self._company.body(car)
        self._speeds = np.zeros((1, self._company.count))
        self._wheels_m = np.array(car.wheel_positions_m)
        self._states = np.zeros(1, dtype=vehicle.STATE)
        self._places = np.zeros(1, dtype=PLACE)
        self._random = np.random.default_rng(seed)
        self._run, self._laps = 0, 0
        self.put_car(start)
        self._begin()

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The same as boxes, for whoever builds a world."""
        return tuple(Box(x_m=float(body['x_m']), y_m=float(body['y_m']),
                         yaw_rad=float(body['yaw_rad']), length_m=float(body['length_m']),
                         width_m=float(body['width_m']), height_m=float(body['height_m']),
                         colour=tuple(body['colour'].tolist())) for body in self.bodies)

    def put_car(self, pose: Pose) -> None:
        """The car was put somewhere: from there, runs and their laps count."""
        self._start_s_m = self._find(pose)

    def follow(self, run: int, laps: int, *, waiting: bool = False) -> bool:
        """What race control says.

        Args:
            run: Number of the run.
            laps: Completed in it.
            waiting: Whether the run has not begun: bots do not move until the car does.

        Returns:
            Whether boxes or bots have moved by it.
        """
        self._waiting = waiting
        if (run, laps) == (self._run, self._laps):
            return False
        is_new, self._run, self._laps = run != self._run, run, laps
        if is_new:
            self._begin()
        else:
            self._random = self._chance()
            self._company.lap_done(CAR, CAR, np.array([self._start_s_m]), self._random)
            self._write()
        return len(self.bodies) > 0

    def step(self, pose: Pose, *, racing: bool = True) -> bool:
        """Drive the bots one control period.

        Args:
            pose: Where the car is.
            racing: Whether it is in their way.

        Returns:
            Whether there are any, and they moved.
        """
        if not self._drive or self._waiting:
            return False
        self._find(pose)
        self._company.step(CAR, self._places, np.array([racing]), self._random)
        self._write()
        return True

    def _begin(self) -> None:
        self._random = self._chance()
        self._company.begin(CAR, CAR, np.array([self._start_s_m]), self._random)
        self._write()

    def _chance(self) -> np.random.Generator:
        return np.random.default_rng((self._seed, self._run, self._laps))

    def _write(self) -> None:
        self._company.write(self.bodies[None], self._speeds)

    def _find(self, pose: Pose) -> float:
        """Find the car on its course; its arc length."""
        self._states['x_m'], self._states['y_m'] = pose.x_m, pose.y_m
        self._states['yaw_rad'] = pose.yaw_rad
        locate(self._places, self._states, CAR, self._wheels_m, self._geometry)
        return float(self._places['s_m'][0])


def bodies_met(guests: Records, car: CarSpec, others: Mapping[int, Pose | None]) -> Records:
    """What a car can run into: the guests, and the other cars where they are.

    Args:
        guests: `BODY`, (K,).
        car: Of all cars.
        others: Number of each other car, and where it is; None: off the track, aside.

    Returns:
        `BODY`, (K + others,), a new array.
    """
    cars = np.array([car_body(car, number, CAR_COLOUR) for number in others], dtype=BODY)
    for body, pose in zip(cars, others.values(), strict=True):
        at = pose or Pose(ASIDE_M, 0.0, 0.0)
        body['x_m'], body['y_m'], body['yaw_rad'] = at.x_m, at.y_m, at.yaw_rad
    return np.concatenate((guests, cars))
