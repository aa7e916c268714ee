"""Sensors to policy input: which sensors, how images shrink, how frames stack.

The same objects encode N simulated cars in training and one real car (N = 1), so that a policy
sees the same numbers in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from racer_vehicle import lidar_encoding
from racer_vehicle.errors import ConfigError, UnknownNameError
from racer_vehicle.lidar_encoding import LidarConfig
from racer_vehicle.spec import CameraSpec, LidarSpec, require_range

Images = NDArray[np.uint8]


class Sensor(StrEnum):
    """A sensor as model_metadata.json names it."""

    FRONT_FACING_CAMERA = 'FRONT_FACING_CAMERA'
    STEREO_CAMERAS = 'STEREO_CAMERAS'
    LIDAR = 'LIDAR'
    SECTOR_LIDAR = 'SECTOR_LIDAR'
    DISCRETIZED_SECTOR_LIDAR = 'DISCRETIZED_SECTOR_LIDAR'

    @classmethod
    def from_name(cls, name: str) -> Sensor:
        """Read a name or one of the two legacy ones, both the single front camera.

        `observation` is how models of version 1 call it; `LEFT_CAMERA` read the same topic in
        DeepRacer's simulator.

        Raises:
            UnknownNameError: Neither.
        """
        if name in ('observation', 'LEFT_CAMERA'):
            return cls.FRONT_FACING_CAMERA
        if name not in cls.__members__:
            raise UnknownNameError('sensor', name, cls.__members__)
        return cls(name)


CAMERAS: Final = (Sensor.FRONT_FACING_CAMERA, Sensor.STEREO_CAMERAS)


def require_sensor_rule(sensors: Sequence[Sensor]) -> None:
    """Refuse what no DeepRacer model may have: not exactly one camera, or more than one lidar.

    Raises:
        ConfigError: Naming the sensors.
    """
    cameras = sum(sensor in CAMERAS for sensor in sensors)
    if cameras != 1 or len(sensors) - cameras > 1:
        raise ConfigError(f'sensors are {", ".join(sensors) or "none"}; allowed: exactly one of '
                          f'{", ".join(CAMERAS)} and at most one lidar.')


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraEncoding:
    """How a native camera image becomes the policy's: crop the top, then average blocks of pixels.

    Attributes:
        width_px: Width the policy sees; divides the native width.
        height_px: Height the policy sees; divides the native height less the crop.
        crop_top_px: Native rows cut off the top, where walls and ceilings are.
        colour: `grey` (1 channel a view) or `rgb` (3).
    """

    width_px: int = 160
    height_px: int = 120
    crop_top_px: int = 0
    colour: Literal['grey', 'rgb'] = 'grey'

    def __post_init__(self) -> None:
        require_range(self, width_px=(1, 1920), height_px=(1, 1080), crop_top_px=(0, 1079))
        if self.colour not in ('grey', 'rgb'):
            raise ConfigError(f'CameraEncoding.colour is {self.colour!r}; allowed: grey, rgb.')

    @property
    def channels(self) -> int:
        """Channels of one view."""
        return 1 if self.colour == 'grey' else 3

    def require_fits(self, native: CameraSpec) -> None:
        """Refuse a native size that does not shrink by whole numbers, or not at all.

        Whole ratios let every output pixel be the mean of its own block: no block crosses from one
        image into the next, which is what allows a whole batch to be resized as one tall image.

        Raises:
            ConfigError: Naming the sizes.
        """
        rows = native.height_px - self.crop_top_px
        if rows < self.height_px or rows % self.height_px or native.width_px % self.width_px:
            raise ConfigError(
                f'a policy image of {self.width_px}x{self.height_px} does not fit a camera of '
                f'{native.width_px}x{native.height_px} less {self.crop_top_px} rows; allowed: '
                f'a width that divides {native.width_px} and a height that divides {max(rows, 0)}.'
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationSpec:
    """Everything that turns the car's sensors into a policy's input; a model card holds it.

    Attributes:
        sensors: Exactly one camera sensor, at most one lidar sensor.
        native_camera: The camera whose images arrive, one or two of them.
        native_lidar: The lidar whose scans arrive.
        camera: What becomes of the images.
        lidar: Settings of DISCRETIZED_SECTOR_LIDAR; the other encodings have none.
        stack: Encoded frames the policy sees at once, oldest first.
    """

    sensors: tuple[Sensor, ...] = (Sensor.FRONT_FACING_CAMERA,)
    native_camera: CameraSpec = field(default_factory=CameraSpec)
    native_lidar: LidarSpec = field(default_factory=LidarSpec)
    camera: CameraEncoding = field(default_factory=CameraEncoding)
    lidar: LidarConfig = field(default_factory=LidarConfig)
    stack: int = 1

    def __post_init__(self) -> None:
        require_sensor_rule(self.sensors)
        require_range(self, stack=(1, 16))
        self.camera.require_fits(self.native_camera)
        sectors = {Sensor.SECTOR_LIDAR: lidar_encoding.SECTORS,
                   Sensor.DISCRETIZED_SECTOR_LIDAR: self.lidar.num_sectors}
        if self.lidar_sensor and self.native_lidar.rays % sectors.get(self.lidar_sensor, 1):
            raise ConfigError(
                f'{self.lidar_sensor} has {sectors[self.lidar_sensor]} sectors, the lidar '
                f'{self.native_lidar.rays} rays; allowed: sectors that divide the rays.'
            )

    @property
    def channels(self) -> int:
        """Channels of one frame: views times 1 (grey) or 3 (rgb)."""
        views = 2 if Sensor.STEREO_CAMERAS in self.sensors else 1
        return views * self.camera.channels

    @property
    def native_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one car's images as they arrive."""
        return self.channels, self.native_camera.height_px, self.native_camera.width_px

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(C, h, w) of one encoded frame."""
        return self.channels, self.camera.height_px, self.camera.width_px

    @property
    def camera_shape(self) -> tuple[int, int, int]:
        """(stack * C, h, w): what the policy sees."""
        return self.stack * self.channels, self.camera.height_px, self.camera.width_px

    @property
    def lidar_sensor(self) -> Sensor | None:
        """The lidar among the sensors, if any."""
        return next((sensor for sensor in self.sensors if sensor not in CAMERAS), None)

    @property
    def lidar_size(self) -> int:
        """Numbers of an encoded scan; 0 without a lidar."""
        match self.lidar_sensor:
            case Sensor.LIDAR:
                return self.native_lidar.rays
            case Sensor.SECTOR_LIDAR:
                return lidar_encoding.SECTORS
            case Sensor.DISCRETIZED_SECTOR_LIDAR:
                return self.lidar.size
            case _:
                return 0

    def encode_camera(self, images: Images) -> Images:
        """Crop and shrink a batch of images.

        Args:
            images: uint8, (N, *native_shape), planes grey, left and right grey, or R, G, B.

        Returns:
            uint8, (N, *frame_shape). Where nothing shrinks it is a view: whoever refills `images`
            in place copies first.

        Raises:
            ConfigError: Another shape or dtype.
        """
        if images.shape[1:] != self.native_shape or images.dtype != np.uint8:
            raise ConfigError(
                f'camera images have shape {images.shape} and dtype {images.dtype}; '
                f'allowed: uint8 of shape (N, {", ".join(map(str, self.native_shape))}).'
            )
        cropped = images[:, :, self.camera.crop_top_px:]
        frames_shape = (len(images), *self.frame_shape)
        if cropped.shape == frames_shape:
            return cropped
        # One tall image: one call for the batch, a quarter less time than a call an image.
        tall = np.ascontiguousarray(cropped).reshape(-1, cropped.shape[3])
        size = (self.camera.width_px, len(images) * self.channels * self.camera.height_px)
        shrunk = cv2.resize(tall, size, interpolation=cv2.INTER_AREA)
        return np.asarray(shrunk, dtype=np.uint8).reshape(frames_shape)

    def encode_lidar(self, ranges_m: NDArray[np.float32]) -> NDArray[np.float32]:
        """Encode a batch of scans as the lidar sensor says.

        Args:
            ranges_m: float32, (N, native_lidar.rays), m, REP-117.

        Returns:
            float32, (N, lidar_size).

        Raises:
            ConfigError: Another shape, or no lidar among the sensors.
        """
        if ranges_m.ndim != 2 or ranges_m.shape[1] != self.native_lidar.rays:
            raise ConfigError(f'lidar ranges have shape {ranges_m.shape}; '
                              f'allowed: (N, {self.native_lidar.rays}), a row a car.')
        match self.lidar_sensor:
            case Sensor.LIDAR:
                return lidar_encoding.encode_plain(ranges_m)
            case Sensor.SECTOR_LIDAR:
                return lidar_encoding.encode_sectors(ranges_m)
            case Sensor.DISCRETIZED_SECTOR_LIDAR:
                return lidar_encoding.encode_discretized(ranges_m, self.lidar)
            case _:
                raise ConfigError(f'no lidar is among the sensors {", ".join(self.sensors)}; '
                                  'add one of LIDAR, SECTOR_LIDAR, DISCRETIZED_SECTOR_LIDAR.')


class FrameStack:
    """The last few encoded frames of each car, so that a policy can see motion.

    Each push returns a new array (or, unstacked, its input): frames handed out never change.
    """

    def __init__(self, stack: int) -> None:
        """Start empty; the first push fills every car's history.

        Args:
            stack: Frames to keep, 1 or more.

        Raises:
            ConfigError: Fewer.
        """
        if stack < 1:
            raise ConfigError(f'stack is {stack}; allowed: 1 or more frames.')
        self._stack = stack
        self._frames: Images | None = None

    def push(self, encoded: Images, fresh: NDArray[np.bool_]) -> Images:
        """Append a frame for every car.

        Args:
            encoded: uint8, (N, C, h, w).
            fresh: bool, (N,), True for cars whose episode begins with this frame: it fills their
                whole history, so that nothing of the last episode shows.

        Returns:
            uint8, (N, stack * C, h, w), newest frame last.

        Raises:
            ConfigError: A shape other than the push before.
        """
        frames = self.peek(encoded)
        if self._stack > 1:
            if fresh.any():
                frames[fresh] = self._repeated(encoded[fresh])
            self._frames = frames
        return frames

    def peek(self, encoded: Images) -> Images:
        """What `push` would return were no car fresh, remembering nothing.

        It gives the last observation of an episode where the environment restarts by itself and
        the frame to push is already the next episode's.
        """
        if self._stack == 1:
            return encoded
        if self._frames is None:
            return self._repeated(encoded)
        cars, channels, height, width = encoded.shape
        if self._frames.shape != (cars, self._stack * channels, height, width):
            raise ConfigError(f'frames have shape {encoded.shape}, the stack before them '
                              f'{self._frames.shape}; allowed: the same cars and size each time.')
        return np.concatenate((self._frames[:, channels:], encoded), axis=1)

    @property
    def frames(self) -> Images | None:
        """What is remembered, (N, stack * C, h, w); None before the first push, or unstacked."""
        return self._frames

    @frames.setter
    def frames(self, frames: Images | None) -> None:
        self._frames = frames

    def _repeated(self, encoded: Images) -> Images:
        return np.tile(encoded, (1, self._stack, 1, 1))


def rgb_to_luma(images: Images) -> Images:
    """Grey images by ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, within one level of DeepRacer's.

    Args:
        images: uint8, (..., H, W, 3), RGB.

    Returns:
        uint8, (..., H, W).
    """
    tall = np.ascontiguousarray(images).reshape(-1, images.shape[-2], 3)
    grey = cv2.cvtColor(tall, cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, dtype=np.uint8).reshape(images.shape[:-1])
