"""A track that any steering drives round, and policies that mean harm."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from racer_rl.league.confined import ConfinedRaces, RaceLimits
from racer_vehicle.policy import PolicyBundle


@pytest.fixture(scope='session')
def ring(tmp_path_factory) -> Path:
    """A circle of 1.5 m radius and 1 m width: steering of 0.25 goes round it."""
    angle = np.linspace(0.0, 2.0 * np.pi, 90, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    path = tmp_path_factory.mktemp('tracks') / 'ring.npy'
    np.save(path, np.hstack([circle * radius_m for radius_m in (1.5, 1.0, 2.0)]))
    return path


@pytest.fixture(scope='session')
def races():
    """One process for all races of the tests; a network may take a second of CPU time to load."""
    confined = ConfinedRaces(RaceLimits(memory_mib=400, load_cpu_s=1.0, wall_s=60.0))
    yield confined
    confined.close()


@pytest.fixture(scope='session')
def hostile(toy) -> Callable[[str], PolicyBundle]:
    """Bundles whose networks are not what they should be, by kind."""
    def make(kind: str) -> PolicyBundle:
        honest = toy(model=kind)
        return PolicyBundle.pack(honest.card, NETWORKS[kind]())
    return make


def _model(nodes, constants, outputs=2) -> bytes:
    graph = helper.make_graph(
        nodes, 'hostile',
        [helper.make_tensor_value_info('camera', TensorProto.UINT8, ['cars', 1, 120, 160])],
        [helper.make_tensor_value_info('action', TensorProto.FLOAT, ['cars', outputs])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    return model.SerializeToString()


def _mean() -> list:
    return [helper.make_node('Cast', ['camera'], ['floats'], to=TensorProto.FLOAT),
            helper.make_node('GlobalAveragePool', ['floats'], ['pooled']),
            helper.make_node('Flatten', ['pooled'], ['mean'])]


def _wide() -> bytes:
    """Three outputs where its card has two."""
    return _model([*_mean(), helper.make_node('Mul', ['mean', 'ones'], ['action'])],
                  {'ones': np.ones((1, 3), np.float32)}, outputs=3)


def _no_numbers() -> bytes:
    """Finite on the black image on which it is tried, and not on any other."""
    return _model([*_mean(), helper.make_node('Mul', ['mean', 'huge'], ['action'])],
                  {'huge': np.full((1, 2), 3e38, np.float32)})


def _loop(times: int) -> bytes:
    body = helper.make_graph(
        [helper.make_node('Identity', ['go'], ['go_on']),
         helper.make_node('Sin', ['value'], ['next'])], 'body',
        [helper.make_tensor_value_info('turn', TensorProto.INT64, []),
         helper.make_tensor_value_info('go', TensorProto.BOOL, []),
         helper.make_tensor_value_info('value', TensorProto.FLOAT, ['cars', 1])],
        [helper.make_tensor_value_info('go_on', TensorProto.BOOL, []),
         helper.make_tensor_value_info('next', TensorProto.FLOAT, ['cars', 1])])
    return _model(
        [*_mean(), helper.make_node('Loop', ['times', 'go', 'mean'], ['end'], body=body),
         helper.make_node('Mul', ['end', 'ones'], ['action'])],
        {'times': np.int64(times), 'go': np.bool_(True), 'ones': np.ones((1, 2), np.float32)})


def _hog() -> bytes:
    """Wants 8 GiB for a decision."""
    return _model(
        [*_mean(), helper.make_node('Expand', ['mean', 'shape'], ['much']),
         helper.make_node('ReduceMax', ['much'], ['most'], keepdims=1),
         helper.make_node('Mul', ['most', 'ones'], ['action'])],
        {'shape': np.array([1 << 16, 1 << 15]), 'ones': np.ones((1, 2), np.float32)})


NETWORKS = {'wide': _wide, 'no-numbers': _no_numbers, 'endless': lambda: _loop(1 << 40),
            'slow': lambda: _loop(300_000), 'hog': _hog, 'no-network': lambda: b'\x08\x09'}
