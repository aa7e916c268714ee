"""Gazebo as somebody else drives it: cars on one track, moved and not judged.

What `DrivenWorld` is for the embedded simulator. In lock-step the world stands still but for the
steps of a control period, whose end is the moment of an image; in real time it runs by itself.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from racer_sim.bodies import Box
from racer_sim.driven_guests import DrivenGuests, bodies_met
from racer_sim.driven_world import PERIOD_NS, DrivenWorldConfig, Motion
from racer_sim.gazebo import messages
from racer_sim.gazebo.car_link import CarLink
from racer_sim.gazebo.car_model import STEP_S
from racer_sim.gazebo.server import GazeboServer, gz_program
from racer_sim.gazebo.topics import CONTROL, SET_POSE, SET_POSES, guest_name
from racer_sim.gazebo.transport import GazeboError, Node, Requests
from racer_sim.starting_grid import Pose, grid_pose, one_course
from racer_sim.world import FIELD_M, WorldSpec, write_world
from racer_vehicle.observation import rgb_to_luma
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

Floats = NDArray[np.float64]

STEPS: Final = round(CONTROL_PERIOD_S / STEP_S)
"""Of physics, in a control period."""

STEP_NS: Final = PERIOD_NS // STEPS

ASIDE_M: Final = FIELD_M / 2.0 - 20.0
"""How far out, both ways, cars are that are held: on the field, beyond what cameras show."""

RENEWED_STEPS: Final = 11
"""In lock-step, how often at least the wheels are told a speed that fits their steering."""

START_S: Final = 90.0
"""For Gazebo to load the world and render it once, on a machine that does other things too."""

ASK_S: Final = 2.0
"""Longest wait for what may have to be asked for again."""

QUIET_S: Final = 0.5
ATTEMPTS: Final = 5
ANSWER_S: Final = 20.0
"""Longest wait for a step, an image or a service of a server that runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GazeboConfig:
    """How Gazebo is run.

    Attributes:
        world: Track, direction, image ages and colours, as for the embedded simulator.
        paused: Lock-step: it steps when told to.
        factor: Otherwise: simulated seconds per second.
        boxes: Obstacles and walls, beside those of the race.
        gui: Whether it is shown on a screen.
        partition: Who hears it: by default nobody else; empty: that of the environment.
    """

    world: DrivenWorldConfig
    paused: bool = True
    factor: float = 1.0
    boxes: tuple[Box, ...] = ()
    gui: bool = False
    partition: str | None = None


class GazeboWorld:
    """Cars in one Gazebo, on its clock; a context that ends it.

    Attributes:
        course: What they drive on.
        cars: Their links.
        time_ns: In lock-step: simulated time, nanoseconds; also the stamp of all sensors.
    """

    def __init__(self, config: GazeboConfig, car: CarSpec, namespaces: tuple[str, ...],
                 folder: Path, notify: Callable[[], None] = lambda: None) -> None:
        """Write the world, start Gazebo, and wait until all of it answers.

        Args:
            config: How.
            car: Specification of all cars.
            namespaces: Of the cars' topics.
            folder: For the world's files.
            notify: Called for each image, from another thread.

        Raises:
            GazeboError: It is missing, or does not start; the message says which part.
            ConfigError: There is no room for boxes or bots.
        """
        gz_program()  # of all that may be missing, people should hear of this first
        self.course = one_course(config.world.track, config.world.direction)
        self._config, self.time_ns = config, 0
        self._random = np.random.default_rng(config.world.seed)
        self._before = np.zeros((len(namespaces), 2))
        self._after_steps = [self._draw_age() for _ in namespaces]
        self._car = car
        self._starts = [grid_pose(self.course, config.world.start_share, place)
                        for place in range(len(namespaces))]
        self._guests = DrivenGuests(config.world.race, self.course, car, config.world.seed,
                                    self._starts[0])
        partition = config.partition
        if partition is None:
            partition = f'racer_{secrets.token_hex(6)}'
        node = Node(partition)
        world = write_world(WorldSpec(
            course=self.course, car=car, namespaces=namespaces, boxes=config.boxes,
            guests=self._guests.boxes, start_share=config.world.start_share,
            pace=0.0 if config.paused else config.factor), folder)
        self._server = GazeboServer(world, partition, paused=config.paused, gui=config.gui)
        self._requests = Requests(partition)
        try:
            self.cars = [CarLink(node, namespace, car, notify) for namespace in namespaces]
            self._await_start()
        except BaseException:
            self.close()
            raise

    def _await_start(self) -> None:
        """Wait until every part of the server has answered; time passes meanwhile."""
        until_s = time.monotonic() + START_S
        while missing := self._missing():
            self.require_alive()
            if time.monotonic() > until_s:
                raise GazeboError(f'Gazebo has not begun within {START_S:g} s: no {missing}. It '
                                  f'said: {self._server.output[-400:]}')
        if self._config.paused:
            self._await_quiet()

    def _await_quiet(self) -> None:
        """Wait until no step is under way: one that was asked for in vain may come late."""
        while self.cars[0].moved_to(self.cars[0].time_ns + STEP_NS, QUIET_S):
            pass
        self.time_ns = self.cars[0].time_ns
        self._align()

    def _align(self) -> None:
        """Go on to the moment of an image: from there on, one comes at the end of each period.

        Which step that is differs from one start of Gazebo to another.
        """
        for _ in range(ATTEMPTS):
            self._step(STEPS)
            if not self._sensed(self.time_ns - PERIOD_NS + STEP_NS, ASK_S):
                continue
            late_ns = self.time_ns - self.cars[0].sensed_ns
            if late_ns:
                self._step(STEPS - late_ns // STEP_NS)
            if self._sensed(self.time_ns, ASK_S):
                return
        self.require_alive()
        raise GazeboError(f'images do not come every {STEPS} steps; allowed: of all cars at the '
                          'same moment, once a control period.')

    def _sensed(self, stamp_ns: int, patience_s: float) -> bool:
        """Wait until all cars' images and scans are as young as a stamp."""
        return all(car.sensed(stamp_ns, patience_s) for car in self.cars)

    def _missing(self) -> str:
        """What has not answered yet; empty: all has."""
        request = messages.pause(then_steps=STEPS) if self._config.paused else messages.run()
        if not self._requests.call(CONTROL, messages.WORLD_CONTROL, request, ASK_S):
            return f'service {CONTROL}'
        for car in self.cars:
            if not car.moved_to(self.time_ns + 1, ASK_S):
                return f'ground truth of car {car.namespace!r}'
            if not car.sensed(self.time_ns + 1, ASK_S):
                return f'image or scan of car {car.namespace!r}'
            if not car.is_heard:
                return f'motor of car {car.namespace!r}'
        return ''

    def require_alive(self) -> None:
        """Refuse to go on without the server.

        Raises:
            GazeboError: It has ended.
        """
        self._server.require_alive()

    def start_of(self, car: int) -> Pose:
        """A car's place on the starting grid."""
        return self._starts[car]

    def drive(self, commands: Floats, after_s: Floats | None = None) -> None:
        """Lock-step: advance one control period; cars that are lifted or held are not commanded.

        Args:
            commands: float64 (N, 2), steering rad and speed m/s, finite.
            after_s: float64 (N,), how long after the period's begin each takes effect; by default
                the image age drawn when the car was placed.

        Raises:
            GazeboError: Gazebo has ended or does not step.
        """
        after = (self._after_steps if after_s is None
                 else np.rint(after_s / STEP_S).astype(int).tolist())
        self.move_bots(self.time_ns)
        cuts = sorted({0, STEPS, *range(RENEWED_STEPS, STEPS, RENEWED_STEPS), *after})
        driven = [(index, car) for index, car in enumerate(self.cars) if car.lift is None]
        for begin, end in pairwise(cuts):
            for index, car in driven:
                told = self._before[index] if begin < after[index] else commands[index]
                command = NEUTRAL if car.held else DriveCommand(*map(float, told))
                car.command(command, (end - begin) * STEP_S)
            self._step(end - begin)
        self._before[:] = commands
        self._await_sensors()

    def lift(self, car: int, pose: Pose) -> None:
        """Lock-step: put a car anywhere, at rest; the others are neutral meanwhile.

        Args:
            car: Which.
            pose: Where.

        Raises:
            NotPlacedError: It does not get there, and stays where it is.
        """
        self.begin_lift(car, pose)
        while self.cars[car].lift is not None:
            self.cars[car].advance_lift(self.put, CONTROL_PERIOD_S)
            self.drive(np.zeros((len(self.cars), 2)))

    def begin_lift(self, car: int, pose: Pose) -> None:
        """Begin to put a car anywhere; its link goes on with it, a control period at a time."""
        if car == 0:
            self._guests.put_car(pose)
        self._before[car] = 0.0
        self._after_steps[car] = self._draw_age()
        self.cars[car].begin_lift(pose)

    def hold(self, car: int, stamp_ns: int, *, held: bool) -> None:
        """Take a car off the track, or let it go on.

        Args:
            car: Which.
            stamp_ns: Of the ground truth because of which.
            held: Whether it is to be off the track.

        Raises:
            GazeboError: Gazebo does not move it.
        """
        link = self.cars[car]
        if held:
            link.take_off(Pose(ASIDE_M, ASIDE_M + 2.0 * car, 0.0), stamp_ns, self.put)
        elif link.held:
            link.let_go()

    def follow(self, run: int, laps: int, *, waiting: bool) -> None:
        """Move boxes and bots by what race control says of the first car; see `DrivenGuests`.

        Args:
            run: Number of the run.
            laps: Completed in it.
            waiting: Whether the run has not begun: bots do not move until the car does.

        Raises:
            GazeboError: Gazebo does not move them.
        """
        if self._guests.follow(run, laps, waiting=waiting):
            self._put_guests()

    def move_bots(self, stamp_ns: int) -> None:
        """Drive the bots one control period.

        Args:
            stamp_ns: When it begins.

        Raises:
            GazeboError: Gazebo does not move them.
        """
        first = self.cars[0]
        if self._guests.step(first.motion(stamp_ns).pose, racing=not first.held):
            self._put_guests()

    def _put_guests(self) -> None:
        poses = {guest_name(number): Pose(float(body['x_m']), float(body['y_m']),
                                          float(body['yaw_rad']))
                 for number, body in enumerate(self._guests.bodies)}
        self._ask_to_put(SET_POSES, messages.POSES, messages.model_poses(poses), str(poses))

    def objects(self, car: int, stamp_ns: int) -> NDArray[np.void]:
        """What a car can run into: `BODY`, (K,).

        Args:
            car: Which.
            stamp_ns: When, for the other cars; boxes and bots are where they are now.
        """
        others = {number: None if other.held else other.motion(stamp_ns).pose
                  for number, other in enumerate(self.cars) if number != car}
        return bodies_met(self._guests.bodies, self._car, others)

    def put(self, model: str, pose: Pose) -> None:
        """Move a model, with the velocity that it has.

        Raises:
            GazeboError: There is none of this name, or no answer.
        """
        self._ask_to_put(SET_POSE, messages.POSE, messages.model_pose(model, pose),
                         f'{model!r} to {pose}')

    def _ask_to_put(self, service: str, kind: str, request: bytes, what: str) -> None:
        if not self._requests.call(service, kind, request, ANSWER_S):
            self.require_alive()
            raise GazeboError(f'Gazebo did not put {what}; allowed: a model of the world, while '
                              'it runs.')

    def _draw_age(self) -> int:
        """Steps after which a command takes effect."""
        world = self._config.world
        age_s = self._random.uniform(world.image_age_min_s, world.image_age_max_s)
        return round(age_s / STEP_S)

    def _step(self, steps: int) -> None:
        """Let physics do some steps, and wait for them."""
        self.time_ns += steps * STEP_NS
        if not self._requests.call(CONTROL, messages.WORLD_CONTROL,
                                   messages.pause(then_steps=steps), ANSWER_S):
            self.require_alive()
            raise GazeboError(f'{CONTROL} has not answered within {ANSWER_S:g} s.')
        for car in self.cars:
            if not car.moved_to(self.time_ns, ANSWER_S):
                self.require_alive()
                raise GazeboError(f'{steps} steps were not done within {ANSWER_S:g} s.')

    def _await_sensors(self) -> None:
        """Wait for image and scan of this moment; should one be lost, for those of a later one."""
        if not self._sensed(self.time_ns, ASK_S):
            self.require_alive()
            self._align()

    def motion(self, car: int) -> Motion:
        """Lock-step: ground truth of a car, now."""
        return self.cars[car].motion(self.time_ns)

    def image(self, car: int, stamp_ns: int) -> NDArray[np.uint8]:
        """What a car saw: uint8 (height, width) grey or (height, width, 3) RGB.

        Args:
            car: Which.
            stamp_ns: When.
        """
        image = self.cars[car].image(stamp_ns)
        return image if self._config.world.rgb else rgb_to_luma(image)

    def close(self) -> None:
        """End Gazebo. A second time does nothing."""
        self._requests.close()
        self._server.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close."""
        self.close()
