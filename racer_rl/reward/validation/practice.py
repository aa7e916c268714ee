"""Scripted drivers race with a reward function: what each is paid, and where.

No learner and no camera: all drivers, on several courses, are one batch of cars, and a reward in
its sandbox pays them. What counts is what a learner counts: rewards discounted from the start of
an episode, which an incident ends and a completed lap does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_rl.reward.loading import RewardFile
from racer_rl.reward.params import CAR, Numbers, ParamsBuilder
from racer_rl.reward.sandbox import RewardSandbox
from racer_rl.reward.validation.drivers import CENTRE_LINE, DRIVERS, Driver, Grid
from racer_sim.courses import Course
from racer_sim.rules import Status
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_vehicle.errors import RewardError
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec, require_range

Floats = NDArray[np.float64]

PRACTICE_TRACKS: Final = ('oval', 'boomerang', 'fishhook')
"""Bends to one side, to both, and a hairpin."""

MIRRORED: Final = Driver(
    name='centre-line follower with mirrored steering',
    does='is the centre-line follower as seen by a reward that takes left for right')
"""No driver of its own: the same states, with the sign of `steering_angle` turned round."""

LEAST_HEADWAY: Final = 0.2
"""Whose way along the course is a smaller share of the way that it drove gets nowhere."""

SAMPLE: Final = np.dtype([
    ('x_m', 'f8'), ('y_m', 'f8'), ('s_m', 'f8'), ('speed_mps', 'f8'), ('headway_mps', 'f8'),
    ('offset_m', 'f8'), ('steering_rad', 'f8'), ('reward', 'f8'), ('driven', '?'),
])
"""One car after one step: place, arc length, speed, speed along the course, distance from the
centre line, wheel angle, what it was paid, and whether its run had not ended before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticePlan:
    """How long and how often.

    Attributes:
        seconds: Simulated time of every car.
        starts: Cars of each driver on each course.
        gamma: A learner's discount per step; 0.99, the default of training.
    """

    seconds: float = 30.0
    starts: int = 2
    gamma: float = 0.99

    def __post_init__(self) -> None:
        require_range(self, seconds=(1.0, 3600.0), starts=(1, 64), gamma=(0.0, 1.0))

    @property
    def weights(self) -> Floats:
        """What a reward counts at each step, (T,); the sum is 1 / `CONTROL_PERIOD_S`."""
        discounts = np.power(self.gamma, np.arange(round(self.seconds / CONTROL_PERIOD_S)))
        return np.asarray(discounts / discounts.sum() / CONTROL_PERIOD_S)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stint:
    """What one driver did on one course, and what it was paid.

    Attributes:
        driver: Who.
        course: Where.
        samples: `SAMPLE`, (T, starts).
        ending: Of the first car that had an incident; None if none had.
        per_second: Rewards discounted from the start, as the steady pay of a second that would
            add up to as much; what an ended run does not drive counts as nothing.
        per_lap: Rewards for the length of a lap; None for who gets nowhere or had an incident.
    """

    driver: Driver
    course: Course
    samples: NDArray[np.void]
    ending: Status | None
    per_second: float
    per_lap: float | None

    @property
    def driven_s(self) -> float:
        """Mean time until its runs ended."""
        return float(self.samples['driven'].sum(axis=0).mean()) * CONTROL_PERIOD_S

    @property
    def mean_per_second(self) -> float:
        """What a second pays while it drives, nothing discounted."""
        return float(self.samples['reward'][self.samples['driven']].mean()) / CONTROL_PERIOD_S


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Practice:
    """Every driver on every course.

    Attributes:
        plan: What was driven.
        stints: Course by course, drivers in the order of `DRIVERS`, then `MIRRORED`.
    """

    plan: PracticePlan
    stints: tuple[Stint, ...]

    @property
    def courses(self) -> tuple[Course, ...]:
        """Where it was."""
        return tuple(dict.fromkeys(stint.course for stint in self.stints))

    def on(self, course: Course) -> tuple[Stint, ...]:
        """The stints on a course."""
        return tuple(stint for stint in self.stints if stint.course == course)


def practise(reward: RewardFile, courses: Sequence[Course], plan: PracticePlan | None = None,
             ) -> Practice:
    """Let every driver race on every course with a reward function.

    Args:
        reward: The function; every car has an instance of its own.
        courses: At least one.
        plan: How long and how often.

    Raises:
        RewardError: The function failed.
    """
    plan = plan or PracticePlan()
    grid = Grid(DRIVERS, courses, plan.starts)
    config = SimulatorConfig(cars=len(grid), image_age_s=(0.0, 0.0))
    race = _Race(Simulator(courses, CarSpec(), config, seed=0), grid, reward)
    with closing(race.sandbox):
        samples = np.stack([race.step() for _ in plan.weights])
    stints = []
    for index, course in enumerate(courses):
        for number, driver in enumerate((*DRIVERS, MIRRORED)):
            cars = (race.driver_of == number) & (race.course_of == index)
            stints.append(_stint(driver, course, samples[:, cars], race.endings[cars], plan))
    return Practice(plan=plan, stints=tuple(stints))


class _Race:
    """The cars on their way; after the cars of the grid come the mirrored ones."""

    def __init__(self, simulator: Simulator, grid: Grid, reward: RewardFile) -> None:
        self.simulator, self.grid = simulator, grid
        self._twins = np.flatnonzero(grid.driver_of == DRIVERS.index(CENTRE_LINE))
        self.driver_of = np.append(grid.driver_of, np.full(len(self._twins), len(DRIVERS)))
        self.course_of = np.append(grid.course_of, grid.course_of[self._twins])
        self._endings = np.full(len(grid), Status.IN_PROGRESS)
        self._builder = ParamsBuilder(simulator)
        self.sandbox = RewardSandbox(reward, self._builder.waypoints, len(self.driver_of))
        grid.place(simulator, np.arange(len(grid)))

    @property
    def endings(self) -> NDArray[np.int64]:
        """`Status` of every car: of its incident, or still in progress."""
        return np.append(self._endings, self._endings[self._twins])

    def step(self) -> NDArray[np.void]:
        """One control period of all cars: `SAMPLE`, (N,)."""
        simulator = self.simulator
        driven = self._endings == Status.IN_PROGRESS
        before_m = simulator.control.race['travelled_m'].copy()
        simulator.step(self.grid.commands(simulator))
        race, state, places = simulator.control.race, simulator.state, simulator.places
        samples = np.zeros(len(self.grid), dtype=SAMPLE)
        samples['x_m'], samples['y_m'], samples['s_m'] = state['x_m'], state['y_m'], places['s_m']
        samples['speed_mps'] = np.hypot(state['vx_mps'], state['vy_mps'])
        samples['headway_mps'] = (race['travelled_m'] - before_m) / CONTROL_PERIOD_S
        samples['offset_m'] = np.abs(places['lateral_m'])
        samples['steering_rad'], samples['driven'] = state['steering_rad'], driven
        samples = np.append(samples, samples[self._twins])
        samples['reward'] = self._pay()
        lapped = race['status'] == Status.LAP_COMPLETE
        self._endings[driven & ~lapped] = race['status'][driven & ~lapped]
        if lapped.any():
            self.grid.place(simulator, np.flatnonzero(lapped))
        return samples

    def _pay(self) -> Floats:
        numbers = self._builder.measure()
        mirrored = numbers.cars[:, self._twins]
        mirrored[CAR.index('steering')] *= -1.0
        paid = self.sandbox.pay(Numbers(np.column_stack((numbers.cars, mirrored)),
                                        numbers.objects))
        for _, failure in paid.failures:
            raise RewardError(failure)
        return paid.rewards


def _stint(driver: Driver, course: Course, samples: NDArray[np.void],
           endings: NDArray[np.int64], plan: PracticePlan) -> Stint:
    """The account of one driver on one course."""
    driven = samples['driven']
    incidents = endings[endings != Status.IN_PROGRESS]
    earned = np.where(driven, samples['reward'], 0.0)
    along_m, way_m = (samples[field][driven].sum() * CONTROL_PERIOD_S
                      for field in ('headway_mps', 'speed_mps'))
    gets_round = not incidents.size and along_m > LEAST_HEADWAY * way_m
    return Stint(
        driver=driver, course=course, samples=samples,
        ending=Status(incidents[0]) if incidents.size else None,
        per_second=float((plan.weights @ earned).mean()),
        per_lap=(float(earned.sum() * course.track.length_m / along_m) if gets_round else None),
    )
