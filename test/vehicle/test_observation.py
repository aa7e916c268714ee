"""Images shrink, frames stack, and only sensor sets that DeepRacer allows are accepted."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_vehicle.errors import ConfigError, UnknownNameError
from racer_vehicle.lidar_encoding import LidarConfig
from racer_vehicle.observation import (
    CameraEncoding,
    FrameStack,
    ObservationSpec,
    Sensor,
    rgb_to_luma,
)
from racer_vehicle.spec import CameraSpec, LidarSpec

SMALL = CameraEncoding(width_px=20, height_px=10, crop_top_px=40)
FRONT = Sensor.FRONT_FACING_CAMERA


def noise(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(('sensor', 'colour', 'channels'), [
    (FRONT, 'grey', 1), (FRONT, 'rgb', 3), (Sensor.STEREO_CAMERAS, 'grey', 2),
])
def test_shapes_follow_sensor_colour_and_stack(sensor, colour, channels):
    camera = CameraEncoding(width_px=20, height_px=10, crop_top_px=40, colour=colour)
    spec = ObservationSpec(sensors=(sensor,), camera=camera, stack=3)
    assert spec.native_shape == (channels, 120, 160)
    assert spec.frame_shape == (channels, 10, 20)
    assert spec.camera_shape == (3 * channels, 10, 20)
    assert spec.encode_camera(noise(4, *spec.native_shape)).shape == (4, *spec.frame_shape)


@settings(max_examples=30, deadline=None)
@given(ratio_x=st.integers(1, 8), ratio_y=st.integers(1, 8), crop=st.integers(0, 40),
       cars=st.integers(1, 5), seed=st.integers(0, 99))
def test_one_tall_resize_equals_a_resize_per_image_and_the_mean_of_each_block(
    ratio_x, ratio_y, crop, cars, seed
):
    camera = CameraEncoding(width_px=9, height_px=8, crop_top_px=crop)
    native = CameraSpec(width_px=9 * ratio_x, height_px=8 * ratio_y + crop)
    spec = ObservationSpec(sensors=(Sensor.STEREO_CAMERAS,), native_camera=native, camera=camera)
    images = np.random.default_rng(seed).integers(0, 256, (cars, *spec.native_shape), np.uint8)
    encoded = spec.encode_camera(images)
    for image, result in zip(images.reshape(-1, *images.shape[2:]), encoded.reshape(-1, 8, 9),
                             strict=True):
        alone = cv2.resize(image[crop:], (9, 8), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(result, alone)
    blocks = images[:, :, crop:].reshape(cars, 2, 8, ratio_y, 9, ratio_x)
    assert np.abs(encoded - blocks.mean(axis=(3, 5))).max() <= 0.51


def test_the_crop_removes_the_top_rows():
    spec = ObservationSpec(camera=SMALL)
    images = np.zeros((1, 1, 120, 160), dtype=np.uint8)
    images[:, :, :40] = 255
    assert not spec.encode_camera(images).any()


def test_native_size_costs_no_copy():
    images = noise(2, 1, 120, 160)
    assert ObservationSpec().encode_camera(images).base is images


@pytest.mark.parametrize('images', [
    np.zeros((2, 120, 160), np.uint8), np.zeros((2, 3, 120, 160), np.uint8),
    np.zeros((2, 1, 120, 160), np.float32),
])
def test_images_of_another_shape_or_type_are_refused(images):
    with pytest.raises(ConfigError, match=r'allowed: uint8 of shape \(N, 1, 120, 160\)'):
        ObservationSpec().encode_camera(images)


@pytest.mark.parametrize(('camera', 'message'), [
    (CameraEncoding(width_px=21, height_px=10), 'a width that divides 160'),
    (CameraEncoding(width_px=20, height_px=10, crop_top_px=35), 'a height that divides 85'),
    (CameraEncoding(width_px=320, height_px=240), 'policy image of 320x240 does not fit'),
    (CameraEncoding(crop_top_px=130), 'a height that divides 0'),
])
def test_a_size_that_is_no_whole_ratio_is_refused(camera, message):
    with pytest.raises(ConfigError, match=message):
        ObservationSpec(camera=camera)


def test_an_unknown_colour_is_refused():
    with pytest.raises(ConfigError, match="colour is 'hsv'; allowed: grey, rgb"):
        CameraEncoding(colour='hsv')


@pytest.mark.parametrize('sensors', [
    (), (Sensor.LIDAR,), (FRONT, Sensor.STEREO_CAMERAS), (FRONT, FRONT),
    (FRONT, Sensor.LIDAR, Sensor.SECTOR_LIDAR),
])
def test_sensor_sets_outside_the_rule_are_refused(sensors):
    with pytest.raises(ConfigError, match=r'allowed: exactly one of .* and at most one lidar'):
        ObservationSpec(sensors=sensors)


@pytest.mark.parametrize(('name', 'sensor'), [
    ('observation', FRONT), ('LEFT_CAMERA', FRONT), ('FRONT_FACING_CAMERA', FRONT),
    ('SECTOR_LIDAR', Sensor.SECTOR_LIDAR),
])
def test_sensor_names_and_legacy_names_are_read(name, sensor):
    assert Sensor.from_name(name) is sensor


def test_an_unknown_sensor_offers_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown sensor 'STERO_CAMERA'.*STEREO_CAMERAS"):
        Sensor.from_name('STERO_CAMERA')


@pytest.mark.parametrize(('sensor', 'size'), [
    (Sensor.LIDAR, 32), (Sensor.SECTOR_LIDAR, 8), (Sensor.DISCRETIZED_SECTOR_LIDAR, 12),
])
def test_lidar_size_is_what_encode_lidar_gives(sensor, size):
    spec = ObservationSpec(sensors=(FRONT, sensor), native_lidar=LidarSpec(rays=32),
                           lidar=LidarConfig(num_sectors=4, num_values_per_sector=3))
    encoded = spec.encode_lidar(np.full((2, 32), 0.2, dtype=np.float32))
    assert spec.lidar_size == size
    assert encoded.shape == (2, size)
    assert encoded.any()


def test_without_a_lidar_there_is_nothing_to_encode():
    spec = ObservationSpec()
    assert spec.lidar_size == 0
    with pytest.raises(ConfigError, match='no lidar is among the sensors FRONT_FACING_CAMERA'):
        spec.encode_lidar(np.zeros((1, 64), dtype=np.float32))


def test_a_lidar_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match='SECTOR_LIDAR has 8 sectors, the lidar 30 rays'):
        ObservationSpec(sensors=(FRONT, Sensor.SECTOR_LIDAR), native_lidar=LidarSpec(rays=30))
    spec = ObservationSpec(sensors=(FRONT, Sensor.LIDAR))
    with pytest.raises(ConfigError, match=r'shape \(1, 32\); allowed: \(N, 64\)'):
        spec.encode_lidar(np.zeros((1, 32), dtype=np.float32))


def frames(*values):
    """One two-channel frame of 1x1 a car, whose value says which it is: v and v + 100."""
    return np.array([[[[value]], [[value + 100]]] for value in values], dtype=np.uint8)


def seen(stacked):
    return stacked[:, :, 0, 0].tolist()


def mask(*fresh):
    return np.array(fresh, dtype=np.bool_)


def test_a_stack_holds_the_newest_frames_of_each_car_newest_last():
    stack = FrameStack(3)
    stack.push(frames(1, 11), mask(True, True))
    stack.push(frames(2, 12), mask(False, False))
    assert seen(stack.push(frames(3, 13), mask(False, False))) == [
        [1, 101, 2, 102, 3, 103], [11, 111, 12, 112, 13, 113]]
    assert seen(stack.push(frames(4, 14), mask(False, False)))[0] == [2, 102, 3, 103, 4, 104]


def test_a_fresh_episode_shows_nothing_of_the_last_and_leaves_the_other_cars_alone():
    stack = FrameStack(2)
    first = stack.push(frames(1, 11), mask(False, False))
    assert seen(first) == [[1, 101, 1, 101], [11, 111, 11, 111]]
    second = stack.push(frames(2, 50), mask(False, True))
    assert seen(second) == [[1, 101, 2, 102], [50, 150, 50, 150]]
    third = stack.push(frames(3, 51), mask(False, False))
    assert seen(third) == [[2, 102, 3, 103], [50, 150, 51, 151]]
    assert seen(first) == [[1, 101, 1, 101], [11, 111, 11, 111]], 'frames handed out never change'


def test_peek_shows_the_last_observation_of_an_episode_and_remembers_nothing():
    stack = FrameStack(2)
    assert seen(stack.peek(frames(9))) == [[9, 109, 9, 109]]
    stack.push(frames(1), mask(True))
    assert seen(stack.peek(frames(2))) == [[1, 101, 2, 102]]
    assert seen(stack.push(frames(3), mask(True))) == [[3, 103, 3, 103]]


def test_a_stack_of_one_returns_its_input_itself():
    encoded = frames(1, 2)
    assert FrameStack(1).push(encoded, mask(True, False)) is encoded


def test_a_stack_refuses_no_frames_and_another_number_of_cars():
    with pytest.raises(ConfigError, match='stack is 0; allowed: 1 or more'):
        FrameStack(0)
    stack = FrameStack(2)
    stack.push(frames(1, 2), mask(True, True))
    with pytest.raises(ConfigError, match='the same cars and size each time'):
        stack.push(frames(1), mask(True))


def test_luma_is_within_one_level_of_deepracers_conversion():
    images = noise(2, 50, 40, 3)
    red, green, blue = (images[..., channel].astype(np.int64) for channel in range(3))
    fixed_point = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    luma = rgb_to_luma(images)
    assert luma.shape == (2, 50, 40)
    assert luma.dtype == np.uint8
    assert np.abs(luma.astype(np.int64) - fixed_point).max() <= 1
    assert rgb_to_luma(np.full((4, 5, 3), 77, dtype=np.uint8)).tolist() == [[77] * 5] * 4
