"""What a file of a log is, and what layout it belongs to, by its path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

TRAINING, EVALUATION = 'training', 'evaluation'


class Kind(Enum):
    """What a file holds."""

    TABLE = 'steps as CSV'
    PARQUET = 'steps as Parquet'
    LINES = 'a log with SIM_TRACE_LOG lines'
    METRICS = 'metrics'
    METADATA = 'model metadata'
    HYPERPARAMETERS = 'hyperparameters'
    REWARD = 'a reward function'
    PRINTED = 'what a reward function of ours printed'
    RUN = 'description of a run of ours'
    WORLD = 'settings of a job'


@dataclass(frozen=True, slots=True)
class Role:
    """One file's part in a log.

    Attributes:
        kind: What it holds.
        phase: `TRAINING` or `EVALUATION`, of steps and metrics.
        stream: Tells evaluations apart; the same for an evaluation's files of any kind.
        worker: Of several.
        iteration: Of a CSV file.
    """

    kind: Kind
    phase: str = TRAINING
    stream: str = ''
    worker: int = 0
    iteration: int = 0


_TABLE: Final = re.compile(
    r'(?:(?P<folder>[^/]+)/)?(?P<phase>training|evaluation)-simtrace/(?P<iteration>\d{1,9})'
    r'-iteration\.csv')
_ITERATION: Final = re.compile(r'(\d{1,9})-iteration\.csv')
_PARQUET: Final = re.compile(r'(?P<phase>training|evaluation)-simtrace/[^/]+\.parquet')
_METRICS: Final = re.compile(
    r'(?:^|/)(?:metrics/.*\.json|(?:training|evaluation)?_?metrics[^/]*\.json)', re.IGNORECASE)
_WORKER: Final = re.compile(r'metrics_(\d{1,4})\.json', re.IGNORECASE)
_NAMES: Final = {
    'model_metadata.json': Kind.METADATA,
    'hyperparameters.json': Kind.HYPERPARAMETERS,
    'reward_function.py': Kind.REWARD,
    'reward.log': Kind.PRINTED,
    'run.json': Kind.RUN,
    'run.env': Kind.WORLD,
}
_WORLDS: Final = re.compile(r'(?:training|eval|evaluation|worker)_params[^/]*\.ya?ml')
_LOG: Final = re.compile(r'\.(?:log|txt)(?:\.\d{1,3})?')
_AFFIXES: Final = re.compile(
    r'^(?:evaluation|leaderboard|training)-(?=\d{8})|-(?:robomaker|simulation)?(?:\.log)?$')
_STAMPED: Final = re.compile(r'^\d{14}-(?=.)')


def role_of(path: str) -> Role | None:
    """What a file is; None for one that no log needs.

    Args:
        path: Inside the source, with slashes.
    """
    name = path.rpartition('/')[2]
    if match := _end(_TABLE, path):
        folder = match['folder'] or ''
        is_training = match['phase'] == TRAINING
        worker = int(folder) if is_training and re.fullmatch(r'\d{1,3}', folder) else 0
        return Role(Kind.TABLE, match['phase'], '' if is_training else stream_of(folder), worker,
                    int(match['iteration']))
    if match := _end(_PARQUET, path):
        return Role(Kind.PARQUET, match['phase'])
    if name in _NAMES:
        return Role(_NAMES[name])
    if _WORLDS.fullmatch(name):
        return Role(Kind.WORLD)
    if _METRICS.search(path):
        several = _WORKER.search(name)
        return Role(Kind.METRICS, _phase(path), stream_of(name.removesuffix('.json')),
                    int(several[1]) if several else 0)
    if _end(_LOG, name):
        phase = _phase(path)
        return Role(Kind.LINES, phase, stream_of(name) if phase == EVALUATION else '')
    return None


def iteration_of(name: str) -> int | None:
    """Number of the iteration whose CSV file has this name; None if it is no such file."""
    match = _ITERATION.fullmatch(name)
    return int(match[1]) if match else None


def _end(pattern: re.Pattern[str], path: str) -> re.Match[str] | None:
    """Where a pattern matches the end of a path."""
    match = pattern.search(path)
    return match if match and match.end() == len(path) else None


def _phase(path: str) -> str:
    return EVALUATION if re.search('eval|leaderboard', path, re.IGNORECASE) else TRAINING


def stream_of(name: str) -> str:
    """What an evaluation's files have in common in their names: an identity, or a time."""
    bare = _AFFIXES.sub('', re.sub(r'\.(?:log|txt)(?:\.\d+)?$', '', name))
    bare = re.sub(r'^(?:evaluation|EvaluationMetrics)-', '', bare)
    return _STAMPED.sub('', bare)


def layout_of(paths: Iterable[str], *, is_ours: bool) -> str:
    """Name of the layout that some paths belong to; see `Log`."""
    every = '\n'.join(paths)
    if is_ours:
        return 'racer'
    for layout, pattern in (
        ('console', r'sim-trace/training/training-simtrace/'),
        ('solution', r'sim-trace/(?:training|evaluation)/[^/\n]+/'),
        ('solution', r'(?:^|/)logs/(?:training|evaluation)/[^/\n]+-simulation\.log$'),
        ('console', r'(?:^|/)logs/(?:training|evaluation)/[^/\n]+-robomaker\.log$'),
        ('drfc-workers', r'(?:^|/)\d+/training-simtrace/'),
        ('drfc', r'(?:^|/)training-simtrace/'),
        ('drfc-upload', r'(?:^|/)(?:model/|evaluation-\d{14}/)'),
    ):
        if re.search(pattern, every, re.MULTILINE):
            return layout
    return 'file'
