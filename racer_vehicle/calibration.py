"""From a drive command to the pulses of servo and speed controller, and the file that says how.

The numbers and the mapping are DeepRacer's (`aws-deepracer-servo-pkg`, `servo_mgr.cpp`, and
`aws-deepracer-navigation-pkg`), except that a value out of range is cut instead of leaving the
last pulse standing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from racer_vehicle.errors import ConfigError
from racer_vehicle.signals import DriveCommand
from racer_vehicle.spec import require_range
from racer_vehicle.storage import write_atomically
from racer_vehicle.strict_json import from_object, parse_object, to_json

PULSE_PERIOD_NS: Final = 20_000_000
"""50 Hz, what hobby servos and speed controllers expect."""

_PULSE_NS: Final = (500_000, 2_500_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseCalibration:
    """One servo or speed controller.

    Attributes:
        min_ns: Pulse at one end.
        mid_ns: Straight ahead, or standing still.
        max_ns: Pulse at the other end.
        polarity: 1: positive values make longer pulses; -1: shorter ones.
    """

    min_ns: int
    mid_ns: int
    max_ns: int
    polarity: int

    def __post_init__(self) -> None:
        require_range(self, min_ns=_PULSE_NS, mid_ns=_PULSE_NS, max_ns=_PULSE_NS)
        if not self.min_ns < self.mid_ns < self.max_ns:
            raise ConfigError(f'pulses are {self.min_ns}, {self.mid_ns}, {self.max_ns} ns; '
                              'allowed: min_ns < mid_ns < max_ns.')
        if self.polarity not in {1, -1}:
            raise ConfigError(f'polarity is {self.polarity!r}; allowed: 1, -1.')

    def pulse_ns(self, value: float) -> int:
        """Length of the pulse for a value.

        Args:
            value: -1 to 1, cut to it; left and forward are positive.

        Raises:
            ConfigError: Not a finite number.
        """
        _require_finite(value)
        turned = max(-1.0, min(1.0, value)) * self.polarity
        span_ns = self.max_ns - self.mid_ns if turned > 0.0 else self.mid_ns - self.min_ns
        return self.mid_ns + round(turned * span_ns)

    def value(self, pulse_ns: int) -> float:
        """The value whose pulse this is, the inverse of `pulse_ns`."""
        apart_ns = pulse_ns - self.mid_ns
        span_ns = self.max_ns - self.mid_ns if apart_ns > 0 else self.mid_ns - self.min_ns
        return apart_ns / span_ns * self.polarity


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedCurve:
    """Throttle for a speed, without a speed sensor: a parabola through 0, half and full speed.

    Attributes:
        full_speed_mps: Speed at throttle 1, to be measured on the car.
        half_throttle: Throttle at half that speed. 0.8, DeepRacer: small motors need a push.
    """

    full_speed_mps: float = 4.0
    half_throttle: float = 0.8

    def __post_init__(self) -> None:
        # Inside these the parabola rises at least up to seven eighths of full speed.
        require_range(self, full_speed_mps=(0.1, 20.0), half_throttle=(0.25, 0.8333))

    def throttle(self, speed_mps: float) -> float:
        """Throttle, -1 to 1, for a speed; the same curve backwards.

        Raises:
            ConfigError: Not a finite number.
        """
        _require_finite(speed_mps)
        share = min(abs(speed_mps) / self.full_speed_mps, 1.0)
        bend = 2.0 - 4.0 * self.half_throttle
        throttle = bend * share**2 + (1.0 - bend) * share
        return math.copysign(min(throttle, 1.0), speed_mps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One car's steering and motor; DeepRacer's defaults.

    Attributes:
        steering: Of the servo.
        throttle: Of the speed controller. Check its polarity with the wheels off the ground.
        max_steering_rad: Angle of the virtual middle wheel at the servo's ends.
        speed: Speed to throttle.
    """

    steering: PulseCalibration = field(default_factory=lambda: PulseCalibration(
        min_ns=1_200_000, mid_ns=1_450_000, max_ns=1_700_000, polarity=1))
    throttle: PulseCalibration = field(default_factory=lambda: PulseCalibration(
        min_ns=1_311_000, mid_ns=1_446_000, max_ns=1_603_500, polarity=-1))
    max_steering_rad: float = math.radians(30.0)
    speed: SpeedCurve = field(default_factory=SpeedCurve)

    def __post_init__(self) -> None:
        require_range(self, max_steering_rad=(0.05, 1.2))

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """Read a file that `write` wrote.

        Raises:
            ConfigError: It cannot be read, or a field is missing, unknown or wrong.
        """
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ConfigError(f'cannot read calibration {path}: {error.strerror}; '
                              'make one: racer calibrate.') from None
        return from_object(cls, parse_object(text, str(path)), str(path))

    def write(self, path: Path) -> None:
        """Write the file in one step.

        Raises:
            OSError: The disk refused; an old file is untouched.
        """
        write_atomically(path, to_json(self).encode())

    def pulses_ns(self, command: DriveCommand) -> tuple[int, int]:
        """Pulses for a command: steering, throttle.

        Raises:
            ConfigError: The command is not finite.
        """
        return (self.steering.pulse_ns(command.steering_rad / self.max_steering_rad),
                self.throttle.pulse_ns(self.speed.throttle(command.speed_mps)))

    def reachable(self, command: DriveCommand) -> DriveCommand:
        """The command as far as the servo turns and the motor drives."""
        steering, speed = self.max_steering_rad, self.speed.full_speed_mps
        return DriveCommand(steering_rad=max(-steering, min(steering, command.steering_rad)),
                            speed_mps=max(-speed, min(speed, command.speed_mps)))


def _require_finite(value: float) -> None:
    if not math.isfinite(value):
        raise ConfigError(f'a command is {value}; allowed: finite numbers; limit commands before '
                          'they reach the motor.')
