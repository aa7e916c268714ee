"""Every shipped world in a real Gazebo: no warning, sensors speak, the car obeys."""

import secrets
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from racer_rl.cli.main import run
from racer_sim.bodies import Box
from racer_sim.driven_world import DrivenWorldConfig
from racer_sim.gazebo.car_link import CarLink
from racer_sim.gazebo.gazebo_world import GazeboConfig, GazeboWorld
from racer_sim.gazebo.server import GazeboServer
from racer_sim.gazebo.transport import GazeboError, Node
from racer_sim.pace import RealTime
from racer_sim.starting_grid import Pose
from racer_sim.track_library import SHIPPED
from racer_sim.traffic import ASIDE_M
from racer_sim.world import WORLD_FILE
from racer_vehicle.signals import DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

pytestmark = pytest.mark.slow

CAR = CarSpec()
PATIENCE_S = 60.0
RACES = ('oval_object_avoidance', 'oval_head_to_bot')


def complaints(output):
    return [line for line in output.splitlines() if '[Err]' in line or '[Wrn]' in line]


def sdf_check(path):
    done = subprocess.run(['gz', 'sdf', '-k', str(path)], capture_output=True, text=True,
                          timeout=60, check=False)
    return (done.stdout + done.stderr).strip()


@pytest.fixture
def world(tmp_path):
    """Starts worlds in lock-step, and ends them."""
    running = []

    def start(namespaces=('',), **config):
        settings = DrivenWorldConfig(track='pebble', image_age_max_s=0.0)
        running.append(GazeboWorld(GazeboConfig(world=settings, **config), CAR, namespaces,
                                   tmp_path))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.mark.parametrize('name', (*SHIPPED, *RACES))
def test_shipped_worlds_are_valid_sdf_without_a_warning(repository, name):
    assert sdf_check(repository / 'worlds' / name / WORLD_FILE) == 'Valid.'


def drive_a_little(folder):
    """Run a world by itself, drive its car for a second, and listen to all that it says."""
    partition = f'test_{secrets.token_hex(6)}'
    car = CarLink(Node(partition), '', CAR, lambda: None)
    with GazeboServer(folder / WORLD_FILE, partition, paused=False, gui=False) as server:
        assert car.sensed(1, PATIENCE_S) and car.moved_to(1, PATIENCE_S), server.output
        begin = car.motion(car.time_ns).pose
        until_ns = car.time_ns + 1_000_000_000
        while car.time_ns < until_ns:
            car.command_now(DriveCommand(0.0, 1.0))
            assert car.moved_to(car.time_ns + 20_000_000, PATIENCE_S), server.output
        assert 0.6 < car.motion(car.time_ns).pose.distance_m(begin) < 1.1
        assert car.image(car.sensed_ns).std() > 10.0
        assert complaints(server.output) == []
        return car.scan(car.sensed_ns)


@pytest.mark.parametrize('name', SHIPPED)
def test_shipped_worlds_run_without_a_warning_and_speak(repository, tmp_path, name):
    folder = shutil.copytree(repository / 'worlds' / name, tmp_path / name)
    assert np.isinf(drive_a_little(folder)).all(), 'nothing stands around'


@pytest.mark.parametrize('name', RACES)
def test_worlds_of_races_run_without_a_warning_and_their_guests_are_seen(repository, tmp_path,
                                                                         name):
    folder = shutil.copytree(repository / 'worlds' / name, tmp_path / name)
    assert np.isfinite(drive_a_little(folder)).any()


@pytest.mark.parametrize('name', ['reinvent_base', 'Bowtie_track', 'Oval_track', 'Spain_track',
                                  '2022_summit_speedway', 'Monaco'])
def test_real_tracks_worlds_run_without_a_warning_and_speak(real_tracks, tmp_path, capsys, name):
    file = real_tracks / f'{name}.npy'
    assert run(['tracks', 'world', str(file), '--out', str(tmp_path), '--walls']) == 0
    path = Path(capsys.readouterr().out.strip().removeprefix('wrote '))
    assert sdf_check(path) == 'Valid.'
    assert np.isfinite(drive_a_little(path.parent)).mean() > 0.5, 'walls stand around'


def test_a_period_is_exactly_a_period_and_its_image_is_of_its_end(world):
    gazebo = world()
    begin_ns = gazebo.time_ns
    for period in range(1, 31):
        gazebo.drive(np.array([[0.1, 1.0]]), np.array([0.030]))
        assert gazebo.time_ns == begin_ns + period * 66_000_000
        assert gazebo.cars[0].sensed_ns == gazebo.time_ns == gazebo.cars[0].time_ns


def test_the_same_commands_give_the_same_drive(world):
    def path():
        gazebo.lift(0, Pose(0.0, 0.0, 0.5))
        for period in range(20):
            gazebo.drive(np.array([[0.2 * np.sin(period / 3), 1.5]]), np.array([0.020]))
        return gazebo.motion(0)

    gazebo = world()
    first, second = path(), path()
    assert first.pose.distance_m(second.pose) < 0.02


def test_a_car_is_put_anywhere_at_rest_at_once(world):
    gazebo = world()
    for _ in range(20):
        gazebo.drive(np.array([[0.3, 3.0]]), np.zeros(1))
    for pose in (Pose(2.0, -1.0, 2.5), Pose(-3.0, 4.0, -1.0)):
        gazebo.lift(0, pose)
        motion = gazebo.motion(0)
        assert motion.pose.distance_m(pose) < 0.005
        assert abs(motion.pose.yaw_rad - pose.yaw_rad) < 0.005
        assert abs(motion.vx_mps) < 0.02 and abs(motion.yaw_rate_radps) < 0.05


def test_a_car_stops_at_a_box(world):
    gazebo = world(boxes=(Box(x_m=5.0, y_m=5.0, length_m=1.0, width_m=1.0),))
    gazebo.lift(0, Pose(3.5, 5.0, 0.0))
    for _ in range(30):
        gazebo.drive(np.array([[0.0, 1.5]]))
    assert gazebo.motion(0).pose.x_m == pytest.approx(4.5 - CAR.length_m / 2, abs=0.01)


def test_cars_see_each_other_and_not_themselves(world):
    gazebo = world(namespaces=('car1', 'car2'))
    gazebo.lift(0, Pose(0.0, 0.0, 0.0))
    gazebo.lift(1, Pose(50.0, 0.0, 0.0))
    alone = gazebo.image(0, gazebo.time_ns).astype(int)
    assert np.isinf(gazebo.cars[0].scan(gazebo.time_ns)).all()
    gazebo.lift(1, Pose(0.6, 0.0, 0.0))
    seen = gazebo.image(0, gazebo.time_ns).astype(int)
    assert np.abs(seen - alone)[:, 60:100].mean() > 5.0
    ahead = gazebo.cars[0].scan(gazebo.time_ns)[31:33]
    assert ahead == pytest.approx([0.6 - CAR.length_m / 2 - CAR.lidar.x_m] * 2, abs=0.02)


def test_a_car_that_is_held_is_gone_and_said_to_stand_where_it_was(world):
    gazebo = world(namespaces=('car1', 'car2'))
    there, commands = Pose(1.0, 0.0, 0.0), np.array([[0.0, 0.0], [0.0, 1.0]])
    gazebo.lift(0, Pose(0.0, 0.0, 0.0))
    gazebo.lift(1, Pose(50.0, 0.0, 0.0))
    alone = gazebo.image(0, gazebo.time_ns).astype(int)
    gazebo.lift(1, there)
    assert np.abs(gazebo.image(0, gazebo.time_ns) - alone).max() > 20
    gazebo.hold(1, gazebo.time_ns, held=True)
    for _ in range(4):
        gazebo.drive(commands, np.zeros(2))
    assert np.abs(gazebo.image(0, gazebo.time_ns) - alone).max() <= 2
    assert np.isinf(gazebo.cars[0].scan(gazebo.time_ns)).all()
    assert gazebo.objects(0, gazebo.time_ns)['x_m'].tolist() == [ASIDE_M]
    assert gazebo.motion(1).pose.distance_m(there) < 0.005
    gazebo.lift(1, Pose(0.8, 0.0, 0.0))
    gazebo.hold(1, gazebo.time_ns, held=False)
    for _ in range(4):
        gazebo.drive(commands, np.zeros(2))
    assert 0.85 < gazebo.motion(1).pose.x_m < 1.1, 'it drives on from where it was put'
    assert np.abs(gazebo.image(0, gazebo.time_ns) - alone).max() > 20


def test_a_car_without_commands_stops_in_real_time(world, tmp_path):
    gazebo, pace = world(paused=False), RealTime(1, 1.0)
    car, driven = gazebo.cars[0], []
    begin_s = time.monotonic()
    while (now_s := time.monotonic()) - begin_s < 3.0:
        if now_s - begin_s < 1.5:
            pace.accept(0, DriveCommand(0.0, 1.5), 0, now_s)
        pace.tick(now_s)
        car.command_now(DriveCommand(*pace.commands()[0][0].tolist()))
        driven.append(car.motion(car.time_ns).vx_mps)
        time.sleep(0.01)
    assert max(driven) > 1.2
    assert driven[-1] < 0.05


def test_a_server_that_ends_is_told_of(world):
    gazebo = world()
    gazebo._server.close()
    with pytest.raises(GazeboError, match='gz sim has ended with status'):
        gazebo.require_alive()


def test_control_periods_are_faster_than_real_time(world):
    gazebo = world()
    begin_s = time.monotonic()
    for _ in range(30):
        gazebo.drive(np.array([[0.1, 1.0]]))
    assert time.monotonic() - begin_s < 4 * 30 * CONTROL_PERIOD_S
