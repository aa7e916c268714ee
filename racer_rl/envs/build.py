"""From what a person asks for to the cars that carry it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from racer_rl.envs.batch import RaceBatch
from racer_rl.reward.library import DEFAULT_REWARD, find_reward
from racer_rl.reward.loading import RewardFile
from racer_rl.reward.log import RewardLog
from racer_rl.reward.paymaster import Paymaster
from racer_rl.training.networks import FAST, find_network
from racer_sim.courses import Course, courses_of
from racer_sim.race_format import RaceFormat
from racer_sim.randomization import NONE, Randomization
from racer_sim.rules import RaceRules
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.track_library import find_track
from racer_vehicle.action import ActionSpec, ContinuousActions
from racer_vehicle.lidar_encoding import LidarConfig
from racer_vehicle.metadata import ModelMetadata, TrainingAlgorithm
from racer_vehicle.observation import CameraEncoding, ObservationSpec, Sensor
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceSetup:
    """Car, track and task of a run, in the terms a person uses.

    Attributes:
        track: Name in the track library or a file; several names for a run on several tracks.
        direction: `forward` as drawn, `reverse`, or `both`.
        reward: Name of an included reward function or a path.
        compat: Whether the reward sees what DeepRacer's simulator told it; see `ParamsBuilder`.
        actions: What the policy may ask for.
        sensors: Exactly one camera, at most one lidar.
        lidar: Settings of DISCRETIZED_SECTOR_LIDAR.
        network: Name in the catalogue; decides how images shrink.
        colour: `grey` or `rgb`.
        stack: Frames the policy sees at once.
        image_age_s: Range of how old a frame is when its command takes effect.
        car: The car.
        rules: What ends an episode.
        race: Who and what is on the track.
        randomization: What episodes differ in while a policy learns.
    """

    track: str | tuple[str, ...] = 'oval'
    direction: str = 'forward'
    reward: str = DEFAULT_REWARD
    compat: bool = False
    actions: ActionSpec = field(default_factory=ContinuousActions)
    sensors: tuple[Sensor, ...] = (Sensor.FRONT_FACING_CAMERA,)
    lidar: LidarConfig = field(default_factory=LidarConfig)
    network: str = FAST.name
    colour: Literal['grey', 'rgb'] = 'grey'
    stack: int = 1
    image_age_s: tuple[float, float] = (0.0, CONTROL_PERIOD_S)
    car: CarSpec = field(default_factory=CarSpec)
    rules: RaceRules = field(default_factory=RaceRules)
    race: RaceFormat = field(default_factory=RaceFormat)
    randomization: Randomization = NONE

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks' names, also where there is but one."""
        return (self.track,) if isinstance(self.track, str) else tuple(self.track)

    @property
    def course_count(self) -> int:
        """How many courses they are: each track in the wanted direction, or in both."""
        return len(self.tracks) * (2 if self.direction == 'both' else 1)

    @property
    def observation(self) -> ObservationSpec:
        """The codec that the training and the car share."""
        network = find_network(self.network)
        encoding = CameraEncoding(width_px=network.width_px, height_px=network.height_px,
                                  crop_top_px=network.crop_top_px, colour=self.colour)
        return ObservationSpec(sensors=self.sensors, native_camera=self.car.camera,
                               native_lidar=self.car.lidar, camera=encoding, lidar=self.lidar,
                               stack=self.stack)

    def metadata(self, algorithm: TrainingAlgorithm = TrainingAlgorithm.CLIPPED_PPO,
                 ) -> ModelMetadata:
        """The same in DeepRacer's terms."""
        return ModelMetadata(action_space=self.actions, sensors=self.sensors,
                             training_algorithm=algorithm, neural_network=self.network,
                             lidar=self.lidar)


def build_simulator(setup: RaceSetup, *, cars: int, seed: int, rules: RaceRules | None = None,
                    randomization: tuple[Randomization, ...] | None = None,
                    courses: Sequence[Course] | None = None,
                    border_margin_m: float = 0.0, body_margin_m: float = 0.0) -> Simulator:
    """A simulator for a setup.

    Args:
        setup: What to race.
        cars: How many cars side by side.
        seed: Of everything random.
        rules: Instead of the setup's.
        randomization: Instead of the setup's; car k draws from the k-th, in rotation.
        courses: Instead of the setup's.
        border_margin_m: See `SimulatorConfig`.
        body_margin_m: The same.

    Raises:
        ConfigError: A part of the setup is not usable.
    """
    config = SimulatorConfig(cars=cars, cars_per_world=setup.race.cars, race=setup.race,
                             rgb=setup.colour == 'rgb',
                             stereo=Sensor.STEREO_CAMERAS in setup.sensors,
                             image_age_s=setup.image_age_s, rules=rules or setup.rules,
                             randomization=randomization or (setup.randomization,),
                             border_margin_m=border_margin_m, body_margin_m=body_margin_m)
    if courses is None:
        courses = courses_of([find_track(name) for name in setup.tracks], setup.direction)
    return Simulator(courses, setup.car, config, seed)


def build_batch(setup: RaceSetup, *, cars: int, seed: int, reward: RewardFile | None = None,
                simulator: Simulator | None = None, log: RewardLog | None = None,
                blind: bool = False) -> RaceBatch:
    """Cars that a learner can drive and is paid for.

    Args:
        setup: What to race.
        cars: How many cars side by side.
        seed: Of everything random.
        reward: A file instead of the one the setup names.
        simulator: One of so many cars on the setup's tracks instead of an embedded one.
        log: Where the reward prints to; standard error by default.
        blind: For a policy that reads only what is privileged: nothing is drawn.

    Raises:
        RewardError: The reward function does not load.
        ConfigError: Another part of the setup is not usable.
    """
    reward = reward or find_reward(setup.reward)
    simulator = simulator or build_simulator(setup, cars=cars, seed=seed)
    paymaster = Paymaster(reward, simulator, compat=setup.compat, seed=seed, log=log)
    observation = None if blind else setup.observation
    return RaceBatch(simulator, observation, setup.actions, paymaster)
