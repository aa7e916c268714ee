"""`racer car check` against real nodes over real DDS: a sound car, and one planted fault each."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

pytest.importorskip('rclpy')

from racer_vehicle.check import walk
from racer_vehicle.check.outcome import Status
from racer_vehicle.check.walk import CheckPlan
from racer_vehicle.contract import topic
from racer_vehicle.nodes import check_link, ros
from racer_vehicle.nodes.check_link import linked_car
from racer_vehicle.spec import CONTROL_PERIOD_S

pytestmark = pytest.mark.ros

NODES = 'racer_vehicle.nodes'
RACER = [sys.executable, '-c', 'from racer_rl.cli.main import main; main()']
ATTEMPTS = 5
FAULTY_MOTOR = """
from racer_vehicle.nodes.motor_node import MotorNode
from racer_vehicle.nodes.running import run_node

class Faulty(MotorNode):
    {fault}

raise SystemExit(run_node(Faulty))
"""

FROZEN_CAMERA_AND_SILENT_LIDAR = """
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.messages import image_message
from racer_vehicle.signals import Frame

rclpy.init()
camera, lidar = rclpy.create_node('camera'), rclpy.create_node('lidar')
publisher, now = ros.publisher(camera, 'camera/image_raw'), ros.ros_clock(camera)
picture = np.random.default_rng(0).integers(0, 256, (120, 160), dtype=np.uint8)
say = lambda: publisher.publish(image_message(Frame(picture, now()), 'camera_link_optical'))
camera.create_timer(1 / 15, say)
executor = SingleThreadedExecutor()
executor.add_node(camera)
executor.add_node(lidar)
executor.spin()
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Listen for one second rather than three."""
    monkeypatch.setattr(walk, 'LISTEN_S', 1.0)


def check(without=(), link_patience_s=10.0, monkeypatch=None, **plan):
    """Status, and all that was said, of each step."""
    if monkeypatch:
        monkeypatch.setattr(check_link, 'PATIENCE_S', link_patience_s)
    wanted = CheckPlan(without=tuple(without), **plan)
    with linked_car(wanted.nodes) as link:
        report = walk.walk(wanted, link, None, lambda step: None)
    return {outcome.step: (outcome.status, ' '.join(
        problem.said for problem in outcome.problems), outcome.figures)
        for outcome in report.outcomes}


def fake_car(graph, bundle=''):
    for name in ('camera', 'lidar', 'motor'):
        graph.start(f'{NODES}.{name}_node', driver='fake')
    graph.start(f'{NODES}.inference_node', **({'bundle': bundle} if bundle else {}))


def faulty_motor(graph, tmp_path, fault):
    script = tmp_path / 'faulty_motor.py'
    script.write_text(FAULTY_MOTOR.format(fault=fault))
    graph.start(script, driver='fake')


def only(*steps):
    return [name for name in walk.STEPS if name not in steps]


def test_a_sound_car_passes_every_step_and_is_left_disabled(graph, toy, toy_file):
    fake_car(graph, toy_file(toy()))
    applied, reports = graph.listen('cmd_vel/applied'), graph.listen('/diagnostics')
    for _ in range(ATTEMPTS):  # a machine that stalls is a fault that the check tells of
        found = check(without=['temperature'], wheels_up=True)
        if {status for status, *_ in found.values()} <= {Status.PASSED, Status.SKIPPED}:
            break
    assert {status for status, *_ in found.values()} == {Status.PASSED, Status.SKIPPED}, found
    assert found['camera'][2]['hz'] == pytest.approx(15.0, abs=2.1)
    assert found['model'][2]['name'] == 'toy'
    limit_ms = 1e3 * (topic('teleop/cmd_vel').stale_after_s + 2.0 * CONTROL_PERIOD_S)
    assert 480.0 < found['watchdog'][2]['neutral_after_ms'] <= limit_ms
    reports.clear()
    graph.until(lambda: [status for report in reports for status in report.status
                         if status.name == 'motor'], 'the motor node reports')
    motor = [status for report in reports for status in report.status if status.name == 'motor']
    assert motor[-1].message == 'neutral: disabled'
    assert {item.key: item.value for item in motor[-1].values}['in_charge'] == 'policy'
    assert applied[-1].twist.linear.x == 0.0


def test_read_only_moves_nothing(graph, toy, toy_file):
    fake_car(graph, toy_file(toy(speed=0.5)))
    applied = graph.listen('cmd_vel/applied')
    found = check(without=['temperature'], read_only=True)
    graph.until(lambda: applied, 'the motor says neutral')
    assert found['throttle'][0] is Status.SKIPPED
    assert found['model'][0] is Status.PASSED
    assert all(message.twist.linear.x == 0.0 for message in applied)


def test_an_empty_graph_fails_by_name(domain, monkeypatch):
    monkeypatch.setattr(check_link, 'DISCOVERY_S', 0.5)
    found = check(wheels_up=True, monkeypatch=monkeypatch, link_patience_s=1.0)
    assert 'no image came' in found['camera'][1]
    assert 'no scan came' in found['lidar'][1]
    assert 'no policy was given' in found['model'][1]
    assert all('there is no motor node' in found[name][1] for name in walk.MOVING)


def test_a_frozen_camera_and_a_silent_lidar(graph, tmp_path, monkeypatch):
    script = tmp_path / 'frozen.py'
    script.write_text(FROZEN_CAMERA_AND_SILENT_LIDAR)
    graph.start(script)
    found = check(only('camera', 'lidar'), read_only=True, monkeypatch=monkeypatch,
                  link_patience_s=3.0)
    assert 'the picture is frozen' in found['camera'][1]
    assert 'no scan came in 1 s' in found['lidar'][1]


def test_a_policy_of_another_car_and_one_that_does_not_drive(graph, toy, toy_file):
    fake_car(graph, toy_file(toy()))
    status, said, _ = check(only('model'), read_only=True,
                            bundle=toy_file(toy(wheelbase_m=0.3)))['model']
    assert status is Status.FAILED and 'trained for car wheelbase_m 0.3' in said
    status, said, _ = check(only('model'), read_only=True,
                            bundle=toy_file(toy(steering=0.1)))['model']
    assert status is Status.FAILED and 'the inference node drives by' in said


def test_an_unsigned_policy_where_signatures_are_asked_for(graph, toy, toy_file, tmp_path):
    from racer_vehicle.signing import PrivateKey, sign

    key = PrivateKey.generate()
    key.public.write(tmp_path / 'keys' / 'team.pub.pem')
    fake_car(graph, toy_file(toy()))
    plan = {'read_only': True, 'trusted_keys': str(tmp_path / 'keys')}
    assert 'is not signed' in check(only('model'), **plan)['model'][1]
    signed = toy_file(sign(toy(), key))
    _, said, _ = check(only('model'), bundle=signed, **plan)['model']
    assert 'signed' not in said


def test_a_motor_that_does_not_go_to_neutral_by_itself(graph, tmp_path):
    faulty_motor(graph, tmp_path, 'def _watch(self): pass')
    status, said, _ = check(only('watchdog'), wheels_up=True)['watchdog']
    assert status is Status.FAILED
    assert 'the motor was not neutral' in said and 'allowed: 0.63' in said


def test_a_motor_that_ignores_commands(graph, tmp_path):
    faulty_motor(graph, tmp_path, 'def _on_operator(self, twist): pass')
    found = check(only('throttle', 'watchdog'), wheels_up=True)
    assert 'forward: 0.00 m/s were applied; allowed: 0.30' in found['throttle'][1]
    assert 'the car did not drive' in found['watchdog'][1]


@pytest.mark.parametrize(('fault', 'words'), [
    ('_on_emergency_stop = lambda self, request, response: self._answer(response)',
     'the car drives on in an emergency stop'),
    ("""
    def _on_emergency_stop(self, request, response):
        self._gate.emergency_stop(request.data)
        self._gate.stopped = False
        return self._answer(response)""", 'it does not latch'),
    ("""
    def _on_emergency_stop(self, request, response):
        self._gate.emergency_stop(request.data)
        self._gate.enabled = not request.data
        return self._answer(response)""", 'clearing the emergency stop lets the car drive'),
])
def test_an_emergency_stop_that_fails(graph, tmp_path, fault, words):
    faulty_motor(graph, tmp_path, fault)
    status, said, _ = check(only('e-stop'), wheels_up=True)['e-stop']
    assert status is Status.FAILED and words in said


class TestTheCheckingProcessEnds:
    """In the middle of a pulse of the motor, and the motor goes to neutral whatever ends it."""

    @pytest.fixture
    def motor(self, graph):
        """What a motor node does, as it tells."""
        graph.start(f'{NODES}.motor_node', driver='fake')
        heard = graph.listen('cmd_vel/applied')
        graph.until(lambda: heard, 'the motor node speaks')
        return heard

    @contextmanager
    def checking(self, graph, motor):
        """A check that has the motor turn."""
        left_out = [word for name in only('throttle') for word in ('--without', name)]
        process = subprocess.Popen(
            [*RACER, 'car', 'check', '--wheels-up', '--json', *left_out],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            graph.until(lambda: motor[-1].twist.linear.x > 0.2, 'the motor turns')
            yield process
        finally:
            process.kill()
            process.communicate()

    @pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_asked_to_it_leaves_the_car_disabled(self, graph, motor, number):
        reports = graph.listen('/diagnostics')
        with self.checking(graph, motor) as process:
            reports.clear()
            process.send_signal(number)
            graph.until(lambda: process.poll() is not None, 'the check ends')
            assert process.returncode not in {0, None}
            assert 'Traceback' not in process.stderr.read()
        graph.until(lambda: any(status.message == 'neutral: disabled' for report in reports
                                for status in report.status), 'the car is disabled')
        assert motor[-1].twist.linear.x == 0.0

    def test_killed_the_watchdog_stops_the_motor(self, graph, motor, in_time):
        def attempt():
            with self.checking(graph, motor) as process:
                process.kill()
                graph.until(lambda: motor[-1].twist.linear.x == 0.0, 'the motor stands')
            # By its own stamps: from the last command it obeyed to giving up.
            moving_s, neutral_s = (ros.to_seconds(next(
                message for message in reversed(motor) if (message.twist.linear.x > 0.0) == moves
            ).header.stamp) for moves in (True, False))
            return neutral_s - moving_s

        in_time(topic('teleop/cmd_vel').stale_after_s + 2.0 * CONTROL_PERIOD_S, attempt)


def test_the_command_starts_a_fake_car_and_prints_json(toy, toy_file):
    result = subprocess.run(
        [*RACER, 'car', 'check', toy_file(toy()), '--start', 'fake', '--json', '--without',
         'watchdog', '--without', 'e-stop', '--without', 'steering', '--without', 'disk'],
        capture_output=True, text=True, timeout=300, check=False)
    report = json.loads(result.stdout)
    assert result.returncode == 0 and report['passed'], result.stdout + result.stderr
    assert {step['step']: step['status'] for step in report['steps']}['throttle'] == 'passed'
    assert 'checking: camera' in result.stderr


def test_orders_enable_and_stop_a_car(graph):
    graph.start(f'{NODES}.motor_node', driver='fake')
    reports = graph.listen('/diagnostics')

    def order(what):
        result = subprocess.run([*RACER, 'car', 'order', what], capture_output=True, text=True,
                                timeout=300, check=False)
        reports.clear()
        return result

    def says(message):
        graph.until(lambda: any(status.message == message for report in reports
                                for status in report.status), message)

    assert order('enable').stdout == 'the car drives as the policy says.\n'
    says('neutral: no fresh command')
    assert order('stop').returncode == 0
    says('neutral: emergency stop')
    refused = order('enable')
    assert refused.returncode == 2 and 'the emergency stop is latched' in refused.stderr
    assert order('clear').returncode == 0
    says('neutral: disabled')
