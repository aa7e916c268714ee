"""PPO and SAC of Stable-Baselines3, with what DeepRacer's settings need on top.

PPO gets a choice of value loss, and stops when its loss diverges. With the mean squared error its
arithmetic is the library's to the last bit, which a test holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, cast

import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.type_aliases import DictRolloutBufferSamples, GymEnv
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from racer_rl.training.hyperparameters import Hyperparameters, PPOHyperparameters
from racer_rl.training.policies import AsymmetricPolicy, AsymmetricSACPolicy
from racer_vehicle.errors import ConfigError

ValueLoss = Literal['mse', 'huber']

_VALUE_LOSSES: Final[Mapping[str, Callable[[Tensor, Tensor], Tensor]]] = {
    'mse': functional.mse_loss, 'huber': functional.huber_loss,
}
_STATISTICS: Final = ('policy_gradient_loss', 'value_loss', 'entropy_loss', 'approx_kl',
                      'clip_fraction', 'loss')


class ChannelsFirst:
    """Takes the environment as it is.

    The library guesses from the sizes whether images are channels-first, and would transpose a
    stack of more channels than rows (12 x 10 x 20); ours always are.
    """

    @staticmethod
    def _wrap_env(env: GymEnv, verbose: int = 0, monitor_wrapper: bool = True) -> VecEnv:
        if not isinstance(env, VecEnv):
            raise ConfigError(f'the environment is a {type(env).__name__}; allowed: a VecEnv; '
                              'use the batched environment.')
        return env


class Decaying:
    """Learns by a share of its learning rate, which whoever trains may lower on the way.

    Stable-Baselines3's schedules go by the steps of one call of `learn`; a run here is many calls,
    and may be limited by time.

    Attributes:
        rate_share: Of the learning rate; no part of the model.
    """

    rate_share: float = 1.0

    def _update_learning_rate(self, optimizers: list[Optimizer] | Optimizer) -> None:
        super()._update_learning_rate(optimizers)  # type: ignore[misc]
        for optimizer in optimizers if isinstance(optimizers, list) else [optimizers]:
            for group in optimizer.param_groups:
                group['lr'] *= self.rate_share


class RacerPPO(Decaying, ChannelsFirst, PPO):
    """Proximal policy optimisation (Schulman et al. 2017, clipped), for `AsymmetricPolicy`."""

    policy: AsymmetricPolicy

    def __init__(self, policy: type[AsymmetricPolicy], env: VecEnv | None, *,
                 value_loss: ValueLoss = 'mse', **settings: Any) -> None:
        """Prepare to learn.

        Args:
            policy: `AsymmetricPolicy`.
            env: Where to learn.
            value_loss: `mse`, or `huber` with its corner at 1 (return units).
            **settings: As `stable_baselines3.PPO`, without `clip_range_vf` and `target_kl`.

        Raises:
            ConfigError: One of those two is given.
        """
        super().__init__(policy, cast(VecEnv, env), **settings)
        if self.clip_range_vf is not None or self.target_kl is not None:
            raise ConfigError('clip_range_vf and target_kl are not supported; leave them out.')
        self.value_loss: ValueLoss = value_loss

    def train(self) -> None:
        """Improve the policy on the rollout that was just collected.

        Raises:
            ConfigError: The loss is no longer a finite number.
        """
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        clip_range = float(self.clip_range(self._current_progress_remaining))  # type: ignore[operator]
        parameters = list(self.policy.parameters())
        rows = []
        for _ in range(self.n_epochs):
            for batch in self.rollout_buffer.get(self.batch_size):
                loss, statistics = self._loss(cast(DictRolloutBufferSamples, batch), clip_range)
                self._refuse_divergence(float(loss.detach()))
                for parameter in parameters:
                    parameter.grad = None
                loss.backward()  # type: ignore[no-untyped-call]
                clip_grad_norm_(parameters, self.max_grad_norm)
                self.policy.optimizer.step()
                rows.append(statistics)
        self._n_updates += self.n_epochs
        self._record(torch.stack(rows).mean(dim=0), clip_range)

    def _loss(self, batch: DictRolloutBufferSamples, clip_range: float) -> tuple[Tensor, Tensor]:
        """Loss of one minibatch, and its statistics in the order of `_STATISTICS`."""
        discrete = not self.action_space.shape
        actions = batch.actions.long().flatten() if discrete else batch.actions
        values, log_prob, entropy = self.policy.evaluate_actions(batch.observations, actions)
        advantages = batch.advantages
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        log_ratio = log_prob - batch.old_log_prob
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1.0 - clip_range, 1.0 + clip_range)
        policy_loss = -torch.min(advantages * ratio, advantages * clipped).mean()
        value_loss = _VALUE_LOSSES[self.value_loss](values.flatten(), batch.returns)
        entropy_loss = -cast(Tensor, entropy).mean()
        loss = policy_loss + self.ent_coef * entropy_loss + self.vf_coef * value_loss
        with torch.no_grad():
            # Low-variance estimate of the divergence, http://joschu.net/blog/kl-approx.html
            divergence = (ratio - 1.0 - log_ratio).mean()
            outside = ((ratio - 1.0).abs() > clip_range).float().mean()
            statistics = torch.stack(
                (policy_loss, value_loss, entropy_loss, divergence, outside, loss))
        return loss, statistics

    def _refuse_divergence(self, loss: float) -> None:
        """Stop before one bad step spoils the weights."""
        if not math.isfinite(loss):
            raise ConfigError(
                f'the training loss is {loss} after {self.num_timesteps} steps; allowed: finite '
                'numbers; lower learning_rate, or look for huge rewards.'
            )

    def _record(self, statistics: Tensor, clip_range: float) -> None:
        """Log the update under the library's names."""
        for name, value in zip(_STATISTICS, statistics.tolist(), strict=True):
            self.logger.record(f'train/{name}', value)
        buffer = self.rollout_buffer
        self.logger.record('train/explained_variance',
                           explained_variance(buffer.values.flatten(), buffer.returns.flatten()))
        if hasattr(self.policy, 'log_std'):
            self.logger.record('train/std', self.policy.log_std.detach().exp().mean().item())
        self.logger.record('train/clip_range', clip_range)
        self.logger.record('train/n_updates', self._n_updates, exclude='tensorboard')


class RacerSAC(Decaying, ChannelsFirst, SAC):
    """Soft actor-critic (Haarnoja et al. 2018), the library's, for `AsymmetricSACPolicy`."""


def build_model(settings: Hyperparameters, network: str, env: VecEnv,
                seed: int) -> RacerPPO | RacerSAC:
    """A fresh model for an environment.

    Args:
        settings: Decide the algorithm too.
        network: Name in the catalogue of networks.
        env: Batched; `settings.n_envs` cars.
        seed: Of the weights, of exploration and of the environment.

    Raises:
        ConfigError: SAC with discrete actions, or another number of cars.
    """
    if env.num_envs != settings.n_envs:
        raise ConfigError(f'the environment has {env.num_envs} cars; allowed by n_envs: '
                          f'{settings.n_envs}; use the same number.')
    common = {**settings.algorithm_settings(), 'seed': seed, 'device': 'cpu'}
    if isinstance(settings, PPOHyperparameters):
        return RacerPPO(AsymmetricPolicy, env, **common,
                        policy_kwargs={'network': network, 'init_std': settings.init_std})
    if not env.action_space.shape:
        raise ConfigError('SAC needs continuous actions; allowed with discrete ones: clipped_ppo; '
                          'change training_algorithm or the action space.')
    return RacerSAC(AsymmetricSACPolicy, env, **common, policy_kwargs={'network': network})
