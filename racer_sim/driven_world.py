"""The embedded simulator as somebody else drives it: cars on one track, moved but not judged.

Race rules do not hold these cars: whoever watches them (race control, a trainer) judges by the
ground truth, and lifts a car where it wants it. So it works against any simulator alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.driven_guests import DrivenGuests, bodies_met
from racer_sim.race_format import RaceFormat
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.starting_grid import Pose, grid_pose, one_course
from racer_sim.vehicle import SUBSTEP_S
from racer_vehicle.spec import CONTROL_PERIOD_MS, CONTROL_PERIOD_S, CarSpec, require_range

Floats = NDArray[np.float64]

PERIOD_NS: Final = CONTROL_PERIOD_MS * 1_000_000
START_NS: Final = 1_000_000_000
"""When the clock begins: ROS takes 0 for a clock that has not begun."""

LIFT_NS: Final = 250_000_000
"""What lifting a car takes on the simulated clock: more than a camera may stall, so that whoever
stacks images begins anew."""

LIFT_AMONG_OTHERS_NS: Final = 1_000_000
"""The same where others drive, whose commands must not grow stale by it."""

@dataclass(frozen=True, slots=True)
class Motion:
    """Ground truth of one car: pose in the map, velocity in `base_link`."""

    pose: Pose
    vx_mps: float
    vy_mps: float
    yaw_rate_radps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivenWorldConfig:
    """What the world is made of.

    Attributes:
        track: Name or file of the track.
        direction: `forward` as drawn, or `reverse`.
        seed: Of the image ages, and of where boxes and bots are.
        rgb: Colour cameras instead of grey ones.
        start_share: Where the first car starts, as a share of the lap.
        image_age_min_s: Least age of an image when the command decided on it takes effect; drawn
            each time a car is placed, as in training. In real time it is what it is.
        image_age_max_s: The most.
        race: What stands and drives around the car; its number of cars does not count.
    """

    track: str = 'oval'
    direction: str = 'forward'
    seed: int = 0
    rgb: bool = False
    start_share: float = 0.0
    image_age_min_s: float = 0.0
    image_age_max_s: float = CONTROL_PERIOD_S
    race: RaceFormat = field(default_factory=RaceFormat)

    def __post_init__(self) -> None:
        require_range(self, seed=(0, 2**63 - 1), start_share=(0.0, 1.0),
                      image_age_min_s=(0.0, self.image_age_max_s),
                      image_age_max_s=(0.0, CONTROL_PERIOD_S))
        one_course(self.track, self.direction)


class DrivenWorld:
    """Cars in one world, on one clock.

    Attributes:
        course: What they drive on.
        time_ns: Simulated time, nanoseconds.
    """

    def __init__(self, config: DrivenWorldConfig, car: CarSpec, cars: int) -> None:
        """Put the cars on their starting grid.

        Args:
            config: The world.
            car: Specification of all cars.
            cars: How many.

        Raises:
            ConfigError: There is no room for boxes or bots.
        """
        self.course = one_course(config.track, config.direction)
        self.time_ns = START_NS
        self._lift_ns = LIFT_NS if cars == 1 else LIFT_AMONG_OTHERS_NS
        self._starts = [grid_pose(self.course, config.start_share, place) for place in range(cars)]
        self._car, self._cars, self._held = car, cars, np.zeros(cars, dtype=np.bool_)
        self._guests = DrivenGuests(config.race, self.course, car, config.seed, self._starts[0])
        self._simulator = Simulator([self.course], car, SimulatorConfig(
            cars=cars, cars_per_world=cars, rgb=config.rgb, boxes=self._guests.boxes,
            image_age_s=(config.image_age_min_s, config.image_age_max_s)), config.seed)
        self._show_guests()
        self._chance = [np.random.default_rng((config.seed, place)) for place in range(cars)]
        self._ages_s = (config.image_age_min_s, config.image_age_max_s)
        self._age_substeps = [self._draw_age(place) for place in range(cars)]
        for place in range(cars):
            self._set_pose(place, self._starts[place])

    def drive(self, commands: Floats, after_s: Floats | None = None) -> None:
        """Advance one control period.

        Args:
            commands: float64 (N, 2), steering rad and speed m/s, finite.
            after_s: float64 (N,), how long after the period's begin each takes effect; by default
                the image age drawn when the car was placed.
        """
        if after_s is not None:
            self._simulator.age_substeps[:] = np.rint(after_s / SUBSTEP_S).astype(np.int64)
        before = self.motion(0).pose
        self._simulator.move(commands)
        self.time_ns += PERIOD_NS
        if self._guests.step(before, racing=not self._held[0]):
            self._show_guests()

    def lift(self, car: int, pose: Pose, *, takes_time: bool) -> None:
        """Put a car anywhere, at rest.

        Args:
            car: Which.
            pose: Where.
            takes_time: A moment on the clock, see `LIFT_NS`, so that it can be seen there at once.
        """
        self._age_substeps[car] = self._draw_age(car)
        self._set_pose(car, pose)
        self.time_ns += self._lift_ns if takes_time else 0
        if car == 0:
            self._guests.put_car(pose)

    def hold(self, car: int, *, held: bool) -> None:
        """Take a car off the track, or let it go on from where it is.

        Held, it stands still; nobody sees it, scans it or meets it.

        Args:
            car: Which.
            held: Whether it is off the track from now on.
        """
        if held != self._held[car]:
            self._held[car] = held
            self._set_pose(car, self.motion(car).pose)

    def follow(self, run: int, laps: int, *, waiting: bool) -> bool:
        """Move boxes and bots by what race control says of the first car; see `DrivenGuests`.

        Args:
            run: Number of the run.
            laps: Completed in it.
            waiting: Whether the run has not begun: bots do not move until the car does.

        Returns:
            Whether there are any, and they stand elsewhere now.
        """
        has_moved = self._guests.follow(run, laps, waiting=waiting)
        if has_moved:
            self._show_guests()
        return has_moved

    def pause(self) -> None:
        """Let the moment go by on the clock that lifting a car takes; nothing moves."""
        self.time_ns += self._lift_ns

    def start_of(self, car: int) -> Pose:
        """A car's place on the starting grid."""
        return self._starts[car]

    def _set_pose(self, car: int, pose: Pose) -> None:
        self._simulator.set_pose(np.array([car]), pose.x_m, pose.y_m, pose.yaw_rad)
        self._simulator.age_substeps[car] = self._age_substeps[car]
        self._simulator.suspend(car, out=bool(self._held[car]))

    def _draw_age(self, car: int) -> int:
        """How old images of a car are from now on, in sub-steps; by how often it was lifted."""
        return round(float(self._chance[car].uniform(*self._ages_s)) / SUBSTEP_S)

    def _show_guests(self) -> None:
        self._simulator.put_boxes(self._guests.bodies)

    def objects(self, car: int) -> NDArray[np.void]:
        """What a car can run into, now: `BODY`, (K,); those that are held are aside."""
        others = {other: None if self._held[other] else self.motion(other).pose
                  for other in range(self._cars) if other != car}
        return bodies_met(self._guests.bodies, self._car, others)

    def motion(self, car: int) -> Motion:
        """Ground truth of a car, now."""
        state = self._simulator.state[car]
        return Motion(Pose(float(state['x_m']), float(state['y_m']), float(state['yaw_rad'])),
                      float(state['vx_mps']), float(state['vy_mps']),
                      float(state['yaw_rate_radps']))

    def images(self) -> NDArray[np.uint8]:
        """What the cameras see now: uint8 (N, height, width) grey or (N, height, width, 3) RGB."""
        planes = self._simulator.images()
        return planes[:, 0] if planes.shape[1] == 1 else np.moveaxis(planes, 1, -1)

    def scans(self) -> NDArray[np.float32]:
        """What the lidars measure now: float32 (N, rays), REP-117 values."""
        return self._simulator.scans()
