"""What the pages of a race day show, as plain data; text in it is as people typed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from racer_rl.league.standings import Standing
from racer_rl.race_day.day import PHASES_OF, Day, Entry, Phase
from racer_rl.race_day.events import Act
from racer_rl.race_day.runs import Run
from racer_rl.race_day.sources import Live

NEWEST: Final = 8
"""Outcomes that a screen has room for."""

NO_MORE_SHOWN: Final = 100
"""Lines of standings and queue that pages get; more would not fit any screen."""


def view_of(day: Day, standings: Sequence[Standing], live: Live | None, now_s: float,
            more: Mapping[str, Any]) -> dict[str, Any]:
    """Everything at one moment.

    Args:
        day: The day.
        standings: Of the race, what was declared included.
        live: What the source says, if it times runs.
        now_s: On the steady clock.
        more: Put in as it is.
    """
    return {
        'phase': day.phase.value, 'by_hand': day.by_hand,
        'rules': {'laps': day.rules.laps, 'time_limit_s': day.rules.time_limit_s,
                  'off_track_penalty_s': day.rules.off_track_penalty_s,
                  'collision_penalty_s': day.rules.collision_penalty_s},
        'on_track': None if day.on_track is None else _entry(day.entry(day.on_track)),
        'run': None if day.run is None else _run(day.run, live, now_s),
        'queue': [_entry(day.entry(number)) for number in day.queue[:NO_MORE_SHOWN]],
        'waiting': len(day.queue),
        'outcomes': [{**_entry(outcome.entry), **_summary(outcome.run)}
                     for outcome in reversed(day.outcomes[-NEWEST:])],
        'standings': [_line(line) for line in standings[:NO_MORE_SHOWN]],
        'ranked': len(standings),
        'possible': [act.value for act in Act if _is_possible(act, day, more)], **more}


def _is_possible(act: Act, day: Day, more: Mapping[str, Any]) -> bool:
    if act is Act.UNDO:
        return bool(more.get('can_undo'))
    if act is Act.CALL and not day.queue:
        return False
    if act in (Act.LAP, Act.OFF_TRACK, Act.COLLISION) and not day.by_hand:
        return False
    return day.phase in PHASES_OF.get(act, tuple(Phase))


def _entry(entry: Entry) -> dict[str, Any]:
    return {'number': entry.number, 'racer': entry.racer, 'model': entry.model}


def _summary(run: Run) -> dict[str, Any]:
    return {'laps': [{'time_s': lap.time_s, 'clean': lap.clean} for lap in run.laps],
            'best_s': min((lap.time_s for lap in run.laps), default=None),
            'status': run.status, 'time_s': run.time_s, 'incidents': sum(run.incidents.values())}


def _run(run: Run, live: Live | None, now_s: float) -> dict[str, Any]:
    """A run with its clock: what it reads now, and how fast it goes from here on."""
    shown = {**_summary(run), 'causes': dict(run.incidents), 'penalty_s': run.penalty_s,
             'progress': None, 'place_m': None}
    if run.is_over:
        return {**shown, 'clock_s': run.time_s, 'lap_clock_s': None, 'pace': 0.0}
    if live is None:
        return {**shown, 'clock_s': run.elapsed_s(now_s), 'lap_clock_s': run.lap_elapsed_s(now_s),
                'pace': 1.0}
    ahead_s = live.pace * max(0.0, now_s - live.at_s)
    return {**shown, 'clock_s': live.time_s + ahead_s, 'lap_clock_s': live.lap_s + ahead_s,
            'pace': live.pace, 'progress': live.progress, 'place_m': live.place_m}


def _line(line: Standing) -> dict[str, Any]:
    return {'rank': line.rank, 'racer': line.racer, 'model': line.model,
            'division': line.division, 'score_s': line.score_s, 'best_lap_s': line.best_lap_s,
            'laps': line.laps, 'incidents': line.incidents}
