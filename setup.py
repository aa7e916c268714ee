"""The `racer` package, for `pip install` and, as an ament_python package, for `colcon build`."""

import sys
from pathlib import Path

from setuptools import find_packages, setup

SHARED_FOLDERS = ('launch', 'config', 'rviz', 'worlds')
"""What ROS 2 finds under share/racer, each as far as it exists."""

ROS_WHEELS = "platform_system == 'Linux' and platform_machine == 'x86_64'"
"""Where rclpy exists as a wheel; elsewhere it comes with an installation of ROS 2."""

NODES = {
    'racer_vehicle': ('camera', 'lidar', 'motor', 'inference'),
    'racer_sim': ('sim', 'gazebo', 'race_control'),
    'racer_rl': ('trainer',),
}
"""Package -> its nodes; each is an executable `<node>_node`."""


def executables() -> list[tuple[str, list[str]]]:
    """Where `ros2 run` and `ros2 launch` look for executables, as `data_files` wants them.

    Only for wheels, which put scripts into bin: there, lib/racer holds one-line scripts that run
    those. colcon puts the scripts themselves into lib/racer (setup.cfg).
    """
    files = sorted(str(file) for file in Path('lib_exec').iterdir())
    return [('lib/racer', files)] if 'bdist_wheel' in sys.argv else []


def shared_files() -> list[tuple[str, list[str]]]:
    """Folder below share/racer -> its files, one row a folder, as `data_files` wants them."""
    folders = [folder for top in SHARED_FOLDERS for folder in (Path(top), *Path(top).rglob('*'))]
    rows = ((folder, sorted(str(file) for file in folder.glob('*') if file.is_file()))
            for folder in sorted(folders) if folder.is_dir() and folder.name != '__pycache__')
    return [(f'share/racer/{folder.as_posix()}', files) for folder, files in rows if files]


setup(
    name='racer',
    version='0.1.0',
    description='Reinforcement-learning racing for a 1/18-scale car.',
    author='The racer authors',
    license='Apache-2.0',
    license_files=['LICENSE'],
    python_requires='>=3.11,<3.13',
    packages=find_packages(include=['racer_vehicle*', 'racer_sim*', 'racer_rl*']),
    package_data={'racer_sim': ['tracks/*.csv'], 'racer_rl': [
        '**/*.j2', '**/*.yaml', '**/pages/*.css', '**/pages/*.html', '**/pages/*.js']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/racer']),
        ('share/racer', ['package.xml']),
        *shared_files(),
        *executables(),
    ],
    # Tested versions are in constraints.txt. opencv is the headless build because the other one
    # needs libGL, which a bare machine and a CI container do not have.
    install_requires=[
        'apprise',  # alerts of budgets, to e-mail, chat and the rest by address
        'av',
        'casadi',  # LGPL-3.0-or-later, used as a library; the lap bound
        'cryptography',
        'gymnasium',
        'jinja2',
        'matplotlib',
        'numba',
        'numpy>=2',
        'onnx',
        'onnxruntime',
        'opencv-python-headless',
        'packaging',  # racer deploy: what the packages that a car needs need
        'pandas>=2.2',
        'pillow',  # reports: pictures of few colours
        'pyarrow',  # traces: Parquet, and reading and writing CSV fast
        'pyyaml',  # MIT; the price table
        'rich',
        'scipy',
        'shapely',  # for reward functions, which may import it as on the DeepRacer console
        'stable-baselines3>=2.7',
        'tensorboard',
        'torch>=2.6',
        'typer>=0.29',
    ],
    extras_require={
        'ros': [
            f'ros-kilted-rclpy[fastrtps]==9.1.2; {ROS_WHEELS}',
            f'ros-kilted-diagnostic-msgs==5.5.1; {ROS_WHEELS}',
            f'ros-kilted-geometry-msgs==5.5.1; {ROS_WHEELS}',
            f'ros-kilted-nav-msgs==5.5.1; {ROS_WHEELS}',
            f'ros-kilted-rosgraph-msgs==2.3.0; {ROS_WHEELS}',
            f'ros-kilted-sensor-msgs==5.5.1; {ROS_WHEELS}',
            f'ros-kilted-std-msgs==5.5.1; {ROS_WHEELS}',
            f'ros-kilted-std-srvs==5.5.1; {ROS_WHEELS}',
            f'ros-kilted-visualization-msgs==5.5.1; {ROS_WHEELS}',
            'rosbags',
        ],
        # `test` also makes colcon run pytest. setuptools: a test builds the wheel.
        # deepracer-utils: the community's own reader has to read what we write.
        'test': [
            'aiosmtpd',  # a real mail server for alerts
            'deepracer-utils',
            'hypothesis',
            'import-linter',
            'mypy',
            'pytest',
            'pytest-timeout',
            'pytest-xdist',
            'ruff',
            'setuptools>=77',
        ],
    },
    entry_points={'console_scripts': [
        'racer = racer_rl.cli.main:main',
        *(f'{node}_node = {package}.nodes.{node}_node:main'
          for package, nodes in NODES.items() for node in nodes),
    ]},
    zip_safe=False,
)
