"""What is written down of a job, and the state that follows from that and from the processes."""

import json
import multiprocessing
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_rl.jobs.processes import ProcessName
from racer_rl.jobs.records import (
    JobError,
    JobProgress,
    JobRecord,
    State,
    all_jobs,
    jobs_folder,
    new_job,
    open_job,
)
from racer_rl.jobs.resuming import words_to_resume
from racer_rl.jobs.running import running_job
from racer_rl.training.plan import StopReason
from racer_vehicle.children import boot_id
from racer_vehicle.errors import ConfigError, UnknownNameError

pytestmark = pytest.mark.usefixtures('racer_home')

OWN = ProcessName.own()
KEYS = ('model', 'process', 'steps', 'session_steps', 'seconds', 'left_s', 'state', 'why', 'x')
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (st.lists(inner, max_size=3)
                   | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)), max_leaves=8)


def record_of(model='m', process=OWN, **changes):
    plain = JobRecord(model=model, command=('train', '--name', model), folder='/', process=process,
                      began='2026-11-27T12:00:00+00:00', detached=True, resumes='', time_s=0.0,
                      limits=('--steps', '1000'))
    return replace(plain, **changes)


def begun(*args, **changes):
    record = record_of(*args, **changes)
    job = new_job(record.model)
    job.begin(record)
    return job


@pytest.fixture
def stranger():
    """A process that lives, and is nobody's job."""
    process = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
    yield process.pid
    process.kill()
    process.communicate()


def state_of(job):
    return job.state(job.record)[0]


def test_what_was_written_comes_back():
    record = record_of(time_s=12.5, resumes='m-1', detached=False)
    job = new_job('m')
    job.begin(record)
    assert (job.id, job.record) == ('m-1', record)


@given(text=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_in_the_files_is_told_or_left_out(text):
    job = new_job('odd')
    job.begin(record_of('odd', process=replace(OWN, start_ticks=1)))
    (job.path / 'progress.json').write_bytes(text)
    (job.path / 'end.json').write_bytes(text)
    assert state_of(job) is State.CRASHED
    assert f'{job.progress.steps:,} {job.progress.seconds:.1f} {job.progress.steps_per_s:.1f}'
    (job.path / 'job.json').write_bytes(text)
    with pytest.raises(ConfigError, match=r'job\.json'):
        job.record  # noqa: B018 (raises)


def test_states_follow_from_processes(stranger):
    assert state_of(begun()) is State.RUNNING
    # The number of another process that has it by now.
    assert state_of(begun(process=replace(OWN, pid=stranger))) is State.CRASHED
    assert state_of(begun(process=replace(OWN, start_ticks=OWN.start_ticks - 1))) is State.CRASHED
    assert state_of(begun(process=replace(OWN, boot='another'))) is State.REBOOTED
    end = State.DONE, 'the step limit was reached'
    for detached, process, expected in (
            (True, replace(OWN, start_ticks=1), end), (False, OWN, end),
            (True, OWN, (State.RUNNING, ''))):
        job = begun(process=process, detached=detached)
        job.write_end(*end)
        assert job.state(job.record) == expected, 'it prints its result before it is gone'
    assert boot_id()


def test_a_signal_reaches_nobody_who_has_the_number_by_now(stranger):
    for name in (replace(OWN, pid=stranger), replace(OWN, pid=2**22 + 1)):
        with name.held() as process:
            assert process is None
    with ProcessName.own().held() as process:
        assert not process.has_ended_within(0.0)


def test_a_process_is_held_until_it_ends():
    context = multiprocessing.get_context('fork')
    ours, theirs = context.Pipe()
    child = context.Process(target=lambda: (theirs.send(ProcessName.own()), signal.pause()))
    child.start()
    with ours.recv().held() as process:
        process.send(signal.SIGKILL)
        assert process.has_ended_within(30)
        child.join()
        process.send(signal.SIGKILL)  # nobody is there any more, and nobody minds


def test_numbers_go_on_and_models_do_not_mix():
    assert [new_job('m').id, new_job('m').id, new_job('m-1').id] == ['m-1', 'm-2', 'm-1-1']
    assert all_jobs() == []  # none of them has begun
    jobs = [begun('m'), begun('n'), begun('m')]
    assert [job.id for job in all_jobs()] == [job.id for job in jobs] == ['m-3', 'n-1', 'm-4']
    assert open_job('m').id == 'm-4'
    assert open_job('m-3').id == 'm-3'
    with pytest.raises(UnknownNameError, match=r"unknown job 'm-9'; did you mean .*m-"):
        open_job('m-9')


def test_jobs_made_at_once_have_folders_of_their_own():
    context = multiprocessing.get_context('fork')
    with context.Pool(4) as pool:
        ids = [folder.id for folder in pool.map(new_job, ['m'] * 40)]
    assert len(set(ids)) == 40


def test_without_jobs_it_says_how_to_start_one():
    with pytest.raises(JobError, match=r'there is none yet\. Start one: racer train --detach'):
        open_job('m')


def test_a_job_with_a_terminal_that_got_nowhere_leaves_nothing(racer_home):
    with pytest.raises(ConfigError), running_job(None, record_of(detached=False)):
        raise ConfigError('no such track')
    assert list(racer_home.iterdir()) == []


@pytest.mark.parametrize(('error', 'end'), [
    (ConfigError('the disk is full'), (State.FAILED, 'the disk is full')),
    (ValueError('oh'), (State.FAILED, "ValueError('oh')")),
    (KeyboardInterrupt(), (State.STOPPED, 'interrupted')),
])
def test_how_a_job_broke_off_is_written_down(error, end):
    with (pytest.raises(type(error)),
          running_job(None, record_of(detached=False)) as job):
        job.note(JobProgress(steps=7))
        raise error
    [folder] = all_jobs()
    assert folder.end == end
    assert folder.progress.steps == 7


def test_progress_is_written_once_a_second_and_at_the_end():
    with running_job(None, record_of(detached=False)) as job:
        [folder] = all_jobs()
        job.note(JobProgress(steps=1))
        assert folder.progress.steps == 1
        for steps in range(2, 1000):
            job.note(JobProgress(steps=steps))
        job.conclude(State.DONE, 'enough')
    assert folder.progress.steps == 999
    assert state_of(folder) is State.DONE


def test_a_full_disk_is_named(racer_home):
    (racer_home / 'jobs').write_text('in the way')
    with (pytest.raises(ConfigError, match=r'cannot write .*jobs.*; free space there'),
          running_job(None, record_of())):
        pass


def test_what_is_left_of_the_time(racer_home):
    (racer_home / 'models/m').mkdir(parents=True)
    (racer_home / 'models/m/run.json').touch()
    job = begun(process=replace(OWN, start_ticks=1), time_s=60.0,
                limits=('--until-laps', '--max-cost', '1'))
    resume = ('train', '--name', 'm', '--resume', '--until-laps', '--max-cost', '1')
    assert words_to_resume(job, job.record) == (*resume, '--time', '60.000s')
    job.write_progress(JobProgress(seconds=22.5))
    assert words_to_resume(job, job.record) == (*resume, '--time', '37.500s')
    assert words_to_resume(job, job.record, '2')[-4:] == ('--max-cost', '2', '--time', '37.500s')
    job.write_progress(JobProgress(seconds=59.99))
    with pytest.raises(JobError, match='job m-1 has used up its time, 60 s; train on: racer'):
        words_to_resume(job, job.record)


def test_what_cannot_be_resumed(racer_home):
    running = begun(detached=False)
    with pytest.raises(JobError, match='job m-1 runs; stop it first: racer jobs stop m-1'):
        words_to_resume(running, running.record)
    running.write_end(State.DONE, 'every evaluation lap was clean')
    with pytest.raises(JobError, match=r'job m-1 is done: .* racer train --name m --resume'):
        words_to_resume(running, running.record)
    spent = begun('n', detached=False)
    spent.write_end(State.STOPPED, StopReason.COST.value)
    with pytest.raises(JobError, match='job n-1 was stopped by its --max-cost; give it more: '):
        words_to_resume(spent, spent.record)
    assert words_to_resume(spent, spent.record, '2') is None, 'there is no model yet'
    crashed = begun(process=replace(OWN, start_ticks=1))
    assert words_to_resume(crashed, crashed.record) is None, 'there is no model yet'
    begun(resumes=crashed.id)
    with pytest.raises(JobError, match='job m-2 went on as m-3; resume that: racer jobs resume'):
        words_to_resume(crashed, crashed.record)
    (jobs_folder() / 'm-3/job.json').write_text('{}')
    assert words_to_resume(crashed, crashed.record) is None
