import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point, Polygon
from shapely.affinity import rotate, translate

from racer_sim import vehicle
from racer_sim.bodies import Box, body_of, car_body
from racer_sim.camera import BODY
from racer_sim.lidar import scan
from racer_vehicle.spec import CarSpec, LidarSpec

LIDAR = LidarSpec()


def ranges_from(boxes, x=0.0, y=0.0, yaw=0.0, *, angles=(0.0,), bodies=()):
    """Ranges of one car's scanner amid boxes, float32 (rays,)."""
    state = np.zeros(1, dtype=vehicle.STATE)
    state['x_m'], state['y_m'], state['yaw_rad'] = x, y, yaw
    rows = np.array([*map(body_of, boxes), *bodies], dtype=BODY).reshape(1, -1)
    ranges = np.zeros((1, len(angles)), dtype=np.float32)
    scan(ranges, state, np.array(angles), LIDAR.x_m, LIDAR.z_m,
         np.array([LIDAR.range_min_m, LIDAR.range_max_m]), np.zeros(1, dtype=np.int64), rows,
         np.array([rows.shape[1]]))
    return ranges[0]


def test_a_box_ahead_is_as_far_as_its_face():
    box = Box(x_m=2.0, y_m=0.0, length_m=0.4, width_m=0.3)
    assert ranges_from([box])[0] == pytest.approx(2.0 - 0.2 - LIDAR.x_m)


def test_an_oblique_ray_is_longer_by_its_secant():
    wall = Box(x_m=2.0, y_m=0.0, length_m=0.02, width_m=10.0)
    angle = math.radians(40.0)
    expected = (2.0 - 0.01 - LIDAR.x_m) / math.cos(angle)
    assert ranges_from([wall], angles=(angle, -angle)) == pytest.approx([expected, expected])


def test_the_nearer_box_answers():
    near, far = Box(x_m=1.0, y_m=0.0), Box(x_m=3.0, y_m=0.0)
    assert np.array_equal(ranges_from([near, far]), ranges_from([far, near]))
    assert ranges_from([near, far])[0] == pytest.approx(1.0 - 0.2 - LIDAR.x_m)


@pytest.mark.parametrize('boxes', [
    (), (Box(x_m=-2.0, y_m=0.0),), (Box(x_m=2.0, y_m=1.0),), (Box(x_m=12.5, y_m=0.0),),
])
def test_no_return_is_plus_infinity(boxes):
    assert ranges_from(boxes)[0] == np.inf


def test_the_farthest_return_is_at_the_greatest_range():
    face = LIDAR.x_m + LIDAR.range_max_m
    assert ranges_from([Box(x_m=face + 0.199, y_m=0.0)])[0] == pytest.approx(11.999)
    assert ranges_from([Box(x_m=face + 0.201, y_m=0.0)])[0] == np.inf


@pytest.mark.parametrize('x_m', [0.0, 0.3, LIDAR.x_m + 0.2 + 0.149])
def test_too_close_is_minus_infinity(x_m):
    assert ranges_from([Box(x_m=x_m, y_m=0.0)])[0] == -np.inf


def test_rays_run_counter_clockwise_from_the_right_rear():
    right, left = Box(x_m=LIDAR.x_m, y_m=-1.0), Box(x_m=LIDAR.x_m, y_m=2.0)
    ranges = ranges_from([right, left], angles=LIDAR.angles_rad)
    seen = np.flatnonzero(np.isfinite(ranges))
    angles = np.degrees(np.array(LIDAR.angles_rad))
    assert angles[seen[0]] == pytest.approx(-90.0, abs=13.0)
    assert angles[seen[-1]] == pytest.approx(90.0, abs=13.0)
    assert ranges[seen[0]] < ranges[seen[-1]]


def test_a_box_below_the_scanner_is_not_seen():
    assert ranges_from([Box(x_m=1.0, y_m=0.0, height_m=LIDAR.z_m - 0.001)])[0] == np.inf
    assert np.isfinite(ranges_from([Box(x_m=1.0, y_m=0.0, height_m=LIDAR.z_m + 0.001)])[0])


def test_a_car_sees_the_other_and_not_itself():
    own, other = (car_body(CarSpec(), owner, (0, 0, 0)) for owner in (0, 1))
    other['x_m'] = 2.0
    ranges = ranges_from([], angles=(0.0,), bodies=(own, other))
    assert ranges[0] == pytest.approx(2.0 - CarSpec().length_m / 2 - LIDAR.x_m)


@settings(max_examples=40, deadline=None)
@given(turn=st.floats(-3.0, 3.0), dx=st.floats(-5.0, 5.0), dy=st.floats(-5.0, 5.0))
def test_moving_car_and_boxes_together_changes_nothing(turn, dx, dy):
    boxes = [Box(x_m=1.5, y_m=0.4, yaw_rad=0.3), Box(x_m=-1.0, y_m=-1.2, yaw_rad=1.0)]

    def moved(box):
        x = math.cos(turn) * box.x_m - math.sin(turn) * box.y_m + dx
        y = math.sin(turn) * box.x_m + math.cos(turn) * box.y_m + dy
        return Box(x_m=x, y_m=y, yaw_rad=box.yaw_rad + turn)

    angles = np.linspace(-2.6, 2.6, 23)
    here = ranges_from(boxes, angles=angles)
    there = ranges_from(map(moved, boxes), dx, dy, turn, angles=angles)
    assert there == pytest.approx(here, abs=1e-4)


boxes = st.builds(Box, x_m=st.floats(-3, 3), y_m=st.floats(-3, 3), yaw_rad=st.floats(-3, 3),
                  length_m=st.floats(0.05, 1.5), width_m=st.floats(0.05, 1.5))


@settings(max_examples=100, deadline=None)
@given(box=boxes, yaw=st.floats(-3.1, 3.1), angle=st.floats(-2.6, 2.6))
def test_ranges_are_those_of_shapely(box, yaw, angle):
    eye = Point(LIDAR.x_m * math.cos(yaw), LIDAR.x_m * math.sin(yaw))
    half_l, half_w = box.length_m / 2, box.width_m / 2
    corners = ((half_l, half_w), (-half_l, half_w), (-half_l, -half_w), (half_l, -half_w))
    outline = translate(rotate(Polygon(corners), box.yaw_rad, (0, 0), use_radians=True),
                        box.x_m, box.y_m)
    end = (eye.x + 30 * math.cos(yaw + angle), eye.y + 30 * math.sin(yaw + angle))
    ray = LineString([eye, end])
    measured = ranges_from([box], yaw=yaw, angles=(angle,))[0]
    if ray.intersects(outline.buffer(-1e-3)):
        distance = eye.distance(ray.intersection(outline))
        if distance < LIDAR.range_min_m - 1e-6:
            assert measured == -np.inf
        elif distance > LIDAR.range_min_m + 1e-6:
            assert measured == pytest.approx(distance, abs=1e-4)
    elif not ray.intersects(outline.buffer(1e-3)):
        assert measured == np.inf
