"""Policies with an asymmetric critic: the actor sees the sensors, the critic sees the truth.

The observation space is a `gymnasium.spaces.Dict`:

    camera      uint8, (channels, height, width), 0 to 255
    lidar       float32, (rays,), about 0 to 1, only on cars that have one
    privileged  float32, (values,), about -1 to 1: ground truth that no car has

Only the critic reads `privileged`, and the critic reads nothing else: it learns faster from the
truth and costs no convolutions (L. Pinto et al., *Asymmetric Actor Critic for Image-Based Robot
Learning*, 2017). It stays behind when training ends, so acting needs the sensors only.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy, ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, create_mlp
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.sac.policies import SACPolicy
from torch import Tensor, nn

from racer_rl.training.networks import Torso, find_network
from racer_rl.training.optimizer import Adam
from racer_vehicle.errors import ConfigError, ModelMismatchError

Squash = Literal['clip', 'tanh', 'none']
"""How a policy's last layer becomes its output: see `ActorModule`."""


class SensorFeatures(BaseFeaturesExtractor):
    """What the actor sees: camera and lidar through a network of the catalogue."""

    def __init__(self, observation_space: spaces.Dict, network: str) -> None:
        """Build `network` for the sizes of this observation space."""
        spec = find_network(network)
        super().__init__(observation_space, spec.feature_width)
        channels, height_px, width_px = _shape(observation_space, 'camera', 3)
        has_lidar = 'lidar' in observation_space.spaces
        lidar_size = _shape(observation_space, 'lidar', 1)[0] if has_lidar else 0
        self.torso = spec.build(channels, height_px, width_px, lidar_size)

    def forward(self, observations: Mapping[str, Tensor]) -> Tensor:
        """float32, (batch, features)."""
        features: Tensor = self.torso(observations['camera'], observations.get('lidar'))
        return features


class PrivilegedFeatures(BaseFeaturesExtractor):
    """What the critic sees: the ground truth as it is."""

    def __init__(self, observation_space: spaces.Dict, unseen: Sequence[int] = ()) -> None:
        """Take the width from the observation space.

        Args:
            observation_space: With `privileged`.
            unseen: Indices of values that are left out.
        """
        known = range(_shape(observation_space, 'privileged', 1)[0])
        seen = [value for value in known if value not in unseen]
        super().__init__(observation_space, len(seen))
        self._seen = seen if unseen else None

    def forward(self, observations: Mapping[str, Tensor]) -> Tensor:
        """float32, (batch, values)."""
        truth = observations['privileged']
        return truth if self._seen is None else truth[:, self._seen]


def truth_layers(observation_space: spaces.Dict, widths: Sequence[int],
                 unseen: Sequence[int] = ()) -> nn.Sequential:
    """Tanh layers of these widths on the ground truth; see `PrivilegedFeatures`."""
    truth = PrivilegedFeatures(observation_space, unseen)
    return nn.Sequential(truth, *create_mlp(truth.features_dim, -1, list(widths), nn.Tanh))


class WholeObservation(BaseFeaturesExtractor):
    """Hands the observation on as it is, so that actor and critic each take their own part."""

    def __init__(self, observation_space: spaces.Dict) -> None:
        """Claim a width of one; nothing reads it, and zero is refused."""
        super().__init__(observation_space, 1)

    def forward(self, observations: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The argument."""
        return observations


class SeparateLatents(nn.Module):
    """Actor and critic without a shared layer, in the shape that `ActorCriticPolicy` expects."""

    def __init__(self, observation_space: spaces.Dict, actor: nn.Module, actor_width: int,
                 critic_widths: Sequence[int]) -> None:
        """Take the actor's network, of so many features, and build the critic's tanh layers."""
        super().__init__()
        self.actor = actor
        self.critic = truth_layers(observation_space, critic_widths)
        self.latent_dim_pi = actor_width
        self.latent_dim_vf = critic_widths[-1]

    def forward(self, observations: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Latents of the actor and of the critic."""
        return self.forward_actor(observations), self.forward_critic(observations)

    def forward_actor(self, observations: Mapping[str, Tensor]) -> Tensor:
        """float32, (batch, `latent_dim_pi`); an actor of sensors reads no privileged value."""
        return cast(Tensor, self.actor(observations))

    def forward_critic(self, observations: Mapping[str, Tensor]) -> Tensor:
        """float32, (batch, last of the critic's widths); reads only privileged values."""
        return cast(Tensor, self.critic(observations))


class AsymmetricPolicy(ActorCriticPolicy):
    """For PPO: continuous or discrete actions, orthogonal initialisation as Stable-Baselines3.

    Attributes:
        network: Of the actor, by name in the catalogue.
    """

    def __init__(self, observation_space: spaces.Dict, action_space: spaces.Space[Any],
                 lr_schedule: Schedule, use_sde: bool = False, *, network: str = 'FAST',
                 critic_widths: Sequence[int] = (64, 64), init_std: float = 1.0) -> None:
        """Build actor, critic and optimizer.

        Args:
            observation_space: See the module.
            action_space: `Box(-1, 1)` or `Discrete`.
            lr_schedule: Learning rate by remaining progress.
            use_sde: Passed by the algorithm; state-dependent exploration is not supported.
            network: Name in the catalogue of networks.
            critic_widths: Of the critic's tanh layers.
            init_std: Standard deviation of continuous actions at the start.

        Raises:
            ConfigError: The spaces are not those of this module, or `use_sde` is set.
        """
        if use_sde:
            raise ConfigError('use_sde is True; allowed: False; leave it out.')
        self.network = network
        self._critic_widths = tuple(critic_widths)
        super().__init__(
            observation_space, action_space, lr_schedule, normalize_images=False,
            features_extractor_class=WholeObservation, log_std_init=math.log(init_std),
            # One pass over the weights: a fifth off forward, backward and step of FAST.
            optimizer_class=Adam, optimizer_kwargs={'eps': 1e-5, 'fused': True},
        )

    def _build_mlp_extractor(self) -> None:
        space = cast(spaces.Dict, self.observation_space)
        actor = SensorFeatures(space, self.network)
        latents = SeparateLatents(space, actor, actor.features_dim, self._critic_widths)
        self.mlp_extractor = latents  # type: ignore[assignment]

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        _prefer_channels_last(self)


class AsymmetricSACPolicy(SACPolicy):
    """For SAC: continuous actions; both critics see the ground truth and the action."""

    def __init__(self, observation_space: spaces.Dict, action_space: spaces.Box,
                 lr_schedule: Schedule, use_sde: bool = False, *, network: str = 'FAST',
                 critic_widths: Sequence[int] = (128, 128)) -> None:
        """Build actor, critics, target critics and optimizers; arguments as `AsymmetricPolicy`."""
        if use_sde:
            raise ConfigError('use_sde is True; allowed: False; leave it out.')
        super().__init__(
            observation_space, action_space, lr_schedule, normalize_images=False,
            net_arch={'pi': [], 'qf': list(critic_widths)},
            features_extractor_class=SensorFeatures,
            features_extractor_kwargs={'network': network}, optimizer_class=Adam,
            optimizer_kwargs={'fused': True},
        )
        _prefer_channels_last(self)

    def make_critic(
        self, features_extractor: BaseFeaturesExtractor | None = None,
    ) -> ContinuousCritic:
        """One pair of Q networks on the ground truth."""
        space = cast(spaces.Dict, self.observation_space)
        return super().make_critic(features_extractor or PrivilegedFeatures(space))


class ActorModule(nn.Module):
    """Only what drives: sensors in, policy output out; what leaves training as a file.

    `squash` is what becomes of the last layer: `clip` (PPO, continuous: limited to -1..1), `tanh`
    (SAC) or `none` (PPO, discrete: logits, whose largest is the action).
    """

    def __init__(self, torso: Torso, head: nn.Module, squash: Squash) -> None:
        """Take copies, so that further training does not change this module."""
        super().__init__()
        self.torso = copy.deepcopy(torso)
        self.head = copy.deepcopy(head)
        self.squash = squash
        self.eval()

    def forward(self, camera: Tensor, lidar: Tensor | None = None) -> Tensor:
        """Output of the policy without exploration.

        Args:
            camera: uint8 or float32, (batch, channels, height, width), 0 to 255.
            lidar: float32, (batch, rays); None exactly for a car without lidar.

        Returns:
            float32, (batch, 2) in -1..1, [steering, speed]; or (batch, actions) logits.
        """
        output: Tensor = self.head(self.torso(camera, lidar))
        if self.squash == 'clip':
            return output.clamp(-1.0, 1.0)
        return output.tanh() if self.squash == 'tanh' else output


def actor_module(model: BaseAlgorithm) -> ActorModule:
    """The acting part of a model, equal to `model.predict(..., deterministic=True)`.

    Raises:
        ModelMismatchError: The model's policy is not one of this module's.
    """
    policy = model.policy
    if isinstance(policy, AsymmetricPolicy):
        latents = cast(SeparateLatents, policy.mlp_extractor)
        squash: Squash = 'none' if isinstance(model.action_space, spaces.Discrete) else 'clip'
        sensors = cast(SensorFeatures, latents.actor)
        return ActorModule(sensors.torso, policy.action_net, squash)
    if isinstance(policy, AsymmetricSACPolicy):
        sensors = cast(SensorFeatures, policy.actor.features_extractor)
        return ActorModule(sensors.torso, policy.actor.mu, 'tanh')
    raise ModelMismatchError(
        f'the model has a {type(policy).__name__}; allowed: AsymmetricPolicy or '
        'AsymmetricSACPolicy; train it with `racer train`.'
    )


def _shape(space: spaces.Dict, key: str, axes: int) -> tuple[int, ...]:
    """Shape of one part of the observation, which must be a Box with so many axes."""
    part = space.spaces.get(key)
    if not isinstance(part, spaces.Box) or len(part.shape) != axes:
        raise ConfigError(f'observation {key!r} is {part}; allowed: a Box with {axes} axes; give '
                          'the environment that sensor.')
    return part.shape


def _prefer_channels_last(module: nn.Module) -> None:
    """Lay out convolutions as CPU kernels like them: a third more samples/s for SHALLOW.

    After initialisation, because orthogonal initialisation needs the ordinary layout.
    """
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
