"""Parameters: declared once, typed, ranged, described, read-only; YAML files say the same."""

from dataclasses import fields

import pytest

pytest.importorskip('rclpy')

import yaml
from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter

from racer_vehicle.nodes.camera_node import CameraNode
from racer_vehicle.nodes.devices import ActuatorSettings, CameraSettings, LidarSettings
from racer_vehicle.nodes.inference_node import InferenceNode, InferenceSettings
from racer_vehicle.nodes.lidar_node import LidarNode
from racer_vehicle.nodes.motor_node import MotorNode, MotorSettings

pytestmark = pytest.mark.ros

NODES = {
    'camera': (CameraNode, (CameraSettings,), {'driver': 'fake'}),
    'lidar': (LidarNode, (LidarSettings,), {'driver': 'fake'}),
    'inference': (InferenceNode, (InferenceSettings,), {}),
    'motor': (MotorNode, (MotorSettings, ActuatorSettings), {'driver': 'fake'}),
}


def defaults(kinds):
    return {item.name: getattr(kind(), item.name) for kind in kinds for item in fields(kind)}


@pytest.mark.parametrize('name', NODES)
def test_the_yaml_file_names_every_setting_with_its_default(repository, name):
    text = (repository / f'config/{name}.yaml').read_text('utf-8')
    assert yaml.safe_load(text) == {'/**': {'ros__parameters': defaults(NODES[name][1])}}


@pytest.mark.parametrize('name', NODES)
def test_every_setting_is_described_and_fixed_while_the_node_runs(graph, name):
    kind, settings, overrides = NODES[name]
    node = graph.add(kind, **overrides)
    for key in defaults(settings):
        descriptor = node.describe_parameter(key)
        assert descriptor.description and descriptor.read_only, key
        numeric = descriptor.type in {ParameterType.PARAMETER_INTEGER,
                                      ParameterType.PARAMETER_DOUBLE}
        assert numeric == bool(descriptor.integer_range or descriptor.floating_point_range), key
    result = node.set_parameters([Parameter('car.wheelbase_m', value=0.2)])[0]
    assert not result.successful


@pytest.mark.parametrize(('overrides', 'pattern'), [
    ({'driver': 'laser'}, 'driver is .laser.; allowed: v4l2, simulated, fake'),
    ({'fps': 1000}, r'fps.*allowed: int 1 to 240, e.g. 15'),
    ({'fps': 'fast'}, r'fps.*allowed: int 1 to 240'),
    ({'camera__width_px': 7}, r'CameraSpec.width_px is 7; allowed: 8 to 1920'),
])
def test_values_that_cannot_be_used_are_refused_by_name(graph, overrides, pattern):
    with pytest.raises(ValueError, match=pattern):
        graph.add(CameraNode, **{'driver': 'fake', **overrides})


def test_a_process_reads_its_file_and_says_in_one_line_what_is_wrong(graph, repository, tmp_path):
    text = (repository / 'config/motor.yaml').read_text('utf-8')
    wrong = tmp_path / 'motor.yaml'
    wrong.write_text(text.replace('driver: pwm ', 'driver: steam '))
    process = graph.start('racer_vehicle.nodes.motor_node', '--ros-args', '--params-file',
                          str(wrong))
    assert process.wait() == 2
    assert "driver is 'steam'; allowed: pwm" in process.output
    assert 'Traceback' not in process.output
