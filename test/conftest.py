"""What every test may ask for, and how tests are shared out.

Test runs are reproducible: one thread, and derandomised in CI.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before numpy and torch start threads: sums over several of them differ in the last bit.
os.environ['OMP_NUM_THREADS'] = '1'

import hypothesis
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

hypothesis.settings.register_profile('laptop', deadline=None)
hypothesis.settings.register_profile('ci', deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile('ci' if os.environ.get('CI') else 'laptop')


MEMORY = Path('/dev/shm')
ROOM_BYTES = 4 << 30
WORKER = os.environ.get('PYTEST_XDIST_WORKER', '')
"""Name of this test process; '' if it is the only one."""


def keep_files_in_memory() -> None:
    """Where there is room, tests write there: no disk then holds up a car for seconds."""
    if not MEMORY.is_dir():
        return
    about = os.statvfs(MEMORY)
    has_room = about.f_bavail * about.f_frsize >= ROOM_BYTES
    if has_room and not about.f_flag & os.ST_NOEXEC and os.access(MEMORY, os.W_OK):
        os.environ.setdefault('PYTEST_DEBUG_TEMPROOT', str(MEMORY))


keep_files_in_memory()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests stay together, and of several processes' tests the longest begin.

    One process runs all the ROS graphs, one graph after another: two at once are more processes
    than two cores run in time, and a command that is late is not driven, as on a car. The tests
    of a file share what was made for them once; slow ones go alone.
    """
    for item in items:
        if item.get_closest_marker('xdist_group'):
            continue  # it says so itself
        if item.get_closest_marker('ros'):
            item.add_marker(pytest.mark.xdist_group('graphs'))
        elif not item.get_closest_marker('slow'):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition('::')[0]))
    if WORKER:
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    group = item.get_closest_marker('xdist_group')
    if group is not None and group.args == ('graphs',):
        return 0
    return 1 if item.get_closest_marker('slow') else 2


HAS_BEGUN = pytest.StashKey[bool]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Of several processes those that did not get the graphs step back for the one that did."""
    if WORKER and not item.config.stash.get(HAS_BEGUN, False):
        item.config.stash[HAS_BEGUN] = True
        if _turn(item) > 0:
            os.nice(5)


@pytest.fixture
def repository() -> Path:
    """Root of the source tree."""
    return REPOSITORY


@pytest.fixture
def racer_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `$RACER_HOME` of the test's own."""
    home = tmp_path / 'racer_home'
    home.mkdir()
    monkeypatch.setenv('RACER_HOME', str(home))
    return home


@pytest.fixture(scope='session')
def toy() -> Callable[..., Any]:
    """Makes bundles: steering = `steering` + `gain` x mean brightness (0 to 1), speed constant.

    With `scan_gain` also + `scan_gain` x mean of the encoded scan.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    from racer_vehicle.action import ContinuousActions
    from racer_vehicle.observation import ObservationSpec, Sensor
    from racer_vehicle.policy import PolicyBundle
    from racer_vehicle.policy_card import CarDimensions, PolicyCard
    from racer_vehicle.spec import CarSpec

    def network(steering: float, speed: float, gain: float, scan_gain: float,
                lidar_size: int) -> bytes:
        constants = {'scale': np.array([[gain / 255.0, 0.0]]),
                     'bias': np.array([[steering, speed]])}
        if lidar_size:
            constants['scan_scale'] = np.zeros((lidar_size, 2))
            constants['scan_scale'][:, 0] = scan_gain / lidar_size
        nodes = [helper.make_node('Cast', ['camera'], ['floats'], to=TensorProto.FLOAT),
                 helper.make_node('GlobalAveragePool', ['floats'], ['pooled']),
                 helper.make_node('Flatten', ['pooled'], ['mean']),
                 helper.make_node('Mul', ['mean', 'scale'], ['scaled']),
                 helper.make_node('Add', ['scaled', 'bias'],
                                  ['by_image' if lidar_size else 'action'])]
        sensors = [helper.make_tensor_value_info('camera', TensorProto.UINT8,
                                                 ['cars', 1, 120, 160])]
        if lidar_size:
            sensors.append(helper.make_tensor_value_info('lidar', TensorProto.FLOAT,
                                                         ['cars', lidar_size]))
            nodes += [helper.make_node('MatMul', ['lidar', 'scan_scale'], ['by_scan']),
                      helper.make_node('Add', ['by_image', 'by_scan'], ['action'])]
        graph = helper.make_graph(
            nodes, 'toy', sensors,
            [helper.make_tensor_value_info('action', TensorProto.FLOAT, ['cars', 2])],
            [numpy_helper.from_array(value.astype(np.float32), name)
             for name, value in constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
        return model.SerializeToString()

    def make(model: str = 'toy', steering: float = 0.25, speed: float = 0.0, gain: float = 0.0,
             wheelbase_m: float = CarSpec().wheelbase_m, scan_gain: float = 0.0) -> PolicyBundle:
        lidar = (Sensor.LIDAR,) if scan_gain else ()
        observation = ObservationSpec(sensors=(Sensor.FRONT_FACING_CAMERA, *lidar))
        car = CarDimensions.of(CarSpec(wheelbase_m=wheelbase_m))
        card = PolicyCard(model=model, observation=observation, action=ContinuousActions(),
                          car=car, onnx_sha256='0' * 64, track=('oval',),
                          reward_sha256='0' * 64, seed=0, steps=1000, versions={})
        return PolicyBundle.pack(card, network(steering, speed, gain, scan_gain,
                                               observation.lidar_size))

    return make


@pytest.fixture(scope='session')
def real_tracks() -> Path:
    """Folder of real DeepRacer tracks, kept beside the checkout because they are not ours."""
    folder = REPOSITORY.parent / 'shared' / 'data' / 'tracks'
    if not folder.is_dir():
        pytest.skip('NOT TESTED on real DeepRacer tracks: ../shared/data/tracks is absent')
    return folder


@pytest.fixture(scope='session')
def gazebo_here() -> None:
    """A Gazebo that can be started; without one the test says so and is skipped."""
    from racer_sim.gazebo.transport import GazeboError, bindings

    if shutil.which('gz') is None:
        pytest.skip('NOT TESTED on Gazebo: gz is not installed')
    try:
        bindings()
    except GazeboError as error:
        pytest.skip(f'NOT TESTED on Gazebo: {error}')
