"""The rviz configuration against the contract; no rviz runs here."""

from pathlib import Path

import pytest
import yaml

from racer_vehicle import contract
from racer_vehicle.contract import Qos

MANAGER = yaml.safe_load(
    (Path(__file__).resolve().parents[1] / 'rviz' / 'racer.rviz').read_text('utf-8'),
)['Visualization Manager']

MESSAGES = {
    'MarkerArray': 'visualization_msgs/msg/MarkerArray',
    'Path': 'nav_msgs/msg/Path',
    'LaserScan': 'sensor_msgs/msg/LaserScan',
    'Image': 'sensor_msgs/msg/Image',
    'Odometry': 'nav_msgs/msg/Odometry',
    'SetInitialPose': 'geometry_msgs/msg/PoseWithCovarianceStamped',
}
"""What each display or tool of rviz_default_plugins that we use reads or writes."""

WITHOUT_TOPIC = {'Grid', 'TF', 'RobotModel', 'Interact', 'MoveCamera', 'Select', 'FocusCamera',
                 'Measure'}
"""RobotModel's topic is tf2's business, not the contract's."""

VIEWS = {'Orbit', 'XYOrbit', 'TopDownOrtho', 'ThirdPersonFollower', 'FPS'}


def kind(item):
    package, _, name = item['Class'].partition('/')
    assert package == 'rviz_default_plugins'
    return name


WITH_TOPIC = [item for item in (*MANAGER['Displays'], *MANAGER['Tools'])
              if kind(item) not in WITHOUT_TOPIC]


@pytest.mark.parametrize('item', WITH_TOPIC, ids=kind)
def test_topics_are_those_of_the_contract(item):
    topic, row = item['Topic'], contract.topic(item['Topic']['Value'])
    assert row.type == MESSAGES[kind(item)]
    best_effort, latched = row.qos is Qos.SENSOR, row.qos is Qos.LATCHED
    assert topic['Reliability Policy'] == ('Best Effort' if best_effort else 'Reliable')
    assert topic['Durability Policy'] == ('Transient Local' if latched else 'Volatile')
    assert topic['History Policy'] == 'Keep Last'


def test_everything_worth_seeing_is_shown():
    shown = {item['Topic']['Value'] for item in WITH_TOPIC}
    assert shown == {'camera/image_raw', 'scan', 'race/markers', 'race/racing_line', 'sim/odom',
                     'sim/objects', 'initialpose'}


def test_the_fixed_frame_is_one_that_is_published():
    assert MANAGER['Global Options']['Fixed Frame'] == contract.topic('sim/odom').frame


def test_the_view_is_one_of_rviz():
    assert kind(MANAGER['Views']['Current']) in VIEWS
