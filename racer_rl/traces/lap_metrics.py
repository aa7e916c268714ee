"""Rows of metrics files, as DeepRacer's simulator writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from racer_rl.evaluation.laps import Evaluation, Run
from racer_rl.traces.recording import Rows
from racer_sim.courses import CourseGeometry
from racer_sim.rules import Status, lap_progress_percent

_COUNTS: Final = {Status.CRASHED: 'crash_count', Status.IMMOBILIZED: 'immobilized_count',
                  Status.OFF_TRACK: 'off_track_count', Status.REVERSED: 'reversed_count'}


def status_words(status: Status) -> str:
    """As metrics files write it: `Lap complete`."""
    return status.label.replace('_', ' ').capitalize()


def episode_row(rows: Rows, geometry: CourseGeometry) -> dict[str, Any]:
    """What metrics tell of one recorded lap or episode.

    Its time ends where it crossed the line, which was within its last control period.

    Args:
        rows: `MOMENT` (R,), of one episode.
        geometry: Of the courses.
    """
    last, began_s = rows[-1], float(rows['time_s'][0])
    status, race = Status(last['race']['status']), rows['race']
    ended_s = float(last['time_s'])
    took_s = ended_s - began_s
    if status is Status.LAP_COMPLETE:
        took_s = float(race['lap_start_s'][-1] - race['lap_start_s'][0])
    length_m = geometry.length_m[rows['course'][-1:]]
    # As if there were more laps to come: the last one, completed, reads 100 then, too.
    percent = 100.0 if status is Status.LAP_COMPLETE else float(
        lap_progress_percent(race[-1:], length_m, 2**31)[0])
    return {
        'reward_score': round(float(rows['reward'].sum()), 4),
        'metric_time': round(1e3 * ended_s),
        'start_time': round(1e3 * began_s),
        'elapsed_time_in_milliseconds': round(1e3 * took_s),
        'completion_percentage': int(percent),
        'episode_status': status_words(status),
    }


def incident_counts(rows: Rows) -> dict[str, int]:
    """How often what happened in one recorded lap, and how often the car was put back."""
    incidents, cause = rows['race']['incidents'], rows['race']['cause']
    happened = np.diff(incidents, prepend=incidents[0]) > 0
    counts = {name: int((happened & (cause == status)).sum()) for status, name in _COUNTS.items()}
    survived = rows['race']['status'] == Status.PAUSE
    return {**counts, 'reset_count': int((happened & survived).sum())}


def evaluation_rows(evaluation: Evaluation, now_s: float) -> Iterator[dict[str, Any]]:
    """What metrics of training tell of an evaluation in between: a row a lap.

    Args:
        evaluation: Its runs.
        now_s: What the clock of training shows.
    """
    for run in evaluation.runs:
        for took_s, percent, status in _laps(run, evaluation.plan.laps):
            yield {
                'metric_time': round(1e3 * now_s), 'start_time': round(1e3 * now_s),
                'elapsed_time_in_milliseconds': round(1e3 * took_s),
                'completion_percentage': int(percent), 'episode_status': status_words(status),
            }


def _laps(run: Run, wanted: int) -> Iterator[tuple[float, float, Status]]:
    """Time, progress and ending of each lap of a run, the one that failed included."""
    for lap in run.laps:
        yield lap.time_s, 100.0, Status.LAP_COMPLETE
    if len(run.laps) < wanted:
        took_s = run.time_s - sum(lap.time_s for lap in run.laps)
        yield took_s, 100.0 * (run.completion * wanted - len(run.laps)), run.status
