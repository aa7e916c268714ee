"""How a batch of simulated cars is made up, and where their episodes begin."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from racer_sim.bodies import Box
from racer_sim.ground import GroundStyle
from racer_sim.race_format import RaceFormat
from racer_sim.randomization import NONE, Randomization
from racer_sim.rules import RaceRules
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S, require_range


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPolicy:
    """Where an episode begins.

    Attributes:
        advance: Share of the lap by which consecutive episodes' starts move on. 0.05, DeepRacer.
        lateral: Largest random offset, as a share of the half width.
        heading_rad: Largest random angle to the course.
    """

    advance: float = 0.05
    lateral: float = 0.4
    heading_rad: float = 0.2

    def __post_init__(self) -> None:
        require_range(self, advance=(0.0, 1.0), lateral=(0.0, 1.0), heading_rad=(0.0, math.pi))


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """How a batch is made up.

    Attributes:
        cars: Number of cars simulated side by side.
        cars_per_world: Cars that share a world: they see and can hit each other. Divides `cars`.
        rgb: Colour cameras instead of grey ones.
        stereo: Two cameras, side by side.
        image_age_s: Range of an episode's image age: how old a frame is when its command takes
            effect, drawn once an episode, at most one control period.
        rules: What ends a run.
        start: Where runs begin.
        style: Colours of the ground.
        sky: sRGB above the horizon.
        boxes: Obstacles and walls, the same in every world, where they always stand.
        race: Who and what shares the track with a car; its `cars` are those of a world.
        randomization: What episodes differ in; car k draws from the k-th of them, in rotation.
        border_margin_m: How much nearer than drawn the borders are to whoever judges and tells the
            truth, at most half of a half width; what cars see stays.
        body_margin_m: How much further than it reaches, on all sides, a car hits things.
    """

    cars: int = 16
    cars_per_world: int = 1
    rgb: bool = False
    stereo: bool = False
    image_age_s: tuple[float, float] = (0.0, CONTROL_PERIOD_S)
    rules: RaceRules = field(default_factory=RaceRules)
    start: StartPolicy = field(default_factory=StartPolicy)
    style: GroundStyle = field(default_factory=GroundStyle)
    sky: tuple[int, int, int] = (190, 200, 210)
    boxes: tuple[Box, ...] = ()
    race: RaceFormat = field(default_factory=RaceFormat)
    randomization: tuple[Randomization, ...] = (NONE,)
    border_margin_m: float = 0.0
    body_margin_m: float = 0.0

    def __post_init__(self) -> None:
        require_range(self, cars=(1, 100_000), cars_per_world=(1, 64), border_margin_m=(0.0, 1.0),
                      body_margin_m=(0.0, 1.0))
        if self.race.has_company and self.race.cars != self.cars_per_world:
            raise ConfigError(f'cars_per_world is {self.cars_per_world} and the race is '
                              f'{self.race.type} with {self.race.cars}; allowed: the same.')
        if self.cars % self.cars_per_world:
            raise ConfigError(f'cars is {self.cars}; allowed: a multiple of cars_per_world '
                              f'({self.cars_per_world}).')
        low, high = self.image_age_s
        if not 0.0 <= low <= high <= CONTROL_PERIOD_S + 1e-9:
            raise ConfigError(f'image_age_s is {self.image_age_s}; allowed: 0 <= low <= high <= '
                              f'{CONTROL_PERIOD_S} (one control period).')
