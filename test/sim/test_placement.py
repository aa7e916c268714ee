import math

import numpy as np
import pytest

from racer_sim import vehicle
from racer_sim.courses import CourseGeometry, courses_of
from racer_sim.placement import PLACE, bends_ahead, locate
from racer_sim.track_library import find_track
from racer_vehicle.spec import CarSpec

WHEELS_M = np.array(CarSpec().wheel_positions_m)
COURSES = courses_of([find_track('oval'), find_track('meander')], 'both')
GEOMETRY = CourseGeometry.of(COURSES)


def places_of(x, y, yaw, course):
    x, y, yaw, course = np.broadcast_arrays(x, y, yaw, course)
    state = np.zeros(x.size, dtype=vehicle.STATE)
    state['x_m'], state['y_m'], state['yaw_rad'] = x, y, yaw
    places = np.zeros(x.size, dtype=PLACE)
    locate(places, state, np.array(course, dtype=np.int64), WHEELS_M, GEOMETRY)
    return places


@pytest.mark.parametrize('course', range(len(COURSES)))
def test_places_are_those_of_the_track(course):
    track = COURSES[course].track
    random = np.random.default_rng(course)
    x, y, yaw = track.pose_at(random.uniform(0, track.length_m, 30), random.uniform(-1, 1, 30))
    turn = random.uniform(-2.0, 2.0, 30)
    places, at = places_of(x, y, yaw + turn, course), track.project(np.stack((x, y), axis=1))
    assert np.array_equal(places['segment'], at.segment)
    assert places['s_m'] == pytest.approx(at.s_m)
    assert places['lateral_m'] == pytest.approx(at.lateral_m)
    error = np.remainder(yaw + turn - at.heading_rad + math.pi, math.tau) - math.pi
    assert places['heading_error_rad'] == pytest.approx(error)
    half = np.where(at.lateral_m > 0, places['left_m'], places['right_m'])
    on_surface = track.is_on_surface(np.stack((x, y), axis=1))
    assert np.array_equal(np.abs(at.lateral_m) <= half, on_surface)


@pytest.mark.parametrize('course', range(len(COURSES)))
def test_every_wheel_is_judged_by_itself(course):
    track = COURSES[course].track
    random = np.random.default_rng(course)
    x, y, yaw = track.pose_at(random.uniform(0, track.length_m, 60), random.uniform(-0.7, 0.7, 60))
    yaw += random.uniform(-1, 1, 60)
    cosine, sine = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    wheels = np.stack((x[:, None] + cosine * WHEELS_M[:, 0] - sine * WHEELS_M[:, 1],
                       y[:, None] + sine * WHEELS_M[:, 0] + cosine * WHEELS_M[:, 1]), axis=-1)
    expected = track.is_on_surface(wheels).sum(axis=1)
    assert set(expected) >= {0, 4}
    assert np.array_equal(places_of(x, y, yaw, course)['wheels_on_track'], expected)


def test_courses_are_mirrored_by_direction():
    x, y, yaw = COURSES[0].track.pose_at(np.array([1.0]), 0.1)
    forward, backward = places_of(x, y, yaw, 0)[0], places_of(x, y, yaw, 1)[0]
    assert backward['s_m'] == pytest.approx(GEOMETRY.length_m[0] - forward['s_m'])
    assert backward['lateral_m'] == pytest.approx(-forward['lateral_m'])
    assert (backward['left_m'], backward['right_m']) == pytest.approx(
        (forward['right_m'], forward['left_m']))
    assert abs(backward['heading_error_rad']) == pytest.approx(math.pi)


@pytest.mark.parametrize(('course', 'left'), [(0, True), (1, False)])
def test_the_oval_turns_half_round_in_half_a_lap(course, left):
    track = COURSES[course].track
    assert track.is_clockwise is not left
    x, y, yaw = track.pose_at(np.array([0.05]))
    ahead_m = np.array([0.0, 0.25, 0.5, 1.0]) * track.length_m
    bends = bends_ahead(places_of(x, y, yaw, course), np.array([course]), ahead_m, GEOMETRY)[0]
    assert bends[[0, 3]] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert (bends[1] > 0.0) == left
    assert abs(bends[2]) == pytest.approx(math.pi, abs=0.1)
