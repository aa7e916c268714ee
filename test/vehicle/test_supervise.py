"""Programs are watched, and none is left behind, whatever happens to whoever started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from racer_rl.drive.domain import GUARD_PORT, environment, private_domain
from racer_vehicle.errors import RacerError
from racer_vehicle.supervise import Program, ProgramError, Supervisor

PATIENCE_S = 20.0

WAITS = """
import signal, sys, time
signal.signal(signal.SIGINT, {on_interrupt})
print('ready', flush=True)
while True:
    time.sleep(0.05)
"""
LEAVES = 'lambda *_: sys.exit(0)'


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Writes modules that the supervised interpreters can import."""
    folder = tmp_path / 'modules'
    folder.mkdir()
    monkeypatch.setenv('PYTHONPATH', str(folder))

    def write(name, text):
        (folder / f'{name}.py').write_text(text)
        return Program(name=name, module=name)

    return write


def until(condition, what):
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, f'not in time: {what}'
        time.sleep(0.02)


def is_alive(process_id):
    try:
        state = Path(f'/proc/{process_id}/stat').read_text('utf-8').rpartition(')')[2].split()[0]
    except FileNotFoundError:
        return False
    return state != 'Z'


def ready(supervisor, name):
    until(lambda: 'ready' in supervisor.last_words(name), f'{name} is ready')


def test_programs_are_asked_to_leave(programs, tmp_path):
    text = WAITS.format(on_interrupt='lambda *_: (print("asked", flush=True), sys.exit(0))')
    with Supervisor(tmp_path, os.environ) as supervisor:
        for name in ('one', 'two'):
            supervisor.start(programs(name, text))
            ready(supervisor, name)
        assert supervisor.names == ('one', 'two')
        ids = [supervisor.process_id(name) for name in supervisor.names]
        assert all(map(is_alive, ids))
    assert not any(map(is_alive, ids))
    assert supervisor.last_words('one').endswith('asked')


def test_a_program_that_does_not_listen_is_killed(programs, tmp_path, monkeypatch):
    monkeypatch.setattr('racer_vehicle.supervise.PATIENCE_S', (0.2, 0.2, PATIENCE_S))
    deaf = WAITS.format(on_interrupt='signal.SIG_IGN').replace(
        'print', 'signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint')
    with Supervisor(tmp_path, os.environ) as supervisor:
        supervisor.start(programs('deaf', deaf))
        ready(supervisor, 'deaf')
        process_id = supervisor.process_id('deaf')
    assert not is_alive(process_id)


def test_what_a_program_started_goes_with_it(programs, tmp_path, monkeypatch):
    monkeypatch.setattr('racer_vehicle.supervise.PATIENCE_S', (0.2, 0.2, PATIENCE_S))
    parent = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
print('ready', child.pid, flush=True)
time.sleep(60)
"""
    with Supervisor(tmp_path, os.environ) as supervisor:
        supervisor.start(programs('parent', parent))
        ready(supervisor, 'parent')
        child = int(supervisor.last_words('parent').split()[1])
        assert is_alive(child)
    until(lambda: not is_alive(child), 'the child is gone')


def test_a_death_is_told_with_the_last_words(programs, tmp_path):
    with Supervisor(tmp_path, os.environ) as supervisor:
        supervisor.start(programs('short', 'import sys\nprint("no fuel")\nsys.exit(3)'))

        def has_ended():
            try:
                supervisor.require_alive()
            except ProgramError as error:
                assert isinstance(error, RacerError)
                assert 'short has ended with status 3; allowed: to run' in str(error)
                assert 'no fuel' in str(error)
                return True
            return False

        until(has_ended, 'the death is noticed')


def test_a_killed_program_can_be_started_again(programs, tmp_path):
    program = programs('phoenix', WAITS.format(on_interrupt=LEAVES))
    with Supervisor(tmp_path, os.environ) as supervisor:
        supervisor.start(program)
        first = supervisor.process_id('phoenix')
        supervisor.kill('phoenix')
        assert not is_alive(first)
        supervisor.require_alive()
        supervisor.start(program)
        assert is_alive(supervisor.process_id('phoenix')) and supervisor.names == ('phoenix',)


SUPERVISES = """
import os, signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # also for tests in the background
from racer_vehicle.supervise import Program, Supervisor
with Supervisor(Path(sys.argv[1]), os.environ) as supervisor:
    supervisor.start(Program(name='child', module='child'))
    print(supervisor.process_id('child'), flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_its_supervisor(programs, tmp_path, repository, number):
    programs('child', WAITS.format(on_interrupt=LEAVES))
    parent = subprocess.Popen([sys.executable, '-c', SUPERVISES, str(tmp_path)], cwd=repository,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              start_new_session=True)
    try:
        child = int(parent.stdout.readline())
        until(lambda: 'ready' in (tmp_path / 'child.log').read_text('utf-8'), 'it runs')
        parent.send_signal(number)
        parent.wait(PATIENCE_S)
        until(lambda: not is_alive(child), 'the child is gone')
    finally:
        parent.kill()
        parent.wait(PATIENCE_S)
        parent.stdout.close()


def test_domains_are_private_and_given_back(tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_DOMAIN_ID', '7')
    monkeypatch.delenv('ROS_LOG_DIR', raising=False)
    with private_domain(tmp_path) as one:
        assert os.environ['ROS_DOMAIN_ID'] == str(one)
        assert os.environ['ROS_LOG_DIR'] == str(tmp_path / 'ros_log')
        with private_domain(tmp_path) as two:
            assert two != one
        assert os.environ['ROS_DOMAIN_ID'] == str(one)
    assert os.environ['ROS_DOMAIN_ID'] == '7'
    assert 'ROS_LOG_DIR' not in os.environ


@pytest.mark.parametrize(('middleware', 'reach'), [('rmw_fastrtps_cpp', 'SUBNET'),
                                                   ('rmw_cyclonedds_cpp', 'LOCALHOST')])
def test_nobody_else_on_the_network_is_spoken_to(tmp_path, monkeypatch, middleware, reach):
    monkeypatch.setenv('RMW_IMPLEMENTATION', middleware)
    with private_domain(tmp_path):
        assert os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] == reach
        profiles = [value for name, value in os.environ.items()
                    if name.endswith('_DEFAULT_PROFILES_FILE')]
        if reach == 'SUBNET':
            [profile] = profiles
            assert '<address>127.0.0.1</address>' in Path(profile).read_text('utf-8')


def test_a_domain_in_which_somebody_speaks_is_not_taken(tmp_path, monkeypatch):
    import socket

    from racer_rl.drive import domain
    from racer_vehicle.errors import ConfigError

    monkeypatch.setattr(domain, 'DOMAINS', range(93, 94))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:
        speaker.bind(('127.0.0.1', 7400 + 250 * 93 + 10))
        with (pytest.raises(ConfigError, match='all ROS domains from 93 to 93 are taken; stop'),
              private_domain(tmp_path)):
            pass
    assert GUARD_PORT + 93 < 65_536


def test_environment_is_put_back_after_an_error(monkeypatch):
    monkeypatch.setenv('RACER_TEST', 'before')
    with pytest.raises(KeyboardInterrupt), environment(RACER_TEST='inside', RACER_NEW='new'):
        assert (os.environ['RACER_TEST'], os.environ['RACER_NEW']) == ('inside', 'new')
        raise KeyboardInterrupt
    assert os.environ['RACER_TEST'] == 'before'
    assert 'RACER_NEW' not in os.environ
