"""The inference node: images to commands, bundles exchanged and refused."""

import hashlib
import json
import re

import numpy as np
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus
from rosgraph_msgs.msg import Clock
from std_msgs.msg import MultiArrayDimension, UInt8MultiArray

from racer_vehicle.contract import CAMERA_STALE_S
from racer_vehicle.errors import ModelMismatchError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.inference_node import InferenceNode
from racer_vehicle.nodes.messages import command_of, image_message, scan_message
from racer_vehicle.signals import Frame, Scan
from racer_vehicle.signing import PrivateKey, sign
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

pytestmark = pytest.mark.ros

CAR = CarSpec()


class Bench:
    """An inference node, and a camera to show it things.

    Time is simulated: however long this machine stalls, no image grows old by it.
    """

    def __init__(self, graph, **parameters):
        self.graph, self.now_s, self.clock = graph, 10.0, graph.publisher('/clock', readers=0)
        self.reports = graph.listen('/diagnostics')
        self.active = graph.listen('policy/active')
        self.node = graph.add(InferenceNode, use_sim_time=True, **parameters)
        self.commands = graph.listen('cmd_vel')
        self.camera = graph.publisher('camera/image_raw')
        self.trainer = graph.publisher('policy/bundle')

    def show(self, level=100, encoding=None, shape=(120, 160), late_s=0.0):
        """Publish a grey image exposed `late_s` ago, and return its stamp."""
        self.pass_time(CONTROL_PERIOD_S)
        message = image_message(Frame(np.full(shape, level, np.uint8), self.now_s - late_s), '')
        message.encoding = encoding or message.encoding
        self.camera.publish(message)
        self.graph.spin_for(0.03)
        return message.header.stamp

    def pass_time(self, duration_s):
        self.now_s += duration_s
        self.clock.publish(Clock(clock=ros.to_stamp(self.now_s)))

    def answer(self, level=100):
        """The command for an image, shown until it is answered."""
        del self.commands[:]
        stamps = []

        def done():
            stamps.append(self.show(level))
            return self.commands

        message = self.graph.until(done, 'a command comes')[-1]
        assert message.header.stamp in stamps
        assert message.header.frame_id == 'base_link'
        return command_of(message.twist, 0.0, CAR.wheelbase_m)

    def send(self, bundle, digest=None, content=None):
        content = content or bundle.content
        message = UInt8MultiArray(data=content)
        digest = hashlib.sha256(content).hexdigest() if digest is None else digest
        message.layout.dim.append(MultiArrayDimension(label=f'sha256:{digest}'))
        self.trainer.publish(message)

    def is_driven_by(self, bundle):
        self.graph.until(lambda: self.active and json.loads(self.active[-1].data)['sha256']
                         == bundle.sha256, f'{bundle.card.model} drives')

    def figures(self):
        return {item.key: item.value for item in self.reports[-1].status[0].values}

    def says(self, text, while_showing=None):
        """Wait for a trouble in the diagnostics."""
        def told():
            if while_showing is not None:
                self.show(**while_showing)
            self.graph.spin_once()
            return self.reports and text in self.figures().get('last_trouble', '')

        self.graph.until(told, f'diagnostics say {text!r}')
        return self.figures()


def test_an_image_is_answered_with_the_policys_command_and_its_own_stamp(graph, toy, toy_file):
    bench = Bench(graph, bundle=toy_file(toy(steering=0.3, speed=-1.0)))
    command = bench.answer()
    assert command.steering_rad == pytest.approx(0.3 * CAR.max_steering_rad, abs=1e-6)
    assert command.speed_mps == pytest.approx(0.5, abs=1e-6)


def test_the_policy_sees_what_the_camera_shows(graph, toy, toy_file):
    bench = Bench(graph, bundle=toy_file(toy(steering=0.0, gain=1.0)))
    dark, bright = bench.answer(51), bench.answer(204)
    assert dark.steering_rad == pytest.approx(0.2 * CAR.max_steering_rad, abs=1e-4)
    assert bright.steering_rad == pytest.approx(0.8 * CAR.max_steering_rad, abs=1e-4)


def test_in_lock_step_an_image_waits_for_its_scan_and_gets_its_own(graph, toy, toy_file):
    bench = Bench(graph, bundle=toy_file(toy(steering=0.0, scan_gain=0.1)), wait_for_scan=True)
    scanner = graph.publisher('scan')

    def scan(range_m, stamp):
        ranges_m = np.full(CAR.lidar.rays, range_m, np.float32)
        scanner.publish(scan_message(Scan(ranges_m, ros.to_seconds(stamp)), CAR.lidar, 0.1, ''))

    def steering_rad(first_m, then_m):
        """What an image is answered with, by its own scan and not by an older one."""
        del bench.commands[:]

        def answered():
            stamp = bench.show()
            scan(first_m, ros.to_stamp(ros.to_seconds(stamp) - CONTROL_PERIOD_S))
            graph.spin_for(0.02)
            assert not [each for each in bench.commands if each.header.stamp == stamp]
            scan(then_m, stamp)
            graph.spin_for(0.02)
            return bench.commands

        answer = graph.until(answered, 'a command comes')[-1]
        return command_of(answer.twist, 0.0, CAR.wheelbase_m).steering_rad

    far, near = steering_rad(0.25, 1.0), steering_rad(1.0, 0.25)
    assert far == pytest.approx(4.0 * near, rel=1e-4)
    assert near > 0.0


def test_without_a_policy_nothing_is_said_until_one_arrives(graph, toy):
    bench = Bench(graph)
    bench.says('no policy', while_showing={})
    assert not bench.commands
    assert bench.reports[-1].status[0].level == DiagnosticStatus.ERROR
    policy = toy(steering=-0.5)
    bench.send(policy)
    bench.is_driven_by(policy)
    assert bench.answer().steering_rad == pytest.approx(-0.5 * CAR.max_steering_rad, abs=1e-6)


def test_a_new_bundle_takes_over_between_two_frames(graph, toy, toy_file):
    old, new = toy(steering=0.5), toy(model='better', steering=-0.5)
    bench = Bench(graph, bundle=toy_file(old))
    bench.answer()
    shown, answered = 0, len(bench.commands)
    bench.send(new)
    while not (bench.active and json.loads(bench.active[-1].data)['sha256'] == new.sha256):
        bench.show()
        shown += 1
        assert shown < 500
    bench.show()
    graph.until(lambda: bench.commands[-1].twist.angular.z < 0.0, 'the new policy decides')
    assert len(bench.commands) - answered >= shown, 'every frame was answered meanwhile'


def test_a_late_inference_node_gets_the_last_bundle(graph, toy):
    policy = toy()
    message = UInt8MultiArray(data=policy.content)
    message.layout.dim.append(MultiArrayDimension(label=f'sha256:{policy.sha256}'))
    ros.publisher(graph.probe, 'policy/bundle').publish(message)
    active = graph.listen('policy/active')
    graph.add(InferenceNode)
    graph.until(lambda: active, 'a policy drives')
    assert json.loads(active[0].data)['model'] == 'toy'


def test_an_image_shown_again_is_answered_again(graph, toy, toy_file):
    """A simulator in lock-step offers the last image again when the command was lost."""
    bench = Bench(graph, bundle=toy_file(toy()))
    message = image_message(Frame(np.full((120, 160), 9, np.uint8), bench.now_s), '')

    def answered():
        bench.pass_time(0.0)
        bench.camera.publish(message)
        graph.spin_for(0.02)
        return len(bench.commands) > 2

    graph.until(answered, 'it is answered each time')
    assert bench.commands[0] == bench.commands[1] == bench.commands[2]
    assert bench.commands[0].header.stamp == message.header.stamp


@pytest.mark.parametrize(('shown', 'trouble', 'counter'), [
    ({'encoding': 'bayer_rggb8'}, "encoding 'bayer_rggb8'; allowed: mono8, rgb8", 'image'),
    ({'encoding': 'rgb8'}, 'rows of 160 bytes', 'image'),
    ({'shape': (60, 80)}, 'shape (1, 1, 60, 80)', 'unfit sensors'),
    ({'late_s': 0.5}, 's old; allowed: 0.2', 'stale image'),
    ({'late_s': -5.0}, 's old; allowed: 0.2', 'stale image'),
])
def test_images_that_cannot_be_used_are_dropped_and_counted(graph, toy, toy_file, shown, trouble,
                                                            counter):
    bench = Bench(graph, bundle=toy_file(toy()))
    bench.answer()
    graph.spin_for(0.1)
    del bench.commands[:]
    figures = bench.says(trouble, while_showing=shown)
    assert int(figures[f'dropped {counter}']) >= 1
    assert not bench.commands
    bench.answer()


def test_a_camera_that_stalls_silences_the_policy_and_is_told(graph, toy, toy_file):
    bench = Bench(graph, bundle=toy_file(toy()))
    bench.answer()
    graph.spin_for(0.1)
    del bench.commands[:]
    bench.pass_time(CAMERA_STALE_S + 0.05)
    graph.until(lambda: bench.pass_time(0.0) or any(
        'stalled' in report.status[0].message for report in bench.reports), 'the stall is told')
    assert bench.reports[-1].status[0].level == DiagnosticStatus.WARN
    assert not bench.commands
    bench.answer()


def test_a_policy_that_diverges_commands_neutral(graph, toy, toy_file):
    bench = Bench(graph, bundle=toy_file(toy(steering=float('nan'))))
    command = bench.answer()
    assert (command.steering_rad, command.speed_mps) == (0.0, 0.0)
    bench.says('use an earlier checkpoint', while_showing={})


class TestRefusedBundles:
    """The old policy goes on driving, and the reason is told."""

    def refused(self, graph, toy, toy_file, reason, **sent):
        old = toy(steering=0.5)
        bench = Bench(graph, bundle=toy_file(old))
        before = bench.answer()
        bench.is_driven_by(old)
        bench.send(**sent)
        figures = bench.says(reason)
        assert figures['dropped bundle'] == '1'
        assert figures['policy_sha256'] == old.sha256
        assert bench.answer() == before

    def test_tampered_content(self, graph, toy, toy_file):
        content = bytearray(toy(steering=-0.5).content)
        content[-400] ^= 0xFF
        self.refused(graph, toy, toy_file, '; ', bundle=None, content=bytes(content))

    def test_another_digest(self, graph, toy, toy_file):
        self.refused(graph, toy, toy_file, 'allowed by its sender', bundle=toy(), digest='0' * 64)

    def test_no_digest(self, graph, toy, toy_file):
        self.refused(graph, toy, toy_file, 'none was given', bundle=toy(), digest='')

    def test_another_car(self, graph, toy, toy_file):
        self.refused(graph, toy, toy_file, 'wheelbase_m 0.3', bundle=toy(wheelbase_m=0.3))

    def test_not_a_bundle(self, graph, toy, toy_file):
        self.refused(graph, toy, toy_file, 'zip archive', bundle=None, content=b'rm -rf /')


class TestTrustedKeys:
    """A car that trusts keys drives nothing that none of them signed, wherever it comes from."""

    @pytest.fixture
    def key(self):
        return PrivateKey.generate()

    @pytest.fixture
    def folder(self, key, tmp_path):
        key.public.write(tmp_path / 'trusted' / 'me.pub.pem')
        return str(tmp_path / 'trusted')

    @pytest.mark.parametrize(('signer', 'reason'), [(None, 'is not signed'),
                                                    (PrivateKey.generate(), 'unknown key')])
    def test_a_signed_file_drives_and_other_bundles_do_not_take_over(
            self, graph, toy, toy_file, key, folder, signer, reason):
        old, new, next_one = sign(toy(steering=0.5), key), toy(steering=-0.5), toy(steering=0.1)
        bench = Bench(graph, bundle=toy_file(old), trusted_keys=folder)
        before = bench.answer()
        bench.send(sign(new, signer) if signer else new)
        assert bench.says(reason)['policy_sha256'] == old.sha256
        assert bench.answer() == before
        bench.send(sign(next_one, key))
        bench.is_driven_by(sign(next_one, key))

    def test_without_a_signed_policy_nothing_is_commanded(self, graph, toy, folder):
        bench = Bench(graph, trusted_keys=folder)
        bench.send(toy())
        bench.says('is not signed', while_showing={})
        graph.spin_for(0.1)
        assert not bench.commands
        assert bench.reports[-1].status[0].level == DiagnosticStatus.ERROR

    def test_an_unsigned_file_keeps_the_node_from_starting(self, graph, toy, toy_file, folder):
        process = graph.start('racer_vehicle.nodes.inference_node', bundle=toy_file(toy()),
                              trusted_keys=folder)
        assert process.wait() == 2
        assert 'is not signed' in process.output
        assert 'Traceback' not in process.output

    def test_a_folder_without_keys_keeps_the_node_from_starting(self, graph, tmp_path):
        process = graph.start('racer_vehicle.nodes.inference_node', trusted_keys=tmp_path / 'no')
        assert process.wait() == 2
        assert 'is no folder' in process.output


@pytest.mark.parametrize(('content', 'reason'), [
    (None, 'does not exist|No such file|cannot read'),
    (b'no bundle', 'zip archive'),
])
def test_a_bundle_file_that_cannot_be_used_keeps_the_node_from_starting(graph, tmp_path, content,
                                                                        reason):
    path = tmp_path / 'x.racer'
    if content:
        path.write_bytes(content)
    process = graph.start('racer_vehicle.nodes.inference_node', bundle=path)
    assert process.wait() == 2
    assert re.search(reason, process.output)
    assert 'Traceback' not in process.output


def test_a_policy_for_another_camera_is_refused_with_both_values(graph, toy, toy_file):
    with pytest.raises(ModelMismatchError, match=r"hfov_rad 2\.0944; this car's is 1\.5"):
        graph.add(InferenceNode, bundle=toy_file(toy()), camera__hfov_rad=1.5)
