"""What came of a race, entry by entry, and the file that lets anyone repeat it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from racer_rl.races.plan import RacePlan
from racer_sim.rules import Status
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import require_range
from racer_vehicle.storage import write_atomically
from racer_vehicle.strict_json import from_object, parse_object, to_json

RESULT_FORMAT: Final = 1
MOST_BYTES: Final = 4_000_000

_SHA256: Final = re.compile(r'[0-9a-f]{64}')


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryResult:
    """What one entrant showed.

    Attributes:
        name: As on the standings.
        identity: `sha256:` and the digest of its policy bundle, or `bot:` and its name.
        status: How its run ended, as in `Status.label`.
        completion: Share of the wanted laps, 0 to 1.
        time_s: Simulated seconds, penalties included, until it ended.
        lap_times_s: Of the completed laps, penalties included.
        lap_clean: Whether each was free of incidents.
        incidents: How often each cause cost a penalty: status label to number.
        overtakes: Bots or cars passed, less those by which it was passed.
        failure: What kept it from driving, e.g. outputs that are no numbers; empty: nothing did.
    """

    name: str
    identity: str
    status: str
    completion: float
    time_s: float
    lap_times_s: tuple[float, ...] = ()
    lap_clean: tuple[bool, ...] = ()
    incidents: Mapping[str, int] = field(default_factory=dict)
    overtakes: int = 0
    failure: str = ''

    @property
    def finished(self) -> bool:
        """Whether it drove all laps."""
        return self.status == Status.LAP_COMPLETE.label

    @property
    def best_lap_s(self) -> float | None:
        """Its fastest lap; None without one."""
        return min(self.lap_times_s, default=None)

    @property
    def clean_laps(self) -> int:
        """Laps without an incident."""
        return sum(self.lap_clean)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceResult:
    """A race that was driven.

    Attributes:
        format: Of the file.
        plan: What was raced.
        entries: In the order of the starting grid.
        track_sha256: Of the course's centre line and borders: names may belong to two tracks.
        trace_sha256: Of every car's state and race record at every step.
        versions: Package or part of the machine to its version: bits depend on them.
    """

    format: int = RESULT_FORMAT
    plan: RacePlan
    entries: tuple[EntryResult, ...]
    track_sha256: str
    trace_sha256: str
    versions: Mapping[str, str]

    def __post_init__(self) -> None:
        require_range(self, format=(RESULT_FORMAT, RESULT_FORMAT))
        for name in ('track_sha256', 'trace_sha256'):
            if not _SHA256.fullmatch(getattr(self, name)):
                raise ConfigError(f'RaceResult.{name} is {getattr(self, name)!r}; allowed: '
                                  '64 hexadecimal digits.')

    @property
    def placing(self) -> tuple[EntryResult, ...]:
        """Entries in the order in which they finished.

        Who drove all laps comes first, by time; then who came furthest. Of equals, who started
        further ahead.
        """
        return tuple(sorted(self.entries, key=lambda entry: (
            not entry.finished, entry.time_s if entry.finished else -entry.completion)))

    def to_json(self) -> str:
        """Readable JSON, the same text for equal results."""
        return to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes, name: str = 'the result') -> RaceResult:
        """The result that `to_json` wrote.

        Args:
            text: JSON.
            name: Of the document, for messages.

        Raises:
            ConfigError: It is no such result, or one of another format.
        """
        content = parse_object(text, name)
        if content.get('format') != RESULT_FORMAT:  # first: another format has other fields
            raise ConfigError(f'{name} has format {content.get("format")!r}; allowed: '
                              f'{RESULT_FORMAT}. Use the racer that wrote it.')
        return from_object(cls, content, name)

    def write(self, path: Path) -> None:
        """Write the file in one step.

        Raises:
            OSError: The disk refused; an old file is untouched.
        """
        write_atomically(path, self.to_json().encode())

    @classmethod
    def read(cls, path: Path) -> RaceResult:
        """The result in a file.

        Raises:
            ConfigError: It cannot be read, or is none.
        """
        try:
            with path.open('rb') as stream:
                content = stream.read(MOST_BYTES + 1)
        except OSError as error:
            raise ConfigError(f'cannot read {path} ({error.strerror}); give a result that '
                              'racer race run --out wrote.') from None
        if len(content) > MOST_BYTES:
            raise ConfigError(f'{path} has more than {MOST_BYTES} bytes; allowed: a result that '
                              'racer race run --out wrote.')
        return cls.from_json(content, path.name)
