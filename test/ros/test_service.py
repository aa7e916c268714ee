"""What a service manager is told by the motor node, and the nodes of a car under one roof."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

pytest.importorskip('rclpy')

from racer_vehicle.car_programs import NODES, car_programs
from racer_vehicle.errors import ConfigError
from racer_vehicle.service_manager import ServiceManager

pytestmark = pytest.mark.ros

RACER = [sys.executable, '-c', 'from racer_rl.cli.main import main; main()']
PATIENCE_S = 120.0


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """systemd's end of the socket."""
    path = tmp_path / 'notify'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(PATIENCE_S)
        monkeypatch.setenv('NOTIFY_SOCKET', str(path))
        yield listener


def drained(listener):
    """Everything that was said and not heard yet."""
    words = []
    listener.setblocking(False)
    try:
        while True:
            words.append(listener.recv(100))
    except BlockingIOError:
        return words
    finally:
        listener.settimeout(PATIENCE_S)


def test_the_motor_node_says_that_it_is_ready_and_lives_until_it_hangs(manager, graph):
    motor = graph.start('racer_vehicle.nodes.motor_node', driver='fake')
    assert manager.recv(100) == b'READY=1'
    assert manager.recv(100) == manager.recv(100) == b'WATCHDOG=1'
    motor.send(signal.SIGSTOP)
    time.sleep(0.2)
    drained(manager)
    time.sleep(2.5)
    assert drained(manager) == [], 'a hung node must not look alive'
    motor.send(signal.SIGCONT)
    assert manager.recv(100) == b'WATCHDOG=1'


def test_abstract_sockets_are_found(monkeypatch):
    name = f'racer-test-{os.getpid()}'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f'\0{name}')
        listener.settimeout(PATIENCE_S)
        monkeypatch.setenv('NOTIFY_SOCKET', f'@{name}')
        ServiceManager().ready()
        assert listener.recv(100) == b'READY=1'


def test_without_a_service_manager_nothing_is_said_and_nothing_fails(tmp_path, monkeypatch):
    monkeypatch.delenv('NOTIFY_SOCKET', raising=False)
    ServiceManager().ready()
    monkeypatch.setenv('NOTIFY_SOCKET', str(tmp_path / 'gone'))
    manager = ServiceManager()
    manager.ready()
    manager.beat()


def fake_config(folder):
    for name in NODES:
        driver = '' if name == 'inference' else '    driver: fake\n'
        enabled = '    start_enabled: true\n' if name == 'motor' else ''
        bundle = "    bundle: ''\n" if name == 'inference' else ''
        (folder / f'{name}.yaml').write_text(
            f'/**:\n  ros__parameters:\n{driver}{enabled}{bundle}')
    return folder


def test_whatever_the_files_say_the_car_starts_disabled(tmp_path):
    motor = next(program for program in car_programs(fake_config(tmp_path), {})
                 if program.name == 'motor')
    assert motor.arguments[-2:] == ('-p', 'start_enabled:=false')


def test_a_folder_that_lacks_a_file_is_refused(tmp_path):
    (fake_config(tmp_path) / 'lidar.yaml').unlink()
    with pytest.raises(ConfigError, match=r'lidar\.yaml is missing; allowed: a folder'):
        car_programs(tmp_path, {})


def test_one_node_that_ends_takes_the_others_along(tmp_path, graph):
    log = (tmp_path / 'log').open('w')
    car = subprocess.Popen([*RACER, 'car', 'start', '--config', fake_config(tmp_path)],
                           stdout=log, stderr=log, start_new_session=True)
    try:
        applied, reports = graph.listen('cmd_vel/applied'), graph.listen('/diagnostics')
        graph.until(lambda: applied and {status.name for report in reports for status in
                                         report.status} >= set(NODES), 'four nodes speak')
        assert all(message.twist.linear.x == 0.0 for message in applied)
        children = subprocess.run(['pgrep', '-P', str(car.pid), '-f', 'lidar_node'],
                                  capture_output=True, text=True, check=True).stdout.split()
        os.kill(int(children[0]), signal.SIGKILL)
        assert car.wait(PATIENCE_S) == 2
    finally:
        if car.poll() is None:
            os.killpg(car.pid, signal.SIGKILL)
        car.wait(PATIENCE_S)
        log.close()
    assert 'lidar has ended with status -9' in (tmp_path / 'log').read_text()
