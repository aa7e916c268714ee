"""What a model takes over from another one, instead of beginning from nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from racer_rl.training.algorithms import RacerPPO
from racer_rl.training.checkpoint import Model
from racer_vehicle.errors import ModelMismatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Inheritance:
    """From whom, and what.

    Attributes:
        parent: As its checkpoint has it.
        optimizer: Whether to take over the optimiser's state as well as the weights.
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
