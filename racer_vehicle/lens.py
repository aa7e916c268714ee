"""A real lens made the pinhole camera that the policy was trained with.

The lens is described by the file that ROS's `camera_calibration` writes; the pinhole by the car's
`CameraSpec`. Both look along the same axis, so rectifying is a fixed table of where in the raw
image each pixel comes from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CameraSpec, require_range

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]

MAX_SAMPLES: Final = 4
"""Most samples across one pixel: against aliasing, where the raw image has more pixels."""

LEAST_COVERAGE: Final = 0.95
"""Share of the pinhole's pixels that the lens must see; the rest repeats the border."""


class Distortion(StrEnum):
    """How a lens bends rays, by the names of `sensor_msgs/CameraInfo`."""

    PLUMB_BOB = 'plumb_bob'
    RATIONAL_POLYNOMIAL = 'rational_polynomial'
    EQUIDISTANT = 'equidistant'

    @property
    def counts(self) -> tuple[int, ...]:
        """Allowed numbers of coefficients."""
        match self:
            case Distortion.PLUMB_BOB:
                return 4, 5
            case Distortion.RATIONAL_POLYNOMIAL:
                return (8,)
            case Distortion.EQUIDISTANT:
                return (4,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """A calibrated lens; pixel centres lie at whole numbers.

    Attributes:
        width_px: Of the raw image.
        height_px: Of the raw image.
        fx_px: Focal length across.
        fy_px: Focal length down.
        cx_px: Where the optical axis meets the image, from the left.
        cy_px: From the top.
        distortion: Model.
        coefficients: Of the model, in OpenCV's order.
    """

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion: Distortion = Distortion.PLUMB_BOB
    coefficients: tuple[float, ...] = (0.0,) * 5

    def __post_init__(self) -> None:
        require_range(self, width_px=(8, 8192), height_px=(8, 8192), fx_px=(1, 1e5),
                      fy_px=(1, 1e5), cx_px=(0, self.width_px), cy_px=(0, self.height_px))
        allowed = self.distortion.counts
        if len(self.coefficients) not in allowed or not all(map(math.isfinite, self.coefficients)):
            raise ConfigError(f'Lens.coefficients are {self.coefficients}; allowed with '
                              f'{self.distortion}: {" or ".join(map(str, allowed))} finite ones.')

    @classmethod
    def pinhole(cls, camera: CameraSpec) -> Lens:
        """The lens without distortion that `camera` describes."""
        return cls(width_px=camera.width_px, height_px=camera.height_px, fx_px=camera.focal_px,
                   fy_px=camera.focal_px, cx_px=(camera.width_px - 1) / 2,
                   cy_px=(camera.height_px - 1) / 2)

    @classmethod
    def from_yaml(cls, path: Path) -> Lens:
        """Read a calibration as ROS's `camera_calibration` and `camera_info_manager` write it.

        Raises:
            ConfigError: The file cannot be read, or a field of it is missing or wrong.
        """
        try:
            # OpenCV wants its own first line; the rest is the same language.
            text = '%YAML:1.0\n---\n' + path.read_text('utf-8')
            file = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        except (OSError, UnicodeDecodeError, cv2.error, SystemError) as error:
            # OpenCV's constructor lets its own error out inside a SystemError.
            cause = error.__cause__ or error
            raise ConfigError(f'cannot read lens calibration {path} ({cause}); '
                              'give the YAML file that camera_calibration wrote.') from None
        matrix = _numbers(file, path, 'camera_matrix', (9,))
        model = file.getNode('distortion_model').string()
        if model not in set(Distortion):
            raise ConfigError(f'{path}: distortion_model is {model!r}; '
                              f'allowed: {", ".join(Distortion)}.')
        counts = Distortion(model).counts
        return cls(
            width_px=int(_number(file, path, 'image_width')),
            height_px=int(_number(file, path, 'image_height')),
            fx_px=matrix[0], fy_px=matrix[4], cx_px=matrix[2], cy_px=matrix[5],
            distortion=Distortion(model),
            coefficients=_numbers(file, path, 'distortion_coefficients', counts),
        )

    @property
    def matrix(self) -> Floats:
        """Camera matrix, (3, 3)."""
        return np.array(((self.fx_px, 0.0, self.cx_px), (0.0, self.fy_px, self.cy_px),
                         (0.0, 0.0, 1.0)))


class Rectifier:
    """Turns raw images into those of the pinhole camera.

    Attributes:
        is_identity: The lens is that pinhole, and images pass as they are.
        coverage: Share of the pinhole's pixels that the lens sees, 0 to 1.
    """

    def __init__(self, lens: Lens, camera: CameraSpec) -> None:
        """Make the tables.

        Args:
            lens: Of the raw images.
            camera: What they are to become.

        Raises:
            ConfigError: The lens does not see enough, or its distortion model does not hold as far
                out as the pinhole looks.
        """
        self._lens, self._camera = lens, camera
        wanted = Lens.pinhole(camera)
        self.is_identity = lens == wanted
        _require_unfolded(lens, wanted)
        samples = max(lens.fx_px / wanted.fx_px, lens.fy_px / wanted.fy_px)
        self._samples = int(np.clip(round(samples), 1, MAX_SAMPLES))
        x, y = _maps(lens, wanted, self._samples)
        seen = (x > -0.5) & (x < lens.width_px - 0.5) & (y > -0.5) & (y < lens.height_px - 0.5)
        self.coverage = float(seen.mean())
        if self.coverage < LEAST_COVERAGE:
            raise ConfigError(
                f'the lens sees {self.coverage:.0%} of the camera model of {camera.width_px}x'
                f'{camera.height_px} px and hfov_rad {camera.hfov_rad:g}; allowed: '
                f'{LEAST_COVERAGE:.0%} or more; train for a narrower hfov_rad, or calibrate anew.'
            )
        # Fixed point: twice as fast, and finer than a camera's noise.
        self._maps = cv2.convertMaps(x, y, cv2.CV_16SC2)

    def rectify(self, image: Images) -> Images:
        """One image.

        Args:
            image: uint8, (height, width) or (height, width, 3), of the lens's size.

        Returns:
            uint8, (height, width) or (height, width, 3), of the camera model's size; the argument
            itself where there is nothing to do.

        Raises:
            ConfigError: Another size or dtype.
        """
        size = (self._lens.height_px, self._lens.width_px)
        if image.dtype != np.uint8 or image.shape not in {size, (*size, 3)}:
            raise ConfigError(f'the raw image has shape {image.shape} and dtype {image.dtype}; '
                              f'allowed: uint8 {size} or {(*size, 3)}; calibrate the lens at '
                              "the camera's resolution.")
        if self.is_identity:
            return image
        fine = cv2.remap(image, *self._maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if self._samples > 1:
            shape = (self._camera.width_px, self._camera.height_px)
            fine = cv2.resize(fine, shape, interpolation=cv2.INTER_AREA)
        return np.asarray(fine, dtype=np.uint8)


def _maps(lens: Lens, wanted: Lens, samples: int) -> tuple[NDArray[np.float32], ...]:
    """Raw x and y of each sample, float32, (samples * height, samples * width) each."""
    matrix = wanted.matrix * samples
    matrix[:2, 2] += (samples - 1) / 2
    matrix[2, 2] = 1.0
    size = (samples * wanted.width_px, samples * wanted.height_px)
    make = (cv2.fisheye.initUndistortRectifyMap if lens.distortion == Distortion.EQUIDISTANT
            else cv2.initUndistortRectifyMap)
    maps = make(lens.matrix, np.array(lens.coefficients), np.eye(3), matrix, size, cv2.CV_32FC1)
    return tuple(np.asarray(part, dtype=np.float32) for part in maps)


def _require_unfolded(lens: Lens, wanted: Lens) -> None:
    """Refuse a polynomial that turns back: rays further out would land further in again."""
    radius = np.linspace(0.0, math.hypot(wanted.cx_px / wanted.fx_px, wanted.cy_px / wanted.fy_px),
                         257)
    # OpenCV's order; rational: k1 k2 p1 p2 k3 k4 k5 k6.
    k = np.array((*lens.coefficients, *(0.0,) * 8))
    if lens.distortion == Distortion.EQUIDISTANT:
        angle = np.arctan(radius)
        bent = angle * (1.0 + _even(angle, k[:4]))
    else:
        bent = radius * (1.0 + _even(radius, k[[0, 1, 4]])) / (1.0 + _even(radius, k[5:8]))
    if not (np.diff(bent) > 0.0).all():
        raise ConfigError(f'the {lens.distortion} coefficients {lens.coefficients} fold the image '
                          'over inside the view of the camera model; allowed: coefficients that '
                          'hold up to its corners; calibrate with the board in the corners, or '
                          'use the equidistant model for a wide lens.')


def _even(x: Floats, k: Floats) -> Floats:
    """k[0] x^2 + k[1] x^4 + ..."""
    return np.asarray(sum(value * x ** (2 * power) for power, value in enumerate(k, 1)))


def _number(file: cv2.FileStorage, path: Path, name: str) -> float:
    node = file.getNode(name)
    if not (node.isInt() or node.isReal()):
        raise ConfigError(f'{path}: {name} is missing or no number; allowed: a number.')
    return float(node.real())


def _numbers(file: cv2.FileStorage, path: Path, name: str,
             counts: tuple[int, ...]) -> tuple[float, ...]:
    data = file.getNode(name)
    data = data.getNode('data') if data.isMap() else data
    items = [data.at(index) for index in range(data.size())] if data.isSeq() else []
    if len(items) not in counts or not all(item.isInt() or item.isReal() for item in items):
        raise ConfigError(f'{path}: {name}.data is missing or not a list of numbers; allowed: '
                          f'{" or ".join(map(str, counts))} numbers.')
    return tuple(float(item.real()) for item in items)
