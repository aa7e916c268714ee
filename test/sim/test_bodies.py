import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import Polygon
from shapely.affinity import rotate, translate

from racer_sim.bodies import Box, body_of, car_body, find_crashes, wall_boxes
from racer_sim.camera import BODY
from racer_sim.track_library import SHIPPED, find_track
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CarSpec

CAR = CarSpec()


def outline(body):
    half_l, half_w = body['length_m'] / 2, body['width_m'] / 2
    shape = Polygon(((half_l, half_w), (-half_l, half_w), (-half_l, -half_w), (half_l, -half_w)))
    return translate(rotate(shape, body['yaw_rad'], (0, 0), use_radians=True),
                     body['x_m'], body['y_m'])


def crash(bodies, worlds=(0,), count=None):
    """Whether cars at the origin overlap bodies of their worlds."""
    cars = np.array([car_body(CAR, index, (0, 0, 0)) for index in range(len(worlds))])
    rows = np.array(bodies, dtype=BODY).reshape(max(worlds) + 1, -1)
    crashed = np.ones(len(worlds), dtype=np.bool_)
    counts = np.full(len(rows), rows.shape[1] if count is None else count)
    find_crashes(crashed, cars, np.array(worlds), rows, counts)
    return crashed.tolist()


places = st.builds(Box, x_m=st.floats(-0.8, 0.8), y_m=st.floats(-0.8, 0.8),
                   yaw_rad=st.floats(-4, 4), length_m=st.floats(0.02, 1.0),
                   width_m=st.floats(0.02, 1.0))


@given(places)
def test_a_crash_is_an_overlap_of_footprints(box):
    body, car = body_of(box), outline(car_body(CAR, 0, (0, 0, 0)))
    if outline(body).intersection(car).area > 1e-9:
        assert crash([body]) == [True]
    elif outline(body).distance(car) > 1e-9:
        assert crash([body]) == [False]


def test_a_car_does_not_hit_itself_nor_what_is_not_counted():
    own = car_body(CAR, 0, (0, 0, 0))
    assert crash([own]) == [False]
    assert crash([own, body_of(Box(x_m=0.0, y_m=0.0))], count=1) == [False]
    assert crash([own, body_of(Box(x_m=0.0, y_m=0.0))]) == [True]


def test_worlds_are_apart():
    near, far = body_of(Box(x_m=0.0, y_m=0.0)), body_of(Box(x_m=5.0, y_m=0.0))
    assert crash([near, far], worlds=(0, 1, 0)) == [True, False, True]


@pytest.mark.parametrize('name', SHIPPED)
def test_walls_stand_clear_of_the_track(name):
    track = find_track(name)
    boxes = wall_boxes(track, clearance_m=0.3)
    assert len(boxes) > track.length_m / 0.5
    for box in boxes:
        along = np.linspace(-0.5, 0.5, 9) * box.length_m
        points = np.stack((box.x_m + along * math.cos(box.yaw_rad),
                           box.y_m + along * math.sin(box.yaw_rad)), axis=1)
        assert not track.is_on_surface(points).any()


def test_walls_stand_at_their_clearance_and_are_no_obstacles():
    track = find_track('oval')
    boxes = wall_boxes(track, clearance_m=0.4, height_m=0.5)
    lateral = track.project(np.array([(box.x_m, box.y_m) for box in boxes])).lateral_m
    outer = lateral[np.sign(lateral) == (1.0 if track.is_clockwise else -1.0)]
    half_m = max(track.left_m.max(), track.right_m.max())
    assert np.abs(outer) == pytest.approx(half_m + 0.4, abs=0.05)
    assert all(box.is_wall and box.height_m == 0.5 for box in boxes)


@pytest.mark.parametrize(('field', 'value'), [('x_m', math.nan), ('length_m', 0.0),
                                              ('height_m', -1.0)])
def test_a_box_that_cannot_stand_is_refused(field, value):
    with pytest.raises(ConfigError, match=rf'Box\.{field} is .*; allowed: '):
        Box(**{'x_m': 0.0, 'y_m': 0.0, field: value})
