"""Gazebo against the embedded simulator; benchmarks/gazebo_parity.py writes the report."""

import numpy as np
import pytest

from racer_rl.benchmarks.manoeuvres import MANOEUVRES, Driven, drive, lap
from racer_rl.benchmarks.side_by_side import Embedded, gazebo, look, obstacles, poses
from racer_sim.starting_grid import one_course

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
