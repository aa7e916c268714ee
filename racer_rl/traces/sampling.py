"""Which iterations of a run are traced."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Final

FULL_ITERATIONS: Final = 100
SAMPLE_STRIDE: Final = 10
"""A sample is the first iterations, in which most is learnt, and later one of so many."""

EPISODES_PER_ITERATION: Final = 20
"""DeepRacer's, where no other number is known, or where it is 1: a file for each episode is too
many files."""

EPISODES_KEY: Final = 'num_episodes_between_training'


class Sampling(StrEnum):
    """Which iterations' steps are written."""

    EVERY = 'every'
    SAMPLE = 'sample'
    NONE = 'none'

    def keeps(self, iteration: int) -> bool:
        """Whether an iteration's are."""
        if self is Sampling.SAMPLE:
            return iteration < FULL_ITERATIONS or iteration % SAMPLE_STRIDE == 0
        return self is Sampling.EVERY


def episodes_per_iteration(hyperparameters: str) -> int:
    """Of a run, from the text of its `hyperparameters.json`."""
    episodes = json.loads(hyperparameters).get(EPISODES_KEY, 1)
    return int(episodes) if episodes > 1 else EPISODES_PER_ITERATION
