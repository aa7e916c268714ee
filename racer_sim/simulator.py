"""The embedded simulator: N cars, their physics, sensors and race control, as arrays.

`step` is one control period: commands in, physics, ground truth, rules. Sensors are read
afterwards, when asked for, and show the end of the period. Everything random comes from one seeded
generator, and every car's arithmetic is its own, so the same seed and commands give the same bits.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from racer_sim import vehicle
from racer_sim.bodies import body_of, car_body
from racer_sim.camera import BODY
from racer_sim.company import Company
from racer_sim.conditions import Conditions
from racer_sim.courses import Course, CourseGeometry
from racer_sim.encounters import TOLD_SIZE, Overtakes, encounters
from racer_sim.placement import PLACE, locate, width_at
from racer_sim.privileged import PRIVILEGED_SIZE, truth_of
from racer_sim.rules import RaceControl, Status, Verdict
from racer_sim.senses import Senses
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.traffic import Traffic
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Bools = NDArray[np.bool_]

PLACING_GAP_M: Final = 1.0
"""How far behind a crash a car is put back."""

PLACING_ROOM_M: Final = 0.5
"""What a car that the simulator places has at least before and behind it."""

WAYS_OUT: Final = tuple((back_m, lane) for back_m in (0.0, 0.5, 1.0, 1.5) for lane in (0.5, -0.5))
"""Where a car goes instead of a crowded place: metres back, and offset as share of half width."""

CAR_COLOUR: Final = (170, 40, 40)
"""Of every car, as the others see it."""


class Simulator:
    """A batch of cars on courses.

    Attributes:
        state: vehicle `STATE`, (N,).
        places: `PLACE`, (N,), ground truth after the last step.
        control: Race control.
        course_of: int64 (N,), course of each car.
        commands: float64 (N, 2), the last commands (steering rad, speed m/s).
        age_substeps: int64 (N,), image age of the running episodes in physics sub-steps.
        conditions: What was drawn for the running episodes.
        overtakes: Who has passed whom in the running episodes.
        body_margin_m: As configured, until somebody changes it; less than zero: so much less far.
    """

    def __init__(self, courses: Sequence[Course], car: CarSpec, config: SimulatorConfig,
                 seed: int) -> None:
        """Build the worlds; every car is placed by `reset`.

        Args:
            courses: At least one; exactly one where cars share worlds.
            car: Specification of all cars.
            config: The batch.
            seed: Of everything random.

        Raises:
            ConfigError: Cars of one world would drive on several courses.
        """
        if config.cars_per_world > 1 and len(courses) > 1:
            raise ConfigError(f'{len(courses)} courses for worlds that cars share; allowed: one '
                              'course, or cars_per_world = 1.')
        self.courses, self.car, self.config = tuple(courses), car, config
        self.geometry = CourseGeometry.of(self.courses, config.border_margin_m)
        self.random = np.random.default_rng(seed)
        count = config.cars
        self.state = np.zeros(count, dtype=vehicle.STATE)
        self.places = np.zeros(count, dtype=PLACE)
        self.control = RaceControl(count, config.rules)
        self.course_of = np.zeros(count, dtype=np.int64)
        self.commands = np.zeros((count, 2))
        self.age_substeps = np.zeros(count, dtype=np.int64)
        self.episodes, self.body_margin_m = 0, config.body_margin_m
        self.conditions = Conditions(config.randomization, vehicle.vehicle_parameters(car, count))
        self._held, self._queued = np.zeros((count, 2)), vehicle.nothing_queued(count)
        self._wheels_m = np.array(car.wheel_positions_m)
        self._crashed: Bools = np.zeros(count, dtype=np.bool_)
        self._senses = Senses(self.courses, car, count, config.style, config.sky, rgb=config.rgb,
                              stereo=config.stereo)
        boxes = [self._senses.shaded(body_of(box)) for box in config.boxes]
        cars = [self._senses.shaded(car_body(car, index, CAR_COLOUR)) for index in range(count)]
        self._company = Company(config.race, self.courses, self.geometry, count)
        self._traffic = Traffic(np.array(cars, dtype=BODY), np.array(boxes, dtype=BODY),
                                config.cars_per_world,
                                self._senses.shaded(self._company.body(car)), self._company.count)
        self._met: NDArray[np.void] | None = None
        self.overtakes = Overtakes(count, self._traffic.bodies.shape[1])

    @property
    def length_m(self) -> Floats:
        """Length of each car's course, (N,)."""
        return self.geometry.length_m[self.course_of]

    @property
    def crashed(self) -> Bools:
        """Whether each car, racing until then, overlapped another body in the last step, (N,)."""
        return self._crashed

    @property
    def has_company(self) -> bool:
        """Whether a car can meet anything but walls."""
        config = self.config
        return (config.race.has_company or config.cars_per_world > 1
                or any(not box.is_wall for box in config.boxes))

    @property
    def can_overtake(self) -> bool:
        """Whether a car can meet others that move."""
        return self.config.race.can_overtake or self.config.cars_per_world > 1

    def met(self) -> NDArray[np.void]:
        """What every car can meet in its world now: `ENCOUNTER`, (N, K); see `encounters`."""
        if self._met is None:  # several ask, each period
            self._met = encounters(self._traffic, self.state, self.places, self.course_of,
                                   self.geometry)
        return self._met

    @property
    def privileged_size(self) -> int:
        """Values of `privileged`, of one car."""
        return PRIVILEGED_SIZE + (TOLD_SIZE if self.has_company else 0)

    @property
    def camera_shape(self) -> tuple[int, int, int]:
        """Shape of one car's images: (views x colours, height, width)."""
        return self._senses.camera_shape

    def _move_bodies(self) -> None:
        """Carry all bodies to where they are; only cars in the race are in the way."""
        self._met = None
        self._traffic.move(self.state, ~self.control.frozen)
        self._company.write(self._traffic.guests, self._traffic.guest_speeds)

    def put_boxes(self, poses: NDArray[np.void]) -> None:
        """Put the boxes of every world elsewhere, for whoever moves them by other means.

        Args:
            poses: `BODY`, as many as the configuration has boxes; only where they are counts.
        """
        boxes = self._traffic.bodies[:, :len(self.config.boxes)]
        for name in ('x_m', 'y_m', 'yaw_rad'):
            boxes[name] = poses[name]
        self._met = None

    def reset(self, cars: Indices | None = None) -> None:
        """Begin new episodes by the start policy, courses and starts in rotation.

        Where an object is in the way, the car starts in the other lane, or further back.

        Args:
            cars: int64 (K,), which; all by default.
        """
        chosen = np.arange(self.config.cars) if cars is None else np.asarray(cars)
        numbers = self.episodes + np.arange(len(chosen))
        self.episodes += len(chosen)
        course = numbers % len(self.courses)
        share = (numbers // len(self.courses)) * self.config.start.advance % 1.0
        lateral, turn = self.random.uniform(-1.0, 1.0, (2, len(chosen)))
        s_m = share * self.geometry.length_m[course]
        self.place(chosen, course, s_m, lateral * self.config.start.lateral,
                   turn * self.config.start.heading_rad)
        self._make_room(chosen, s_m)
        self.control.start(chosen, self.places['s_m'][chosen])

    def place(self, cars: Indices, course: Indices, s_m: Floats, lateral: Floats | float = 0.0,
              heading_rad: Floats | float = 0.0) -> None:
        """Begin new episodes at given places, at rest.

        Args:
            cars: int64 (K,), which cars.
            course: int64 (K,), their courses.
            s_m: float64 (K,), arc length from the start line.
            lateral: (K,) or one, offset to the left as a share of the half width.
            heading_rad: (K,) or one, angle to the course.
        """
        self.course_of[cars] = course
        self.set_pose(cars, *self._poses(cars, s_m, lateral, heading_rad))

    def set_pose(self, cars: Indices, x_m: Floats | float, y_m: Floats | float,
                 yaw_rad: Floats | float) -> None:
        """Begin new episodes at any poses, on the track or off it, at rest, on the same courses.

        Args:
            cars: int64 (K,), which cars.
            x_m: (K,) or one, map frame.
            y_m: (K,) or one, map frame.
            yaw_rad: (K,) or one.
        """
        self._crashed[cars] = False
        self._stand(cars, x_m, y_m, yaw_rad)
        low, high = self.config.image_age_s
        ages = self.random.uniform(low, high, len(cars))
        self.age_substeps[cars] = np.rint(ages / vehicle.SUBSTEP_S).astype(np.int64)
        self.control.start(cars, self.places['s_m'][cars])
        self._company.begin(cars, self.course_of, self.places['s_m'], self.random)
        self.overtakes.begin(cars)
        self._move_bodies()
        self.conditions.driven_s[cars] = 0.0
        if not self.conditions.are_neutral:
            self.conditions.draw(cars, self.random)
            self._senses.change(self.conditions.rows, cars)

    def _set_down(self, cars: Indices, s_m: Floats, lateral: Floats | float,
                  heading_rad: Floats | float) -> None:
        """Put cars on their courses at rest; see `place`."""
        self._stand(cars, *self._poses(cars, s_m, lateral, heading_rad))

    def _poses(self, cars: Indices, s_m: Floats, lateral: Floats | float,
               heading_rad: Floats | float) -> tuple[Floats, Floats, Floats]:
        """Places on the cars' courses as x, y in metres and yaw, (K,) each; see `place`."""
        s_m, lateral, heading_rad = np.broadcast_arrays(s_m, lateral, heading_rad)
        x_m, y_m, yaw_rad = np.empty((3, len(cars)))
        for index in np.unique(self.course_of[cars]):
            here = self.course_of[cars] == index
            track = self.courses[index].track
            half = np.where(lateral[here] > 0.0, width_at(track, track.left_m, s_m[here]),
                            width_at(track, track.right_m, s_m[here]))
            x_m[here], y_m[here], yaw = track.pose_at(s_m[here], lateral[here] * half)
            yaw_rad[here] = yaw + heading_rad[here]
        return x_m, y_m, yaw_rad

    def _stand(self, cars: Indices, x_m: Floats | float, y_m: Floats | float,
               yaw_rad: Floats | float) -> None:
        """Put cars down at rest and refresh their ground truth."""
        self.state[cars] = np.zeros(len(cars), dtype=vehicle.STATE)
        self.commands[cars] = self._held[cars] = 0.0
        self._queued['at'][cars] = -1
        self.state['x_m'][cars], self.state['y_m'][cars] = x_m, y_m
        self.state['yaw_rad'][cars] = np.remainder(
            np.asarray(yaw_rad) + math.pi, math.tau) - math.pi
        locate(self.places, self.state, self.course_of, self._wheels_m, self.geometry)

    def step(self, commands: Floats) -> Verdict:
        """Advance one control period and judge it.

        Args:
            commands: float64 (N, 2), steering rad and speed m/s, finite.

        Returns:
            What race control decided; ended cars stay where they are until `reset` or `place`.

        Raises:
            ConfigError: A command is not finite, or the shape is wrong.
        """
        before_x, before_y = self.state['x_m'].copy(), self.state['y_m'].copy()
        racing = ~self.control.frozen
        self.move(commands)
        self._crashed[:] = self._hits() & racing
        moved = np.hypot(self.state['x_m'] - before_x, self.state['y_m'] - before_y)
        verdict = self.control.update(self.places['s_m'], self.length_m, moved,
                                      self.places['wheels_on_track'] == 0, self._crashed)
        if verdict.released.any():
            self._put_back(np.flatnonzero(verdict.released))
        if verdict.laps and self._company.count:
            self.move_obstacles(np.array(sorted({lap.car for lap in verdict.laps})))
        return verdict

    def _hits(self) -> Bools:
        """Which cars ran into something, by the rules of who is to blame."""
        if self.control.rules.blame == 'both':
            return self._traffic.overlaps(self.body_margin_m, self.body_margin_m)
        return self._traffic.guilty(self.state, self.body_margin_m)

    def suspend(self, car: int, *, out: bool) -> None:
        """As `RaceControl.suspend`, at once for everybody's sensors."""
        self.control.suspend(car, out=out)
        self._move_bodies()

    def move_obstacles(self, cars: Indices) -> None:
        """Let boxes that are moved between laps take new places, away from the car.

        Args:
            cars: int64 (K,), in ascending order, that have completed a lap.
        """
        self._company.lap_done(cars, self.course_of, self.places['s_m'], self.random)
        self._move_bodies()

    def move(self, commands: Floats) -> None:
        """Advance one control period without judging it, for whoever judges by other means.

        Args:
            commands: float64 (N, 2), steering rad and speed m/s, finite.

        Raises:
            ConfigError: A command is not finite, or the shape is wrong.
        """
        if commands.shape != self.commands.shape or not np.isfinite(commands).all():
            raise ConfigError(f'commands have shape {commands.shape} or a value that is not '
                              f'finite; allowed: finite {self.commands.shape} (steering rad, '
                              'speed m/s).')
        if not self.conditions.are_neutral:
            commands = self.conditions.received(commands, self.commands, self.random)
        self.commands[:] = commands
        self._advance()
        locate(self.places, self.state, self.course_of, self._wheels_m, self.geometry)
        self._company.step(self.course_of, self.places, ~self.control.frozen, self.random)
        self._move_bodies()
        if self.has_company:
            self.overtakes.see(self.met())

    def _advance(self) -> None:
        """Write `state` as it is one control period of `commands` later."""
        delays = self.age_substeps
        if not self.conditions.are_neutral:
            delays = self.conditions.delays(delays, self.random)
            self.conditions.wear(CONTROL_PERIOD_S)
        vehicle.advance(self.state, self.conditions.parameters, self._held, self.commands, delays,
                        self._queued, self.control.frozen)

    def _make_room(self, cars: Indices, s_m: Floats) -> None:
        """Move cars, just placed at arc lengths (K,), away from boxes and from the other cars."""
        others = ~self.control.frozen
        others[cars] = False
        for back_m, lane in WAYS_OUT:
            self._traffic.move(self.state, others)
            crowded = self._traffic.overlaps(PLACING_ROOM_M)[cars]
            if not crowded.any():
                break
            self._set_down(cars[crowded], s_m[crowded] - back_m, lane, 0.0)
        self._move_bodies()

    def _put_back(self, cars: Indices) -> None:
        """After a penalty: at the last progress, amid the nearer lane, behind what was hit.

        Or, by the rules, past it, where it was hit time and again.
        """
        race, mercy = self.control.race[cars], self.control.rules.mercy_crashes
        past = (mercy > 0) & (race['crashes_here'] >= max(mercy, 1))
        s_m = race['last_s_m'] + PLACING_GAP_M * (race['cause'] == Status.CRASHED) * np.where(
            past, 1.0, -1.0)
        lane = np.where(self.places['lateral_m'][cars] > 0.0, 0.5, -0.5)
        self._set_down(cars, s_m, lane, 0.0)
        self._make_room(cars, s_m)
        self.control.put_back(cars, self.places['s_m'][cars], self.length_m[cars])
        self._move_bodies()

    def images(self, cars: Indices | None = None) -> NDArray[np.uint8]:
        """What the cameras see now.

        Args:
            cars: int64 (K,), whose; all by default.

        Returns:
            uint8 (K, views x colours, height, width), a new array.
        """
        chosen = np.arange(self.config.cars) if cars is None else cars
        images = self._senses.images(chosen, self.state, self.course_of, self._traffic)
        if not self.conditions.are_neutral:
            self._senses.finish(images, chosen, self.state, self.conditions.rows, self.random)
        return images

    def scans(self) -> NDArray[np.float32]:
        """What the lidars measure now: float32 (N, rays), REP-117 values, a new array."""
        return self._senses.scans(self.state, self._traffic)

    def privileged(self) -> NDArray[np.float32]:
        """What only critics and teachers may know, float32 (N, privileged_size); see there."""
        return truth_of(self)

    def snapshot(self) -> dict[str, Any]:
        """Everything that changes in time, by value, as arrays and plain data: see `restore`."""
        return {
            **{name: array.copy() for name, array in self._changing().items()},
            'episodes': self.episodes, 'random': copy.deepcopy(self.random.bit_generator.state),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Continue from a `snapshot` of a simulator of the same make-up, bit for bit."""
        for name, array in self._changing().items():
            kept = snapshot[name]
            # Of an earlier version: what it did not know yet stays as in a new run.
            for part in kept.dtype.names or (...,):
                array[part] = kept[part]
        self.episodes = int(snapshot['episodes'])
        self.random.bit_generator.state = snapshot['random']
        self._move_bodies()
        if not self.conditions.are_neutral:
            everyone = np.arange(self.config.cars)
            self.conditions.take_effect(everyone)
            self._senses.change(self.conditions.rows, everyone)

    def _changing(self) -> dict[str, NDArray[Any]]:
        """The arrays, not copies, that `step` and `place` write."""
        return {
            'state': self.state, 'places': self.places, 'race': self.control.race,
            'course_of': self.course_of, 'commands': self.commands, 'held': self._held,
            'queued': self._queued, 'age_substeps': self.age_substeps, 'crashed': self._crashed,
            'conditions': self.conditions.rows, 'driven_s': self.conditions.driven_s,
            **self._company.changing,
            **({'passed': self.overtakes.count, 'gaps': self.overtakes.gaps_m}
               if self.has_company else {}),
        }

