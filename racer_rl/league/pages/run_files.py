"""What the run behind a line of the standings left in its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from racer_rl.league.at_track import TRACK_FILE, timed_at_track
from racer_rl.league.pages.drawing import DrivenLine
from racer_rl.league.store import LINE_FILE, RESULT_FILE, VIDEO_FILE
from racer_rl.races.result import EntryResult, RaceResult
from racer_vehicle.errors import ConfigError
from racer_vehicle.strict_json import from_object


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """What there is; the rest is None or empty.

    Attributes:
        entry: What the run showed.
        race: That anyone can repeat.
        timed: How it was timed at a track.
        line: Of its best lap.
        video: Its film.
        damage: What cannot be read, for people.
    """

    entry: EntryResult | None = None
    race: RaceResult | None = None
    timed: str = ''
    line: DrivenLine | None = None
    video: Path | None = None
    damage: str = ''

    @classmethod
    def read(cls, folder: Path) -> RunFiles:
        """Whatever is in a folder; damage of one file does not hide the others."""
        damage = []
        entry: EntryResult | None = None
        race: RaceResult | None = None
        line: DrivenLine | None = None
        timed = ''
        try:
            if (folder / RESULT_FILE).exists():
                race = RaceResult.read(folder / RESULT_FILE)
                entry = race.entries[-1]
            timed = timed_at_track(folder)
            if timed and entry is None:
                entry = _track_entry(folder / TRACK_FILE)
        except ConfigError as error:
            damage.append(str(error))
        try:
            if (folder / LINE_FILE).exists():
                line = DrivenLine.read(folder / LINE_FILE)
        except ConfigError as error:
            damage.append(str(error))
        video = folder / VIDEO_FILE
        return cls(entry=entry, race=race, timed=timed, line=line,
                   video=video if video.exists() else None, damage=' '.join(damage))


def _track_entry(path: Path) -> EntryResult:
    try:
        content = json.loads(path.read_bytes())['entry']
        return from_object(EntryResult, content, path.name)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'{path} is damaged ({error}); restore it.') from None
