"""What the trainer node may be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import EvaluationPlan
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.networks import find_network
from racer_rl.training.plan import Limits, TrainingPlan
from racer_vehicle.action import ContinuousActions
from racer_vehicle.nodes.parameters import require_settings, setting
from racer_vehicle.spec import CarSpec

NO_LIMIT: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerSettings:
    """Parameters of the trainer node, beside the car's."""

    model: str = setting('', 'name of the model in the store; must be given')
    resume: bool = setting(False, 'go on with a model of this name')
    track: str = setting('oval', 'track by name or file')
    direction: str = setting('forward', 'way round', choices=('forward', 'reverse'))
    reward: str = setting('progress', 'included reward function by name, or a file')
    network: str = setting('FAST', 'network of the catalogue')
    colour: str = setting('grey', "the camera's images", choices=('grey', 'rgb'))
    max_speed_mps: float = setting(2.0, 'fastest action, m/s', low=0.6, high=4.0)
    namespaces: tuple[str, ...] = setting(('',), 'of the cars that drive at the same time')
    rollout_steps: int = setting(512, 'steps of all cars between updates', low=64, high=100_000)
    batch_size: int = setting(128, 'steps of a minibatch; divides rollout_steps', low=2,
                              high=65_536)
    steps: int = setting(NO_LIMIT, 'ends after so many steps in all', low=1, high=NO_LIMIT)
    until_laps: bool = setting(True, 'ends once every evaluation lap is clean')
    seed: int = setting(0, 'of network, exploration and starts', low=0, high=2**32 - 1)
    patience_s: float = setting(20.0, 'longest silence of a car, s', low=1.0, high=3600.0)

    def __post_init__(self) -> None:
        require_settings(self)

    def plan(self, car: CarSpec) -> TrainingPlan:
        """The run that these parameters ask for; it is judged on a lap from each car's start.

        Args:
            car: Specification of the cars.

        Raises:
            ConfigError: The numbers do not fit each other.
        """
        cars = len(self.namespaces)
        recommended: dict[str, Any] = dict(find_network(self.network).ppo)
        learning = PPOHyperparameters(**{
            **recommended, 'n_envs': cars, 'n_steps': self.rollout_steps // cars,
            'batch_size': self.batch_size})
        setup = RaceSetup(
            track=self.track, direction=self.direction, reward=self.reward, network=self.network,
            colour='rgb' if self.colour == 'rgb' else 'grey', image_age_s=(0.0, 0.0), car=car,
            actions=ContinuousActions(speed_high_mps=self.max_speed_mps))
        return TrainingPlan(
            setup=setup, hyperparameters=learning, seed=self.seed,
            # No confirmation: laps over topics take their time, and its ages are what they are.
            evaluation=EvaluationPlan(laps=1, starts=cars), confirmed=False,
            limits=Limits(steps=self.steps, until_laps=self.until_laps))
