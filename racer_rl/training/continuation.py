"""What the last checkpoint keeps of the cars, so that training goes on as if it had not stopped.

With it the same number of steps gives the same weights, however often a run was stopped or killed
in between. Without it (an earlier checkpoint, a teacher's lessons, another simulator) resumed
training begins new episodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from racer_rl.envs.batch import RaceBatch
from racer_rl.training.standing import Meter

_ARRAYS: Final = 'world/'
_PLAIN: Final = 'world'
_METER: Final = 'meter'


def keep_world(batch: RaceBatch, meter: Meter) -> dict[str, Any]:
    """Cars and recent episodes, as a checkpoint keeps them: arrays, and JSON values."""
    snapshot = batch.snapshot()
    arrays = {name: value for name, value in snapshot.items() if isinstance(value, np.ndarray)}
    plain = {name: value for name, value in snapshot.items() if name not in arrays}
    return {**{f'{_ARRAYS}{name}': value for name, value in arrays.items()},
            _PLAIN: plain, _METER: meter.as_plain()}


def continue_world(kept: Mapping[str, Any], batch: RaceBatch, meter: Meter) -> bool:
    """Put the cars where they were; tells the batch's witnesses.

    Args:
        kept: What a checkpoint keeps.
        batch: Of the same make-up.
        meter: Fresh.

    Returns:
        Whether the checkpoint kept them; if not, nothing has changed.
    """
    if _PLAIN not in kept:
        return False
    arrays = {name.removeprefix(_ARRAYS): value for name, value in kept.items()
              if name.startswith(_ARRAYS)}
    batch.restore({**arrays, **kept[_PLAIN]})
    meter.resume(kept[_METER])
    return True
