"""Imports go one way, and the lines between the packages hold when somebody leans on them."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('importlinter')

LINT = 'from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))'

IMPORT_ALL = """
import importlib, pkgutil, sys
package, *blocked = sys.argv[1:]
sys.modules.update(dict.fromkeys(blocked))
path = importlib.import_module(package).__path__
for module in pkgutil.walk_packages(path, package + '.', onerror=print):
    if '.nodes' not in module.name:
        importlib.import_module(module.name)
"""

LEARNING = ('torch', 'stable_baselines3', 'gymnasium', 'matplotlib')


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True,
                          timeout=120, check=False)


def toy_packages(folder: Path, pyproject: Path) -> None:
    """Three empty packages, each with `nodes`, under the repository's own contracts."""
    (folder / 'pyproject.toml').write_bytes(pyproject.read_bytes())
    for package in ('racer_vehicle', 'racer_sim', 'racer_rl'):
        (folder / package / 'nodes').mkdir(parents=True)
        (folder / package / '__init__.py').touch()
        (folder / package / 'nodes' / '__init__.py').touch()


def test_contracts_hold(repository):
    result = python(repository, '-c', LINT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(('file', 'line', 'broken'), [
    ('racer_vehicle/codec.py', 'import racer_sim', 'never the other way BROKEN'),
    ('racer_sim/world.py', 'import racer_rl', 'never the other way BROKEN'),
    ('racer_vehicle/policy.py', 'import torch', 'ONNX Runtime and ROS BROKEN'),
    ('racer_vehicle/policy.py', 'import stable_baselines3.ppo', 'ONNX Runtime and ROS BROKEN'),
    ('racer_vehicle/nodes/lidar.py', 'import gymnasium', 'ONNX Runtime and ROS BROKEN'),
    ('racer_sim/world.py', 'def draw():\n    import matplotlib.pyplot', 'draws nothing BROKEN'),
    ('racer_sim/env.py', 'import gymnasium', 'draws nothing BROKEN'),
    ('racer_vehicle/codec.py', 'import rclpy', 'below nodes only BROKEN'),
    ('racer_rl/env.py', 'from sensor_msgs.msg import Image', 'below nodes only BROKEN'),
])
def test_contracts_bite(tmp_path, repository, file, line, broken):
    toy_packages(tmp_path, repository / 'pyproject.toml')
    (tmp_path / file).write_text(line + '\n')
    result = python(tmp_path, '-c', LINT)
    assert result.returncode == 1
    assert broken in result.stdout


@pytest.mark.parametrize('line', ['import rclpy', 'from sensor_msgs.msg import LaserScan'])
def test_nodes_may_import_ros_and_be_imported(tmp_path, repository, line):
    toy_packages(tmp_path, repository / 'pyproject.toml')
    (tmp_path / 'racer_vehicle/nodes/camera_node.py').write_text(line + '\n')
    (tmp_path / 'racer_rl/race.py').write_text('import racer_vehicle.nodes.camera_node\n')
    result = python(tmp_path, '-c', LINT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize('package', ['racer_vehicle', 'racer_sim'])
def test_imports_without_ros_and_learning_libraries(repository, package):
    result = python(repository, '-c', IMPORT_ALL, package, 'rclpy', *LEARNING)
    assert result.returncode == 0, result.stderr
