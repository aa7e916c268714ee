"""The launch files run by ROS launch itself, where it is installed."""

import os
import signal
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from std_srvs.srv import Trigger

from racer_vehicle.nodes import ros

pytest.importorskip('launch_ros', reason='NOT TESTED: ROS launch is not installed')

pytestmark = pytest.mark.ros

REPOSITORY = Path(__file__).resolve().parents[2]

RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
path, *arguments = sys.argv[1:]
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(path),
    launch_arguments=[argument.split(':=') for argument in arguments])]))
raise SystemExit(service.run())
"""


@pytest.fixture
def launch(tmp_path, monkeypatch, graph):
    """Runs a launch file of the checkout, from an overlay that looks like an installation."""
    share, lib = tmp_path / 'share', tmp_path / 'lib' / 'racer'
    index = share / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / 'racer').touch()
    (share / 'racer').symlink_to(REPOSITORY)
    lib.mkdir(parents=True)
    for script in distribution('racer').entry_points.select(group='console_scripts'):
        (lib / script.name).write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -m {script.module} "$@"\n')
        (lib / script.name).chmod(0o755)
    prefixes = [str(tmp_path), os.environ.get('AMENT_PREFIX_PATH', sys.prefix)]
    monkeypatch.setenv('AMENT_PREFIX_PATH', os.pathsep.join(prefixes))
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(
        [str(REPOSITORY), os.environ.get('PYTHONPATH', '')]))
    log, running = tmp_path / 'launch.log', []

    def start(name, **arguments):
        command = [sys.executable, '-c', RUN, f'{share}/racer/launch/{name}.launch.py',
                   *(f'{key}:={value}' for key, value in arguments.items())]
        with log.open('wb') as stream:
            running.append(subprocess.Popen(command, stdout=stream, stderr=stream, cwd=tmp_path,
                                            start_new_session=True))
        return running[-1]

    try:
        yield start
    finally:
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(20.0)
        if running:
            sys.stderr.write(log.read_text('utf-8', errors='replace'))


def nodes_of(graph):
    return {f'{namespace.rstrip("/")}/{name}'
            for name, namespace in graph.probe.get_node_names_and_namespaces()}


def end(process):
    process.send_signal(signal.SIGINT)
    assert process.wait(30.0) in {0, 1, -2}


def test_a_simulated_car_comes_up_and_can_be_reset(launch, graph):
    states = graph.listen('race/state')
    process = launch('sim', track='pebble', inference='false')
    graph.until(lambda: states, 'race control speaks', 60.0)
    graph.until(lambda: nodes_of(graph) >= {'/sim', '/camera', '/lidar', '/motor',
                                            '/race_control'}, 'all nodes are there')
    assert '/inference' not in nodes_of(graph)
    assert graph.call('race/reset', Trigger.Request()).success
    end(process)


def test_two_cars_come_up_in_two_namespaces(launch, graph):
    heard = {car: [] for car in ('lab/car1', 'lab/car2')}
    for car, messages in heard.items():
        ros.subscription(graph.probe, 'camera/image_raw', messages.append, car)
    process = launch('sim', cars=2, namespace='lab', inference='false')
    graph.until(lambda: all(heard.values()), 'both cars see', 90.0)
    graph.until(lambda: nodes_of(graph) >= {'/lab/sim', '/lab/car1/race_control',
                                            '/lab/car2/race_control'}, 'all nodes are there')
    end(process)


def test_a_choice_that_does_not_exist_is_refused(launch):
    assert launch('sim', simulator='another').wait(30.0) != 0
