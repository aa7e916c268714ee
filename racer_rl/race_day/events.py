"""What happens on a race day, as data: a day is all its events, in order."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final

from racer_vehicle.errors import ConfigError


class Act(StrEnum):
    """What somebody does, or what the timing says."""

    ENTER = 'enter'
    WITHDRAW = 'withdraw'
    MOVE = 'move'
    CALL = 'call'
    SKIP = 'skip'
    START = 'start'
    LAP = 'lap'
    OFF_TRACK = 'off-track'
    COLLISION = 'collision'
    END = 'end'
    RESET = 'reset'
    DECLARE = 'declare'
    UNDO = 'undo'


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    Attributes:
        act: What.
        at_s: When, on the machine's steady clock, which goes on while race day does not run.
        entry: Number of the entry that is entered, withdrawn, moved or called; else 0.
        racer: Of an entry that is entered.
        model: Likewise; may be empty.
        identity: Likewise: `sha256:` and the digest of its policy; empty where none is known.
        place: Where an entry is moved to in the queue, from 0.
        lap_s: Time of a lap that somebody else took, penalties included; None: taken by `at_s`.
        clean: Of such a lap.
        status: How a run ended, or what exactly happened in it, as in `Status.label`.
        time_s: Of a run that somebody else timed.
        result: Of a run in the simulator, when it ends: its `RaceResult` as JSON.
        boot: Of a start: since when the steady clock runs.
        when: Of a declaration: UTC, ISO 8601.
    """

    act: Act
    at_s: float
    entry: int = 0
    racer: str = ''
    model: str = ''
    identity: str = ''
    place: int = 0
    lap_s: float | None = None
    clean: bool = True
    status: str = ''
    time_s: float | None = None
    result: str = ''
    boot: str = ''
    when: str = ''

    def __post_init__(self) -> None:
        times = (self.at_s, *(each for each in (self.lap_s, self.time_s) if each is not None))
        if not all(math.isfinite(each) and each >= 0.0 for each in times):
            raise ConfigError(f'times of an event are {times}; allowed: finite, 0 or more.')

    def to_json(self) -> str:
        """One line, without what says nothing."""
        told = asdict(self)
        return json.dumps({name: value for name, value in told.items()
                           if value != _DEFAULTS.get(name, _NOTHING)}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Event:
        """The event that `to_json` wrote.

        Raises:
            ConfigError: It is none.
        """
        try:
            content: dict[str, Any] = json.loads(text)
            for name, value in content.items():
                if not isinstance(value, _KINDS[name]):
                    raise TypeError(name)
            return cls(**{**content, 'act': Act(content['act'])})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ConfigError(f'event is {text[:80]!r}; allowed: a JSON object as race day writes '
                              'it.') from None


_NOTHING: Final = object()
_DEFAULTS: Final = {field.name: field.default for field in fields(Event)
                    if field.name not in ('act', 'at_s')}
_NUMBER: Final = (int, float)
_KINDS: Final[dict[str, Any]] = {
    'act': str, 'at_s': _NUMBER, 'entry': int, 'racer': str, 'model': str, 'identity': str,
    'place': int, 'lap_s': _NUMBER, 'clean': bool, 'status': str, 'time_s': _NUMBER,
    'result': str, 'boot': str, 'when': str}
