import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_sim import vehicle
from racer_sim.bodies import Box, body_of, car_body
from racer_sim.camera import BODY, camera_geometry, render
from racer_sim.camera_boxes import FACE_LIGHT
from racer_sim.courses import GroundTextures, courses_of
from racer_sim.ground import GroundStyle, paint_ground
from racer_sim.track_files import load_track
from racer_sim.track_library import find_track
from racer_vehicle.observation import rgb_to_luma
from racer_vehicle.spec import CameraSpec, CarSpec

CAMERA = CameraSpec()
SKY, FIELD = 200, 90
STYLE = GroundStyle()


class Scene:
    """One ground and some bodies, seen by cameras at chosen poses."""

    def __init__(self, track, *, rgb=False, boxes=(), bodies=()):
        self.ground = GroundTextures.of(courses_of([track]), STYLE, rgb=rgb)
        self.sky = np.full(3 if rgb else 1, SKY, dtype=np.uint8)
        self.bodies = np.array([*map(body_of, boxes), *bodies], dtype=BODY).reshape(1, -1)

    def shoot(self, x, y, yaw, camera=CAMERA, sides_m=(0.0,)):
        """Images of cars at poses (N,), uint8 (N, planes, height, width)."""
        x, y, yaw = np.broadcast_arrays(*np.atleast_1d(x, y, yaw))
        state = np.zeros(x.size, dtype=vehicle.STATE)
        state['x_m'], state['y_m'], state['yaw_rad'] = x, y, yaw
        planes = len(sides_m) * self.sky.size
        images = np.empty((x.size, planes, camera.height_px, camera.width_px), dtype=np.uint8)
        nowhere = np.zeros(x.size, dtype=np.int64)
        render(images, np.arange(x.size), state, camera_geometry(camera, x.size),
               np.array(sides_m), nowhere, self.ground.levels, self.ground.texels,
               np.tile(self.sky, (x.size, 1)), self.ground.fields, nowhere,
               self.bodies, np.array([self.bodies.shape[1]]))
        return images


@pytest.fixture(scope='module')
def oval():
    return find_track('oval')


@pytest.fixture(scope='module')
def far(oval):
    """A place from which the camera sees nothing but field."""
    return oval.bounds_m[2] + 200.0, 0.0, 0.0


def poses_on(track, count, seed):
    """Places on the surface, looking along it within 60 degrees: x, y, yaw, (count,) each."""
    random = np.random.default_rng(seed)
    lateral = random.uniform(-0.3, 0.3, count)
    x, y, yaw = track.pose_at(random.uniform(0.0, track.length_m, count), lateral)
    return x, y, yaw + random.uniform(-1.0, 1.0, count)


def traced(track, x, y, yaw, camera=CAMERA, samples=8):
    """The image by casting `samples` squared rays a pixel at the picture in full resolution."""
    ground = paint_ground(track, STYLE)
    luma = ground.luma()
    columns = (np.arange(camera.width_px * samples) + 0.5) / samples - camera.width_px / 2
    rows = (np.arange(camera.height_px * samples) + 0.5) / samples - camera.height_px / 2
    right, down = np.meshgrid(columns / camera.focal_px, rows / camera.focal_px)
    sine, cosine = math.sin(camera.pitch_rad), math.cos(camera.pitch_rad)
    falls = down * cosine + sine
    seen = falls > 1e-3
    reach = camera.z_m / np.where(seen, falls, 1.0)
    ahead, left = camera.x_m + reach * (cosine - down * sine), camera.y_m - reach * right
    i, j = ground.texel_at(np.stack((x + ahead * math.cos(yaw) - left * math.sin(yaw),
                                     y + ahead * math.sin(yaw) + left * math.cos(yaw)), axis=-1))
    inside = (i >= 0) & (i < luma.shape[0]) & (j >= 0) & (j < luma.shape[1])
    field = int(rgb_to_luma(np.full((1, 1, 3), STYLE.field, np.uint8))[0, 0])
    shades = np.full(seen.shape, float(field))
    shades[inside] = luma[i[inside], j[inside]]
    shades[~seen] = SKY
    return shades.reshape(camera.height_px, samples, camera.width_px, samples).mean(axis=(1, 3))


def error_of(track, count=20):
    """Mean absolute difference to the traced images, grey levels."""
    poses = poses_on(track, count, seed=7)
    images = Scene(track).shoot(*poses)[:, 0].astype(float)
    expected = np.stack([traced(track, *pose) for pose in zip(*poses, strict=True)])
    return np.abs(images - expected).mean()


def test_images_of_a_shipped_track_are_those_of_ray_casting():
    assert error_of(find_track('oval'), count=5) < 2.0


def test_images_of_a_real_track_are_those_of_ray_casting(real_tracks):
    assert error_of(load_track(real_tracks / 'reinvent_base.npy')) < 2.0


def test_a_narrow_camera_looking_up_agrees_as_well(oval):
    camera = CameraSpec(width_px=80, height_px=80, hfov_rad=1.2, pitch_rad=-0.1, x_m=0.0, y_m=0.05)
    (x,), (y,), (yaw,) = poses_on(oval, 1, seed=3)
    image = Scene(oval).shoot(x, y, yaw, camera)[0, 0]
    assert np.abs(image - traced(oval, x, y, yaw, camera)).mean() < 2.0


def test_sky_ends_at_the_horizon(oval, far):
    scene = Scene(oval)
    field = scene.ground.fields[0, 0]
    image = scene.shoot(*far)[0, 0]
    horizon = CAMERA.height_px / 2 - CAMERA.focal_px * math.tan(CAMERA.pitch_rad)
    assert (image[:math.floor(horizon)] == SKY).all()
    assert (image[math.ceil(horizon) + 1:] == field).all()


@pytest.mark.parametrize('pitch_deg', [-50.0, 80.0])
def test_a_camera_may_see_only_sky_or_only_ground(oval, far, pitch_deg):
    camera = dataclasses.replace(CAMERA, pitch_rad=math.radians(pitch_deg), hfov_rad=1.0)
    scene = Scene(oval)
    expected = SKY if pitch_deg < 0.0 else scene.ground.fields[0, 0]
    assert (scene.shoot(*far, camera) == expected).all()


def test_every_pose_gives_a_picture(oval):
    random = np.random.default_rng(5)
    x, y = random.uniform(-40.0, 40.0, (2, 64))
    x[:4], y[:4] = (1e4, -1e4, 0.0, 0.0), (0.0, 0.0, 1e4, -1e4)
    images = Scene(oval).shoot(x, y, random.uniform(-math.pi, math.pi, 64))
    horizon = math.floor(CAMERA.height_px / 2 - CAMERA.focal_px * math.tan(CAMERA.pitch_rad))
    assert (images[:, :, :horizon] == SKY).all()
    assert images[:, :, horizon + 2:].max() <= 241


def test_a_mirrored_pose_on_the_mirrored_ground_mirrors_the_image(oval):
    scene, mirrored = Scene(oval), Scene(oval)
    ground, (levels,) = scene.ground, scene.ground.levels
    flipped = ground.texels.copy()
    for offset, height, width in levels[['offset', 'height', 'width']].tolist():
        texels = flipped[offset:offset + height * width].reshape(height, width)
        texels[:] = texels[::-1].copy()
    mirrored.ground = dataclasses.replace(ground, texels=flipped)
    twice_middle_m = 2 * levels[0]['y_max_m'] - levels[0]['height'] / levels[0]['texels_per_m']
    x, y, yaw = poses_on(oval, 8, seed=2)
    images = scene.shoot(x, y, yaw).astype(int)
    mirror = mirrored.shoot(x, twice_middle_m - y, -yaw)[..., ::-1]
    assert np.mean(images != mirror) < 0.002


def only_boxes(oval, far, boxes=(), bodies=(), camera=CAMERA, sides_m=(0.0,)):
    """Where boxes, given relative to a car far away from the track, change the picture."""
    x, y, yaw = far
    boxes = [dataclasses.replace(box, x_m=box.x_m + x, y_m=box.y_m + y) for box in boxes]
    with_boxes = Scene(oval, boxes=boxes, bodies=bodies).shoot(x, y, yaw, camera, sides_m)[0]
    return with_boxes, with_boxes != Scene(oval).shoot(x, y, yaw, camera, sides_m)[0]


def pixel_of(x, y, z, camera=CAMERA):
    """Column and row of a point in `base_link`."""
    ahead, up = x - camera.x_m, z - camera.z_m
    sine, cosine = math.sin(camera.pitch_rad), math.cos(camera.pitch_rad)
    depth = cosine * ahead - sine * up
    return (camera.width_px / 2 - camera.focal_px * (y - camera.y_m) / depth,
            camera.height_px / 2 + camera.focal_px * (-cosine * up - sine * ahead) / depth)


@pytest.mark.parametrize(('y_m', 'yaw_rad'), [(0.0, 0.0), (0.5, 0.0), (-0.4, 1.1)])
def test_a_box_covers_the_pixels_of_its_corners(oval, far, y_m, yaw_rad):
    box = Box(x_m=1.2, y_m=y_m, yaw_rad=yaw_rad, colour=(255, 0, 255))
    _, changed = only_boxes(oval, far, [box])
    corners = [(sx * box.length_m / 2, sy * box.width_m / 2) for sx in (-1, 1) for sy in (-1, 1)]
    columns, rows = np.transpose([
        pixel_of(box.x_m + math.cos(yaw_rad) * x - math.sin(yaw_rad) * y,
                 box.y_m + math.sin(yaw_rad) * x + math.cos(yaw_rad) * y, z)
        for x, y in corners for z in (0.0, box.height_m)])
    row, column = np.nonzero(changed[0])
    assert (column.min(), column.max() + 1) == pytest.approx((columns.min(), columns.max()), abs=1)
    assert (row.min(), row.max() + 1) == pytest.approx((rows.min(), rows.max()), abs=1)


@pytest.mark.parametrize('order', [1, -1])
def test_the_nearer_box_hides_the_farther(oval, far, order):
    near = Box(x_m=1.0, y_m=0.0, colour=(250, 250, 250))
    hidden = Box(x_m=1.6, y_m=0.0, height_m=0.2, length_m=0.2, width_m=0.2, colour=(0, 0, 0))
    both, _ = only_boxes(oval, far, [near, hidden][::order])
    alone, _ = only_boxes(oval, far, [near])
    assert np.array_equal(both, alone)


def cast_at_boxes(image, boxes, x, y, yaw, camera=CAMERA):
    """An image (H, W) with boxes over it, by the nearest hit of one ray a pixel."""
    image, nearest = image.copy(), np.full(image.shape, np.inf)
    column, row = np.meshgrid(np.arange(camera.width_px) + 0.5 - camera.width_px / 2,
                              np.arange(camera.height_px) + 0.5 - camera.height_px / 2)
    right, down = column / camera.focal_px, row / camera.focal_px
    sine, cosine = math.sin(camera.pitch_rad), math.cos(camera.pitch_rad)
    ahead, up = cosine - down * sine, -down * cosine - sine
    for box in boxes:
        turn = yaw - box.yaw_rad
        to_x, to_y = (x + camera.x_m * math.cos(yaw) - box.x_m,
                      y + camera.x_m * math.sin(yaw) - box.y_m)
        origin = (math.cos(box.yaw_rad) * to_x + math.sin(box.yaw_rad) * to_y,
                  -math.sin(box.yaw_rad) * to_x + math.cos(box.yaw_rad) * to_y,
                  camera.z_m - box.height_m / 2)
        ray = (math.cos(turn) * ahead + math.sin(turn) * right,
               math.sin(turn) * ahead - math.cos(turn) * right, up)
        enter, leave, face = np.full(image.shape, -np.inf), np.full(image.shape, np.inf), 4
        for axis, size in enumerate((box.length_m, box.width_m, box.height_m)):
            with np.errstate(divide='ignore'):
                near, far_end = ((side * np.sign(ray[axis]) * size / 2 - origin[axis]) / ray[axis]
                                 for side in (-1, 1))
            positive = 2 * axis + (ray[axis] > 0) if axis < 2 else 4
            face = np.where(near > enter, positive, face)
            enter, leave = np.maximum(enter, near), np.minimum(leave, far_end)
        hit = (enter < leave) & (enter > 0.0) & (enter < nearest)
        nearest[hit] = enter[hit]
        image[hit] = (box.colour[0] * np.array(FACE_LIGHT)[face[hit]]).astype(int)
    return image


@given(placed=st.lists(st.tuples(st.floats(0.5, 2.5), st.floats(-1.2, 1.2), st.floats(-3.0, 3.0),
                                 st.floats(0.05, 0.6), st.floats(0.05, 0.3)),
                       min_size=1, max_size=4), yaw=st.floats(-3.0, 3.0))
@settings(max_examples=40)
def test_boxes_look_as_rays_find_them(oval, far, placed, yaw):
    x, y, _ = far
    boxes = [Box(x_m=x + ahead * math.cos(yaw) - left * math.sin(yaw),
                 y_m=y + ahead * math.sin(yaw) + left * math.cos(yaw),
                 yaw_rad=turn, length_m=length, height_m=height, colour=(shade, shade, shade))
             for shade, (ahead, left, turn, length, height) in zip((250, 200, 140, 70), placed,
                                                                   strict=False)]
    seen = Scene(oval, boxes=boxes).shoot(x, y, yaw)[0, 0]
    expected = cast_at_boxes(Scene(oval).shoot(x, y, yaw)[0, 0], boxes, x, y, yaw)
    # Rounding decides on which side of an edge the middle of a pixel lies.
    assert np.mean(seen != expected) < 0.001


def test_a_box_behind_the_camera_is_not_drawn(oval, far):
    _, changed = only_boxes(oval, far, [Box(x_m=-0.3, y_m=0.0), Box(x_m=-2.0, y_m=0.3)])
    assert not changed.any()


def test_a_box_around_or_beside_the_camera_is_cut_and_not_crossed(oval, far):
    around = Box(x_m=0.1, y_m=0.0, length_m=1.0, width_m=1.0, height_m=0.3)
    _, changed = only_boxes(oval, far, [around])
    assert changed[0, :CAMERA.height_px // 2].all()
    _, beside = only_boxes(oval, far, [Box(x_m=0.145, y_m=0.4, width_m=0.2, length_m=1.0)])
    assert beside[0, :, :80].any()
    assert not beside[0, :, 80:].any()


def test_a_long_wall_past_the_camera_fills_its_side_to_the_edge(oval, far):
    _, changed = only_boxes(oval, far, [Box(x_m=0.0, y_m=-0.5, length_m=20.0, width_m=0.02)])
    assert changed[0, :, 159].any()
    assert not changed[0, :, :75].any()


def test_a_car_sees_the_other_and_not_itself(oval, far):
    own, other = (car_body(CarSpec(), owner, (255, 0, 0)) for owner in (0, 1))
    for body in (own, other):
        body['x_m'], body['y_m'] = far[0], far[1]
    _, itself = only_boxes(oval, far, bodies=[own])
    assert not itself.any()
    other['x_m'] += 1.0
    _, seen = only_boxes(oval, far, bodies=[own, other])
    assert seen.any()


def test_what_is_near_lies_further_right_in_the_left_eye(oval, far):
    boxes = [Box(x_m=0.8, y_m=0.0, length_m=0.1, width_m=0.1, colour=(255, 255, 255))]
    _, seen = only_boxes(oval, far, boxes, sides_m=(0.03, -0.03))
    left, right = (np.nonzero(eye)[1].mean() for eye in seen)
    depth = (0.8 - 0.05 - CAMERA.x_m) / math.cos(CAMERA.pitch_rad)
    assert left - right == pytest.approx(CAMERA.focal_px * 0.06 / depth, rel=0.2)


def test_luma_of_the_colour_image_is_the_grey_image(oval):
    poses = poses_on(oval, 6, seed=11)
    colour = Scene(oval, rgb=True).shoot(*poses)
    grey = Scene(oval).shoot(*poses)[:, 0]
    difference = np.abs(rgb_to_luma(colour.transpose(0, 2, 3, 1)).astype(int) - grey)
    assert difference.max() <= 3
    assert difference.mean() < 0.5
