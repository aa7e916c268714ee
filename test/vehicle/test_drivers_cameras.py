"""What every camera driver must do, done by the fake one and by OpenCV's on a film."""

import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from racer_vehicle.drivers.fake import FakeCameraSource, fake_camera
from racer_vehicle.drivers.newest import Newest
from racer_vehicle.drivers.reader import Reader
from racer_vehicle.drivers.v4l2 import V4l2Settings, V4l2Source, v4l2_camera
from racer_vehicle.errors import ConfigError, DeviceError
from racer_vehicle.signals import Frame
from racer_vehicle.spec import CameraSpec

WAIT_S = 60.0


def wait_for(event):
    assert event.wait(WAIT_S), 'nothing came'
    event.clear()


def wait_until(condition):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, 'it did not happen'
        time.sleep(0.005)


def read_new(camera, came):
    """The next frame; `came` is set at every one."""
    wait_for(came)
    frame = camera.read(WAIT_S)
    return frame if frame is not None else read_new(camera, came)


class CameraContract:
    """Inherited once for each driver, with a fixture `camera`: unconnected, 160 x 120, grey."""

    shape = (120, 160)

    def test_nothing_before_it_is_connected(self, camera):
        with pytest.raises(DeviceError, match=r'no data yet; allowed: 0\.2 s'):
            camera.read(0.2)

    def test_frames_come_announced_and_stamped(self, camera):
        came, began_s, stamps = threading.Event(), time.monotonic(), []
        with camera:
            camera.connect(came.set)
            for _ in range(3):
                frame = read_new(camera, came)
                assert (frame.image.shape, frame.image.dtype) == (self.shape, np.uint8)
                stamps.append(frame.stamp_s)
        assert sorted(set(stamps)) == stamps
        assert began_s <= stamps[0] and stamps[-1] <= time.monotonic()

    def test_frames_do_not_share_memory(self, camera):
        came = threading.Event()
        with camera:
            camera.connect(came.set)
            first = read_new(camera, came).image
            before = first.copy()
            second = read_new(camera, came).image
        assert np.array_equal(first, before) and not np.shares_memory(first, second)

    def test_a_frame_is_handed_out_once(self, camera):
        came = threading.Event()
        camera.connect(came.set)
        wait_for(came)
        camera.close()
        assert camera.read(WAIT_S) is not None
        assert camera.read(WAIT_S) is None

    def test_an_old_frame_is_an_error(self, camera):
        came = threading.Event()
        camera.connect(came.set)
        wait_for(came)
        camera.close()
        with pytest.raises(DeviceError, match=r'its last data is \d+\.\d\d s old; allowed: 0 s'):
            camera.read(0.0)

    def test_it_falls_silent_when_closed_and_opens_again(self, camera):
        came = threading.Event()
        for _ in range(2):
            camera.connect(came.set)
            wait_for(came)
            camera.close()
            camera.close()
            came.clear()
            assert not came.wait(0.2)

    def test_it_is_connected_once(self, camera):
        with camera:
            camera.connect(lambda: None)
            with pytest.raises(ConfigError, match='is connected; allowed: connect once'):
                camera.connect(lambda: None)


class TestFakeCamera(CameraContract):
    @pytest.fixture
    def camera(self, tmp_path):
        return fake_camera(CameraSpec(), time.monotonic, period_s=0.01)

    def test_frames_follow_from_their_number(self):
        def frames():
            source = FakeCameraSource(CameraSpec(), time.monotonic, rgb=True, period_s=0.0)
            source.open()
            return [source.next().image for _ in range(3)]
        first, second = frames(), frames()
        assert np.array_equal(first, second)
        assert first[0].shape == (120, 160, 3)
        assert first[1][0, 0].tolist() == [8, 93, 178]

    def test_it_comes_back_after_it_was_unplugged(self):
        came = threading.Event()
        source = FakeCameraSource(CameraSpec(), time.monotonic, period_s=0.01, lost_at=2)
        with Reader(source, time.monotonic, retry_s=0.3) as camera:
            camera.connect(came.set)
            for _ in range(2):
                read_new(camera, came)
            wait_until(lambda: 'fake camera was unplugged at 2' in trouble_of(camera))
            assert read_new(camera, came).image[0, 0] == 24


def trouble_of(camera):
    """What a read says, allowing no age at all; empty while it gives frames."""
    try:
        camera.read(0.0)
    except DeviceError as error:
        return str(error)
    return ''


def film(path: Path, frames=30, size=(160, 120)):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 15, size)
    assert writer.isOpened()
    for number in range(frames):
        image = np.zeros((size[1], size[0], 3), np.uint8)
        image[:, : size[0] // 2] = (255, 0, 0)
        image[:, size[0] // 2 :] = 8 * number
        writer.write(image)
    writer.release()
    return V4l2Settings(device=str(path), width_px=160, height_px=120)


class TestV4l2Camera(CameraContract):
    """OpenCV's capture is real, but it plays a film: this machine may have no camera."""

    @pytest.fixture
    def camera(self, tmp_path):
        source = V4l2Source(film(tmp_path / 'film.avi'), time.monotonic, cv2.CAP_ANY)
        return Reader(source, time.monotonic, retry_s=0.05)

    def test_the_end_of_the_film_is_a_lost_camera_that_comes_back(self, tmp_path):
        source = V4l2Source(film(tmp_path / 'film.avi', frames=2), time.monotonic, cv2.CAP_ANY)
        count = threading.Semaphore(0)
        with Reader(source, time.monotonic, retry_s=0.3) as camera:
            camera.connect(count.release)
            wait_until(lambda: 'film.avi gives no more frames' in trouble_of(camera))
            for _ in range(3):
                assert count.acquire(timeout=WAIT_S)

    def test_it_waits_for_a_camera_that_is_not_there_yet(self, tmp_path):
        settings = film(tmp_path / 'away.avi')
        (tmp_path / 'away.avi').rename(tmp_path / 'film.avi')
        came = threading.Event()
        source = V4l2Source(settings, time.monotonic, cv2.CAP_ANY)
        with Reader(source, time.monotonic, retry_s=0.05) as camera:
            camera.connect(came.set)
            wait_until(lambda: 'away.avi does not exist; plug the camera in' in trouble_of(camera))
            assert not came.is_set()
            (tmp_path / 'film.avi').rename(tmp_path / 'away.avi')
            assert read_new(camera, came).image.shape == (120, 160)

    def test_colour_is_red_green_blue_and_grey_is_luma(self, tmp_path):
        settings = film(tmp_path / 'film.avi')
        colour = V4l2Settings(device=settings.device, width_px=160, height_px=120, rgb=True)
        left = {}
        for wanted in (settings, colour):
            source = V4l2Source(wanted, time.monotonic, cv2.CAP_ANY)
            source.open()
            left[wanted.rgb] = source.next().image[60, 40].astype(int).tolist()
            source.close()
        assert left[True] == pytest.approx([0, 0, 255], abs=8), 'the film is blue on the left'
        assert left[False] == pytest.approx(0.114 * 255, abs=8)

    def test_another_size_is_refused(self, tmp_path):
        film(tmp_path / 'film.avi')
        source = V4l2Source(V4l2Settings(device=str(tmp_path / 'film.avi')), time.monotonic,
                            cv2.CAP_ANY)
        with pytest.raises(DeviceError, match=r'gives 160x120; allowed: 640x480 as set; set a si'):
            source.open()

    def test_a_file_that_is_no_camera_is_refused(self, tmp_path):
        (tmp_path / 'text').write_text('hello')
        source = V4l2Source(V4l2Settings(device=str(tmp_path / 'text')), time.monotonic)
        with pytest.raises(DeviceError, match=r'text does not open; check that it is a camera'):
            source.open()

    def test_nothing_is_touched_before_it_is_connected(self):
        camera = v4l2_camera(V4l2Settings(device='/dev/there-is-no-such-camera'), time.monotonic)
        camera.close()

    @pytest.mark.parametrize('wrong', [{'device': ''}, {'fps': 0}, {'width_px': 1}])
    def test_wrong_settings_are_refused(self, wrong):
        with pytest.raises(ConfigError, match=r'V4l2Settings\.\w+ is .*; allowed'):
            V4l2Settings(**wrong)


def test_the_newest_replaces_what_nobody_took():
    newest = Newest('toy')
    for stamp in (1.0, 2.0):
        newest.put(Frame(np.zeros((1, 1), np.uint8), stamp))
    newest.fail('unplugged')
    assert newest.take(2.1, 0.2).stamp_s == 2.0
    assert newest.take(2.1, 0.2) is None
    with pytest.raises(DeviceError, match=r'toy: its last data is 1\.00 s old; .*; unplugged\.'):
        newest.take(3.0, 0.2)
