"""A race from its plan: place the cars, let the drivers drive, and write down what came of it.

Nothing depends on the clock on the wall, and all that is random comes from the plan's seed, so
the same plan, bundles, versions and processor give the same bits.
"""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from racer_rl.benchmarks.machine import cpu_model
from racer_rl.races.drivers import Driver, PolicyDriver
from racer_rl.races.entrants import Entrant, car_of
from racer_rl.races.field import Field
from racer_rl.races.plan import RacePlan
from racer_rl.races.result import EntryResult, RaceResult
from racer_sim.courses import Course
from racer_sim.onlooker import looking_on
from racer_sim.rules import Lap, Status
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.starting_grid import grid_pose, one_course
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CarSpec

Watch = Callable[[Simulator], None]
Records = NDArray[np.void]

PACKAGES: Final = ('racer', 'numpy', 'numba', 'onnxruntime')
"""Whose versions decide about the last bit, with OpenCV, which has several names."""


def run_race(plan: RacePlan, entrants: Sequence[Entrant], watch: Watch | None = None,
             ) -> RaceResult:
    """Drive a race.

    Args:
        plan: Track, kind of race, rules and seed.
        entrants: In the order of the starting grid: one, or `plan.format.cars` head to head.
        watch: Called before the first step and after every one, e.g. to film. Whatever it looks
            at, the race stays the same.

    Raises:
        ConfigError: Entrants do not suit the plan, or the plan cannot be raced.
        TrackError: The track cannot be raced on, or not by the time-optimal bot.
        ModelMismatchError: A policy does not suit the car of the race.
    """
    _require_number(plan, entrants)
    car, course = car_of(entrants), one_course(plan.track, plan.direction)
    drivers = [_driver(entrant, course, car) for entrant in entrants]
    simulator = build_race(plan, course, car, rgb=_sees_colour(entrants))
    race = _Race(simulator, Field(simulator, drivers))
    race.drive(watch)
    return RaceResult(
        plan=plan, entries=tuple(race.entry(index, each) for index, each in enumerate(entrants)),
        track_sha256=hashlib.sha256(course.drawn).hexdigest(),
        trace_sha256=race.digest.hexdigest(), versions=versions_here(),
    )


def build_race(plan: RacePlan, course: Course, car: CarSpec, *, rgb: bool) -> Simulator:
    """The simulator of a race, its cars where they start.

    Args:
        plan: Of the race.
        course: Its course.
        car: All cars.
        rgb: Whether anybody sees colours; the others get their grey of it, as on the car.
    """
    cars = plan.format.cars
    config = SimulatorConfig(cars=cars, cars_per_world=cars, race=plan.format, rgb=rgb,
                             rules=plan.rules,
                             randomization=(plan.randomization,))
    simulator = Simulator([course], car, config, plan.seed)
    everyone = np.arange(cars)
    if cars == 1:
        simulator.place(everyone, np.zeros(1, dtype=np.int64), np.zeros(1))
        return simulator
    poses = [grid_pose(course, 0.0, place) for place in range(cars)]
    x_m, y_m, yaw_rad = (np.array([getattr(pose, name) for pose in poses])
                         for name in ('x_m', 'y_m', 'yaw_rad'))
    simulator.set_pose(everyone, x_m, y_m, yaw_rad)
    # One line for all: who starts behind it has the way to it still to go.
    simulator.control.start(everyone, np.zeros(cars))
    simulator.control.put_back(everyone, simulator.places['s_m'], simulator.length_m)
    return simulator


def versions_here() -> dict[str, str]:
    """What the bits of a race depend on, apart from its plan and its entrants."""
    return {**{name: version(name) for name in PACKAGES}, 'opencv': cv2.__version__,
            'python': platform.python_version(), 'processor': cpu_model(),
            'system': f'{platform.system()} {platform.machine()}'}


def _require_number(plan: RacePlan, entrants: Sequence[Entrant]) -> None:
    wanted, kind = plan.format.cars, plan.format.type
    if len(entrants) != wanted:
        raise ConfigError(f'{len(entrants)} entrants in a {kind} race; allowed: {wanted}, '
                          + ('the cars of its format.' if wanted > 1 else 'each races alone.'))
    names = [entrant.name for entrant in entrants]
    if len(set(names)) < len(names):
        raise ConfigError(f'entrants are {", ".join(names)}; allowed: a name of its own each.')


def _driver(entrant: Entrant, course: Course, car: CarSpec) -> Driver:
    if entrant.bundle is not None:
        return PolicyDriver(entrant.bundle, car)
    from racer_rl.races.bots import bot  # SciPy takes a second to import

    return bot(entrant.bot, course, car)


def _sees_colour(entrants: Sequence[Entrant]) -> bool:
    return any(entrant.bundle is not None
               and entrant.bundle.card.observation.camera.colour == 'rgb' for entrant in entrants)


class _Race:
    """A race while it is driven.

    Attributes:
        digest: SHA-256 of every state so far.
    """

    def __init__(self, simulator: Simulator, field: Field) -> None:
        self.digest = hashlib.sha256()
        self._simulator, self._field = simulator, field
        self._laps: list[Lap] = []
        self._incidents: list[Counter[str]] = [Counter() for _ in range(simulator.config.cars)]

    def drive(self, watch: Watch | None) -> None:
        """Until nobody's race goes on."""
        while True:
            met = self._simulator.met()
            self._trace(met)
            if watch is not None:
                with looking_on(self._simulator):
                    watch(self._simulator)
            if not self._field.driving.any():
                return
            self._step(met)

    def _step(self, met: Records) -> None:
        control = self._simulator.control
        commands, before = self._field.commands(met), control.race['incidents'].copy()
        self._laps.extend(self._simulator.step(commands).laps)
        for car in np.flatnonzero(control.race['incidents'] > before).tolist():
            self._incidents[car][Status(control.race['cause'][car]).label] += 1

    def _trace(self, met: Records) -> None:
        for records in (self._simulator.state, self._simulator.control.race, met):
            self.digest.update(records.tobytes())

    def entry(self, car: int, entrant: Entrant) -> EntryResult:
        """What one car showed."""
        control, laps = self._simulator.control, [lap for lap in self._laps if lap.car == car]
        race, status = control.race[car], Status(control.race['status'][car])
        driven = race['travelled_m'] / (control.rules.laps * self._simulator.length_m[car])
        done = status is Status.LAP_COMPLETE
        return EntryResult(
            name=entrant.name, identity=entrant.identity, status=status.label,
            completion=1.0 if done else float(np.clip(driven, 0.0, 1.0)),
            # The lap clock reads between two steps when the line was crossed.
            time_s=float(race['lap_start_s'] if done else race['time_s']),
            lap_times_s=tuple(lap.time_s for lap in laps),
            lap_clean=tuple(lap.clean for lap in laps),
            incidents=dict(sorted(self._incidents[car].items())),
            overtakes=int(self._simulator.overtakes.count[car]),
            failure=self._field.failures[car],
        )
