"""What a node tells about itself: how often something happens, how long it takes."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

WINDOW: Final = 150
"""Events that count: ten seconds of frames."""


class Rate:
    """How often something has happened lately."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._times_s: deque[float] = deque(maxlen=WINDOW)

    def note(self, now_s: float) -> None:
        """It has happened now."""
        self._times_s.append(now_s)

    def hz(self, now_s: float) -> float:
        """Mean rate of the window until now, so that a silence shows; 0 before two events."""
        if len(self._times_s) < 2:
            return 0.0
        oldest_s, newest_s = self._times_s[0], self._times_s[-1]
        gaps = len(self._times_s) - 1
        typical_s = (newest_s - oldest_s) / gaps
        # A silence of up to one gap is only the next event on its way.
        span_s = newest_s - oldest_s + max(0.0, now_s - newest_s - typical_s)
        return gaps / span_s if span_s > 0.0 else 0.0


class Spread:
    """The latest values of something, and how they spread."""

    def __init__(self) -> None:
        """No values yet."""
        self._values: deque[float] = deque(maxlen=WINDOW)

    def note(self, value: float) -> None:
        """One more value."""
        self._values.append(value)

    def quantile(self, share: float) -> float:
        """The value that this share of the window does not exceed; 0 without values."""
        if not self._values:
            return 0.0
        return float(np.quantile(np.asarray(self._values), share, method='higher'))


class Flow:
    """What passes through a node: how often, and how old it is by then."""

    def __init__(self) -> None:
        """Nothing has passed yet."""
        self._rate, self._age_s = Rate(), Spread()

    def note(self, now_s: float, age_s: float) -> None:
        """Something passes.

        Args:
            now_s: On a clock that does not jump.
            age_s: Since it was made.
        """
        self._rate.note(now_s)
        self._age_s.note(age_s)

    def figures(self, now_s: float) -> dict[str, object]:
        """Name to figure, names with the unit."""
        return {'hz': self._rate.hz(now_s), 'age_p50_s': self._age_s.quantile(0.5),
                'age_p99_s': self._age_s.quantile(0.99)}
