"""Gazebo's messages on the wire: read and written as protobuf itself does."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_sim.gazebo import messages, wire
from racer_sim.gazebo.messages import Joints
from racer_sim.starting_grid import Pose
from racer_vehicle.errors import MessageError

descriptor_pb2 = pytest.importorskip('google.protobuf.descriptor_pb2')

HEADER = wire.of_bytes(1, wire.of_bytes(1, wire.of_int(1, 12) + wire.of_int(2, 345_000_000)))
"""A stamp of 12.345 s."""

DOUBLE, UINT, MESSAGE, BYTES = 1, 4, 11, 12
"""Of `FieldDescriptorProto.Type`."""

REPEATED = 3

GAZEBOS = {
    'Time': {1: ('sec', 3), 2: ('nsec', 5)},
    'Header': {1: ('stamp', 'Time')},
    'Vector3d': {1: ('header', 'Header'), 2: ('x', DOUBLE), 3: ('y', DOUBLE), 4: ('z', DOUBLE)},
    'Quaternion': {2: ('x', DOUBLE), 3: ('y', DOUBLE), 4: ('z', DOUBLE), 5: ('w', DOUBLE)},
    'Pose': {1: ('header', 'Header'), 2: ('name', 9), 4: ('position', 'Vector3d'),
             5: ('orientation', 'Quaternion')},
    'Twist': {1: ('header', 'Header'), 2: ('linear', 'Vector3d'), 3: ('angular', 'Vector3d')},
    'Odometry': {1: ('header', 'Header'), 2: ('pose', 'Pose'), 3: ('twist', 'Twist')},
    'Image': {1: ('header', 'Header'), 2: ('width', 13), 3: ('height', 13), 4: ('step', 13),
              5: ('data', BYTES), 6: ('pixel_format_type', 13)},
    'LaserScan': {1: ('header', 'Header'), 4: ('angle_min', DOUBLE), 14: ('ranges', [DOUBLE])},
    'Actuators': {1: ('header', 'Header'), 2: ('position', [DOUBLE]), 3: ('velocity', [DOUBLE])},
    'WorldControl': {2: ('pause', 8), 4: ('multi_step', 13)},
    'Boolean': {1: ('header', 'Header'), 2: ('data', 8)},
}
"""Of gz-msgs 10, as far as they are used: number to name and type."""


@pytest.fixture(scope='module')
def protobuf():
    """Makes messages with protobuf's own library, from Gazebo's definitions."""
    from google.protobuf import descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name='gz.proto', package='gz.msgs', syntax='proto3')
    for name, parts in GAZEBOS.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in parts.items():
            is_list = isinstance(kind, list)
            kind = kind[0] if is_list else kind
            added = message.field.add(name=field, number=number, label=REPEATED if is_list else 1)
            if isinstance(kind, str):
                added.type, added.type_name = MESSAGE, f'.gz.msgs.{kind}'
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return lambda name: message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f'gz.msgs.{name}'))()


def test_stamps_are_whole_nanoseconds(protobuf):
    message = protobuf('Image')
    message.header.stamp.sec, message.header.stamp.nsec = 12, 345_000_001
    assert messages.stamp_ns_of(message.SerializeToString()) == 12_345_000_001
    assert messages.stamp_ns_of(b'') == 0


def test_images_are_rows_of_rgb(protobuf):
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    message = protobuf('Image')
    message.header.stamp.sec = 1
    message.width, message.height, message.step, message.pixel_format_type = 3, 2, 9, 3
    message.data = picture.tobytes()
    assert np.array_equal(messages.image_of(message.SerializeToString()), picture)


@pytest.mark.parametrize('changes', [{'pixel_format_type': 1}, {'step': 12}, {'data': b'short'}])
def test_other_images_are_refused(protobuf, changes):
    message = protobuf('Image')
    message.width, message.height, message.step, message.pixel_format_type = 3, 2, 9, 3
    message.data = bytes(18)
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(MessageError, match='allowed: RGB_INT8'):
        messages.image_of(message.SerializeToString())


def test_ranges_keep_what_is_no_distance(protobuf):
    message = protobuf('LaserScan')
    message.ranges.extend([1.5, math.inf, -math.inf, 0.25])
    found = messages.ranges_of(message.SerializeToString())
    assert found.dtype == np.float32
    assert found.tolist() == [1.5, math.inf, -math.inf, 0.25]
    assert messages.ranges_of(b'').size == 0


@given(x=st.floats(-50, 50), y=st.floats(-50, 50), yaw=st.floats(-3.1, 3.1),
       speed=st.floats(-4, 4), rate=st.floats(-9, 9))
def test_ground_truth_is_read(protobuf, x, y, yaw, speed, rate):
    message = protobuf('Odometry')
    message.pose.position.x, message.pose.position.y = x, y
    message.pose.orientation.z, message.pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    message.twist.linear.x, message.twist.angular.z = speed, rate
    motion = messages.motion_of(message.SerializeToString())
    assert (motion.pose.x_m, motion.pose.y_m) == (x, y)
    assert motion.pose.yaw_rad == pytest.approx(yaw, abs=1e-12)
    assert (motion.vx_mps, motion.vy_mps, motion.yaw_rate_radps) == (speed, 0.0, rate)


def test_twists_are_read(protobuf):
    message = protobuf('Twist')
    message.header.stamp.sec, message.linear.x, message.angular.z = 3, 1.5, -2.5
    assert messages.twist_of(message.SerializeToString()) == (1.5, -2.5)
    assert messages.twist_of(b'') == (0.0, 0.0)


def test_what_is_written_is_what_protobuf_reads(protobuf):
    told = protobuf('Actuators')
    told.ParseFromString(messages.actuators(Joints(np.array([1.0, 2.0, -3.0, 0.0]), 0.25)))
    assert (list(told.velocity), list(told.position)) == ([1.0, 2.0, -3.0, 0.0], [0.25])
    control = protobuf('WorldControl')
    control.ParseFromString(messages.pause(then_steps=300))
    assert (control.pause, control.multi_step) == (True, 300)
    control.ParseFromString(messages.run())
    assert (control.pause, control.multi_step) == (False, 0)
    pose = protobuf('Pose')
    pose.ParseFromString(messages.model_pose('car', Pose(1.0, -2.0, math.pi / 2)))
    assert (pose.name, pose.position.x, pose.position.y, pose.position.z) == ('car', 1.0, -2.0, 0)
    turn = pose.orientation
    assert messages.yaw_of((turn.x, turn.y, turn.z, turn.w)) == pytest.approx(math.pi / 2)


def test_answers_are_read(protobuf):
    message = protobuf('Boolean')
    assert not messages.is_true(message.SerializeToString())
    message.data = True
    assert messages.is_true(message.SerializeToString())


@given(st.lists(st.tuples(st.integers(1, 2000), st.integers(0, 2**64 - 1) | st.binary())))
def test_fields_come_back_as_they_were_written(content):
    written = b''.join(wire.of_int(number, value) if isinstance(value, int)
                       else wire.of_bytes(number, value) for number, value in content)
    read = [(number, value if isinstance(value, int) else bytes(value))
            for number, value in wire.fields(written)]
    assert read == content


def test_signs_survive():
    assert wire.as_int(next(wire.fields(b'\x08' + b'\xff' * 9 + b'\x01'))[1]) == -1


@pytest.mark.parametrize('data', [b'\x0a\x05abc', b'\x09\0\0', b'\x08\x80', b'\x80', b'\x0b'])
def test_what_is_cut_off_or_unknown_is_refused(data):
    with pytest.raises(MessageError, match=r'must be complete|is of kind 3; allowed: 0, 1, 2, 5'):
        list(wire.fields(data))


def test_numbers_of_32_bits_are_passed_over():
    data = b'\x0d' + struct.pack('<f', 1.0) + wire.of_int(2, 7)
    assert [number for number, _ in wire.fields(data)] == [1, 2]
