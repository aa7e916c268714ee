"""Jobs of the store, as far as cleaning goes: their folders, and the models they still need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from racer_rl.cleaning.things import Kind, Thing, facts_of
from racer_rl.jobs.records import JobFolder, State
from racer_vehicle.errors import RacerError

_OVER: Final = (State.DONE, State.STOPPED, State.FAILED)
"""States of jobs that nobody has to go on with; after a crash, somebody will want to."""


def job_things(home: Path) -> tuple[Thing, ...]:
    """Folders of jobs that are over.

    Args:
        home: `$RACER_HOME`.
    """
    things = []
    for job, state, _ in _jobs(home):
        if state in _OVER:
            files = facts_of([job.path])
            things.append(Thing(
                kind=Kind.JOB, name=f'job {job.id} ({state.value})', paths=(job.path,),
                files=files, used_s=max(file.changed_ns for file in files) / 1e9))
    return tuple(things)


def unfinished_jobs(home: Path) -> dict[str, str]:
    """Models that a job trains or should go on with, and what to say of it."""
    return {model: f'job {job.id} ({state.value}) needs it'
            for job, state, model in _jobs(home) if state not in _OVER}


def _jobs(home: Path) -> Iterator[tuple[JobFolder, State, str]]:
    """Every job whose record can be read, its state and the model that it trains."""
    for path in sorted((home / 'jobs').glob('*/job.json')):
        job = JobFolder(path.parent)
        try:
            record = job.record
        except RacerError:
            continue
        yield job, job.state(record)[0], record.model
