"""`racer jobs`: trainings that run or ran, in whatever terminal."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from racer_rl.cli.durations import format_duration
from racer_vehicle.errors import ConfigError

if TYPE_CHECKING:
    from racer_rl.jobs.records import JobFolder, JobRecord, State

jobs_app = typer.Typer(add_completion=False, no_args_is_help=True,
                       help='Trainings that run or ran: list, follow, stop and resume them.')

AsJson = Annotated[bool, typer.Option('--json', help='Print one JSON object.')]
Job = Annotated[str, typer.Argument(
    metavar='JOB', help='Its id, as racer jobs list has it; of a model, its newest job.')]

NEWEST = 20
"""So many are listed."""

LOOK_EVERY_S = 0.2


@jobs_app.command('list')
def list_jobs(
    every: Annotated[bool, typer.Option('--all', help=f'Not only the newest {NEWEST}.')] = False,
    as_json: AsJson = False,
) -> None:
    """List trainings, oldest first: state, steps, speed, clean laps, time taken and left."""
    from racer_rl.jobs.records import State, all_jobs

    told = [_facts(job) for job in all_jobs()]
    newest = set() if every else {id(facts) for facts in told[:-NEWEST]}
    told = [facts for facts in told
            if id(facts) not in newest or facts['state'] == State.RUNNING]
    if as_json:
        typer.echo(json.dumps({'jobs': told}, indent=2))
        return
    if not told:
        typer.echo('no training yet; start one: racer train --track oval --name first --detach')
        return
    table = Table(box=None, pad_edge=False)
    table.add_column('job', overflow='fold')
    table.add_column('state', no_wrap=True)
    for heading in ('steps', 'steps/s', 'laps', 'elapsed', 'at most left'):
        table.add_column(heading, justify='right', no_wrap=True)
    for facts in told:
        table.add_row(*_row(facts))
    Console().print(table)
    for facts in told:
        if facts['state'] == 'damaged':
            typer.echo(f'{facts["job"]}: {facts["why"]}', err=True)


def _facts(job: JobFolder) -> dict[str, Any]:
    """What is known of a job; a damaged one keeps its place."""
    try:
        record = job.record
    except ConfigError as error:
        return {'job': job.id, 'state': 'damaged', 'why': str(error)}
    state, why = job.state(record)
    progress = job.progress.as_dict()
    return {'job': job.id, 'model': record.model, 'state': state, 'why': why,
            'began': record.began, 'pid': record.process.pid, 'detached': record.detached,
            'resumes': record.resumes, 'command': list(record.command), **progress}


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    if 'steps' not in facts:
        return facts['job'], facts['state'], *[''] * 5
    laps = '-' if facts['clean_laps'] is None else f'{facts["clean_laps"]}/{facts["total_laps"]}'
    left = facts['left_s'] if facts['state'] == 'running' else None
    return (facts['job'], facts['state'], f'{facts["steps"]:,}',
            f'{facts["steps_per_s"]:,.0f}', laps, format_duration(facts['seconds']),
            '-' if left is None else format_duration(left))


@jobs_app.command('logs')
def show_log(
    name: Job,
    follow: Annotated[bool, typer.Option('-f', '--follow', help='Until the job ends.')] = False,
) -> None:
    """Print what a job in the background has printed."""
    from racer_rl.jobs.records import JobError, State, open_job

    job = open_job(name)
    record = job.record
    if not record.detached:
        raise JobError(f'job {job.id} has no log: what it prints goes to its terminal. Started '
                       'with racer train --detach, a job keeps a log.')
    with job.log.open('rb') as log:
        while True:
            # In this order: what it prints before it ends is there when it has ended.
            state, why = job.state(record)
            sys.stdout.buffer.write(log.read())
            sys.stdout.buffer.flush()
            if not follow or state is not State.RUNNING:
                break
            time.sleep(LOOK_EVERY_S)
    if follow:
        typer.echo(f'job {job.id}: {state}{f" ({why})" if why else ""}', err=True)


@jobs_app.command('stop')
def stop_job(
    name: Job,
    now: Annotated[bool, typer.Option('--now', help='Kill it: what it learnt since its last '
                                      'checkpoint is lost.')] = False,
    yes: Annotated[bool, typer.Option('--yes', help='Do not ask.')] = False,
    as_json: AsJson = False,
) -> None:
    """Stop a job: it saves its model after the round at hand, and ends."""
    from racer_rl.jobs.records import JobError, State, open_job

    job = open_job(name)
    record = job.record
    state, _ = job.state(record)
    if state is not State.RUNNING:
        raise JobError(f'job {job.id} does not run: it is {state}; allowed: running ones, see '
                       'racer jobs list.')
    if now and not yes:
        typer.confirm(f'Kill job {job.id}? What model {record.model} learnt since its last '
                      'checkpoint is lost.', abort=True, err=True)
    _end(job, record, signal.SIGKILL if now else signal.SIGINT)
    if job.end is None and now:
        job.write_end(State.STOPPED, 'killed by racer jobs stop --now')
    state, why = job.state(record)
    progress = job.progress
    if as_json:
        typer.echo(json.dumps({'job': job.id, 'state': state, 'why': why, 'steps': progress.steps,
                               'seconds': progress.seconds}))
        return
    typer.echo(f'job {job.id}: {state} ({why}) after {progress.steps:,} steps, '
               f'{format_duration(progress.seconds)}.' + _and_then(job, state))


def _and_then(job: JobFolder, state: State) -> str:
    return '' if state == 'done' else f'\ngo on with it: racer jobs resume {job.id}'


def _end(job: JobFolder, record: JobRecord, number: signal.Signals) -> None:
    """Send a signal once, and wait for the end; a second one would not let it save."""
    console = Console(stderr=True)
    began_s = time.monotonic()
    with (record.process.held() as process,
          console.status(f'job {job.id} saves and ends...') as status):
        if process is None:
            return
        process.send(number)
        while not process.has_ended_within(LOOK_EVERY_S):
            waited = format_duration(time.monotonic() - began_s)
            status.update(f'job {job.id} saves and ends; waiting for {waited}; Ctrl-C leaves it '
                          'to that')


@jobs_app.command('resume')
def resume_job(
    name: Job,
    max_cost: Annotated[str | None, typer.Option(
        help='In any case stop when the model has cost so much, instead of what it was.')] = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a job that was stopped, failed or crashed, as a new one, with what is left."""
    from racer_rl.cli.train_job import report_start
    from racer_rl.jobs.records import open_job
    from racer_rl.jobs.resuming import words_to_resume

    job = open_job(name)
    record = job.record
    words = words_to_resume(job, record, max_cost)
    if words is None:  # it had not begun: as it was typed
        words, folder = record.command, Path(record.folder)
    else:
        folder = Path.cwd()
    report_start(record.model, words, folder=folder, resumes=job.id, as_json=as_json)
