"""Train on simulated cars over their topics, in lock-step: as fast as it goes."""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from racer_vehicle.contract import car_namespaces

ARGUMENTS = (
    ('track', 'oval', 'name or file; `racer tracks list`'),
    ('direction', 'forward', 'or reverse'),
    ('namespace', '', 'of the car, or of all of them'),
    ('cars', '1', 'how many drive at the same time'),
    ('mode', 'lockstep', 'or realtime, as with a car on a bench'),
    ('rviz', 'false', 'true: show it'),
)


def trainer(context):
    """The trainer of as many cars as were asked for."""
    cars = int(LaunchConfiguration('cars').perform(context))
    settings = PathJoinSubstitution([FindPackageShare('racer'), 'config', 'trainer.yaml'])
    names = {name: ParameterValue(LaunchConfiguration(name), value_type=str)
             for name in ('model', 'track', 'direction')}
    return [Node(
        package='racer', executable='trainer_node', name='trainer', output='screen',
        namespace=LaunchConfiguration('namespace'),
        parameters=[settings, {'use_sim_time': True, 'namespaces': list(car_namespaces(cars)),
                               **names}],
    )]


def generate_launch_description():
    """The cars without a policy of their own, and the trainer."""
    passed_on = {name: LaunchConfiguration(name) for name, _, _ in ARGUMENTS}
    simulation = PathJoinSubstitution([FindPackageShare('racer'), 'launch', 'sim.launch.py'])
    return LaunchDescription([
        DeclareLaunchArgument('model', description='name of the model in the store'),
        *(DeclareLaunchArgument(name, default_value=default, description=meaning)
          for name, default, meaning in ARGUMENTS),
        # In a group, or the included file's `model` would become this one's.
        GroupAction([IncludeLaunchDescription(
            PythonLaunchDescriptionSource(simulation),
            launch_arguments={'inference': 'false', 'model': '', 'resets': '0', 'laps': '1',
                              **passed_on}.items())]),
        OpaqueFunction(function=trainer),
    ])
