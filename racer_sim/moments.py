"""Ground truth and the objects of the same moment, which come as separate messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from racer_sim.starting_grid import Pose

Records = NDArray[np.void]

SAME_S: Final = 1e-6
"""Stamps that differ by less are the same."""

PATIENCE: Final = 8
"""Poses that wait for their objects; one more, and the objects are taken for gone."""


class Moment(NamedTuple):
    """Where the car was, when, and what stood around it; None: nobody has said."""

    pose: Pose
    stamp_s: float
    objects: Records | None


class Moments:
    """Brings together what belongs together.

    As long as nobody has told of objects, poses do not wait: on a real car nobody does.
    """

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self._poses: deque[tuple[Pose, float]] = deque()
        self._objects: deque[tuple[Records, float]] = deque(maxlen=PATIENCE)

    def put_pose(self, pose: Pose, stamp_s: float) -> None:
        """The car was seen."""
        self._poses.append((pose, stamp_s))

    def put_objects(self, objects: Records, stamp_s: float) -> None:
        """What can be met was seen.

        Args:
            objects: `BODY`, (K,).
            stamp_s: When.
        """
        self._objects.append((objects, stamp_s))

    def complete(self) -> Iterator[Moment]:
        """Moments that are complete, in their order, each once."""
        while self._poses:
            pose, stamp_s = self._poses[0]
            if self._objects and self._objects[-1][1] < stamp_s - SAME_S:
                if len(self._poses) <= PATIENCE:
                    return
                self._objects.clear()
            self._poses.popleft()
            yield Moment(pose, stamp_s, self._at(stamp_s))

    def _at(self, stamp_s: float) -> Records | None:
        """The earliest objects that are not older; None if there are none at all."""
        later = [seen for seen in self._objects if seen[1] >= stamp_s - SAME_S]
        return min(later, key=itemgetter(1))[0] if later else None
