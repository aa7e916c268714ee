"""A teacher: drives by the ground truth, which no car has, and learns that in seconds.

It is paid by the same reward function as the model would be, in cars without cameras: nothing is
drawn, so a step costs a fraction of one with pictures, and its network is small. What it has
learnt the model then learns from it (see `distillation`).
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Final, cast

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from torch import Tensor

from racer_rl.envs.batch import Observation
from racer_rl.envs.build import build_batch, build_simulator
from racer_rl.envs.vector import RaceVecEnv
from racer_rl.reward.loading import RewardFile
from racer_rl.reward.log import RewardLog
from racer_rl.training.algorithms import RacerPPO
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.judgement import Podium, judge
from racer_rl.training.networks import FAST, find_network
from racer_rl.training.plan import Limits, TrainingPlan
from racer_rl.training.policies import AsymmetricPolicy, SeparateLatents, truth_layers
from racer_sim.encounters import UNSEEN
from racer_sim.privileged import PRIVILEGED_SIZE

ACTOR_WIDTHS: Final = (64, 64)
"""Of the teacher's tanh layers; its critic is the model's, which takes it over."""

FIRST_EXAMINATION: Final = 8_000
"""Steps before which nobody asks; they take two seconds."""

EXAMINATION_GROWTH: Final = 2.0
RETRY_GROWTH: Final = 1.25
"""Steps until the next examination, as a multiple of those until this one: if it was passed, and
if not."""

PACE_IMPROVEMENT: Final = 0.02
"""Share of a lap time by which the teacher has to be faster than one examination ago, to go on
where fast laps are asked for."""

_SMALL: Final = ('learning_rate', 'n_envs', 'n_steps', 'batch_size', 'n_epochs')
"""Settings that belong to the size of a network; a teacher's is about as large as `FAST`."""


class TeacherPolicy(AsymmetricPolicy):
    """As `AsymmetricPolicy`, but the actor reads what the critic reads.

    Not all of it: what no sensor shows of other cars it would teach in vain. A model that cannot
    see why its teacher brakes learns to brake a little everywhere.
    """

    def _build_mlp_extractor(self) -> None:
        space = cast(spaces.Dict, self.observation_space)
        known = cast(spaces.Box, space.spaces['privileged']).shape[0]
        unseen = [PRIVILEGED_SIZE + value for value in UNSEEN] if known > PRIVILEGED_SIZE else []
        latents = SeparateLatents(space, truth_layers(space, ACTOR_WIDTHS, unseen),
                                  ACTOR_WIDTHS[-1], self._critic_widths)
        self.mlp_extractor = latents  # type: ignore[assignment]

    @property
    def latents(self) -> SeparateLatents:
        """Its two networks."""
        return cast(SeparateLatents, self.mlp_extractor)


def teacher_settings(own: PPOHyperparameters, network: str) -> PPOHyperparameters:
    """The run's settings; beside convolutions, those that belong to a network's size from `FAST`.

    What a reward is worth later (discount) and how losses are weighed stays the run's.

    Args:
        own: Of the run.
        network: The model's, by name.
    """
    if not find_network(network).convolutions:
        return own
    small: dict[str, Any] = {name: FAST.ppo[name] for name in _SMALL}
    return replace(own, **small)


class Teacher:
    """The learner of the first phase.

    Attributes:
        env: Its cars.
        model: What learns.
    """

    def __init__(self, plan: TrainingPlan, reward: RewardFile, log: RewardLog) -> None:
        """Build cars and learner.

        Args:
            plan: Of the run.
            reward: What pays it, the same as would pay the model.
            log: Where the reward prints to.

        Raises:
            RacerError: A part of the plan cannot be used.
        """
        assert isinstance(plan.hyperparameters, PPOHyperparameters)
        assert plan.distillation is not None
        settings = teacher_settings(plan.hyperparameters, plan.setup.network)
        # Its laps differ as the episodes do that it will have to teach.
        self._examination = replace(
            plan, held_out=None, distillation=None, limits=Limits(),
            evaluation=replace(plan.evaluation, randomization=plan.setup.randomization))
        simulator = build_simulator(plan.setup, cars=settings.n_envs, seed=plan.seed,
                                    border_margin_m=plan.distillation.margin_m,
                                    body_margin_m=plan.distillation.body_margin_m)
        batch = build_batch(plan.setup, cars=settings.n_envs, seed=plan.seed, reward=reward,
                            simulator=simulator, log=log, blind=True)
        self.env = RaceVecEnv(batch)
        self.model = RacerPPO(
            TeacherPolicy, self.env, **settings.algorithm_settings(), seed=plan.seed, device='cpu',
            policy_kwargs={'init_std': settings.init_std})
        self._discrete = isinstance(batch.action_space, spaces.Discrete)
        self._examine_at, self._passed_pace = FIRST_EXAMINATION, cast(float | None, None)
        self._podium = Podium()
        self._weights = copy.deepcopy(self.policy.state_dict())
        self._examined_steps = 0

    @property
    def policy(self) -> TeacherPolicy:
        """Of the learner, as of its last update."""
        return cast(TeacherPolicy, self.model.policy)

    def learn(self, callback: BaseCallback, logger: Logger, rate_share: float = 1.0) -> None:
        """Drive and learn a round; it takes as many steps as `rollout_steps` says.

        Args:
            callback: Told of every step.
            logger: Takes its figures.
            rate_share: Of the learning rate.

        Raises:
            RewardError: The reward function failed.
        """
        self.model.set_logger(logger)
        self.model.rate_share = rate_share
        self.model.learn(self.rollout_steps, callback=callback, log_interval=1,
                         reset_num_timesteps=False)

    @property
    def rollout_steps(self) -> int:
        """Steps of a round, all cars together."""
        return self.model.n_steps * self.env.num_envs

    def is_ready(self, *, in_a_hurry: bool) -> bool:
        """Examine the learner when that is due, and tell whether it has learnt enough.

        Enough is one more examination, twice as far, after one in which every lap was clean: a
        policy that has just begun to drive clean laps is slow, and leaves no room for the errors
        of whoever learns from it. The steps between cost a second or two of driving, and save many
        of drawing.

        Args:
            in_a_hurry: Fast laps are not asked for; otherwise both have to be clean, and about as
                fast.
        """
        steps = self.model.num_timesteps
        if steps < self._examine_at:
            return False
        before, now = self._passed_pace, self._examine()
        self._passed_pace = now
        self._examine_at = round((RETRY_GROWTH if now is None else EXAMINATION_GROWTH) * steps)
        if before is None or now is None:
            return in_a_hurry and before is not None
        # Paces are less than zero: the larger, the faster.
        return in_a_hurry or now < (1.0 - PACE_IMPROVEMENT) * before

    def _examine(self) -> float | None:
        """Judge it without exploration; to the best so judged, `hand_over` returns.

        Returns:
            Less the mean lap time if every lap was clean, those of the confirmation included.
        """
        self._examined_steps = self.model.num_timesteps
        judged = judge(self.act, self._examination, None, blind=True)
        if self._podium.take(judged.merit):
            self._weights = copy.deepcopy(self.policy.state_dict())
        assert judged.evaluation is not None
        return judged.evaluation.pace if judged.drives_clean_laps else None

    def act(self, observation: Observation) -> NDArray[Any]:
        """What the teacher does without exploration.

        Args:
            observation: With `privileged`; nothing else is read.

        Returns:
            int64 (N,) indices, or float32 (N, 2) in -1..1.
        """
        truth = {'privileged': torch.from_numpy(observation['privileged'])}
        with torch.inference_mode():
            output: Tensor = self.policy.action_net(self.policy.latents.forward_actor(truth))
            best = output.argmax(dim=1) if self._discrete else output.clamp(-1.0, 1.0)
        actions: NDArray[Any] = best.numpy()
        return actions

    def explore(self, observation: Observation) -> NDArray[Any]:
        """What the teacher does when it explores; as `act`."""
        truth = {'privileged': torch.from_numpy(observation['privileged'])}
        with torch.inference_mode():
            actions: NDArray[Any] = self.policy(truth)[0].numpy()
        return actions if self._discrete else np.clip(actions, -1.0, 1.0)

    def hand_over(self, policy: AsymmetricPolicy) -> None:
        """End learning, at the best, and give a model what it can use as it is.

        That is the critic, and how widely to explore.
        """
        if self.model.num_timesteps > self._examined_steps:
            self._examine()
        ours = self.policy
        ours.load_state_dict(self._weights)
        theirs = cast(SeparateLatents, policy.mlp_extractor)
        theirs.critic.load_state_dict(ours.latents.critic.state_dict())
        policy.value_net.load_state_dict(ours.value_net.state_dict())
        if hasattr(policy, 'log_std'):
            with torch.no_grad():
                policy.log_std.copy_(ours.log_std)

    def close(self) -> None:
        """End the process of the reward function; a second time does nothing."""
        self.env.close()
