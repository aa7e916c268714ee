"""A trained model as a policy that does not explore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

from racer_rl.envs.batch import Observation
from racer_rl.training.policies import ActorModule, actor_module

FEW_THREADS: Final = 1
"""Of torch, for driving without learning, and for learning from a teacher.

So few pictures at a time are not worth more: on two cores that others used as well, two threads
took up to three times the CPU time of one, waiting for each other. With one, the result does not
depend on how many cores there are, either.
"""


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Compute with so many threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Actor:
    """What drives of a model, as a policy that does not explore; can be pickled."""

    def __init__(self, module: ActorModule, *, discrete: bool) -> None:
        """Take the network, and whether its outputs are logits of actions."""
        self._module, self._discrete = module, discrete

    @torch.inference_mode()
    def __call__(self, observation: Observation) -> NDArray[Any]:
        """See `Policy`."""
        lidar = observation.get('lidar')
        output = self._module(
            torch.from_numpy(observation['camera']),
            None if lidar is None else torch.from_numpy(lidar),
        )
        chosen = output.argmax(dim=1) if self._discrete else output
        result: NDArray[Any] = chosen.numpy()
        return result


def deterministic_policy(model: BaseAlgorithm) -> Actor:
    """The model's most likely action, from the car's sensors alone.

    It is a copy: training on does not change it.
    """
    return Actor(actor_module(model), discrete=isinstance(model.action_space, spaces.Discrete))
