"""What a job has left to do."""

from __future__ import annotations

from typing import Final

from racer_rl.jobs.records import JobError, JobFolder, JobRecord, State, all_jobs
from racer_rl.store.models import model_folder
from racer_rl.training.plan import StopReason
from racer_vehicle.errors import ConfigError

SHORTEST_S: Final = 0.1
"""A training may not be shorter."""


def words_to_resume(job: JobFolder, record: JobRecord, max_cost: str | None = None,
                    ) -> tuple[str, ...] | None:
    """The command that goes on where a job ended, within what is left of its limits.

    Args:
        job: It.
        record: Its own.
        max_cost: That the model may cost, instead of what it was; None: as it was.

    Returns:
        The words after `racer`; None if there is no model yet, so that nothing can be resumed.

    Raises:
        JobError: It runs, is done, has nothing left, or somebody went on with it already.
    """
    state, why = job.state(record)
    more = f'racer train --name {record.model} --resume'
    if state is State.RUNNING:
        raise JobError(f'job {job.id} runs; stop it first: racer jobs stop {job.id}')
    if state is State.DONE:
        raise JobError(f'job {job.id} is done: its limits are reached; train on with others: '
                       f'{more}')
    if why == StopReason.COST.value and max_cost is None:
        raise JobError(f'job {job.id} was stopped by its --max-cost; give it more: racer jobs '
                       f'resume {job.id} --max-cost AMOUNT')
    for other in all_jobs():
        if _resumes(other, job):
            raise JobError(f'job {job.id} went on as {other.id}; resume that: racer jobs resume '
                           f'{other.id}')
    if not model_folder(record.model).exists:
        return None
    words = ('train', '--name', record.model, '--resume', *record.limits,
             *(() if max_cost is None else ('--max-cost', max_cost)))  # the last one counts
    if not record.time_s:
        return words
    left_s = record.time_s - job.progress.seconds
    if left_s < SHORTEST_S:
        raise JobError(f'job {job.id} has used up its time, {record.time_s:g} s; train on: {more}')
    return (*words, '--time', f'{left_s:.3f}s')


def _resumes(other: JobFolder, job: JobFolder) -> bool:
    try:
        return other.record.resumes == job.id
    except ConfigError:
        return False
