"""What every test may ask for. Test runs are reproducible: one thread, and derandomised in CI."""

import os
import shutil
from pathlib import Path

# Before numpy and torch start threads: sums over several of them differ in the last bit.
os.environ['OMP_NUM_THREADS'] = '1'

import hypothesis
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

hypothesis.settings.register_profile('laptop', deadline=None)
hypothesis.settings.register_profile('ci', deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile('ci' if os.environ.get('CI') else 'laptop')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several test processes one runs all the ROS graphs, one graph after another.

    Two graphs at once are more processes than two cores run in time, and a command that is late
    is not driven, as on a car.
    """
    for item in items:
        if item.get_closest_marker('ros'):
            item.add_marker(pytest.mark.xdist_group('graphs'))


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
