"""`racer train --detach` and `racer jobs`, with real processes."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from racer_rl.cli.main import run
from racer_rl.jobs.records import all_jobs, open_job
from racer_rl.store.models import model_folder
from racer_rl.training.checkpoint import load_checkpoint
from racer_vehicle.children import start_ticks

pytestmark = pytest.mark.usefixtures('racer_home')

RACER = [sys.executable, '-P', '-m', 'racer_rl.cli']
ENDLESS = ['--steps', str(10**9), '--until-laps']
"""It learns too slowly for clean laps; and with --until-laps nobody judges it elsewhere."""


@pytest.fixture
def begin(tmp_path):
    """Words that begin a training that is small and endless, of a model."""
    settings = tmp_path / 'tiny.json'
    settings.write_text(json.dumps({'n_envs': 4, 'n_steps': 32, 'batch_size': 64,
                                    'num_epochs': 1, 'learning_rate': 1e-8}))

    def words(model, *more):
        return ['train', '--track', 'oval', '--name', model, '--hyperparameters', str(settings),
                *(more or ENDLESS)]

    yield words
    for job in all_jobs():
        with job.record.process.held() as process:
            if process is not None:
                process.send(signal.SIGKILL)
                process.has_ended_within(120)


@pytest.fixture
def racer(capsys):
    """Run a command in this process; gives back exit code, output and errors."""

    def call(*words):
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def until(true, job):
    """Wait until something is so, while a job runs."""
    while not true():
        assert job.state(job.record)[0] == 'running', job.log.read_text()
        time.sleep(0.05)


def states(racer):
    code, out, _ = racer('jobs', 'list', '--json')
    assert code == 0
    return {job['job']: job['state'] for job in json.loads(out)['jobs']}


@pytest.mark.slow
def test_a_job_outlives_its_terminal_is_stopped_and_goes_on(begin, racer):
    # A session like that of a terminal: all of it is hung up when the person leaves.
    line = shlex.join([*RACER, *begin('a'), '--detach', '--json'])
    # Whoever runs the tests may ignore hanging up, which is inherited.
    terminal = subprocess.run(
        ['sh', '-c', f'{line}; kill -HUP 0'], start_new_session=True, capture_output=True,
        text=True, timeout=300, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
    assert terminal.returncode == -signal.SIGHUP, terminal.stderr
    told, job = json.loads(terminal.stdout), open_job('a-1')
    assert told == {'job': 'a-1', 'model': 'a', 'pid': job.record.process.pid,
                    'log': str(job.log), 'resumes': ''}
    assert os.getsid(told['pid']) == told['pid']
    until(lambda: job.progress.steps > 0, job)
    assert states(racer) == {'a-1': 'running'}
    code, _, err = racer(*begin('a'), '--resume', '--detach')
    assert code == 2 and err.startswith("error: model 'a' is being trained by process ")

    code, out, _ = racer('jobs', 'stop', 'a')
    assert code == 0
    assert out.startswith('job a-1: stopped (interrupted) after ')
    assert out.endswith('go on with it: racer jobs resume a-1\n')
    assert start_ticks(told['pid']) is None
    steps = load_checkpoint(model_folder('a').checkpoint('last'))[0].num_timesteps
    assert steps == job.progress.steps
    log = job.log.read_text()
    assert '\nsteps ' in log
    assert json.loads(log.splitlines()[-1])['stopped_because'] == 'interrupted'

    code, out, err = racer('jobs', 'resume', 'a')
    assert code == 0, err
    assert out.startswith('job a-2 runs in the background.\n')
    again = open_job('a-2')
    assert again.record.resumes == 'a-1'
    assert '--resume' in again.record.command and str(10**9) in again.record.command
    until(lambda: again.progress.steps > steps, again)
    code, _, err = racer('jobs', 'resume', 'a-1')
    assert code == 2 and err.startswith('error: job a-1 went on as a-2;')
    code, out, _ = racer('jobs', 'stop', 'a-2', '--now', '--yes', '--json')
    assert code == 0
    assert json.loads(out)['why'] == 'killed by racer jobs stop --now'
    assert states(racer) == {'a-1': 'stopped', 'a-2': 'stopped'}
    code, _, err = racer('jobs', 'stop', 'a-2')
    assert code == 2 and err.startswith('error: job a-2 does not run: it is stopped; allowed: ')


@pytest.mark.slow
def test_two_at_once_one_killed_and_resumed_to_its_end(begin, racer):
    code, _, err = racer(*begin('b', '--time', '1h', '--until-laps'), '--detach')
    assert code == 0, err
    code, _, err = racer(*begin('c', '--steps', '2000', '--until-laps'), '--detach')
    assert code == 0, err
    killed, whole = open_job('b'), open_job('c')
    until(lambda: killed.progress.steps > 0, killed)
    os.kill(killed.record.process.pid, signal.SIGKILL)
    code, out, err = racer('jobs', 'logs', '-f', 'c')
    assert code == 0
    assert err == 'job c-1: done (the step limit was reached)\n'
    assert out == whole.log.read_text()
    assert 'stopped: the step limit was reached after 2,048 steps' in out
    assert states(racer) == {'b-1': 'crashed', 'c-1': 'done'}
    code, out, _ = racer('jobs', 'list')
    assert [line.split()[:2] for line in out.splitlines()] == [
        ['job', 'state'], ['b-1', 'crashed'], ['c-1', 'done']]
    code, _, err = racer('jobs', 'resume', 'c')
    assert code == 2 and err.startswith('error: job c-1 is done: its limits are reached;')

    code, _, err = racer('jobs', 'resume', 'b')
    assert code == 0, err
    again = open_job('b')
    assert again.id == 'b-2'
    left_s = again.record.time_s
    assert 3600.0 - killed.progress.seconds == pytest.approx(left_s, abs=1e-2)
    until(lambda: again.progress.session_steps > 0, again)
    assert again.progress.steps > again.progress.session_steps


@pytest.mark.slow
def test_a_job_with_a_terminal_is_seen_and_stopped_from_another(begin, racer):
    terminal = subprocess.Popen([*RACER, *begin('d'), '--json'], text=True, start_new_session=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert any(line.startswith('steps ') for line in terminal.stderr)
    job = open_job('d')
    assert states(racer) == {'d-1': 'running'}
    code, _, err = racer('jobs', 'logs', 'd')
    assert code == 2 and err.startswith('error: job d-1 has no log: what it prints goes to its ')
    assert racer('jobs', 'stop', 'd')[0] == 0
    out, _ = terminal.communicate(timeout=300)
    assert terminal.returncode == 130
    assert json.loads(out)['steps'] == job.progress.steps > 0
    assert model_folder('d').progress['steps'] == job.progress.steps
    assert job.end == ('stopped', 'interrupted')


@pytest.mark.slow
def test_what_is_refused_is_no_job(begin, racer, racer_home):
    code, out, err = racer(*begin('e'), '--detach', '--track', 'nowhere')
    assert (code, out) == (2, '')
    assert "error: unknown track 'nowhere'" in err
    assert all_jobs() == [] and not (racer_home / 'models').exists()


def test_an_empty_list_says_how_to_begin(racer):
    code, out, _ = racer('jobs', 'list')
    assert code == 0 and out.startswith('no training yet; start one: racer train ')
    assert json.loads(racer('jobs', 'list', '--json')[1]) == {'jobs': []}


def test_a_damaged_job_keeps_its_place(racer, racer_home):
    (racer_home / 'jobs/m-1').mkdir(parents=True)
    (racer_home / 'jobs/m-1/job.json').write_text('{')
    code, out, err = racer('jobs', 'list')
    assert code == 0
    assert out.splitlines()[1].split() == ['m-1', 'damaged']
    assert 'is not JSON' in err
    assert racer('jobs', 'stop', 'm-1')[0] == 2
