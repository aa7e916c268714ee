"""What is written down of a job, and what follows from that.

job.json        what was started, by which process; written before training begins
progress.json   how far it is, once a second at most
end.json        how it ended; without it, the process says: it runs, or it has crashed
log             what a detached job printed
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from racer_rl.jobs.processes import ProcessName
from racer_vehicle.children import boot_id
from racer_vehicle.errors import ConfigError, RacerError, UnknownNameError
from racer_vehicle.spec import spec_as_dict
from racer_vehicle.storage import racer_home, write_atomically
from racer_vehicle.strict_json import from_object, parse_object

_ID: Final = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]{0,63}-\d{1,9}')


class JobError(RacerError):
    """A job is not in the state that something needs."""


class State(StrEnum):
    """Of a job."""

    RUNNING = 'running'
    DONE = 'done'
    STOPPED = 'stopped'
    FAILED = 'failed'
    CRASHED = 'crashed'
    REBOOTED = 'rebooted'


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """What was started.

    Attributes:
        model: That it trains.
        command: The words after `racer`.
        folder: In which they were typed.
        process: Which process it is.
        began: UTC, ISO 8601.
        detached: Whether it runs without a terminal, and has a log.
        resumes: Job that it goes on with; empty: none.
        time_s: It may take so long; 0: as long as it likes.
        limits: Options of `racer train --resume` that stay as they are when it is resumed.
    """

    model: str
    command: tuple[str, ...]
    folder: str
    process: ProcessName
    began: str
    detached: bool
    resumes: str
    time_s: float
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """How far a job is.

    Attributes:
        steps: That the model has.
        session_steps: Of them, this job's.
        seconds: Since training began.
        clean_laps: Of the newest evaluation; None before the first.
        total_laps: Of that.
        left_s: Longest that it may still take; None: nobody knows.
    """

    steps: int = 0
    session_steps: int = 0
    seconds: float = 0.0
    clean_laps: int | None = None
    total_laps: int | None = None
    left_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what came from a damaged file."""
        counted = self.steps, self.session_steps, self.seconds
        judged = self.clean_laps, self.total_laps, self.left_s
        if not (all(isinstance(value, int | float) for value in counted)
                and all(isinstance(value, int | float | None) for value in judged)):
            raise TypeError('progress is told in numbers')

    @property
    def steps_per_s(self) -> float:
        """Of this job."""
        return self.session_steps / self.seconds if self.seconds > 0.0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {**spec_as_dict(self), 'steps_per_s': round(self.steps_per_s, 1)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> JobProgress:
        """What `as_dict` gave.

        Raises:
            TypeError: It is something else.
        """
        return cls(**{name: plain[name] for name in plain if name != 'steps_per_s'})


@dataclass(frozen=True, slots=True)
class JobFolder:
    """A job, by its folder."""

    path: Path

    @property
    def id(self) -> str:
        """What people call it: the model and a number."""
        return self.path.name

    @property
    def exists(self) -> bool:
        """Whether it has begun."""
        return (self.path / 'job.json').is_file()

    @property
    def log(self) -> Path:
        """What it printed, if it is detached."""
        return self.path / 'log'

    @property
    def record(self) -> JobRecord:
        """Content of `job.json`.

        Raises:
            ConfigError: It is damaged or gone.
        """
        path = self.path / 'job.json'
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigError(f'cannot read {path} ({error.strerror}); delete {self.path} if the '
                              'job is of no more use.') from None
        return from_object(JobRecord, parse_object(content, str(path)), str(path))

    def begin(self, record: JobRecord) -> None:
        """Write `job.json`: from now on it is a job."""
        content = json.dumps(spec_as_dict(record), indent=2) + '\n'
        write_atomically(self.path / 'job.json', content.encode())

    @property
    def progress(self) -> JobProgress:
        """Content of `progress.json`; of a job that has none yet, or lost it, nothing is done."""
        try:
            told = parse_object((self.path / 'progress.json').read_bytes(), 'progress')
            return JobProgress.from_dict(told)
        except (OSError, ConfigError, TypeError):
            return JobProgress()

    def write_progress(self, progress: JobProgress) -> None:
        """Replace `progress.json`, without waiting for the disk: training would wait, too."""
        temporary = self.path / '.progress.json.part'
        temporary.write_text(json.dumps(progress.as_dict()))
        os.replace(temporary, self.path / 'progress.json')

    @property
    def end(self) -> tuple[State, str] | None:
        """How it ended, and why; None if nobody wrote that down."""
        try:
            told = parse_object((self.path / 'end.json').read_bytes(), 'end')
            return State(told['state']), str(told['why'])
        except (OSError, ConfigError, KeyError, ValueError):
            return None

    def write_end(self, state: State, why: str) -> None:
        """Write `end.json`."""
        content = json.dumps({'state': state, 'why': why}) + '\n'
        write_atomically(self.path / 'end.json', content.encode())

    def state(self, record: JobRecord) -> tuple[State, str]:
        """Its state, and why.

        Args:
            record: Its own.
        """
        # In this order: between the two looks, it may end and write that down.
        is_alive, end = record.process.is_alive, self.end
        # A job in the background still prints what came of it; one with a terminal may have been
        # a part only of what its process does.
        if is_alive and (record.detached or end is None):
            return State.RUNNING, ''
        if end is not None:
            return end
        if record.process.boot != boot_id():
            return State.REBOOTED, 'the machine was started again meanwhile'
        return State.CRASHED, 'its process is gone and left no word'


def jobs_folder() -> Path:
    """Folder of all jobs."""
    return racer_home() / 'jobs'


def new_job(model: str) -> JobFolder:
    """An empty folder for a job, under the model's name and the next number."""
    numbers = [int(path.name.rpartition('-')[2]) for path in jobs_folder().glob(f'{model}-*')
               if _ID.fullmatch(path.name) and path.name.rpartition('-')[0] == model]
    number = max(numbers, default=0) + 1
    while True:
        path = jobs_folder() / f'{model}-{number}'
        try:
            path.mkdir(parents=True)
            return JobFolder(path)
        except FileExistsError:
            number += 1


def all_jobs() -> list[JobFolder]:
    """Every job that has begun, oldest first."""
    found = [JobFolder(path.parent) for path in jobs_folder().glob('*/job.json')
             if _ID.fullmatch(path.parent.name)]
    return sorted(found, key=lambda job: ((job.path / 'job.json').stat().st_mtime_ns, job.id))


def open_job(name: str) -> JobFolder:
    """The job of that id, or else the newest one of a model of that name.

    Raises:
        UnknownNameError: There is none; the nearest are offered.
        JobError: There is none at all.
    """
    jobs = all_jobs()
    if not jobs:
        raise JobError(f'unknown job {name!r}; there is none yet. Start one: racer train --detach '
                       f'--name {name}')
    for job in jobs:
        if job.id == name:
            return job
    for job in reversed(jobs):
        if job.id.rpartition('-')[0] == name:
            return job
    raise UnknownNameError('job', name, [job.id for job in jobs], 'See all: racer jobs list')
