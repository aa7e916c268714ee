"""Who and what is on the track with a car that has it for itself: boxes, or bots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.bodies import BOT_OWNER, Box, body_of, car_body
from racer_sim.bots import BotFleet
from racer_sim.courses import Course, CourseGeometry
from racer_sim.obstacle_places import draw_places, named_places, obstacle_boxes, require_room_on
from racer_sim.race_format import RaceFormat
from racer_vehicle.spec import CarSpec

Records = NDArray[np.void]
Indices = NDArray[np.int64]

BOT_COLOUR: Final = (40, 80, 170)


class Company:
    """The guests of each car's world.

    Attributes:
        count: Guests of a world.
    """

    def __init__(self, race: RaceFormat, courses: Sequence[Course], geometry: CourseGeometry,
                 cars: int) -> None:
        """Invite them.

        Args:
            race: Who and what.
            courses: Where the cars may be.
            geometry: The same.
            cars: How many; each has a world of its own where there are guests.

        Raises:
            ConfigError: There is no room for them on a course.
        """
        require_room_on(courses, race)
        self._race, self._courses, self._geometry = race, tuple(courses), geometry
        self.count = race.obstacles.count + race.bots.count
        self._boxes = np.zeros((cars, race.obstacles.count, 3))
        self._fleet = BotFleet(race.bots, cars, geometry)

    def body(self, car: CarSpec) -> Records:
        """What each of them looks like: `BODY` scalar record, in sRGB."""
        if self._race.bots.count:
            return car_body(car, BOT_OWNER, BOT_COLOUR)
        return body_of(Box(x_m=0.0, y_m=0.0))

    def begin(self, cars: Indices, course_of: Indices, s_m: NDArray[np.float64],
              random: np.random.Generator) -> None:
        """New runs: boxes and bots take new places, away from the car.

        Args:
            cars: int64 (K,), which.
            course_of: int64 (N,).
            s_m: float64 (N,), where the cars are.
            random: Source of chance.
        """
        if self._race.bots.count:
            for car in cars.tolist():
                self._fleet.start(car, int(course_of[car]), float(s_m[car]), random)
        else:
            self._place_boxes(cars, course_of, s_m, random)

    def lap_done(self, cars: Indices, course_of: Indices, s_m: NDArray[np.float64],
                 random: np.random.Generator) -> None:
        """Laps were completed: boxes that are to be moved are; arguments as of `begin`."""
        if self._race.obstacles.moved and not self._race.obstacles.places:
            self._place_boxes(cars, course_of, s_m, random)

    def _place_boxes(self, cars: Indices, course_of: Indices, s_m: NDArray[np.float64],
                     random: np.random.Generator) -> None:
        wanted = self._race.obstacles
        for car in cars.tolist() if wanted.count else ():
            course = self._courses[course_of[car]]
            length_m = course.track.length_m
            if wanted.places:
                at_m, lanes = named_places(wanted.places, length_m)
            else:
                at_m, lanes = draw_places(wanted.count, wanted.min_gap_m, length_m,
                                          float(s_m[car]), random)
            self._boxes[car] = [(box.x_m, box.y_m, box.yaw_rad)
                                for box in obstacle_boxes(course, at_m, lanes)]

    def step(self, course_of: Indices, places: Records, racing: NDArray[np.bool_],
             random: np.random.Generator) -> None:
        """Drive the bots one control period.

        Args:
            course_of: int64 (N,).
            places: `PLACE`, (N,), of the cars.
            racing: bool (N,), cars that are on the track.
            random: Source of chance.
        """
        if self._race.bots.count:
            self._fleet.step(course_of, places, racing, random)

    def write(self, guests: Records, speeds: NDArray[np.float64]) -> None:
        """Carry their bodies, `BODY` (N, count), to where they are, and tell their speeds, m/s."""
        if self._race.bots.count:
            self._fleet.write(guests)
            speeds[:] = self._fleet.state['speed_mps']
        elif self.count:
            for index, name in enumerate(('x_m', 'y_m', 'yaw_rad')):
                guests[name] = self._boxes[..., index]

    @property
    def changing(self) -> Mapping[str, NDArray[Any]]:
        """The arrays, not copies, that all of this writes."""
        parts = {'boxes': self._boxes, 'bots': self._fleet.state}
        return {name: array for name, array in parts.items() if array.size}
