"""Launch files against the package, without ROS launch: recorders stand in for its modules.

test/ros/test_launch_ros.py runs the same files for real wherever ROS launch is installed.
"""

import importlib.util
import sys
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
FILES = ('vehicle', 'sim', 'train', 'rviz')


class LaunchConfiguration:
    def __init__(self, name):
        self.name = name

    def perform(self, context):
        assert self.name in context.values, f'argument {self.name} is used but not declared'
        return context.values[self.name]


class EnvironmentVariable:
    def __init__(self, name, default_value):
        self.name, self.default_value = name, default_value


class PathJoinSubstitution:
    def __init__(self, parts):
        self.parts = parts

    def perform(self, context):
        return '/'.join(text(part, context) for part in self.parts)


class FindPackageShare:
    def __init__(self, package):
        assert package == 'racer'

    def perform(self, context):
        return str(REPOSITORY)


class ParameterValue:
    def __init__(self, value, value_type):
        self.value, self.value_type = value, value_type

    def evaluate(self, context):
        written = text(self.value, context)
        value = written if self.value_type is str else yaml.safe_load(written)
        assert isinstance(value, self.value_type), f'{written!r} is no {self.value_type.__name__}'
        return value


class IfCondition:
    def __init__(self, condition):
        self.condition = condition

    def holds(self, context):
        return {'true': True, 'false': False}[text(self.condition, context)]


class LaunchDescription:
    def __init__(self, entities):
        self.entities = entities

    def visit(self, context):
        for entity in self.entities:
            entity.visit(context)


class GroupAction(LaunchDescription):
    def visit(self, context):
        super().visit(Context(dict(context.values), context.nodes))


class OpaqueFunction:
    def __init__(self, function):
        self.function = function

    def visit(self, context):
        LaunchDescription(self.function(context)).visit(context)


class DeclareLaunchArgument:
    def __init__(self, name, default_value=None, description='', choices=None):
        assert description, f'argument {name} says not what it is'
        self.name, self.default_value, self.choices = name, default_value, choices

    def visit(self, context):
        if self.name not in context.values:
            assert self.default_value is not None, f'argument {self.name} must be given'
            context.values[self.name] = text(self.default_value, context)
        assert not self.choices or context.values[self.name] in self.choices


class PythonLaunchDescriptionSource:
    def __init__(self, location):
        self.location = location


class IncludeLaunchDescription:
    def __init__(self, source, launch_arguments, condition=None):
        self.source, self.arguments, self.condition = source, dict(launch_arguments), condition

    def visit(self, context):
        if self.condition and not self.condition.holds(context):
            return
        description = load(Path(text(self.source.location, context)))
        declared = {entity.name for entity in description.entities
                    if isinstance(entity, DeclareLaunchArgument)}
        assert set(self.arguments) <= declared, 'an included file takes no such argument'
        # As ROS launch has it: what is passed on holds here too, unless a group keeps it apart.
        passed_on = {name: text(value, context) for name, value in self.arguments.items()}
        context.values.update(passed_on)
        description.visit(context)


class Shutdown:
    pass


class Node:
    def __init__(self, *, package, executable, name, namespace, parameters, output,
                 condition=None, arguments=(), remappings=(), on_exit=None, additional_env=None):
        assert output == 'screen'
        self.package, self.executable, self.name = package, executable, name
        self.namespace, self.parameters, self.condition = namespace, parameters, condition
        self.arguments, self.remappings, self.on_exit = arguments, remappings, on_exit

    def visit(self, context):
        if self.condition and not self.condition.holds(context):
            return
        settings = {}
        for source in self.parameters:
            if not isinstance(source, dict):
                file = Path(text(source, context))
                source = yaml.safe_load(file.read_text('utf-8'))['/**']['ros__parameters']
                self.known = {**source, 'use_sim_time': False}
            settings |= {name: evaluate(value, context) for name, value in source.items()}
        context.nodes.append((self.package, self.executable, text(self.namespace, context),
                              settings, getattr(self, 'known', {}),
                              [text(word, context) for word in self.arguments]))


class Context:
    def __init__(self, values, nodes=None):
        self.values, self.nodes = values, [] if nodes is None else nodes


def text(value, context):
    return value if isinstance(value, str) else value.perform(context)


def evaluate(value, context):
    if hasattr(value, 'evaluate'):
        return value.evaluate(context)
    return text(value, context) if hasattr(value, 'perform') else value


RECORDERS = {
    'launch': [LaunchDescription],
    'launch.actions': [DeclareLaunchArgument, GroupAction, IncludeLaunchDescription,
                       OpaqueFunction, Shutdown],
    'launch.conditions': [IfCondition],
    'launch.launch_description_sources': [PythonLaunchDescriptionSource],
    'launch.substitutions': [EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution],
    'launch_ros': [],
    'launch_ros.actions': [Node],
    'launch_ros.parameter_descriptions': [ParameterValue],
    'launch_ros.substitutions': [FindPackageShare],
}


@pytest.fixture(autouse=True)
def recorders(monkeypatch):
    for name, kinds in RECORDERS.items():
        module = ModuleType(name)
        for kind in kinds:
            setattr(module, kind.__name__, kind)
        monkeypatch.setitem(sys.modules, name, module)


def load(path):
    spec = importlib.util.spec_from_file_location(path.name.replace('.', '_'), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


def launched(name, **arguments):
    """(package, executable, namespace, settings, settings of the file, words) of each node."""
    context = Context(dict(arguments))
    load(REPOSITORY / 'launch' / f'{name}.launch.py').visit(context)
    return context.nodes


def by_name(nodes):
    return {(namespace, executable): settings for _, executable, namespace, settings, *_ in nodes}


COMBINATIONS = [
    ('vehicle', {}),
    ('vehicle', {'namespace': 'red', 'inference': 'false', 'camera': 'fake'}),
    ('sim', {}),
    ('sim', {'cars': '3', 'rviz': 'true', 'track': 'pebble', 'mode': 'lockstep'}),
    ('sim', {'simulator': 'gazebo', 'gui': 'true', 'cars': '2'}),
    ('sim', {'simulator': 'gazebo', 'bridge': 'true'}),
    ('sim', {'obstacles': '2', 'obstacle_places': '0.2,left 0.6,right', 'seed': '5'}),
    ('sim', {'simulator': 'gazebo', 'bots': '3', 'bot_fastest_mps': '0.9',
             'bots_change_lanes': 'true'}),
    ('train', {'model': 'm'}),
    ('train', {'model': 'm', 'cars': '2', 'namespace': 'lab'}),
    ('rviz', {'namespace': 'car2'}),
]


def test_every_launch_file_is_tried():
    assert {path.name for path in (REPOSITORY / 'launch').glob('*.py')} == {
        f'{name}.launch.py' for name in FILES}
    assert {name for name, _ in COMBINATIONS} == set(FILES)


@pytest.mark.parametrize(('name', 'arguments'), COMBINATIONS)
def test_what_is_launched_exists_and_takes_what_it_is_told(name, arguments):
    scripts = distribution('racer').entry_points.select(group='console_scripts').names
    nodes = launched(name, **arguments)
    assert nodes
    for package, executable, _, settings, known, _ in nodes:
        if package in {'rviz2', 'ros_gz_bridge'}:
            continue
        assert (package, executable in scripts) == ('racer', True), executable
        assert settings.keys() <= known.keys(), f'{executable} has no such parameter'
        for key, value in settings.items():
            assert type(value) is type(known[key]), f'{executable}: {key} is {value!r}'


def test_a_car_by_itself_is_a_real_car_that_waits_to_be_enabled():
    nodes = by_name(launched('vehicle'))
    assert [executable for _, executable in nodes] == ['camera_node', 'lidar_node', 'motor_node',
                                                       'inference_node']
    motor = nodes['', 'motor_node']
    assert (motor['driver'], motor['start_enabled'], motor['use_sim_time']) == ('pwm', False,
                                                                               False)


def test_a_car_has_a_folder_of_settings_of_its_own(tmp_path):
    for file in (REPOSITORY / 'config').glob('*.yaml'):
        (tmp_path / file.name).write_text(file.read_text('utf-8').replace(
            'max_speed_mps: 4.0', 'max_speed_mps: 1.0'))
    assert by_name(launched('vehicle'))['', 'motor_node']['max_speed_mps'] == 4.0
    own = by_name(launched('vehicle', config=str(tmp_path)))['', 'motor_node']
    assert (own['max_speed_mps'], own['driver']) == (1.0, 'pwm')


def test_the_nodes_of_a_car_live_and_die_together():
    description = load(REPOSITORY / 'launch' / 'vehicle.launch.py')
    nodes = [entity for entity in description.entities if isinstance(entity, Node)]
    assert len(nodes) == 4 and all(isinstance(node.on_exit, Shutdown) for node in nodes)


def test_a_simulated_car_has_the_same_nodes_with_other_drivers():
    nodes = by_name(launched('sim', model='/m.racer', track='pebble', direction='reverse'))
    assert set(nodes) == {('', f'{name}_node') for name in (
        'sim', 'camera', 'lidar', 'motor', 'inference', 'race_control')}
    for name in ('camera', 'lidar', 'motor'):
        assert nodes['', f'{name}_node']['driver'] == 'simulated'
    assert nodes['', 'inference_node']['bundle'] == '/m.racer'
    for name in ('sim', 'race_control'):
        settings = nodes['', f'{name}_node']
        assert (settings['track'], settings['direction']) == ('pebble', 'reverse')
    assert not nodes['', 'sim_node'].get('use_sim_time'), 'it makes the clock'
    assert all(settings['use_sim_time'] for (_, name), settings in nodes.items()
               if name != 'sim_node')


def test_gazebo_takes_the_place_of_the_simulator_and_of_nothing_else():
    embedded = by_name(launched('sim', track='pebble', mode='lockstep'))
    gazebo = by_name(launched('sim', track='pebble', mode='lockstep', simulator='gazebo'))
    told, taken = embedded.pop(('', 'sim_node')), gazebo.pop(('', 'gazebo_node'))
    assert gazebo == embedded
    assert {name: taken[name] for name in ('track', 'mode', 'namespaces')} == {
        name: told[name] for name in ('track', 'mode', 'namespaces')}
    assert taken['topics'] == 'own'


def test_boxes_and_bots_are_the_simulators_and_race_control_hears_of_them():
    for simulator, node in (('embedded', 'sim_node'), ('gazebo', 'gazebo_node')):
        nodes = by_name(launched('sim', simulator=simulator, obstacles='2',
                                 obstacle_places='0.2,left 0.6,right'))
        told = nodes['', node]
        assert (told['obstacles'], told['obstacle_places']) == (2, '0.2,left 0.6,right')
        assert 'obstacles' not in nodes['', 'race_control_node']


def test_a_bridge_carries_the_topics_if_wanted():
    nodes = launched('sim', simulator='gazebo', bridge='true', namespace='lab')
    assert by_name(nodes)['lab', 'gazebo_node']['topics'] == 'bridge'
    package, _, namespace, settings, *_ = next(
        node for node in nodes if node[1] == 'parameter_bridge')
    assert (package, namespace) == ('ros_gz_bridge', 'lab')
    assert Path(settings['config_file']).is_file()


def test_several_cars_share_a_simulator_and_nothing_else():
    nodes = by_name(launched('sim', cars='2', namespace='lab'))
    assert nodes['lab', 'sim_node']['namespaces'] == ['car1', 'car2']
    for car in ('lab/car1', 'lab/car2'):
        assert {name for namespace, name in nodes if namespace == car} == {
            'camera_node', 'lidar_node', 'motor_node', 'inference_node', 'race_control_node'}
    assert [nodes[f'lab/car{car}', 'race_control_node']['place'] for car in (1, 2)] == [0, 1]


def test_a_trainer_drives_alone():
    nodes = by_name(launched('train', model='fast', cars='2', track='pebble'))
    trainer = nodes['', 'trainer_node']
    assert (trainer['model'], trainer['track']) == ('fast', 'pebble')
    assert trainer['namespaces'] == nodes['', 'sim_node']['namespaces'] == ['car1', 'car2']
    assert not any(name == 'inference_node' for _, name in nodes)
    assert nodes['', 'sim_node']['mode'] == 'lockstep'


def test_rviz_is_given_its_configuration_and_one_cars_namespace():
    package, _, namespace, _, _, words = launched('sim', cars='2', rviz='true')[-1]
    assert (package, namespace) == ('rviz2', 'car1')
    assert Path(words[1]).is_file()


@pytest.mark.parametrize(('name', 'arguments'), [
    ('sim', {'simulator': 'another'}), ('sim', {'factor': 'fast'}), ('train', {})])
def test_wrong_arguments_are_refused(name, arguments):
    with pytest.raises(AssertionError):
        launched(name, **arguments)


def test_ros_finds_every_executable_of_a_wheel():
    scripts = distribution('racer').entry_points.select(group='console_scripts').names
    wrappers = {path.name: path for path in (REPOSITORY / 'lib_exec').iterdir()}
    assert set(wrappers) == set(scripts)
    for name, path in wrappers.items():
        assert path.stat().st_mode & 0o111 == 0o111
        assert f'/../../bin/{name}" "$@"' in path.read_text('utf-8')
