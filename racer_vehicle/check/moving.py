"""Steps that move the car: servo, motor, watchdog, emergency stop. Every way out is neutral.

Commands go the operator's way, through the motor node and its limits. Should this process die, its
commands grow old, and the motor node's watchdog makes the car neutral.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from racer_vehicle import contract
from racer_vehicle.check.car_link import CarLink
from racer_vehicle.check.outcome import Figure, Outcome, Problem
from racer_vehicle.errors import RacerError
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S

Ask = Callable[[str], bool]
"""Asks a person who watches the car; what they answered."""

SEND_S: Final = 0.05
"""Between two commands."""

CREEP_MPS: Final = 0.06
"""A twist tells no steering angle below 0.05 m/s."""

PULSE_MPS: Final = 0.3
PULSE_S: Final = 0.5
REST_S: Final = 0.5

SAME_RAD: Final = 0.02
SAME_MPS: Final = 0.02

STALE_S: Final = contract.topic('teleop/cmd_vel').stale_after_s or 0.0
ON_THE_WAY_S: Final = 2.0 * CONTROL_PERIOD_S
"""A period in which the motor node acts, and one in which its word reaches this process."""

NEUTRAL_REMEDY: Final = ('Do not let this car drive: cut the power of its motor, and find out why '
                         'its motor node does not let go.')


@contextmanager
def operated(link: CarLink) -> Iterator[None]:
    """Put the operator in charge of a disabled car, and leave it neutral and disabled.

    Raises:
        RacerError: The motor node does not answer, or the car could not be disabled again.
    """
    policy_drove = link.autonomous
    link.enable(False)
    link.put_in_charge(policy=False)
    try:
        yield
    finally:
        halt(link)
        link.put_in_charge(policy=policy_drove)


def halt(link: CarLink) -> None:
    """Neutral now, and disabled."""
    link.command(NEUTRAL)
    link.enable(False)


def check_steering(link: CarLink, max_steering_rad: float, ask: Ask | None) -> Outcome:
    """Left and right, half of the way.

    Args:
        link: The car.
        max_steering_rad: Of the car.
        ask: A person who sees the wheels; None: there is nobody.
    """
    wanted_rad, problems, figures = 0.5 * max_steering_rad, [], dict[str, Figure]()
    with _enabled(link):
        for name, angle_rad in (('left', wanted_rad), ('right', -wanted_rad)):
            command = DriveCommand(steering_rad=angle_rad, speed_mps=CREEP_MPS)
            drive(link, command, PULSE_S)
            applied_rad = link.applied[-1].item.steering_rad if link.applied else math.nan
            figures[f'{name}_deg'] = round(math.degrees(applied_rad), 1)
            if not abs(applied_rad - angle_rad) <= SAME_RAD:
                problems.append(Problem(
                    f'{name}: {math.degrees(applied_rad):.1f} degrees were applied; allowed: '
                    f'{math.degrees(angle_rad):.1f}.', 'See what the motor node says; calibrate '
                    'the servo: racer calibrate car.json.'))
    seen = _seen(ask, 'Did the front wheels turn left, then right?', problems,
                 'the wheels did not turn left, then right.',
                 'Check the plug of the servo and its direction: racer calibrate car.json.')
    return Outcome.of('steering', figures, problems, seen)


def check_throttle(link: CarLink, ask: Ask | None) -> Outcome:
    """A short pulse forwards and one backwards; arguments as `check_steering`."""
    problems, figures = list[Problem](), dict[str, Figure]()
    with _enabled(link):
        for name, speed_mps in (('forward', PULSE_MPS), ('backward', -PULSE_MPS)):
            drive(link, DriveCommand(steering_rad=0.0, speed_mps=speed_mps), PULSE_S)
            applied_mps = link.applied[-1].item.speed_mps if link.applied else math.nan
            figures[f'{name}_mps'] = applied_mps
            if not abs(applied_mps - speed_mps) <= SAME_MPS:
                problems.append(Problem(
                    f'{name}: {applied_mps:.2f} m/s were applied; allowed: {speed_mps:.2f}.',
                    'See what the motor node says; is its max_speed_mps lower?'))
            sent_s = drive(link, NEUTRAL, REST_S)
            if not stands(link, sent_s):
                problems.append(Problem(f'{name}: the motor did not return to neutral.',
                                        NEUTRAL_REMEDY))
    seen = _seen(ask, 'Did the wheels turn forwards, stop, then backwards, and stop?', problems,
                 'the wheels did not turn forwards, then backwards.',
                 'Switch the speed controller on; check its direction: racer calibrate car.json.')
    return Outcome.of('throttle', figures, problems, seen)


def check_watchdog(link: CarLink) -> Outcome:
    """Stop commanding in the middle of a drive, and measure until the motor is neutral."""
    limit_s = STALE_S + ON_THE_WAY_S
    with _enabled(link):
        forward = DriveCommand(steering_rad=0.0, speed_mps=PULSE_MPS)
        sent_s = drive(link, forward, PULSE_S)
        if stands(link, sent_s - 2.0 * SEND_S):
            return Outcome.failed('watchdog', 'the car did not drive, so nothing could be seen.',
                                  'See the step throttle.')
        link.wait(limit_s + REST_S)
        took_s = neutral_after_s(link, sent_s)
    figures: dict[str, Figure] = {'limit_ms': round(1e3 * STALE_S)}
    if took_s is None:
        return Outcome.of('watchdog', figures, [Problem(
            f'the motor was not neutral {limit_s + REST_S:.2f} s after the last command; allowed: '
            f'{limit_s:.2f}.', NEUTRAL_REMEDY)])
    figures['neutral_after_ms'] = round(1e3 * took_s)
    problems = [] if took_s <= limit_s else [Problem(
        f'the motor was neutral after {took_s:.2f} s; allowed: {limit_s:.2f}.', NEUTRAL_REMEDY)]
    return Outcome.of('watchdog', figures, problems)


def check_emergency_stop(link: CarLink) -> Outcome:
    """Stop while commands go on; it must hold, refuse to be enabled, and clear to disabled."""
    forward, problems = DriveCommand(steering_rad=0.0, speed_mps=PULSE_MPS), list[Problem]()
    with _enabled(link):
        drive(link, forward, PULSE_S)
        stopped_s = time.monotonic()
        link.emergency_stop(True)
        last_s = drive(link, forward, PULSE_S)
        took_s = neutral_after_s(link, stopped_s)
        if took_s is None or not stands(link, last_s - PULSE_S / 2.0):
            problems.append(Problem('the car drives on in an emergency stop.', NEUTRAL_REMEDY))
        if not link.enable(True):
            problems.append(Problem('the car can be enabled while the emergency stop is set: it '
                                    'does not latch.', NEUTRAL_REMEDY))
        last_s = drive(link, forward, PULSE_S)
        if not stands(link, last_s - PULSE_S / 2.0):
            problems.append(Problem('the emergency stop does not hold.', NEUTRAL_REMEDY))
        link.emergency_stop(False)
        last_s = drive(link, forward, PULSE_S)
        if not stands(link, last_s - PULSE_S / 2.0):
            problems.append(Problem('clearing the emergency stop lets the car drive; allowed: it '
                                    'stays disabled until a person enables it.', NEUTRAL_REMEDY))
    figures: dict[str, Figure] = {} if took_s is None else {
        'neutral_after_ms': round(1e3 * took_s)}
    return Outcome.of('e-stop', figures, problems)


def drive(link: CarLink, command: DriveCommand, duration_s: float) -> float:
    """Send a command again and again; when the last one was sent."""
    sent_s = 0.0
    for _ in range(max(1, round(duration_s / SEND_S))):
        sent_s = link.command(command)
        link.wait(SEND_S)
    return sent_s


def stands(link: CarLink, since_s: float) -> bool:
    """Whether the motor spoke since then, and never of anything but standing still."""
    heard = [sample for sample in link.applied if sample.at_s >= since_s]
    return bool(heard) and all(sample.item.speed_mps == 0.0 for sample in heard[-3:])


def neutral_after_s(link: CarLink, since_s: float) -> float | None:
    """Seconds from then until the motor stood for good; None: it does not stand."""
    heard = [sample for sample in link.applied if sample.at_s >= since_s]
    if not heard or heard[-1].item.speed_mps != 0.0:
        return None
    moving = [index for index, sample in enumerate(heard) if sample.item.speed_mps != 0.0]
    return heard[moving[-1] + 1 if moving else 0].at_s - since_s


@contextmanager
def _enabled(link: CarLink) -> Iterator[None]:
    """An enabled car, for as long as it takes.

    Raises:
        RacerError: The motor node refuses, or does not answer.
    """
    refusal = link.enable(True)
    if refusal:
        raise RacerError(f'the car cannot be enabled: {refusal}.')
    try:
        yield
    finally:
        halt(link)


def _seen(ask: Ask | None, question: str, problems: list[Problem], said: str,
          remedy: str) -> str:
    """Ask who watches; a remark where nobody does."""
    if ask is None:
        return 'as commanded; nobody was asked what the wheels did'
    if not ask(question):
        problems.append(Problem(said, remedy))
    return ''
