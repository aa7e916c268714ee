"""`racer calibrate`: find the pulses of a car's servo and speed controller, wheels in the air."""

from __future__ import annotations

import math
import signal
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Annotated, Final, Self

import typer

from racer_vehicle.calibration import Calibration, PulseCalibration
from racer_vehicle.drivers.deadman import output_of
from racer_vehicle.drivers.pulses import STEERING_CHANNEL, THROTTLE_CHANNEL, PulseOutput
from racer_vehicle.errors import ConfigError

calibrate_app = typer.Typer(add_completion=False)

LIMITS_US: Final = (500, 2500)
"""No servo takes other pulses."""

WARNING: Final = """\
LIFT THE CAR so that no wheel touches anything, and keep fingers and cables away from the wheels.
The wheels will turn. Stop the motor node first. Ctrl-C stops the motor at any time."""

KEYS: Final = '+ - (10 us)  ++ -- (50 us)  a number (us)  Enter: this is it'


class Driver(StrEnum):
    """What makes the pulses."""

    PWM = 'pwm'
    PCA9685 = 'pca9685'


@calibrate_app.command()
def calibrate(
    path: Annotated[Path, typer.Argument(
        help='File to write; if it exists, it is where the search begins.')],
    driver: Annotated[Driver, typer.Option(help='What makes the pulses.')] = Driver.PWM,
    pwm_chip: Annotated[Path, typer.Option(help='pwm: folder of the chip.')] = Path(
        '/sys/class/pwm/pwmchip0'),
    i2c_bus: Annotated[Path, typer.Option(help='pca9685: the bus.')] = Path('/dev/i2c-1'),
    i2c_address: Annotated[int, typer.Option(help='pca9685: of the chip.')] = 0x40,
    throttle_channel: Annotated[int, typer.Option(
        help='Of the speed controller.')] = THROTTLE_CHANNEL,
    steering_channel: Annotated[int, typer.Option(help='Of the servo.')] = STEERING_CHANNEL,
) -> None:
    """Find the pulses of servo and speed controller, and write them to a file.

    The motor node takes the file by its parameter `calibration`.
    """
    if throttle_channel == steering_channel:
        raise ConfigError(f'throttle and steering are both on channel {throttle_channel}; '
                          'allowed: two channels.')
    known = Calibration.read(path) if path.exists() else Calibration()
    words = ('pwm', str(pwm_chip)) if driver is Driver.PWM else (
        'pca9685', str(i2c_bus), hex(i2c_address))
    typer.secho(WARNING, bold=True, err=True)
    typer.confirm('Are all wheels in the air?', abort=True, err=True)
    typer.echo(f'At each question: {KEYS}', err=True)
    with _Bench(output_of(words), throttle_channel, steering_channel, known) as bench:
        found = replace(known, steering=bench.steering(), throttle=bench.throttle())
    replace(found, max_steering_rad=_angle(known)).write(path)
    typer.echo(f'wrote {path}')


class _Bench:
    """A car with its wheels in the air; leaving this context stops the motor, on whatever way."""

    def __init__(self, output: PulseOutput, throttle: int, steering: int,
                 known: Calibration) -> None:
        self._output, self._known = output, known
        self._throttle, self._steering = throttle, steering
        # The motor first: it is stopped before anything else may fail.
        self._rest_ns = {throttle: known.throttle.mid_ns, steering: known.steering.mid_ns}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        self._output.open(self._rest_ns)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            for channel, pulse_ns in self._rest_ns.items():
                self._output.set_pulse(channel, pulse_ns)
        finally:
            self._output.close()

    def steering(self) -> PulseCalibration:
        """Three pulses of the servo."""
        known, find = self._known.steering, self._find
        middle_us = find(self._steering, 'wheels straight ahead', known.mid_ns // 1000)
        left_us = find(self._steering, 'wheels fully left', known.pulse_ns(1.0) // 1000)
        right_us = find(self._steering, 'wheels fully right', known.pulse_ns(-1.0) // 1000)
        self._rest_ns[self._steering] = middle_us * 1000
        return _pulses(middle_us, left_us, right_us)

    def throttle(self) -> PulseCalibration:
        """Three pulses of the motor, outwards from standing still: it never jumps to full."""
        find, channel = self._find, self._throttle
        middle_us = find(channel, 'motor standing still', self._known.throttle.mid_ns // 1000)
        self._rest_ns[channel] = middle_us * 1000
        forward_us = find(channel, 'full speed forward', middle_us)
        find(channel, 'standing still again', middle_us)
        backward_us = find(channel, 'full speed backward', middle_us)
        return _pulses(middle_us, forward_us, backward_us)

    def _find(self, channel: int, what: str, pulse_us: int) -> int:
        """Change a pulse as a person says until they are content; microseconds."""
        while True:
            self._output.set_pulse(channel, pulse_us * 1000)
            answer = typer.prompt(f'{what}? {pulse_us} us', default='', err=True,
                                  show_default=False).strip()
            if not answer:
                return pulse_us
            try:
                pulse_us = next_pulse_us(pulse_us, answer)
            except ConfigError as error:
                typer.echo(str(error), err=True)


def _pulses(middle_us: int, positive_us: int, negative_us: int) -> PulseCalibration:
    """A calibration of three pulses.

    Raises:
        ConfigError: The middle is not between the ends.
    """
    low_us, high_us = sorted((positive_us, negative_us))
    return PulseCalibration(min_ns=low_us * 1000, mid_ns=middle_us * 1000, max_ns=high_us * 1000,
                            polarity=1 if positive_us > negative_us else -1)


def next_pulse_us(pulse_us: int, answer: str) -> int:
    """The pulse after a person's answer.

    Args:
        pulse_us: The pulse now.
        answer: `+`, `-`, `++`, `--`, or a number of microseconds.

    Raises:
        ConfigError: It is none of those, or leads out of what servos take.
    """
    steps = {'+': 10, '-': -10, '++': 50, '--': -50}
    if answer not in steps and not answer.isdecimal():
        raise ConfigError(f'answer is {answer!r}; allowed: {KEYS}.')
    wanted_us = pulse_us + steps[answer] if answer in steps else int(answer)
    low_us, high_us = LIMITS_US
    if not low_us <= wanted_us <= high_us:
        raise ConfigError(f'pulse is {wanted_us} us; allowed: {low_us} to {high_us}.')
    return wanted_us


def _angle(known: Calibration) -> float:
    degrees = typer.prompt('angle of the front wheels when fully turned, degrees', type=float,
                           default=round(math.degrees(known.max_steering_rad), 1), err=True)
    return math.radians(degrees)
