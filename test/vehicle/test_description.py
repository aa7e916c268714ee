import math
from xml.etree import ElementTree

from racer_vehicle import contract
from racer_vehicle.description import mounts, robot_description
from racer_vehicle.spec import CameraSpec, CarSpec

CAR = CarSpec(camera=CameraSpec(x_m=0.1, z_m=0.2, pitch_rad=0.3))


def test_every_frame_of_the_contract_hangs_on_the_car():
    parents = {mount.child: mount.parent for mount in mounts(CAR)}
    sensors = {row.frame for row in contract.TOPICS} - {'', 'map', 'base_link'}
    for frame in sensors:
        while frame != 'base_link':
            frame = parents[frame]


def test_the_camera_sits_where_the_specification_says():
    camera = mounts(CAR)[0]
    assert camera.xyz_m == (0.1, 0.0, 0.2)
    assert camera.rpy_rad == (0.0, 0.3, 0.0), 'positive pitch looks down'


def test_the_urdf_has_a_joint_for_each_mount_and_shows_the_car():
    robot = ElementTree.fromstring(robot_description(CAR))
    links = {link.get('name') for link in robot.iter('link')}
    joints = {(joint.find('parent').get('link'), joint.find('child').get('link'))
              for joint in robot.iter('joint')}
    assert joints == {(mount.parent, mount.child) for mount in mounts(CAR)}
    assert links == {'base_link', *(mount.child for mount in mounts(CAR))}
    pitch = robot.find("joint[@name='camera_link_joint']/origin").get('rpy').split()[1]
    assert float(pitch) == 0.3
    assert len(list(robot.iter('cylinder'))) == 4
    length_m = float(next(robot.iter('box')).get('size').split()[0])
    assert math.isclose(length_m, CAR.length_m)
