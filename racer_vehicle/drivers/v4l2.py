"""A USB or CSI camera through OpenCV and Video4Linux."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from racer_vehicle.drivers.protocols import Clock
from racer_vehicle.drivers.reader import Reader
from racer_vehicle.errors import ConfigError, DeviceError
from racer_vehicle.signals import Frame
from racer_vehicle.spec import require_range

OLDEST_STAMP_S: Final = 1.0
"""Age above which the driver's own time of a frame is no time on our clock."""

_MJPG: Final = cv2.VideoWriter.fourcc(*'MJPG')


@dataclass(frozen=True, slots=True, kw_only=True)
class V4l2Settings:
    """What to ask of the camera.

    Attributes:
        device: `/dev/videoN`, better a name below `/dev/v4l/by-id`, which survives replugging.
        width_px: Of the raw image; the lens's calibration holds for one size only.
        height_px: Of the raw image.
        fps: Frames a second.
        rgb: Colour frames; grey ones otherwise.
    """

    device: str = '/dev/video0'
    width_px: int = 640
    height_px: int = 480
    fps: int = 15
    rgb: bool = False

    def __post_init__(self) -> None:
        require_range(self, width_px=(8, 8192), height_px=(8, 8192), fps=(1, 240))
        if not self.device:
            raise ConfigError("V4l2Settings.device is ''; allowed: a device such as /dev/video0.")


class V4l2Source:
    """Frames of one camera, stamped when the kernel got them."""

    def __init__(self, settings: V4l2Settings, clock: Clock, backend: int = cv2.CAP_V4L2) -> None:
        """Prepare; nothing is touched before `open`.

        Args:
            settings: What to ask of the camera.
            clock: Of the stamps.
            backend: Of OpenCV; `cv2.CAP_ANY` plays a film instead, to the end.
        """
        self._settings, self._clock, self._backend = settings, clock, backend
        self._capture: cv2.VideoCapture | None = None

    @property
    def name(self) -> str:
        """The device."""
        return self._settings.device

    def open(self) -> None:
        """Open the device and set it up.

        Raises:
            DeviceError: It is missing, taken, or does not know this size.
        """
        want = self._settings
        if not Path(want.device).exists():
            raise DeviceError(f'{want.device} does not exist; plug the camera in.')
        # By default a camera that stalls blocks for ten seconds, and closing waits as long.
        os.environ.setdefault('OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT', '1')
        capture = self._capture = cv2.VideoCapture(want.device, self._backend)
        if not capture.isOpened():
            raise DeviceError(f'{want.device} does not open; check that it is a camera, that no '
                              'other program has it, and the group video.')
        for setting, value in ((cv2.CAP_PROP_FOURCC, _MJPG),
                               (cv2.CAP_PROP_FRAME_WIDTH, want.width_px),
                               (cv2.CAP_PROP_FRAME_HEIGHT, want.height_px),
                               (cv2.CAP_PROP_FPS, want.fps), (cv2.CAP_PROP_BUFFERSIZE, 1)):
            capture.set(setting, value)
        size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
                int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        if size != (want.width_px, want.height_px):
            raise DeviceError(f'{want.device} gives {size[0]}x{size[1]}; allowed: {want.width_px}x'
                              f'{want.height_px} as set; set a size that v4l2-ctl --list-formats-'
                              'ext shows, and calibrate the lens for it.')

    def next(self) -> Frame:
        """Wait for the next frame.

        Raises:
            DeviceError: The camera is lost or has stalled.
        """
        if self._capture is None:
            raise DeviceError(f'{self.name} is not open; open it first.')
        done, raw = self._capture.read()
        if not done:
            raise DeviceError(f'{self.name} gives no more frames; check its plug.')
        stamp_s = self._stamp_s(self._capture)
        wanted = cv2.COLOR_BGR2RGB if self._settings.rgb else cv2.COLOR_BGR2GRAY
        return Frame(np.asarray(cv2.cvtColor(raw, wanted), dtype=np.uint8), stamp_s)

    def close(self) -> None:
        """Let go of the device."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _stamp_s(self, capture: cv2.VideoCapture) -> float:
        """The kernel's time of the frame, which is on the monotonic clock, moved to ours."""
        age_s = time.monotonic() - capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        return self._clock() - (age_s if 0.0 <= age_s <= OLDEST_STAMP_S else 0.0)


def v4l2_camera(settings: V4l2Settings, clock: Clock) -> Reader[Frame]:
    """The camera as nodes use it, found again when it was unplugged."""
    return Reader(V4l2Source(settings, clock), clock)
