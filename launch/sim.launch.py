"""Cars in a simulator, each with its own nodes and race control."""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    Shutdown,
)
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import (
    EnvironmentVariable,
    LaunchConfiguration,
    PathJoinSubstitution,
)
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from racer_vehicle.contract import car_namespaces

ARGUMENTS = (
    ('track', 'oval', 'name or file; `racer tracks list`'),
    ('direction', 'forward', 'or reverse'),
    ('model', '', 'policy bundle (.racer file); empty: wait for one on policy/bundle'),
    ('namespace', '', 'of the car, or of all of them'),
    ('cars', '1', 'how many; more than one are in namespaces car1, car2, ...'),
    ('mode', 'realtime', 'or lockstep'),
    ('factor', '1.0', 'simulated seconds per second in real time'),
    ('image', 'mono8', 'of the camera; or rgb8'),
    ('seed', '0', 'of image ages, and of where boxes and bots are'),
    ('obstacles', '0', 'boxes on the track, up to 6 (one car, no bots)'),
    ('obstacle_places', '', 'theirs: "0.2,left 0.6,right"; empty: random, anew for each lap'),
    ('bots', '0', 'scripted cars, up to 4 (one car, no obstacles)'),
    ('bot_slowest_mps', '0.3', 'a run draws the speed of all bots, from this'),
    ('bot_fastest_mps', '0.7', 'to this'),
    ('bots_change_lanes', 'false', 'true: now and then'),
    ('laps', '3', 'that complete a run'),
    ('resets', '100', 'incidents that a run survives; after each the car is put back'),
    ('leaves', 'false', 'true: a car whose run is over leaves the track to the others'),
    ('inference', 'true', 'false: no policy drives, e.g. because a trainer does'),
    ('rviz', 'false', 'true: show it'),
    ('gui', 'false', "true: Gazebo's own window"),
    ('bridge', 'false', 'true: ros_gz_bridge carries the topics of Gazebo (realtime, one car)'),
)

SIMULATORS = {'embedded': 'sim', 'gazebo': 'gazebo'}

WORLD = {'track': str, 'direction': str, 'mode': str, 'factor': float, 'image': str, 'seed': int,
         'obstacles': int, 'obstacle_places': str, 'bots': int, 'bot_slowest_mps': float,
         'bot_fastest_mps': float, 'bots_change_lanes': bool}
"""Arguments that go to the simulator as they are."""


def shared(*parts):
    """A file that this package shares."""
    return PathJoinSubstitution([FindPackageShare('racer'), *parts])


def argument(name, kind=str):
    """An argument as a parameter."""
    return ParameterValue(LaunchConfiguration(name), value_type=kind)


def included(name, condition=None, **arguments):
    """Another launch file of this package."""
    return IncludeLaunchDescription(PythonLaunchDescriptionSource(shared('launch', name)),
                                    launch_arguments=arguments.items(), condition=condition)


def own_node(name, namespace, **parameters):
    """A node of this package with its YAML; the simulator's end is the end of all."""
    return Node(
        package='racer', executable=f'{name}_node', name=name, namespace=namespace,
        output='screen', on_exit=Shutdown() if name in SIMULATORS.values() else None,
        parameters=[shared('config', f'{name}.yaml'), parameters],
    )


def car(namespace, place, waits):
    """One simulated car, with its race control; a group keeps its arguments to itself."""
    return GroupAction([
        included('vehicle.launch.py', namespace=namespace, camera='simulated', lidar='simulated',
                 motor='simulated', start_enabled='true', use_sim_time='true', wait_for_scan=waits,
                 model=LaunchConfiguration('model'), inference=LaunchConfiguration('inference')),
        own_node('race_control', namespace, use_sim_time=True, place=place,
                 track=argument('track'), direction=argument('direction'),
                 laps=argument('laps', int), resets=argument('resets', int),
                 leaves=argument('leaves', bool)),
    ])


def bridge(namespace):
    """What carries Gazebo's topics into ROS; it looks for them where the Gazebo node speaks."""
    return Node(
        package='ros_gz_bridge', executable='parameter_bridge', name='bridge', output='screen',
        namespace=namespace, parameters=[{'config_file': shared('config', 'gz_bridge.yaml')}],
        additional_env={'GZ_IP': EnvironmentVariable('GZ_IP', default_value='127.0.0.1')},
    )


def simulation(context, within, names):
    """The simulator of cars in these namespaces, and its bridge if wanted."""
    name = SIMULATORS[LaunchConfiguration('simulator').perform(context)]
    bridged = LaunchConfiguration('bridge').perform(context) == 'true'
    own = {'gui': argument('gui', bool), 'topics': 'bridge' if bridged else 'own'}
    node = own_node(name, within, namespaces=names,
                    **{each: argument(each, kind) for each, kind in WORLD.items()},
                    **(own if name == 'gazebo' else {}))
    return [node, bridge(within)] if name == 'gazebo' and bridged else [node]


def cars(context):
    """The simulator, as many cars as were asked for, and rviz if wanted."""
    within = LaunchConfiguration('namespace').perform(context)
    names = list(car_namespaces(int(LaunchConfiguration('cars').perform(context))))
    waits = str(LaunchConfiguration('mode').perform(context) == 'lockstep').lower()
    paths = ['/'.join(filter(None, (within, name))) for name in names]
    return [*simulation(context, within, names),
            *(car(path, place, waits) for place, path in enumerate(paths)),
            included('rviz.launch.py', IfCondition(LaunchConfiguration('rviz')),
                     namespace=paths[0])]


def generate_launch_description():
    """The arguments, and what they ask for."""
    return LaunchDescription([
        DeclareLaunchArgument('simulator', default_value='embedded', choices=list(SIMULATORS),
                              description='what is behind the sim topics'),
        *(DeclareLaunchArgument(name, default_value=default, description=meaning)
          for name, default, meaning in ARGUMENTS),
        OpaqueFunction(function=cars),
    ])
