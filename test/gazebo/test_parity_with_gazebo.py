"""Gazebo against the embedded simulator; benchmarks/gazebo_parity.py writes the report."""

import numpy as np
import pytest

from racer_rl.benchmarks.manoeuvres import MANOEUVRES, Driven, drive, lap
from racer_rl.benchmarks.side_by_side import Embedded, gazebo, look, obstacles, poses
from racer_sim.driven_world import DrivenWorld, DrivenWorldConfig
from racer_sim.gazebo.gazebo_world import GazeboConfig, GazeboWorld
from racer_sim.race_format import STANDARD_FORMATS, RaceType
from racer_sim.starting_grid import Pose, one_course
from racer_vehicle.spec import CarSpec

pytestmark = pytest.mark.slow

TRACK = 'kidney'


@pytest.fixture(scope='module')
def embedded():
    return Embedded(TRACK)


@pytest.fixture(scope='module')
def other():
    with gazebo(TRACK) as running:
        yield running


def test_images_agree(embedded, other):
    seen = look(embedded, other, poses(one_course(TRACK, 'forward').track, 50))
    assert seen.differences.mean() < 3.0
    assert seen.differences.max() < 6.0
    assert np.abs(np.median(seen.shifts_px, axis=0)).max() < 0.25


def test_boxes_and_scans_agree():
    track = one_course(TRACK, 'forward').track
    boxes = obstacles(track)
    with gazebo(TRACK, boxes) as running:
        seen = look(Embedded(TRACK, boxes), running, poses(track, 20, seed=1))
    assert seen.differences.mean() < 4.0
    assert seen.same_kind > 0.97
    assert np.median(seen.range_errors_m) < 0.01


@pytest.mark.parametrize('manoeuvre', [each for each in MANOEUVRES if each.limits],
                         ids=lambda each: each.name)
def test_step_steers_agree_below_the_limit_of_grip(embedded, other, manoeuvre):
    driven = Driven(manoeuvre=manoeuvre, embedded=drive(embedded, manoeuvre),
                    gazebo=drive(other, manoeuvre))
    assert driven.failures == []


def test_a_scripted_driver_takes_as_long(embedded, other):
    track = one_course(TRACK, 'forward').track
    ours, theirs = lap(embedded, track, 2.0), lap(other, track, 2.0)
    assert theirs.lap_times_s[1] == pytest.approx(ours.lap_times_s[1], rel=0.03)


@pytest.mark.parametrize('race', [RaceType.OBJECT_AVOIDANCE, RaceType.HEAD_TO_BOT])
def test_boxes_and_bots_are_at_the_same_places_and_look_alike(race, tmp_path):
    car = CarSpec()
    config = DrivenWorldConfig(track=TRACK, image_age_max_s=0.0, race=STANDARD_FORMATS[race])
    ours = DrivenWorld(config, car, 1)
    with GazeboWorld(GazeboConfig(world=config), car, ('',), tmp_path) as theirs:
        for run, laps in ((1, 0), (1, 1), (2, 0), (2, 1)):
            ours.follow(run, laps)
            theirs.follow(run, laps)
            body = ours.objects(0)[0]
            yaw_rad = float(body['yaw_rad'])
            pose = Pose(float(body['x_m']) - 0.9 * np.cos(yaw_rad),
                        float(body['y_m']) - 0.9 * np.sin(yaw_rad), yaw_rad)
            ours.lift(0, pose, takes_time=True)
            theirs.lift(0, pose)
            for _ in range(3):
                ours.drive(np.zeros((1, 2)), np.zeros(1))
                theirs.drive(np.zeros((1, 2)), np.zeros(1))
            assert np.array_equal(ours.objects(0), theirs.objects(0, theirs.time_ns))
            images = ours.images()[0].astype(float), theirs.image(0, theirs.time_ns).astype(float)
            assert np.abs(images[0] - images[1]).mean() < 4.0
            scans = ours.scans()[0], theirs.cars[0].scan(theirs.time_ns)
            assert np.isfinite(scans[0]).sum() >= 3
            assert np.mean(np.isfinite(scans[0]) == np.isfinite(scans[1])) > 0.95
            assert scans[0].min() == pytest.approx(scans[1].min(), abs=0.01)
