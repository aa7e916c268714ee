"""The card of a policy bundle: everything the car must know, and check, before it obeys."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from racer_vehicle.action import ActionSpec
from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.observation import ObservationSpec, Sensor
from racer_vehicle.spec import CameraSpec, CarSpec, LidarSpec, require_range
from racer_vehicle.strict_json import from_object, parse_object, to_json

CARD_FORMAT: Final = 1

SAME: Final = 1e-3
"""Difference (m, rad, px) below which two values describe the same hardware.

A millimetre and a twentieth of a degree: no mount is truer, and a rounded parameter file stays
usable.
"""

_SHA256: Final = re.compile(r'[0-9a-f]{64}')


@dataclass(frozen=True, slots=True, kw_only=True)
class CarDimensions:
    """What of a car decides how a command moves it.

    Attributes:
        wheelbase_m: Between the axles.
        track_width_m: Between left and right wheels.
        max_steering_rad: Of the virtual middle front wheel.
    """

    wheelbase_m: float
    track_width_m: float
    max_steering_rad: float

    @classmethod
    def of(cls, car: CarSpec) -> CarDimensions:
        """Those of a car."""
        return cls(wheelbase_m=car.wheelbase_m, track_width_m=car.track_width_m,
                   max_steering_rad=car.max_steering_rad)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCard:
    """What a policy is, for people and for the car.

    Attributes:
        format: Of the bundle.
        model: Name it was trained under.
        observation: Sensors to input, with the camera and lidar that it was trained on.
        action: Output to command.
        car: Dimensions of the car that it was trained on.
        onnx_sha256: Of the network's file.
        track: Tracks it was trained on.
        reward_sha256: Of the reward function's text.
        seed: Of the training.
        steps: Environment steps of the training.
        versions: Package to version, of the training.
        git_hash: Of the source that trained it; empty when unknown.
        precision: Of the network's weights; `int8` ones were made from `float32` ones.
    """

    format: int = CARD_FORMAT
    model: str
    observation: ObservationSpec
    action: ActionSpec
    car: CarDimensions
    onnx_sha256: str
    track: tuple[str, ...]
    reward_sha256: str
    seed: int
    steps: int
    versions: Mapping[str, str]
    git_hash: str = ''
    precision: Literal['float32', 'int8'] = 'float32'

    def __post_init__(self) -> None:
        require_range(self, format=(CARD_FORMAT, CARD_FORMAT), seed=(0, 2**63 - 1),
                      steps=(0, 10**15))
        for name in ('onnx_sha256', 'reward_sha256'):
            if not _SHA256.fullmatch(getattr(self, name)):
                raise ConfigError(f'PolicyCard.{name} is {getattr(self, name)!r}; allowed: '
                                  '64 hexadecimal digits.')

    @classmethod
    def from_json(cls, text: str | bytes) -> PolicyCard:
        """The card that `to_json` wrote.

        Raises:
            ModelMismatchError: It is no such card, or one of another format.
        """
        try:
            content = parse_object(text, 'the card')
            # First, because another format has other fields.
            if content.get('format') != CARD_FORMAT:
                raise ConfigError(
                    f'the card has format {content.get("format")!r}; allowed: {CARD_FORMAT}. '
                    'Install the racer that wrote it, or export the model again.'
                )
            # Absent from the first cards.
            return from_object(cls, {'precision': 'float32', **content}, 'the card')
        except ConfigError as error:
            raise ModelMismatchError(f'the bundle is refused: {error}') from None

    def to_json(self) -> str:
        """Readable JSON, the same text for equal cards."""
        return to_json(self)

    @property
    def fitting_car(self) -> CarSpec:
        """A car that the policy was trained for; what the card does not tell is the default's."""
        spec, body = self.observation, dataclasses.asdict(self.car)
        return dataclasses.replace(CarSpec(), camera=spec.native_camera, lidar=spec.native_lidar,
                                   **body)

    def require_fits(self, car: CarSpec) -> None:
        """Refuse a policy that was trained for other eyes or another body.

        Raises:
            ModelMismatchError: Naming both values and the remedy.
        """
        spec = self.observation
        if Sensor.STEREO_CAMERAS in spec.sensors:
            raise ModelMismatchError(f'policy {self.model!r} wants STEREO_CAMERAS; the car has '
                                     'one camera; allowed: policies with FRONT_FACING_CAMERA.')
        self._same('camera', spec.native_camera, car.camera,
                   "set the car's camera parameters to the policy's (its lens is then rectified "
                   'to them), or train for this camera')
        if spec.lidar_sensor is not None:
            self._same('lidar', spec.native_lidar, car.lidar,
                       "set the car's lidar parameters to the policy's, or train for this lidar")
        self._same('car', self.car, CarDimensions.of(car), 'train for this car')

    def _same(self, what: str, trained: CameraSpec | LidarSpec | CarDimensions,
              present: CameraSpec | LidarSpec | CarDimensions, remedy: str) -> None:
        for item in dataclasses.fields(trained):
            want, have = getattr(trained, item.name), getattr(present, item.name)
            if not math.isclose(want, have, rel_tol=0.0, abs_tol=SAME):
                raise ModelMismatchError(
                    f"policy {self.model!r} was trained for {what} {item.name} {want:g}; this "
                    f"car's is {have:g}; allowed: the same; {remedy}."
                )
