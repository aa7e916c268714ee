"""`racer train` as a job: written down while it runs, and started without a terminal."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from racer_rl.cli.training_view import time_left_s
from racer_rl.clock import utc_now
from racer_rl.jobs.processes import ProcessName
from racer_rl.jobs.records import JobFolder, JobProgress, JobRecord, State
from racer_rl.jobs.running import RunningJob, running_job, taken_over
from racer_rl.jobs.starting import Refusal, start_job
from racer_rl.store.locks import BusyError, is_trained, users
from racer_rl.store.models import model_folder
from racer_rl.training.plan import Limits, StopReason, TrainingPlan

if TYPE_CHECKING:
    from racer_rl.training.standing import Standing, Watcher

DETACH = '--detach'


class TrainingJob:
    """What a training tells its job."""

    def __init__(self, job: RunningJob, limits: Limits) -> None:
        self._job, self._limits = job, limits

    def watching(self, shown: Watcher) -> Watcher:
        """A watcher that writes progress down, and shows it as another one does."""
        def watch(standing: Standing) -> None:
            self._note(standing)
            shown(standing)
        return watch

    def ended(self, reason: StopReason, standing: Standing) -> None:
        """Training came to its end, whatever the reason."""
        self._note(standing)
        self._job.conclude(State.STOPPED if reason.cuts_short else State.DONE, reason.value)

    def _note(self, standing: Standing) -> None:
        judged = standing.evaluation
        self._job.note(JobProgress(
            steps=standing.steps, session_steps=standing.session_steps,
            seconds=round(standing.seconds, 3),
            clean_laps=None if judged is None else judged.clean_laps,
            total_laps=None if judged is None else judged.total_laps,
            left_s=time_left_s(standing, self._limits)))


@contextlib.contextmanager
def training_job(context: typer.Context, model: str, plan: TrainingPlan) -> Iterator[TrainingJob]:
    """Be the job of a training while the block runs.

    Args:
        context: Of `racer train`.
        model: That it trains.
        plan: What it does.
    """
    folder, resumes = taken_over()
    limits = plan.limits
    record = JobRecord(
        model=model, command=tuple(context.obj or ()), folder=str(Path.cwd()),
        process=ProcessName.own(), began=utc_now(), detached=folder is not None, resumes=resumes,
        time_s=0.0 if math.isinf(limits.time_s) else limits.time_s,
        limits=_limits_as_options(plan, context.params.get('max_cost')))
    with running_job(folder, record) as job:
        yield TrainingJob(job, limits)


def _limits_as_options(plan: TrainingPlan, max_cost: str | None) -> tuple[str, ...]:
    """Options with which a resumed run stops as this one would; its time apart."""
    limits = plan.limits
    return (
        *(() if limits.steps is None else ('--steps', str(limits.steps))),
        *(('--until-laps',) if limits.until_laps else ()),
        *(() if limits.until_robust is None else ('--until-robust', str(limits.until_robust))),
        *(() if limits.early or limits.until_laps else ('--no-early-stop',)),
        *(() if max_cost is None else ('--max-cost', max_cost)),
        '--trace', plan.trace.value, '--keep', str(plan.keep))


def train_detached(context: typer.Context, model: str, *, as_json: bool) -> None:
    """Start what was typed in the background, and say how to look at it."""
    words = [word for word in context.obj if word != DETACH]
    report_start(model, words, folder=Path.cwd(), as_json=as_json)


def report_start(model: str, words: Sequence[str], *, folder: Path, as_json: bool,
                 resumes: str = '') -> None:
    """Start a job and tell of it.

    Args:
        model: That it will train.
        words: After `racer`.
        folder: To start it in.
        as_json: Print one JSON object.
        resumes: Id of the job that it goes on with; empty: none.

    Raises:
        BusyError: Somebody trains the model.
        typer.Exit: The command came to nothing; what it printed is printed here.
    """
    if is_trained(path := model_folder(model).path):
        by = ' and '.join(users(path)) or 'another process'
        raise BusyError(f'model {model!r} is being trained by {by}; wait for that to end, or stop '
                        'it: see racer jobs list.')
    sys.stderr.write('starting...\n')
    job = start_job(model, words, folder=folder, resumes=resumes)
    if isinstance(job, Refusal):
        sys.stderr.write(job.output)
        raise typer.Exit(job.code if job.code > 0 else 1)
    _report(job, as_json=as_json)


def _report(job: JobFolder, *, as_json: bool) -> None:
    if as_json:
        record = job.record
        typer.echo(json.dumps({'job': job.id, 'model': record.model, 'pid': record.process.pid,
                               'log': str(job.log), 'resumes': record.resumes}))
        return
    typer.echo(f'job {job.id} runs in the background.\n'
               f'see it:   racer jobs list\n'
               f'follow:   racer jobs logs -f {job.id}\n'
               f'stop it:  racer jobs stop {job.id}')
