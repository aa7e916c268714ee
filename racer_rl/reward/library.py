"""The reward functions that come with racer, and finding one by name or path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from racer_rl.reward.loading import RewardFile, read_reward
from racer_vehicle.errors import UnknownNameError

DEFAULT_REWARD: Final = 'progress'
COMPANY_REWARD: Final = 'clear_objects'
"""The same where there are boxes or other cars on the track."""

_FUNCTIONS: Final = Path(__file__).parent / 'functions'


def included_rewards() -> dict[str, Path]:
    """Name and file of every reward function that comes with racer, by name."""
    return {path.stem: path for path in sorted(_FUNCTIONS.glob('[!_]*.py'))}


def find_reward(name_or_path: str | os.PathLike[str]) -> RewardFile:
    """Read a reward function by the name of an included one, or from a file; it is not run.

    Args:
        name_or_path: What ends in `.py` or has a folder in it is a file, anything else a name.

    Raises:
        UnknownNameError: A name that is not included.
        RewardError: The file cannot be read.
    """
    path = Path(name_or_path)
    if path.suffix == '.py' or len(path.parts) > 1:
        return read_reward(path)
    included = included_rewards()
    if str(path) not in included:
        raise UnknownNameError('reward function', str(path), included,
                               'A file of your own is given by its path, ending in .py.')
    return read_reward(included[str(path)])
