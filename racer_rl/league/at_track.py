"""Runs of a race day in a league: like raced submissions, and marked as driven at the track."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from racer_rl.league.store import RESULT_FILE, League, Race
from racer_rl.league.submissions import State, Verdict
from racer_rl.races.result import EntryResult
from racer_sim.rules import Status
from racer_vehicle.errors import ConfigError
from racer_vehicle.storage import write_atomically
from racer_vehicle.strict_json import to_json

TRACK_FILE: Final = 'at-track.json'
"""In the folder of a result: what was timed, where nobody can repeat it from a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRun:
    """A run at the track.

    Attributes:
        racer: Who; has joined.
        model: Name of the model; may be empty.
        bundle: SHA-256 of its bytes, hexadecimal; empty where it is not known.
        result: What it showed.
        timed: How, in a word, e.g. `by hand`.
        declared: When it was declared, UTC, ISO 8601; with racer and race it names the run.
        record: `RaceResult` as JSON, if it was driven in the simulator; else empty.
    """

    racer: str
    model: str
    bundle: str
    result: EntryResult
    timed: str
    declared: str
    record: str = ''


def record_at_track(league: League, race: Race, run: TrackRun) -> int:
    """Count a run; one that the league has already stays as it is.

    Args:
        league: Open.
        race: Of the run.
        run: What was driven.

    Returns:
        Number of the submission that stands for it.

    Raises:
        ConfigError: The racer has not joined.
        OSError: The disk refused.
    """
    racer, figures = league.racer(run.racer), race.terms.ranking.figures(run.result)
    scored = race.terms.ranking.score_of(figures) is not None
    incidents = run.result.incidents
    row: dict[str, Any] = {
        'race': race.number, 'racer': racer.name, 'division': racer.division, 'model': run.model,
        'model_id': '', 'bundle': run.bundle, 'submitted': run.declared, 'state': State.DONE,
        'attempts': 1, 'verdict': Verdict.RANKED if scored else Verdict.TOO_FEW_LAPS,
        'average_s': figures.average_s, 'best_s': figures.best_s, 'total_s': figures.total_s,
        'laps': len(run.result.lap_times_s), 'resets': sum(incidents.values()),
        'collisions': incidents.get(Status.CRASHED.label, 0),
        'off_tracks': incidents.get(Status.OFF_TRACK.label, 0)}
    with league.database.transaction() as rows:
        there = rows.execute(
            'SELECT number FROM submission WHERE race = ? AND racer = ? AND submitted = ?',
            (race.number, racer.name, run.declared)).fetchone()
        if there is None:
            rows.execute(f'INSERT INTO submission ({", ".join(row)}) VALUES '
                         f'({", ".join("?" * len(row))})', tuple(row.values()))
            there = rows.execute('SELECT last_insert_rowid()').fetchone()
    number = int(there[0])
    folder = league.result_folder(f'{number:06d}')
    if run.record:
        write_atomically(folder / RESULT_FILE, run.record.encode())
    write_atomically(folder / TRACK_FILE, json.dumps(
        {'timed': run.timed, 'entry': json.loads(to_json(run.result))}, indent=2).encode())
    return number


def timed_at_track(folder: Path) -> str:
    """How the run of a result was timed at the track; empty: it was raced by the league.

    Args:
        folder: Of the result.

    Raises:
        ConfigError: The file is damaged.
    """
    try:
        return str(json.loads((folder / TRACK_FILE).read_text('utf-8'))['timed'])
    except FileNotFoundError:
        return ''
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'{folder / TRACK_FILE} is damaged ({error}); remove it, or restore '
                          'it.') from None
