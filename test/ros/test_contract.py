"""Every row of the contract, walked: types, names, quality of service, the README's table."""

import ast
import re

import pytest

pytest.importorskip('rclpy')

import rclpy.expand_topic_name
import rclpy.validate_full_topic_name
from rclpy.qos import QoSCompatibility, qos_check_compatible

from racer_vehicle import contract
from racer_vehicle.contract import SERVICES, TOPICS, Qos
from racer_vehicle.errors import UnknownNameError
from racer_vehicle.nodes import ros

pytestmark = pytest.mark.ros

NODES = {'camera', 'lidar', 'motor', 'inference', 'simulator', 'race_control', 'trainer',
         'operator'}
FRAMES = {'', 'map', 'odom', 'base_link', 'camera_link', 'camera_link_optical', 'lidar_link'}
ABSOLUTE = {'/clock', '/diagnostics'}
"""By ROS's own convention, the same for all cars."""

BEGIN = '<!-- topics: test/ros/test_contract.py keeps this table -->'
END = '<!-- end of topics -->'


def table():
    """The README's table, from the data."""
    lines = ['| topic | type | from → to | quality | Hz | stale after | what |',
             '|---|---|---|---|---|---|---|']
    for row in TOPICS:
        ends = f'{", ".join(row.publishers)} → {", ".join(row.subscribers)}'
        rate = f'{row.rate_hz:.3g}' if row.rate_hz else ''
        stale = f'{row.stale_after_s:g} s' if row.stale_after_s else ''
        lines.append(f'| `{row.name}` | {row.type.replace("/msg/", "/")} | {ends} | {row.qos} | '
                     f'{rate} | {stale} | {row.meaning} |')
    lines += ['', '| service | type | served by | what |', '|---|---|---|---|']
    lines += [f'| `{row.name}` | {row.type.replace("/srv/", "/")} | {row.server} | {row.meaning} |'
              for row in SERVICES]
    return '\n'.join(lines)


@pytest.mark.parametrize('row', [*TOPICS, *SERVICES], ids=lambda row: row.name)
def test_types_resolve_and_are_standard(row):
    kind = 'msg' if row in TOPICS else 'srv'
    package, folder, name = row.type.split('/')
    assert folder == kind
    assert ros.interface(row.type).__name__ == name
    assert not package.startswith('racer'), 'the graph speaks standard messages only'


@pytest.mark.parametrize('row', [*TOPICS, *SERVICES], ids=lambda row: row.name)
def test_names_are_legal_and_stay_in_their_namespace(row):
    full = rclpy.expand_topic_name.expand_topic_name(row.name, 'node', '/car_1')
    rclpy.validate_full_topic_name.validate_full_topic_name(full, is_service=row in SERVICES)
    assert row.name.startswith('/') == (row.name in ABSOLUTE)
    assert re.fullmatch(r'/?[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*', row.name)


def test_no_name_occurs_twice():
    names = [row.name for row in (*TOPICS, *SERVICES)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize('row', TOPICS, ids=lambda row: row.name)
def test_rows_make_sense(row):
    assert row.publishers and {*row.publishers, *row.subscribers} <= NODES
    assert row.frame in FRAMES
    assert row.meaning and not row.meaning.endswith('.')
    has_header = 'header' in ros.interface(row.type).get_fields_and_field_types()
    # A marker has a header of its own.
    assert not row.frame or has_header or row.type.endswith('/MarkerArray')
    if row.stale_after_s and row.rate_hz:
        assert row.stale_after_s > 1.0 / row.rate_hz, 'every message would be stale'


@pytest.mark.parametrize('row', SERVICES, ids=lambda row: row.name)
def test_services_are_served_by_a_node(row):
    assert row.server in NODES - {'operator'}
    assert row.meaning


@pytest.mark.parametrize('qos', Qos)
def test_both_ends_of_a_topic_are_compatible(qos):
    profile = ros.qos_profile(qos)
    assert qos_check_compatible(profile, profile)[0] == QoSCompatibility.OK


def test_a_late_joiner_gets_latched_messages_only(graph):
    from std_msgs.msg import String
    latched = ros.publisher(graph.probe, 'policy/active')
    spoken = ros.publisher(graph.probe, 'race/state')
    for publisher in (latched, spoken):
        publisher.publish(String(data='early'))
    late_latched, late_spoken = graph.listen('policy/active'), graph.listen('race/state')
    graph.until(lambda: late_latched, 'the latched message arrives')
    graph.until(lambda: spoken.get_subscription_count(), 'the late joiner is found')
    assert late_latched[0].data == 'early'
    assert not late_spoken


def test_unknown_names_are_refused():
    with pytest.raises(UnknownNameError, match="unknown topic 'cmd_val'; did you mean cmd_vel"):
        contract.topic('cmd_val')
    with pytest.raises(UnknownNameError, match=r'service .race/rest.; did you mean race/reset'):
        contract.service('race/rest')


MAKERS = {'create_publisher', 'create_subscription', 'create_service', 'create_client'}

ALLOWED_NAMES = ('row.name', "tf'", "tf_static'", "robot_description'", "/get_parameters'")
"""Rows of the contract, what is published where ROS itself brings tf2, and what ROS serves."""


def test_endpoints_are_made_from_the_contract_only(repository):
    strays = [
        f'{file.relative_to(repository)}:{node.lineno}'
        for package in ('racer_vehicle', 'racer_sim', 'racer_rl')
        for file in (repository / package).rglob('*.py')
        if file != repository / 'racer_vehicle/nodes/ros.py'
        for node in ast.walk(ast.parse(file.read_text('utf-8')))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and node.func.attr in MAKERS and not ast.unparse(node.args[1]).endswith(ALLOWED_NAMES)
    ]
    assert not strays


def test_the_readme_shows_the_contract(repository):
    readme = (repository / 'README.md').read_text('utf-8')
    assert BEGIN in readme and END in readme
    shown = readme.partition(BEGIN)[2].partition(END)[0].strip()
    assert shown == table(), f'paste this between the markers:\n\n{table()}\n'
