"""Boxes and bots of simulators that somebody else drives: where they are, and who sees them."""

import math

import numpy as np
import pytest

from racer_sim.driven_guests import DrivenGuests
from racer_sim.driven_world import DrivenWorld, DrivenWorldConfig
from racer_sim.race_format import Bots, Obstacles, RaceFormat
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.starting_grid import Pose, grid_pose, one_course
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

CAR = CarSpec()
COURSE = one_course('oval', 'forward')
START = grid_pose(COURSE, 0.0, 0)
THREE = RaceFormat(obstacles=Obstacles(count=3))
NAMED = RaceFormat(obstacles=Obstacles(count=1, places=((0.1, 1),)))
ONE_BOT = RaceFormat(bots=Bots(count=1, slowest_mps=0.6, fastest_mps=0.6))


def guests(race=THREE, seed=0):
    return DrivenGuests(race, COURSE, CAR, seed, START)


def world(race, **settings):
    return DrivenWorld(DrivenWorldConfig(track='oval', race=race, **settings), CAR, 1)


def places(one):
    return one.bodies['x_m'].tolist(), one.bodies['y_m'].tolist()


def test_the_same_seed_run_and_lap_give_the_same_places():
    one, two, other = guests(), guests(), guests(seed=1)
    for run, laps in ((1, 0), (1, 1), (2, 0)):
        assert one.follow(run, laps)
        two.follow(run, laps)
        assert places(one) == places(two)
        other.follow(run, laps)
        assert places(one) != places(other)


def test_who_missed_a_lap_stands_where_the_others_do():
    one, late = guests(), guests()
    for run, laps in ((1, 0), (1, 1), (1, 2)):
        one.follow(run, laps)
    late.follow(1, 2)
    assert places(one) == places(late)


def test_boxes_move_once_a_lap_and_keep_away_from_where_the_car_begins():
    one, seen = guests(), []
    for laps in range(20):
        assert one.follow(1, laps)
        assert not one.follow(1, laps), 'it has moved already'
        seen.append(places(one))
        apart = np.hypot(one.bodies['x_m'] - START.x_m, one.bodies['y_m'] - START.y_m)
        assert apart.min() > 0.8
    assert len({str(each) for each in seen}) == 20


@pytest.mark.parametrize(('obstacles', 'each_run'), [
    (Obstacles(count=2, moved=False), True), (Obstacles(count=1, places=((0.3, -1),)), False)])
def test_boxes_that_do_not_move_between_laps_stay(obstacles, each_run):
    one = guests(RaceFormat(obstacles=obstacles))
    one.follow(1, 0)
    before = places(one)
    one.follow(1, 1)
    assert places(one) == before
    one.follow(2, 0)
    assert (places(one) != before) == each_run


def test_bots_drive_on_and_stop_behind_the_car():
    one = guests(ONE_BOT)
    one.follow(1, 0)
    before = Pose(*(float(one.bodies[name][0]) for name in ('x_m', 'y_m', 'yaw_rad')))
    one.step(Pose(50.0, 50.0, 0.0))
    after = Pose(*(float(one.bodies[name][0]) for name in ('x_m', 'y_m', 'yaw_rad')))
    assert after.distance_m(before) == pytest.approx(0.6 * CONTROL_PERIOD_S, rel=0.2)
    ahead = Pose(after.x_m + 0.45 * np.cos(after.yaw_rad),
                 after.y_m + 0.45 * np.sin(after.yaw_rad), after.yaw_rad)
    one.step(ahead)
    assert places(one) == ([after.x_m], [after.y_m])


def test_bots_drive_through_a_car_that_is_held():
    one, two = guests(ONE_BOT), guests(ONE_BOT)
    at = Pose(*(float(one.bodies[name][0]) for name in ('x_m', 'y_m', 'yaw_rad')))
    ahead = Pose(at.x_m + 0.45 * np.cos(at.yaw_rad), at.y_m + 0.45 * np.sin(at.yaw_rad),
                 at.yaw_rad)
    one.step(ahead)
    assert places(one) == ([at.x_m], [at.y_m])
    two.step(ahead, racing=False)
    assert places(two) != ([at.x_m], [at.y_m])


def test_a_box_is_seen_scanned_and_told_of():
    driven = world(NAMED)
    s_m = 0.1 * COURSE.track.length_m
    half_m = COURSE.track.left_m[0]
    driven.lift(0, Pose(*map(float, COURSE.track.pose_at(s_m - 1.0, 0.5 * half_m))),
                takes_time=False)
    bare = world(RaceFormat())
    bare.lift(0, driven.motion(0).pose, takes_time=False)
    assert np.abs(driven.images().astype(int) - bare.images()).max() > 20
    assert np.isinf(bare.scans()).all()
    nearest_m = driven.scans().min()
    assert nearest_m == pytest.approx(1.0 - 0.2 - CAR.lidar.x_m, abs=0.1)
    (box,) = driven.objects(0)
    assert (box['length_m'], box['width_m'], box['height_m']) == (0.4, 0.3, 0.25)
    assert len(bare.objects(0)) == 0


@pytest.mark.parametrize('rgb', [False, True])
def test_a_box_looks_as_it_does_where_policies_learn(rgb):
    driven = world(NAMED, rgb=rgb)
    simulator = Simulator([COURSE], CAR, SimulatorConfig(cars=1, race=NAMED, rgb=rgb), 0)
    s_m = np.array([0.06 * COURSE.track.length_m])
    simulator.place(np.array([0]), np.array([0]), s_m)
    driven.lift(0, Pose(*map(float, COURSE.track.pose_at(float(s_m[0])))), takes_time=False)
    planes = simulator.images()[0]
    assert np.array_equal(driven.images()[0], np.moveaxis(planes, 0, -1) if rgb else planes[0])
    assert np.array_equal(driven.scans(), simulator.scans())


def test_a_bot_looks_like_a_car_of_another_colour():
    driven = world(ONE_BOT, rgb=True)
    cars = DrivenWorld(DrivenWorldConfig(track='oval', rgb=True), CAR, 2)
    bot = driven.objects(0)[0]
    at = Pose(*(float(bot[name]) for name in ('x_m', 'y_m', 'yaw_rad')))
    behind = Pose(at.x_m - 0.8 * math.cos(at.yaw_rad), at.y_m - 0.8 * math.sin(at.yaw_rad),
                  at.yaw_rad)
    cars.lift(1, at, takes_time=False)
    for each in (driven, cars):
        each.lift(0, behind, takes_time=False)
    assert np.array_equal(driven.scans()[0], cars.scans()[0])
    blue, red = driven.images()[0].astype(int), cars.images()[0].astype(int)
    other = (blue != red).any(axis=-1)
    assert other.sum() > 100
    assert (blue[other][:, 2] > blue[other][:, 0]).all(), 'blue instead of red'


def test_race_control_moves_the_boxes_of_a_world():
    driven = world(THREE)
    driven.follow(1, 0, waiting=True)
    before = driven.objects(0)
    driven.follow(1, 1, waiting=False)
    assert not np.array_equal(driven.objects(0)['x_m'], before['x_m'])


def test_cars_of_one_world_are_objects_to_each_other():
    driven = DrivenWorld(DrivenWorldConfig(track='oval'), CAR, 2)
    driven.lift(1, Pose(1.0, 2.0, 0.5), takes_time=False)
    (other,) = driven.objects(0)
    assert (other['x_m'], other['y_m'], other['length_m']) == (1.0, 2.0, CAR.length_m)
    assert driven.objects(1)['x_m'] == pytest.approx(driven.motion(0).pose.x_m)


def test_too_many_things_for_a_lap_are_refused():
    crowd = RaceFormat(obstacles=Obstacles(count=6, min_gap_m=10.0))
    with pytest.raises(ConfigError, match='6 obstacles or bots 10 m apart need'):
        world(crowd)


def test_bots_wait_at_the_start_until_the_car_moves():
    driven = world(RaceFormat(bots=Bots(count=2)))
    for waiting, is_still in ((True, True), (False, False)):
        assert driven.follow(1 + waiting, 0, waiting=waiting)
        before = driven.objects(0)['x_m'].copy()
        driven.drive(np.array([[0.0, 0.0]]))
        assert np.array_equal(driven.objects(0)['x_m'], before) == is_still
