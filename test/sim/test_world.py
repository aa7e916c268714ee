"""Worlds for Gazebo, as far as they can be checked without it."""

import math
from dataclasses import replace
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from racer_rl.cli.main import run
from racer_sim.bodies import Box, wall_boxes
from racer_sim.gazebo.car_model import STEP_S
from racer_sim.gazebo.car_wheels import BEARING_KG, WHEEL_KG, WHEELS
from racer_sim.gazebo.sdf import linear, shaded_box, text_of
from racer_sim.gazebo.topics import WORLD, guest_name, gz_topic
from racer_sim.ground import GroundStyle, paint_ground
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.starting_grid import grid_pose, one_course
from racer_sim.track_library import SHIPPED, find_track
from racer_sim.world import TEXTURE_FILE, WORLD_FILE, WorldSpec, world_sdf, write_world
from racer_vehicle import contract
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_MS, CarSpec

CAR = CarSpec()
RACES = ('object-avoidance', 'head-to-bot')


def world_of(track='pebble', direction='forward', **changes):
    spec = WorldSpec(course=one_course(track, direction), **changes)
    ground = paint_ground(spec.course.track, spec.style, m_per_px=0.05)
    return ElementTree.fromstring(world_sdf(spec, ground)).find('world')


@pytest.fixture(scope='module')
def world():
    return world_of()


@pytest.fixture(scope='module')
def car(world):
    return model(world, 'car')


def model(world, name):
    return world.find(f"model[@name='{name}']")


def numbers(element, path):
    return [float(part) for part in element.findtext(path).split()]


def links(car):
    return {link.get('name'): link for link in car.iter('link')}


def systems(parent):
    return [plugin.get('name').rpartition('::')[2] for plugin in parent.findall('plugin')]


@pytest.mark.parametrize('name', SHIPPED)
def test_shipped_worlds_are_what_the_command_writes(repository, tmp_path, name):
    kept = repository / 'worlds' / name
    write_world(WorldSpec(course=one_course(name, 'forward')), tmp_path)
    assert (kept / WORLD_FILE).read_text('utf-8') == (tmp_path / WORLD_FILE).read_text('utf-8')
    # Not the files: another version of the library packs the same pixels otherwise.
    picture = cv2.imread(str(kept / TEXTURE_FILE), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(picture[..., ::-1], paint_ground(find_track(name)).image)


@pytest.mark.parametrize('race', RACES)
def test_worlds_of_races_are_what_the_command_writes(repository, tmp_path, race, capsys):
    assert run(['tracks', 'world', 'oval', '--out', str(tmp_path), '--race', race]) == 0
    name = f'oval_{race.replace("-", "_")}'
    assert capsys.readouterr().out == f'wrote {tmp_path / name / WORLD_FILE}\n'
    assert (repository / 'worlds' / name / WORLD_FILE).read_text('utf-8') == (
        tmp_path / name / WORLD_FILE).read_text('utf-8')


def test_worlds_are_shipped_for_shipped_tracks_and_two_races_and_are_small(repository):
    assert {path.name for path in (repository / 'worlds').iterdir()} == {
        *SHIPPED, *(f'oval_{race.replace("-", "_")}' for race in RACES)}
    files = list((repository / 'worlds').rglob('*.*'))
    assert {file.name for file in files} == {WORLD_FILE, TEXTURE_FILE}
    assert sum(file.stat().st_size for file in files) < 4_000_000


def test_a_world_that_names_systems_names_all_it_needs(world):
    assert systems(world) == ['Physics', 'UserCommands', 'SceneBroadcaster', 'Sensors', 'Contact']
    assert world.get('name') == WORLD


def test_a_control_period_is_a_whole_number_of_steps(world):
    assert float(world.findtext('physics/max_step_size')) == STEP_S
    assert CONTROL_PERIOD_MS % round(STEP_S * 1000) == 0


def test_the_picture_lies_where_the_ground_is():
    spec = WorldSpec(course=one_course('kidney', 'forward'))
    ground = paint_ground(spec.course.track, spec.style)
    picture = model(ElementTree.fromstring(world_sdf(spec, ground)).find('world'),
                    'ground').find("link/visual[@name='picture']")
    x_m, y_m, *_ = numbers(picture, 'pose')
    width_m, height_m = numbers(picture, 'geometry/plane/size')
    height_px, width_px = ground.image.shape[:2]
    assert (x_m - width_m / 2, y_m + height_m / 2) == pytest.approx(
        (ground.x_min_m, ground.y_max_m))
    assert (width_m / width_px, height_m / height_px) == pytest.approx((ground.m_per_px,) * 2)
    assert picture.findtext('material/pbr/metal/emissive_map') == TEXTURE_FILE


def test_colours_are_the_embedded_simulators(world):
    assert numbers(world, 'scene/background') == pytest.approx(linear(SimulatorConfig().sky))
    around = model(world, 'field').find('link/visual/material')
    assert numbers(around, 'emissive') == pytest.approx(linear(GroundStyle().field))


def test_colours_are_given_as_light():
    assert linear((0, 255, 188)) == pytest.approx((0.0, 1.0, 0.502886, 1.0))
    assert linear((10, 10, 10))[0] == pytest.approx(10 / 255 / 12.92, abs=1e-6)


def test_everything_shown_is_unlit(world):
    for visual in world.iter('visual'):
        assert numbers(visual, 'material/diffuse') == [0.0, 0.0, 0.0, 1.0]
        assert numbers(visual, 'material/specular') == [0.0, 0.0, 0.0, 1.0]


def test_parts_of_the_car_weigh_what_the_car_weighs(car):
    parts = [(float(link.findtext('inertial/mass')), numbers(link, 'pose') if link.find('pose')
              is not None else [0.0] * 6, link) for link in links(car).values()]
    assert sum(mass for mass, *_ in parts) == pytest.approx(CAR.mass_kg)
    height = sum(mass * (place[2] + numbers(link, 'inertial/pose')[2])
                 for mass, place, link in parts) / CAR.mass_kg
    assert height == pytest.approx(CAR.cog_height_m)
    yaw = sum(float(link.findtext('inertial/inertia/izz')) * (link.get('name') == 'base_link')
              + mass * (place[0]**2 + place[1]**2) for mass, place, link in parts)
    assert yaw == pytest.approx(CAR.yaw_inertia_kgm2, rel=1e-6)


def test_inertias_are_those_of_bodies_that_exist(car):
    for link in links(car).values():
        xx, yy, zz = (float(link.findtext(f'inertial/inertia/{axis}'))
                      for axis in ('ixx', 'iyy', 'izz'))
        assert min(xx, yy, zz) > 0.0
        assert xx + yy >= zz and yy + zz >= xx and xx + zz >= yy


def test_wheels_stand_where_the_specification_says(car):
    for name, place in zip(WHEELS, CAR.wheel_positions_m, strict=True):
        wheel = links(car)[name]
        assert numbers(wheel, 'pose')[:3] == pytest.approx([*place, CAR.wheel_radius_m])
        assert float(wheel.findtext('collision/geometry/sphere/radius')) == CAR.wheel_radius_m
        assert float(wheel.findtext('collision/surface/friction/ode/mu')) == CAR.tyre.friction


def test_joints_join_links_that_exist_and_systems_move_joints_that_exist(car):
    joints = {joint.get('name'): joint for joint in car.iter('joint')}
    for joint in joints.values():
        assert {joint.findtext('parent'), joint.findtext('child')} <= set(links(car))
    moved = [element.text for plugin in car.findall('plugin') for element in plugin
             if element.tag in {'joint_name', 'left_steering_joint', 'right_steering_joint'}]
    assert sorted(moved) == sorted(joints)
    assert systems(car).count('JointController') == 4


def test_the_steering_reaches_its_limit_before_a_joint_ends(car):
    end = float(car.find("joint[@name='front_left_steering']/axis/limit").findtext('upper'))
    inner = math.atan(1.0 / (1.0 / math.tan(CAR.max_steering_rad)
                             - CAR.track_width_m / 2 / CAR.wheelbase_m))
    assert end > inner + 0.1


def test_nothing_limits_accelerations(world):
    assert not [element.tag for element in world.iter() if 'acceleration' in element.tag]


def test_camera_and_scanner_are_the_cars(car):
    camera = links(car)['base_link'].find("sensor[@name='camera']")
    assert numbers(camera, 'pose') == pytest.approx(
        [CAR.camera.x_m, CAR.camera.y_m, CAR.camera.z_m, 0.0, CAR.camera.pitch_rad, 0.0])
    assert float(camera.findtext('camera/horizontal_fov')) == pytest.approx(CAR.camera.hfov_rad)
    assert camera.findtext('topic') == '/sim/camera/image_raw'
    assert camera.findtext('camera/optical_frame_id') == 'camera_link_optical'
    lidar = links(car)['base_link'].find("sensor[@name='lidar']")
    scan = lidar.find('lidar/scan/horizontal')
    angles = np.linspace(float(scan.findtext('min_angle')), float(scan.findtext('max_angle')),
                         int(scan.findtext('samples')))
    assert angles == pytest.approx(CAR.lidar.angles_rad)


def test_gazebo_cuts_the_sensors_period_to_the_control_period(car):
    for sensor in links(car)['base_link'].findall('sensor'):
        if sensor.get('type') != 'contact':
            assert int(1000.0 / float(sensor.findtext('update_rate'))) == CONTROL_PERIOD_MS


def test_odometry_comes_once_a_control_period(car):
    rates = {plugin.findtext('odom_topic'): float(plugin.findtext('odom_publish_frequency'))
             for plugin in car.findall('plugin') if plugin.find('odom_topic') is not None}
    step_ms = STEP_S * 1000
    assert math.ceil(1000 / rates['/sim/odom'] / step_ms) * step_ms == CONTROL_PERIOD_MS
    assert 1000 / rates['/sim/truth'] < step_ms


def test_a_car_is_hidden_from_its_own_sensors_alone():
    world = world_of(namespaces=('car1', 'car2'))
    shown, seen = {}, {}
    for name in ('car1', 'car2'):
        car = model(world, name)
        flags = {int(visual.findtext('visibility_flags')) for visual in car.iter('visual')}
        masks = {int(mask.text) for mask in car.iter('visibility_mask')}
        assert len(flags) == len(masks) == 1
        shown[name], seen[name] = flags.pop(), masks.pop()
    for name, other in (('car1', 'car2'), ('car2', 'car1')):
        assert not seen[name] & shown[name]
        assert seen[name] & shown[other]
        assert seen[name] < 1 << 28


def test_each_car_has_topics_of_its_own():
    world = world_of(namespaces=('car1', 'car2'))
    topics = [[element.text for element in model(world, name).iter()
               if element.tag in {'topic', 'odom_topic', 'tf_topic', 'odom_covariance_topic'}]
              for name in ('car1', 'car2')]
    assert topics[0] == [topic.replace('car2', 'car1') for topic in topics[1]]
    assert all(topic.startswith('/car1/sim/') for topic in topics[0])


def test_gazebos_topics_have_the_names_of_the_contract(car):
    topics = {element.text for element in car.iter('topic')} | {
        element.text for element in car.iter('odom_topic')}
    for name in ('sim/camera/image_raw', 'sim/scan', 'sim/odom'):
        assert gz_topic('', contract.topic(name).name) in topics


@pytest.mark.parametrize('direction', ['forward', 'reverse'])
def test_cars_stand_on_their_starting_grid(direction):
    names, course = ('car1', 'car2', 'car3'), one_course('pebble', direction)
    world = world_of(direction=direction, namespaces=names, start_share=0.25)
    for place, name in enumerate(names):
        x_m, y_m, z_m, roll, pitch, yaw = numbers(model(world, name), 'pose')
        pose = grid_pose(course, 0.25, place)
        assert (x_m, y_m, yaw) == pytest.approx((pose.x_m, pose.y_m, pose.yaw_rad))
        assert (z_m, roll, pitch) == (0.0, 0.0, 0.0)


def test_boxes_stand_where_they_should():
    box = Box(x_m=1.0, y_m=2.0, yaw_rad=0.5)
    world = world_of(boxes=(box, replace(box, is_wall=True)))
    obstacle = model(world, 'obstacle_0')
    assert numbers(obstacle, 'pose') == pytest.approx([1.0, 2.0, 0.0, 0.0, 0.0, 0.5])
    assert numbers(obstacle, 'link/collision/geometry/box/size') == pytest.approx([0.4, 0.3, 0.25])
    assert numbers(obstacle, 'link/collision/pose')[2] == pytest.approx(0.125)
    assert model(world, 'wall_1') is not None


def test_a_box_is_shown_from_outside_to_outside():
    corners = []
    for visual in shaded_box((0.4, 0.3, 0.25), (200, 100, 50)):
        middle = np.array(numbers(visual, 'pose')[:3])
        half = np.array(numbers(visual, 'geometry/box/size')) / 2
        corners += [middle - half, middle + half]
    assert np.min(corners, axis=0) == pytest.approx([-0.2, -0.15, 0.0])
    assert np.max(corners, axis=0) == pytest.approx([0.2, 0.15, 0.25])


@pytest.mark.parametrize(('value', 'text'), [
    (1.5, '1.5'), (True, 'true'), ((0.1, -0.0, 2.0), '0.1 0 2'), (1e-12, '0'),
    (math.pi, '3.141592654')])
def test_values_are_written_short_and_alike_everywhere(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(('changes', 'message'), [
    ({'namespaces': ('a', 'a')}, 'allowed: a different one for each car'),
    ({'pace': -1.0}, r'pace is -1\.0; allowed: 0 to 100'),
    ({'namespaces': tuple(f'car{n}' for n in range(21))}, 'car number 20; allowed: 0 to 19'),
    ({'car': replace(CAR, mass_kg=0.15)}, r'mass_kg is 0\.15 .* more than its wheels have'),
])
def test_worlds_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        world_of(**changes)


@pytest.mark.parametrize('name', ['reinvent_base', 'Monaco'])
def test_real_tracks_become_worlds(real_tracks, tmp_path, name):
    course = one_course(str(real_tracks / f'{name}.npy'), 'reverse')
    path = write_world(WorldSpec(course=course, boxes=wall_boxes(course.track)), tmp_path)
    assert ElementTree.parse(path).find('world/model') is not None
    height_px, width_px = cv2.imread(str(tmp_path / TEXTURE_FILE)).shape[:2]
    assert max(height_px, width_px) <= 16384, 'larger than graphics cards take'


def test_light_parts_leave_most_of_the_car_in_its_body():
    assert 0.15 * CAR.mass_kg > 4 * WHEEL_KG + 2 * BEARING_KG


def test_what_is_moved_is_static_solid_and_has_a_name_of_its_own():
    guests = (Box(x_m=1.0, y_m=2.0, yaw_rad=0.5), Box(x_m=3.0, y_m=0.0, length_m=0.7))
    world = world_of(guests=guests, boxes=(Box(x_m=5.0, y_m=0.0),))
    assert model(world, 'obstacle_0') is not None
    for number, box in enumerate(guests):
        moved = model(world, guest_name(number))
        assert moved.findtext('static') == 'true'
        assert numbers(moved, 'pose') == pytest.approx(
            [box.x_m, box.y_m, 0.0, 0.0, 0.0, box.yaw_rad])
        assert numbers(moved, 'link/collision/geometry/box/size') == pytest.approx(
            [box.length_m, box.width_m, box.height_m])
