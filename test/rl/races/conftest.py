"""Policies small enough to be written down, of every encoding that a race may bring together."""

from collections.abc import Callable

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from racer_vehicle.action import ContinuousActions
from racer_vehicle.observation import CameraEncoding, ObservationSpec, Sensor
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.policy_card import CarDimensions, PolicyCard
from racer_vehicle.spec import CarSpec

CAR = CarSpec()


def network(spec, bias, gain, doubled):
    """Outputs `bias` + `gain` x mean brightness (0 to 1); the scan is read and does not matter."""
    inputs = [helper.make_tensor_value_info(
        'camera', TensorProto.UINT8, ['cars', *spec.camera_shape])]
    constants = {'scale': np.array([gain]) / 255.0, 'bias': np.array([bias]),
                 'nothing': np.zeros((1, 1)), 'one': np.array([1])}
    nodes = [helper.make_node('Cast', ['camera'], ['floats'], to=TensorProto.FLOAT),
             helper.make_node('Flatten', ['floats'], ['flat']),
             helper.make_node('ReduceMean', ['flat', 'one'], ['mean']),
             helper.make_node('Mul', ['mean', 'scale'], ['scaled']),
             helper.make_node('Add', ['scaled', 'bias'], ['seen'])]
    last = 'seen'
    if spec.lidar_sensor is not None:
        inputs.append(helper.make_tensor_value_info(
            'lidar', TensorProto.FLOAT, ['cars', spec.lidar_size]))
        nodes += [helper.make_node('ReduceMean', ['lidar', 'one'], ['range']),
                  helper.make_node('Mul', ['range', 'nothing'], ['ignored']),
                  helper.make_node('Add', ['seen', 'ignored'], ['scanned'])]
        last = 'scanned'
    ends = [last, last] if doubled else [last]
    nodes.append(helper.make_node('Concat', ends, ['action'], axis=0))
    graph = helper.make_graph(
        nodes, 'brain', inputs,
        [helper.make_tensor_value_info('action', TensorProto.FLOAT, ['cars', len(bias)])],
        [numpy_helper.from_array(value.astype(np.int64 if name == 'one' else np.float32), name)
         for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    return model.SerializeToString()


@pytest.fixture(scope='session')
def brain() -> Callable[..., PolicyBundle]:
    """Makes policies that steer by how bright it is."""

    def make(bias=(0.25, 0.0), gain=(0.3, 0.0), *, lidar=None, stack=1, doubled=False,
             car=CAR, actions=None, **camera):
        sensors = (Sensor.FRONT_FACING_CAMERA, *(() if lidar is None else (lidar,)))
        spec = ObservationSpec(sensors=sensors, camera=CameraEncoding(**camera), stack=stack)
        card = PolicyCard(
            model='brain', observation=spec, action=actions or ContinuousActions(),
            car=CarDimensions.of(car), onnx_sha256='0' * 64,
            track=('oval',), reward_sha256='0' * 64, seed=0, steps=1000, versions={})
        return PolicyBundle.pack(card, network(spec, bias, gain, doubled))

    return make
