"""An actuator that speaks in pulses, whatever makes them: sysfs PWM, or a PCA9685 chip."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Final, Protocol, Self

from racer_vehicle.calibration import Calibration
from racer_vehicle.errors import ConfigError, DeviceError
from racer_vehicle.signals import NEUTRAL, DriveCommand

THROTTLE_CHANNEL: Final = 0
STEERING_CHANNEL: Final = 1
"""As DeepRacer wires them."""


class PulseOutput(Protocol):
    """Something that repeats pulses on numbered channels by itself."""

    @property
    def name(self) -> str:
        """Of the device, for messages."""
        ...

    def open(self, pulses_ns: Mapping[int, int]) -> None:
        """Begin to put out pulses, these and no other from the first one on.

        Args:
            pulses_ns: Channel to length.

        Raises:
            DeviceError: It is missing or refuses.
        """
        ...

    def set_pulse(self, channel: int, pulse_ns: int) -> None:
        """Change one channel.

        Raises:
            DeviceError: The device refuses.
        """
        ...

    def close(self) -> None:
        """Let go of the device, which goes on with the pulses it has: neutral is a pulse too."""
        ...


class PulseActuator:
    """Servo and speed controller on two channels."""

    def __init__(self, output: PulseOutput, calibration: Calibration,
                 throttle_channel: int = THROTTLE_CHANNEL,
                 steering_channel: int = STEERING_CHANNEL) -> None:
        """Prepare; `connect` opens.

        Args:
            output: Makes the pulses.
            calibration: Of this car.
            throttle_channel: Of the speed controller.
            steering_channel: Of the servo; another one.

        Raises:
            ConfigError: Both are the same channel.
        """
        if throttle_channel == steering_channel:
            raise ConfigError(f'throttle and steering are both on channel {throttle_channel}; '
                              'allowed: two channels.')
        self._output, self._calibration = output, calibration
        self._throttle, self._steering = throttle_channel, steering_channel
        self._is_open = False

    def connect(self) -> None:
        """Open the output at neutral.

        Raises:
            DeviceError: It is missing or refuses.
        """
        try:
            self._output.open(self._pulses(NEUTRAL))
        except DeviceError:
            self._output.close()
            raise
        self._is_open = True

    def apply(self, command: DriveCommand, stamp_s: float) -> DriveCommand:
        """Put out the command's pulses.

        Args:
            command: Finite; beyond what the car reaches it is cut.
            stamp_s: Unused: a servo does not ask why.

        Returns:
            What the device does now.

        Raises:
            DeviceError: The device is not connected, or refused; neutral was tried.
            ConfigError: The command is not finite; the device is neutral.
        """
        if not self._is_open:
            raise DeviceError(f'{self._output.name} is not connected; connect first.')
        try:
            for channel, pulse_ns in self._pulses(command).items():
                self._output.set_pulse(channel, pulse_ns)
        except (ConfigError, DeviceError):
            self._fall_neutral()
            raise
        return self._calibration.reachable(command)

    def close(self) -> None:
        """Neutral, then let go; a second time does nothing."""
        if self._is_open:
            self._is_open = False
            self._fall_neutral()
            self._output.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close."""
        self.close()

    def _pulses(self, command: DriveCommand) -> dict[int, int]:
        steering_ns, throttle_ns = self._calibration.pulses_ns(command)
        return {self._throttle: throttle_ns, self._steering: steering_ns}

    def _fall_neutral(self) -> None:
        """Both channels are tried, the motor first; there is nothing left to do when one fails."""
        for channel, pulse_ns in self._pulses(NEUTRAL).items():
            try:
                self._output.set_pulse(channel, pulse_ns)
            except DeviceError:
                continue
