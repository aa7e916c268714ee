"""What a model takes over from another one, instead of beginning from nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import torch
from gymnasium import spaces
from torch import Tensor

from racer_rl.training.algorithms import RacerPPO
from racer_rl.training.checkpoint import Model
from racer_vehicle.errors import ModelMismatchError

ACTION_SIZE: Final = 2
"""Values of a continuous action, which SAC's critics read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inheritance:
    """From whom, and what.

    Attributes:
        parent: As its checkpoint has it.
        optimizer: Whether to take over the optimiser's state as well as the weights; not between
            a race in company and one without, where critics are told of different things.
        std: Spread of the actions to explore with, instead of the parent's, which training has
            made small; PPO with continuous actions only. None: the parent's.
    """

    parent: Model
    optimizer: bool = True
    std: float | None = None

    def hand_over(self, model: Model) -> None:
        """Give a freshly built model what the parent knows.

        Args:
            model: With the same algorithm, network, sensors and actions; settings may differ.

        Raises:
            ModelMismatchError: One of those differs.
        """
        parts: dict[str, Any] = self.parent.get_parameters()
        if not self.optimizer:
            parts = {name: part for name, part in parts.items() if 'optimizer' not in name}
            parts['policy'] = _with_critic_of(parts['policy'], _told(self.parent), _told(model))
        try:
            model.set_parameters(parts, exact_match=self.optimizer, device='cpu')
        except (RuntimeError, ValueError) as error:
            raise ModelMismatchError(
                f'the parent has weights of another network ({error}); allowed: the same '
                'algorithm, network, sensors and actions; leave them as they are.') from None
        model._n_updates = self.parent._n_updates
        if self.std is not None and isinstance(model, RacerPPO) and hasattr(
                model.policy, 'log_std'):
            with torch.no_grad():
                model.policy.log_std.fill_(math.log(self.std))


def _told(model: Model) -> int:
    """How many privileged values its critic reads."""
    space = cast(spaces.Dict, model.observation_space)
    return cast(spaces.Box, space.spaces['privileged']).shape[0]


def _with_critic_of(weights: Mapping[str, Tensor], before: int, now: int) -> dict[str, Tensor]:
    """The same weights for a critic that is told of objects, or no more, unlike the parent's.

    What it is told of them comes last of what is privileged; SAC's critics read the action after
    it. Weights of what it never knew are zero: at first it judges as the parent's.

    Args:
        weights: Of the parent's policy.
        before: Privileged values that the parent's critic reads.
        now: The same of the new one's.
    """
    fitted = dict(weights)
    for name, weight in weights.items():
        reads_truth = 'critic' in name and weight.dim() == 2 and weight.shape[1] in (
            before, before + ACTION_SIZE)
        if reads_truth and before != now:
            kept = weight[:, :min(before, now)]
            unknown = weight.new_zeros((len(weight), now - kept.shape[1]))
            fitted[name] = torch.cat((kept, unknown, weight[:, before:]), dim=1)
    return fitted
