"""rviz with one car's camera, scan, track, line and lap."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare


def generate_launch_description():
    """Show it in the car's namespace: the topics of its configuration are relative."""
    return LaunchDescription([
        DeclareLaunchArgument('namespace', default_value='', description='of the car'),
        DeclareLaunchArgument('use_sim_time', default_value='true',
                              description='false: on a real car'),
        Node(
            package='rviz2', executable='rviz2', name='rviz', output='screen',
            namespace=LaunchConfiguration('namespace'),
            arguments=['-d', PathJoinSubstitution(
                [FindPackageShare('racer'), 'rviz', 'racer.rviz'])],
            parameters=[{'use_sim_time': LaunchConfiguration('use_sim_time')}],
            remappings=[('/tf', 'tf'), ('/tf_static', 'tf_static')],
        ),
    ])
