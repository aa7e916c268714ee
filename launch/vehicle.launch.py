"""The nodes of one car: on a real car as they are, in simulation with other drivers.

They live and die together: what is left of a car that has lost its camera or its motor node must
not wait for somebody to notice. A service manager starts all of them again, disabled.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, Shutdown
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

ARGUMENTS = (
    ('namespace', '', 'of the car; empty for a car alone'),
    ('model', '', 'policy bundle (.racer file); empty: wait for one on policy/bundle'),
    ('config', PathJoinSubstitution([FindPackageShare('racer'), 'config']),
     'folder of the parameter files; those of a car: racer deploy'),
    ('camera', 'v4l2', 'driver: v4l2, simulated or fake'),
    ('lidar', 'rplidar', 'driver: rplidar, simulated or fake'),
    ('motor', 'pwm', 'driver: pwm, pca9685, simulated or fake'),
    ('inference', 'true', 'false: no policy drives, e.g. because a trainer does'),
    ('wait_for_scan', 'false', "true: decide with the scan of the image's moment, in lock-step"),
    ('start_enabled', 'false', 'true: the car drives as soon as it is told to'),
    ('use_sim_time', 'false', 'true: by /clock, as in simulation'),
)


def car_node(name, condition=None, **parameters):
    """A node of this package with its YAML; `parameters` go before it."""
    settings = PathJoinSubstitution([LaunchConfiguration('config'), f'{name}.yaml'])
    use_sim_time = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    return Node(
        package='racer', executable=f'{name}_node', name=name, output='screen',
        namespace=LaunchConfiguration('namespace'), condition=condition, on_exit=Shutdown(),
        parameters=[settings, {'use_sim_time': use_sim_time, **parameters}],
    )


def text(argument):
    """An argument as it was written: a track called `1e3` is no number."""
    return ParameterValue(LaunchConfiguration(argument), value_type=str)


def generate_launch_description():
    """Camera, lidar, motor and inference."""
    enabled, waits = (ParameterValue(LaunchConfiguration(name), value_type=bool)
                      for name in ('start_enabled', 'wait_for_scan'))
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=default, description=meaning)
          for name, default, meaning in ARGUMENTS),
        car_node('camera', driver=text('camera')),
        car_node('lidar', driver=text('lidar')),
        car_node('motor', driver=text('motor'), start_enabled=enabled),
        car_node('inference', IfCondition(LaunchConfiguration('inference')),
                 bundle=text('model'), wait_for_scan=waits),
    ])
