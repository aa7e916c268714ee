"""A submission, from the queue to its verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from racer_rl.league.ranking import LapFigures


class State(StrEnum):
    """Where a submission is on its way."""

    QUEUED = 'queued'
    RACING = 'racing'
    DONE = 'done'


class Verdict(StrEnum):
    """What came of a submission; `EXPLAINED` says it in a sentence."""

    RANKED = 'ranked'
    TOO_FEW_LAPS = 'too few laps'
    TOO_LARGE = 'too large'
    NOT_A_BUNDLE = 'not a policy bundle'
    DOES_NOT_FIT = 'does not fit'
    NO_NUMBERS = 'outputs no numbers'
    TOO_SLOW = 'too slow'
    TOO_MUCH_MEMORY = 'too much memory'
    BROKE_DOWN = 'broke down'


EXPLAINED: Final = {
    Verdict.RANKED: 'It drove, and it counts.',
    Verdict.TOO_FEW_LAPS: 'It drove, and completed too few laps for a time that counts.',
    Verdict.TOO_LARGE: 'The file is larger than a submission may be; it was not opened.',
    Verdict.NOT_A_BUNDLE: 'The file is no whole, unchanged policy bundle with a safe network.',
    Verdict.DOES_NOT_FIT: 'The network is not what its card says, or not for this car.',
    Verdict.NO_NUMBERS: 'The network answered with something that is not a finite number.',
    Verdict.TOO_SLOW: 'The network takes longer to decide than a control period.',
    Verdict.TOO_MUCH_MEMORY: 'The network wanted more memory than a submission may have.',
    Verdict.BROKE_DOWN: 'The process in which it raced ended before the race did.',
}

DROVE: Final = (Verdict.RANKED, Verdict.TOO_FEW_LAPS)
"""Of submissions that were raced to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a race of one submission brought.

    Attributes:
        verdict: In a word.
        reason: Why, for people; empty where the verdict says all.
        figures: Times.
        laps: Completed ones.
        resets: Incidents, all of them: each put the car back.
        collisions: Those that were crashes.
        off_tracks: Those where it left the track.
    """

    verdict: Verdict
    reason: str = ''
    figures: LapFigures = field(default_factory=LapFigures)
    laps: int = 0
    resets: int = 0
    collisions: int = 0
    off_tracks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One policy of one racer in one race.

    Attributes:
        number: Of the league, in the order in which they came, from 1.
        race: Number of the race.
        racer: Who.
        division: That of the racer when it came.
        model: Name of the model, as the racer calls it.
        model_id: Of a model of this computer's store; may be empty.
        bundle: SHA-256 of the policy bundle, hexadecimal; empty of what was refused at the door
            and of what was imported.
        submitted: When it came, UTC, ISO 8601.
        state: Where it is on its way.
        attempts: How often somebody began to race it.
        outcome: What came of it; None before that.
    """

    number: int
    race: int
    racer: str
    division: str
    model: str
    model_id: str
    bundle: str
    submitted: str
    state: State
    attempts: int
    outcome: Outcome | None

    @property
    def result(self) -> str:
        """Name of the folder with what its race left."""
        return f'{self.number:06d}'
