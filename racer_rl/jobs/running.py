"""The job of a training from inside: begun before it, told how far it is, ended after it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from typing import Final

from racer_rl.jobs.records import JobFolder, JobProgress, JobRecord, State, jobs_folder, new_job
from racer_vehicle.errors import ConfigError, RacerError

VARIABLE: Final = 'RACER_JOB'
"""In the environment of a detached job: its id."""

RESUMES: Final = 'RACER_JOB_RESUMES'
"""The same: the id of the job that it goes on with."""

WRITE_EVERY_S: Final = 1.0


class RunningJob:
    """A job that this process is."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder, self._next_s = folder, 0.0
        self._newest: JobProgress | None = None
        self._end: tuple[State, str] | None = None

    @property
    def has_progress(self) -> bool:
        """Whether training got anywhere."""
        return self._newest is not None

    def note(self, progress: JobProgress) -> None:
        """Training is so far; it is written down if the last time is a second ago."""
        self._newest = progress
        if time.monotonic() >= self._next_s:
            self._write()

    def conclude(self, state: State, why: str) -> None:
        """Training has ended.

        Args:
            state: How.
            why: For people.
        """
        if self._newest is not None:
            self._write()
        with contextlib.suppress(OSError):
            self._folder.write_end(state, why)

    def _write(self) -> None:
        assert self._newest is not None
        # A full disk ends training at its next checkpoint, and not here.
        with contextlib.suppress(OSError):
            self._folder.write_progress(self._newest)
        self._next_s = time.monotonic() + WRITE_EVERY_S


def taken_over() -> tuple[JobFolder | None, str]:
    """The job that this process was started as, if it was, and the one that it goes on with."""
    name, resumes = os.environ.pop(VARIABLE, ''), os.environ.pop(RESUMES, '')
    return (JobFolder(jobs_folder() / name) if name else None), resumes


@contextlib.contextmanager
def running_job(folder: JobFolder | None, record: JobRecord) -> Iterator[RunningJob]:
    """Be a job while the block runs; the block says how it ended, by `conclude`.

    A job with a terminal that fails before it got anywhere leaves nothing: its message is there.

    Args:
        folder: Of a detached job; None: make one.
        record: What to write down.

    Raises:
        ConfigError: The disk refused.
    """
    if folder is not None:
        # A shell without job control has its background processes ignore Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        folder = folder or new_job(record.model)
        folder.begin(record)
    except OSError as error:
        raise ConfigError(f'cannot write {error.filename or jobs_folder()}: {error.strerror}; '
                          'free space there, or set RACER_HOME to a folder that you may write.',
                          ) from error
    job = RunningJob(folder)
    try:
        yield job
    except KeyboardInterrupt:
        job.conclude(State.STOPPED, 'interrupted')
        raise
    except BaseException as error:
        if record.detached or job.has_progress:
            told = str(error) if isinstance(error, RacerError) else repr(error)
            job.conclude(State.FAILED, told)
        else:
            shutil.rmtree(folder.path)
            with contextlib.suppress(OSError):
                folder.path.parent.rmdir()  # if it was the first
        raise
