"""From a teacher that knows the truth to a model that has a camera: DAgger.

The model drives; what its cameras saw on the way is kept with what the teacher would have done
there, and the model learns to do the same (S. Ross et al., *A Reduction of Imitation Learning and
Structured Prediction to No-Regret Online Learning*, 2011). That is regression: a picture is worth
far more than one that has to be learnt from by trial, so that a network of a million weights costs
no more than a small one. In the first round the teacher drives: the model cannot yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.type_aliases import TensorDict
from torch import Tensor, nn
from torch.nn import functional

from racer_rl.envs.batch import Observation
from racer_rl.training.networks import find_network
from racer_rl.training.optimizer import Adam
from racer_rl.training.policies import AsymmetricPolicy, SeparateLatents
from racer_vehicle.spec import require_range

SEEN: Final = ('camera', 'lidar')
"""Parts of an observation that the model learns from."""

MANY_INPUTS: Final = 1024
"""Of a layer. Adam moves every weight by about its rate, and inputs that are alike add up: one
step can drive a tanh unit of 60,000 inputs to where it has no slope, and it never comes back. Such
a layer therefore learns by a rate in inverse proportion to its inputs (as G. Yang and E. Hu,
*Tensor Programs V*, 2022, derive for wide layers). Relu units need it not, and are slower by it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """How a model learns from a teacher.

    Attributes:
        learning_rate: Of Adam.
        batch_size: Frames in a minibatch.
        samples: Frames learnt from in a lesson, for each that is new.
        memory_mib: Of the frames that are kept.
        margin_m: How much nearer the borders are while the teacher learns, which leaves room for
            the errors of whoever learns from it.
        body_margin_m: The same of what it may run into: the car seems so much larger, in the end.
        practice_share: Of the run's limits: the last part, in which the model itself learns by
            trial, from the reward that its teacher learnt from. A teacher is sure of what a camera
            can only guess; whoever copies it is as bold, and is wrong more often.
        practice_rate: The learning rate when practice begins; it falls to nothing.
        practice_margin_m: As `body_margin_m`, of the model's own cars in practice.
    """

    learning_rate: float = 1e-3
    batch_size: int = 32
    samples: float = 3.0
    memory_mib: int = 256
    margin_m: float = 0.04
    body_margin_m: float = 0.1
    practice_share: float = 0.0
    practice_rate: float = 3e-4
    practice_margin_m: float = 0.05

    def __post_init__(self) -> None:
        require_range(self, learning_rate=(1e-8, 0.1), batch_size=(2, 65_536),
                      samples=(0.01, 1000.0), memory_mib=(1, 1 << 20), margin_m=(0.0, 0.2),
                      body_margin_m=(0.0, 0.5), practice_share=(0.0, 0.5),
                      practice_rate=(1e-8, 0.1), practice_margin_m=(0.0, 0.5))

    @property
    def practises(self) -> bool:
        """Whether the model goes on by trial."""
        return self.practice_share > 0.0


class Lessons:
    """What was seen, and what the teacher would have done; new ones replace any of the old."""

    def __init__(self, space: spaces.Dict, memory_mib: int, random: np.random.Generator) -> None:
        """Reserve memory, which the system gives as it is filled.

        Args:
            space: Of one observation.
            memory_mib: Largest size of all frames.
            random: Decides what is forgotten, and the order of learning.
        """
        parts = {key: cast(spaces.Box, space.spaces[key]) for key in SEEN if key in space.spaces}
        frame_bytes = sum(int(np.prod(part.shape)) * part.dtype.itemsize
                          for part in parts.values())
        self.capacity = max(1, memory_mib * 2**20 // frame_bytes)
        self.size = 0
        self._seen = {key: np.empty((self.capacity, *part.shape), part.dtype)
                      for key, part in parts.items()}
        self._labels: NDArray[Any] | None = None
        self._random = random

    def add(self, observation: Observation, labels: NDArray[Any]) -> None:
        """Keep N frames.

        Args:
            observation: What was seen.
            labels: What the teacher does there, (N,) or (N, 2).
        """
        if self._labels is None:
            self._labels = np.empty((self.capacity, *labels.shape[1:]), labels.dtype)
        room = min(len(labels), self.capacity - self.size)
        places = np.concatenate((np.arange(self.size, self.size + room),
                                 self._random.integers(0, self.capacity, len(labels) - room)))
        for key, kept in self._seen.items():
            kept[places] = observation[key]
        self._labels[places] = labels
        self.size += room

    def batches(self, samples: int, size: int) -> Iterator[tuple[TensorDict, Tensor]]:
        """Minibatches: pass after pass over all frames, each in a new order.

        Args:
            samples: How many frames altogether, about.
            size: Of a minibatch.

        Yields:
            Parts of the observation, and labels.
        """
        assert self._labels is not None
        passes = -(-samples // self.size)
        order = np.concatenate([self._random.permutation(self.size) for _ in range(passes)])
        for begin in range(0, samples - size + 1, size):
            rows = order[begin:begin + size]
            yield ({key: torch.from_numpy(kept[rows]) for key, kept in self._seen.items()},
                   torch.from_numpy(self._labels[rows]))


class Student:
    """The acting half of a model, learning by regression."""

    def __init__(self, policy: AsymmetricPolicy, settings: Distillation) -> None:
        """Take the policy whose actor will learn; its critic is left alone."""
        self._policy, self._settings = policy, settings
        self._latents = cast(SeparateLatents, policy.mlp_extractor)
        self._discrete = isinstance(policy.action_space, spaces.Discrete)
        actor = nn.ModuleList([self._latents.actor, policy.action_net])
        saturates = find_network(policy.network).activation == 'tanh'
        groups = [{'params': weights, 'share': _rate_share(weights[0]) if saturates else 1.0}
                  for layer in actor.modules() if (weights := list(layer.parameters(False)))]
        self._optimizer = Adam(groups, settings.learning_rate, fused=True)

    def act(self, observation: Observation) -> NDArray[Any]:
        """Its most likely actions: int64 (N,), or float32 (N, 2) in -1..1."""
        self._policy.set_training_mode(False)
        with torch.inference_mode():
            output = self._output({key: torch.from_numpy(observation[key])
                                   for key in SEEN if key in observation})
            best = output.argmax(dim=1) if self._discrete else output.clamp(-1.0, 1.0)
        actions: NDArray[Any] = best.numpy()
        return actions

    def learn(self, lessons: Lessons, samples: int, rate_share: float = 1.0) -> float:
        """Learn from so many frames, by ever smaller steps, so that the last ones do not shake it.

        Args:
            lessons: To learn from.
            samples: How many frames.
            rate_share: Of the learning rate.

        Returns:
            The mean loss: squared error of the outputs, or cross entropy of the classes.
        """
        self._policy.set_training_mode(True)
        settings = self._settings
        losses: list[Tensor] = []
        for seen, labels in lessons.batches(samples, settings.batch_size):
            gone = len(losses) * settings.batch_size / samples
            rate = (1.0 - gone) * rate_share * settings.learning_rate
            for group in self._optimizer.param_groups:
                group['lr'] = rate * group['share']
            output = self._output(seen)
            loss = (functional.cross_entropy(output, labels) if self._discrete
                    else functional.mse_loss(output, labels))
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            losses.append(loss.detach())
        self._policy.set_training_mode(False)
        return float(torch.stack(losses).mean())

    def _output(self, seen: TensorDict) -> Tensor:
        output: Tensor = self._policy.action_net(self._latents.forward_actor(seen))
        return output


def _rate_share(weight: Tensor) -> float:
    """Share of the learning rate for a layer with this weight, (outputs, inputs, ...)."""
    return min(1.0, MANY_INPUTS / weight[0].numel())
