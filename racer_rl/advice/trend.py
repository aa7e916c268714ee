"""Whether a training is still getting better, by its evaluations, and how fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from racer_rl.training.history import History, Row

FEWEST: Final = 6
"""Evaluations from which a trend is told: three of before beside the newest three."""

LEAST: Final = {'clean laps': 0.05, 'driving elsewhere': 0.03, 'pace': 0.01}
"""Gains (shares of laps, of a lap time) below which nothing has got better."""

FULL: Final = 0.98
"""Share of the newest evaluations from which there is nothing left to gain."""

_SIGMAS: Final = 1.0
"""And so many standard errors of the two means."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What got better from the part before to the newest evaluations.

    Attributes:
        what: A key of `LEAST`.
        before: Mean of the part before: share, or seconds of a lap.
        now: Mean of the newest.
        steps: Of training between the middles of both.
    """

    what: str
    before: float
    now: float
    steps: int

    @property
    def room(self) -> float:
        """Share that is left to gain, at most."""
        return 1.0 - self.now if self.what != 'pace' else 1.0

    @property
    def size(self) -> float:
        """Share by which it is better: of laps, or of a lap time; more is better."""
        return (1.0 - self.now / self.before if self.what == 'pace' else self.now - self.before)

    def __str__(self) -> str:
        if self.what == 'pace':
            return f'mean lap {self.before:.2f} -> {self.now:.2f} s'
        return f'{self.what} {self.before:.0%} -> {self.now:.0%}'


_MEASURES: Final[dict[str, Callable[[Row], float | None]]] = {
    'clean laps': lambda row: row.clean_share,
    'driving elsewhere': lambda row: row.held_out,
    'pace': lambda row: row.mean_lap_s if row.clean_share == 1.0 else None,
}


def gains(history: History) -> tuple[Gain, ...]:
    """What has got better, the newest third of the evaluations beside the third before it."""
    found = []
    for what, measure in _MEASURES.items():
        rows = [(row.steps, value) for row in history.rows if (value := measure(row)) is not None]
        gain = _gain(what, rows) if len(rows) >= FEWEST else None
        if gain is not None:
            found.append(gain)
    return tuple(found)


def unsteadiness(history: History) -> tuple[float, float] | None:
    """Clean laps after and before the deepest fall of the newest evaluations, as shares.

    Returns:
        Equal shares where none fell; None of too few evaluations.
    """
    if len(history.rows) < FEWEST:
        return None
    shares = [row.clean_share for row in history.rows[-max(FEWEST, len(history.rows) // 3):]]
    falls = [(min(shares[index:]), share) for index, share in enumerate(shares)]
    return max(falls, key=lambda fall: fall[1] - fall[0])


def _gain(what: str, rows: Sequence[tuple[int, float]]) -> Gain | None:
    part = max(len(rows) // 3, FEWEST // 2)
    if what != 'pace' and np.mean([value for _, value in rows[-FEWEST // 2:]]) >= FULL:
        return None
    (before_at, before), (now_at, now) = (
        np.array(rows[-2 * part:-part]).T, np.array(rows[-part:]).T)
    gain = Gain(what, float(before.mean()), float(now.mean()),
                round(float(now_at.mean() - before_at.mean())))
    scale = before.mean() if what == 'pace' else 1.0
    error = float(np.sqrt((before.var() + now.var()) / part)) / scale
    return gain if gain.size > max(LEAST[what], _SIGMAS * error) else None
