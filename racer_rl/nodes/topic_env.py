"""Cars that are driven over topics, behind the interface of the embedded simulator.

What is built on a `Simulator` (rewards, rules, the vector environment, evaluation) works on these
cars as well: only moving, placing and looking are other. They drive wherever the topics lead: in
`sim_node`, in Gazebo, or on a bench that tells where its car is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rclpy.executors import Executor

from racer_rl.nodes.car_link import CarLink
from racer_sim.courses import Course
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.starting_grid import Pose
from racer_vehicle.nodes.calls import spin_until
from racer_vehicle.signals import DriveCommand
from racer_vehicle.spec import CarSpec

ASK_AGAIN_S: Final = 1.0
"""After so long a car that was not put where it should be is asked for again."""


class TopicSimulator(Simulator):
    """Cars of one track and their ground truth, moved by somebody else.

    A step commands every car on its newest image and waits for the next; in lock-step that is
    what makes the simulator go on.

    Attributes:
        periods: Control periods driven, whatever for.
    """

    def __init__(self, course: Course, car: CarSpec, config: SimulatorConfig, seed: int,
                 links: Sequence[CarLink], executor: Executor, patience_s: float) -> None:
        """Join cars to their topics.

        Args:
            course: What they drive on.
            car: Specification of all cars.
            config: A car for each link.
            seed: Of the starts.
            links: The cars' topics.
            executor: That serves the links' nodes; it is spun here and nowhere else.
            patience_s: Longest wait for sensors, seconds of the clock on the wall.
        """
        self._links, self._executor, self._patience_s = tuple(links), executor, patience_s
        self._placed: dict[int, Pose] = {}
        self.periods = 0
        super().__init__([course], car, config, seed)

    def images(self, cars: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
        """What the cameras last showed; cars that were just placed are seen at their place."""
        self._settle()
        chosen = range(len(self._links)) if cars is None else cars
        return np.stack([self._links[car].planes for car in chosen])

    def scans(self) -> NDArray[np.float32]:
        """What the lidars last measured."""
        self._settle()
        return np.stack([link.ranges_m for link in self._links])

    def _stand(self, cars: NDArray[np.int64], x_m: NDArray[np.float64] | float,
               y_m: NDArray[np.float64] | float, yaw_rad: NDArray[np.float64] | float) -> None:
        super()._stand(cars, x_m, y_m, yaw_rad)
        for index in map(int, cars):
            place = self.state[index]
            self._placed[index] = Pose(*(float(place[key]) for key in ('x_m', 'y_m', 'yaw_rad')))

    def _advance(self) -> None:
        """Command all cars, neutral those out of the race, and wait for what comes of it."""
        self._settle()
        for link, frozen, command in zip(self._links, self.control.frozen,
                                         self.commands.tolist(), strict=True):
            steering_rad, speed_mps = (0.0, 0.0) if frozen else command
            link.command(DriveCommand(steering_rad=steering_rad, speed_mps=speed_mps))
        self._wait('a new image and ground truth', lambda link: link.has_news)
        self.periods += 1
        for index, link in enumerate(self._links):
            if not self.control.frozen[index]:
                self.state[index] = link.truth

    def _settle(self) -> None:
        """Put cars where they belong and wait until they are seen there."""
        if not self._placed:
            return
        placed = [(self._links[index], pose) for index, pose in self._placed.items()]
        self._placed.clear()
        for link, pose in placed:
            link.place(pose)
        asked_s = time.monotonic()

        def all_stand(link: CarLink) -> bool:
            nonlocal asked_s
            away = [each for each in placed if not each[0].stands_at(each[1])]
            if away and time.monotonic() - asked_s >= ASK_AGAIN_S:
                asked_s = time.monotonic()
                for each, _ in away:
                    each.place_again()
            return not away and link.shows_truth

        self._wait('an image from where the car was put', all_stand)

    def _wait(self, what: str, done: Callable[[CarLink], bool]) -> None:
        """Serve the topics until something is true of every car."""
        spin_until(self._executor, lambda: all(map(done, self._links)), self._patience_s, what)
