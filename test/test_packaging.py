"""The package as others meet it: versions, declared dependencies, the wheel, the pins."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from racer_rl.cli.main import run

PACKAGES = ('racer_vehicle', 'racer_sim', 'racer_rl')

ROS = {'rclpy', 'builtin_interfaces', 'diagnostic_msgs', 'geometry_msgs', 'nav_msgs',
       'rcl_interfaces', 'rosgraph_msgs', 'sensor_msgs', 'std_msgs', 'std_srvs', 'tf2_msgs',
       'visualization_msgs', 'ament_index_python', 'launch', 'launch_ros'}
"""Modules that come with ROS and are never asked of PyPI."""

DISTRIBUTIONS = {'PIL': 'pillow', 'cv2': 'opencv-python-headless',
                 'stable_baselines3': 'stable-baselines3', 'yaml': 'pyyaml'}
"""Module to distribution, where the names differ."""

ADDRESS = re.compile(r'https?:|file:|--(extra-)?index-url|--find-links|\+cpu|\+cu\d')


def requirement_name(requirement: str) -> str:
    return re.match(r'[\w.-]+', requirement)[0].replace('_', '-').lower()


def imported_modules(folder: Path) -> set[str]:
    """Top-level modules that any file below a folder imports, wherever in the file."""
    names = set()
    for file in folder.rglob('*.py'):
        for node in ast.walk(ast.parse(file.read_text('utf-8'))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition('.')[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.partition('.')[0])
    return names


def pins(repository: Path) -> list[str]:
    lines = (repository / 'constraints.txt').read_text('utf-8').splitlines()
    return [line for line in lines if line and not line.startswith('#')]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """A wheel built from a copy, so that no build folder appears in the checkout."""
    repository = Path(__file__).resolve().parents[1]
    source = tmp_path_factory.mktemp('source') / 'racer'
    unwanted = shutil.ignore_patterns('.*', '__pycache__', 'build', '*.egg-info', 'runs')
    shutil.copytree(repository, source, ignore=unwanted)
    command = [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-index', '--quiet',
               '--no-build-isolation', '--wheel-dir', source.parent, source]
    build = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert build.returncode == 0, build.stderr
    with zipfile.ZipFile(next(source.parent.glob('racer-*.whl'))) as archive:
        yield archive


def test_versions_agree(repository, capsys):
    setup = re.search(r"version='([^']+)'", (repository / 'setup.py').read_text('utf-8'))[1]
    changelog = (repository / 'CHANGELOG.md').read_text('utf-8')
    assert ElementTree.parse(repository / 'package.xml').findtext('version') == setup
    assert re.search(r'^## (\S+)', changelog, re.MULTILINE)[1] == setup
    assert importlib.metadata.version('racer') == setup
    assert run(['--version']) == 0
    assert capsys.readouterr().out == f'racer {setup}\n'


def console_scripts() -> set[str]:
    scripts = importlib.metadata.distribution('racer').entry_points
    return scripts.select(group='console_scripts').names


def test_console_scripts_import():
    scripts = importlib.metadata.distribution('racer').entry_points.select(group='console_scripts')
    assert 'racer' in scripts.names
    assert all(callable(script.load()) for script in scripts)


def test_every_import_is_declared():
    repository = Path(__file__).resolve().parents[1]
    modules = set().union(*(imported_modules(repository / package) for package in PACKAGES))
    foreign = modules - set(sys.stdlib_module_names) - ROS - set(PACKAGES)
    runtime = [requirement for requirement in importlib.metadata.requires('racer')
               if 'extra == "test"' not in requirement]
    declared = {requirement_name(requirement) for requirement in runtime}
    assert {DISTRIBUTIONS.get(module, module) for module in foreign} <= declared


def test_wheel_holds_all_of_the_packages_and_nothing_else(wheel, repository):
    code = {name for name in wheel.namelist() if not re.match(r'racer-[^/]+/', name)}
    assert code == {file.relative_to(repository).as_posix()
                    for package in PACKAGES for file in (repository / package).rglob('*')
                    if file.is_file() and '__pycache__' not in file.parts}


def test_wheel_tells_ros_where_things_are(wheel, repository):
    data = {name.partition('.data/data/')[2] for name in wheel.namelist()}
    shared = {f'share/racer/{file.relative_to(repository).as_posix()}'
              for folder in ('launch', 'config', 'rviz', 'worlds')
              for file in (repository / folder).rglob('*')
              if file.is_file() and '__pycache__' not in file.parts}
    assert {'share/ament_index/resource_index/packages/racer', 'share/racer/package.xml'} <= data
    assert shared <= data
    assert {f'lib/racer/{script}' for script in console_scripts()} <= data


def test_package_xml_declares_ament_python(repository):
    package = ElementTree.parse(repository / 'package.xml').getroot()
    assert package.get('format') == '3'
    assert package.findtext('export/build_type') == 'ament_python'
    assert (repository / 'resource' / package.findtext('name')).is_file()


def test_launch_is_no_package(repository):
    assert not (repository / 'launch' / '__init__.py').exists(), 'it would hide ROS launch'


def test_constraints_are_exact_and_complete(repository):
    lines = pins(repository)
    assert [line for line in lines if not re.fullmatch(r'[a-z0-9-]+==[\w.]+', line)] == []
    pinned = {line.partition('==')[0] for line in lines}
    assert len(pinned) == len(lines)
    assert {requirement_name(entry) for entry in importlib.metadata.requires('racer')} <= pinned


@pytest.mark.parametrize('name', ['constraints.txt', 'Makefile', 'setup.py', 'setup.cfg',
                                  'pyproject.toml', '.ci/run'])
def test_no_registry_address(repository, name):
    text = (repository / name).read_text('utf-8')
    comments_apart = re.sub(r'^\s*#.*$', '', text, flags=re.MULTILINE)
    assert ADDRESS.search(comments_apart) is None
