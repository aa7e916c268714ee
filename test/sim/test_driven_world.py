import numpy as np
import pytest

from racer_sim.driven_world import (
    LIFT_AMONG_OTHERS_NS,
    LIFT_NS,
    PERIOD_NS,
    START_NS,
    DrivenWorld,
    DrivenWorldConfig,
)
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.starting_grid import Pose, grid_pose, one_course
from racer_sim.traffic import ASIDE_M
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CarSpec

CAR = CarSpec()


def world(cars=1, **settings):
    return DrivenWorld(DrivenWorldConfig(track='oval', **settings), CAR, cars)


def drive(driven, periods, *command):
    cars = len(driven.images())
    for _ in range(periods):
        driven.drive(np.tile(command, (cars, 1)))


def test_a_car_drives_on_beyond_the_track():
    driven = world()
    drive(driven, 60, 0.0, 2.0)
    pose = driven.motion(0).pose
    assert not driven.course.track.is_on_surface((pose.x_m, pose.y_m))
    drive(driven, 5, 0.0, 2.0)
    assert driven.motion(0).pose.distance_m(pose) > 0.3, 'no rule stops it'


def test_it_moves_like_the_simulator_that_trains():
    config = SimulatorConfig(cars=1, image_age_s=(0.02, 0.02))
    driven = world(image_age_min_s=0.02, image_age_max_s=0.02)
    course = one_course('oval', 'forward')
    simulator = Simulator([course], CAR, config, seed=0)
    simulator.place(np.array([0]), np.array([0]), np.array([0.0]))
    for _ in range(20):
        simulator.step(np.array([[0.05, 1.5]]))
    drive(driven, 20, 0.05, 1.5)
    motion, state = driven.motion(0), simulator.state[0]
    assert (motion.pose.x_m, motion.pose.y_m) == (state['x_m'], state['y_m'])
    assert np.array_equal(driven.images()[0], simulator.images()[0, 0])
    assert np.array_equal(driven.scans(), simulator.scans())


@pytest.mark.parametrize(('cars', 'lift_ns'), [(1, LIFT_NS), (2, LIFT_AMONG_OTHERS_NS)])
def test_the_clock_counts_periods_and_lifts(cars, lift_ns):
    driven = world(cars)
    drive(driven, 3, 0.0, 1.0)
    driven.lift(0, Pose(1.0, 2.0, 0.5), takes_time=True)
    assert driven.time_ns == START_NS + 3 * PERIOD_NS + lift_ns
    driven.lift(0, Pose(1.0, 2.0, 0.5), takes_time=False)
    assert driven.time_ns == START_NS + 3 * PERIOD_NS + lift_ns


def test_a_lifted_car_stands_where_it_was_put_and_sees_from_there():
    driven = world()
    drive(driven, 10, 0.0, 2.0)
    image, pose = driven.images(), Pose(1.0, 2.0, -3.0)
    driven.lift(0, pose, takes_time=True)
    motion = driven.motion(0)
    assert motion.pose.distance_m(pose) == 0.0
    assert motion.pose.yaw_rad == pytest.approx(-3.0)
    assert (motion.vx_mps, motion.yaw_rate_radps) == (0.0, 0.0)
    assert not np.array_equal(driven.images(), image)
    driven.lift(0, driven.start_of(0), takes_time=True)
    assert driven.motion(0).pose.distance_m(grid_pose(driven.course, 0.0, 0)) == 0.0


def test_cars_start_on_a_grid_and_see_each_other():
    three = world(cars=3)
    at = [three.motion(car).pose for car in range(3)]
    assert min(at[i].distance_m(at[j]) for i, j in ((0, 1), (0, 2), (1, 2))) > CAR.length_m
    assert three.course.track.is_on_surface([(pose.x_m, pose.y_m) for pose in at]).all()
    third = three.images()[2]
    three.lift(0, Pose(50.0, 50.0, 0.0), takes_time=True)
    three.lift(1, Pose(60.0, 50.0, 0.0), takes_time=True)
    assert not np.array_equal(three.images()[2], third)


def test_a_car_that_is_held_stands_still_and_is_neither_seen_nor_scanned_nor_met():
    pair, alone = world(cars=2), world()
    at = pair.motion(0).pose
    ahead = Pose(at.x_m + 0.8 * np.cos(at.yaw_rad), at.y_m + 0.8 * np.sin(at.yaw_rad), at.yaw_rad)
    pair.lift(1, ahead, takes_time=False)
    alone.lift(0, at, takes_time=False)
    assert np.isfinite(pair.scans()[0]).any()
    pair.hold(1, held=True)
    assert np.array_equal(pair.images()[0], alone.images()[0])
    assert np.isinf(pair.scans()[0]).all()
    assert pair.objects(0)['x_m'].tolist() == [ASIDE_M]
    drive(pair, 3, 0.0, 2.0)
    assert pair.motion(1).pose.distance_m(ahead) == 0.0
    pair.lift(1, at, takes_time=False)
    drive(pair, 3, 0.0, 2.0)
    assert pair.motion(1).pose.distance_m(at) == 0.0, 'being put elsewhere does not free it'
    pair.hold(1, held=False)
    drive(pair, 3, 0.0, 2.0)
    assert pair.motion(1).pose.distance_m(at) > 0.02
    assert pair.objects(0)['x_m'] == pytest.approx(pair.motion(1).pose.x_m)


def test_start_share_and_direction_choose_the_start():
    track = one_course('oval', 'reverse').track
    pose = world(start_share=0.5, direction='reverse').motion(0).pose
    at = track.project((pose.x_m, pose.y_m))
    assert float(at.s_m) == pytest.approx(track.length_m / 2, abs=1e-6)
    assert np.cos(pose.yaw_rad - at.heading_rad) == pytest.approx(1.0)


@pytest.mark.parametrize(('rgb', 'shape'), [(False, (1, 120, 160)), (True, (1, 120, 160, 3))])
def test_images_are_grey_or_rgb(rgb, shape):
    images = world(rgb=rgb).images()
    assert images.shape == shape
    assert images.dtype == np.uint8


def test_real_time_says_when_commands_take_effect():
    early, late = world(), world()
    early.drive(np.array([[0.0, 2.0]]), np.array([0.0]))
    late.drive(np.array([[0.0, 2.0]]), np.array([0.06]))
    assert early.motion(0).vx_mps > 5 * late.motion(0).vx_mps


@pytest.mark.parametrize(('settings', 'said'), [
    ({'direction': 'both'}, 'forward or reverse'),
    ({'direction': 'left'}, 'allowed: forward, reverse'),
    ({'start_share': 1.5}, 'start_share is 1.5; allowed: 0 to 1'),
    ({'image_age_min_s': 0.05, 'image_age_max_s': 0.01}, 'image_age_min_s is 0.05'),
])
def test_worlds_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        world(**settings)


def test_a_pose_that_is_not_finite_is_refused():
    with pytest.raises(ConfigError, match='allowed: finite'):
        Pose(float('nan'), 0.0, 0.0)
