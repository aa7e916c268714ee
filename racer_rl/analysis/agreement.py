"""Whether two reward functions would have liked the same episodes of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from racer_rl.analysis.own import courses_of_model
from racer_rl.analysis.rescore import rescored
from racer_rl.analysis.run import Run
from racer_rl.reward.loading import RewardFile
from racer_rl.store.models import ModelFolder
from racer_rl.traces.log import read_log

RECENT_STEPS: Final = 20_000
"""Of the end of the training: a hundred episodes or more, and paid again in a second."""


def reward_agreement(folder: ModelFolder, reward: RewardFile) -> float | None:
    """Rank correlation of a model's reward with another one, over its last training episodes.

    Args:
        folder: Of a model that kept steps of its training.
        reward: The other one; it runs in a process of its own.

    Returns:
        -1 to 1; None if the model kept too few episodes, or all of them were paid alike.

    Raises:
        RewardError: The other reward does not load, or failed on a step.
    """
    if not any(folder.path.glob('training-simtrace/*')):
        return None
    log = read_log(folder.path)
    steps = log.training
    if len(steps) > RECENT_STEPS:
        first = steps['unique_episode'].iloc[-RECENT_STEPS]
        steps = steps[steps['unique_episode'] > first]
    run = Run.of(replace(log, training=steps, evaluation=log.evaluation.iloc[:0]),
                 courses=courses_of_model(folder))
    agreement = rescored(run, reward).agreement
    return None if np.isnan(agreement) else agreement
