"""What is raced: track, kind of race, rules and seed; with the entrants, all that repeats it."""

from __future__ import annotations

from dataclasses import dataclass, field

from racer_sim.race_format import RaceFormat
from racer_sim.randomization import NONE, Randomization
from racer_sim.rules import RaceRules
from racer_vehicle.spec import require_range


@dataclass(frozen=True, slots=True, kw_only=True)
class RacePlan:
    """A race, before anybody has entered.

    Attributes:
        track: Name or file.
        direction: `forward` or `reverse`.
        format: Who and what is on the track.
        rules: Laps, time limit, resets, penalties, and who is to blame for a collision.
        seed: Of everything random.
        randomization: Conditions that differ from the car and the light as specified.
    """

    track: str
    direction: str = 'forward'
    format: RaceFormat = field(default_factory=RaceFormat)
    rules: RaceRules = field(default_factory=lambda: RaceRules(laps=3, resets=10_000))
    seed: int = 0
    randomization: Randomization = NONE

    def __post_init__(self) -> None:
        require_range(self, seed=(0, 2**63 - 1))
