"""Who may drive, and whether: what the motor node lets through to the motor.

Everything that is not a fresh, finite command of the pilot in charge, on an enabled car without an
emergency stop, comes out as neutral, with the reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from racer_vehicle import contract
from racer_vehicle.limiter import DriveLimiter, Limiting
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.staleness import Freshness


class Pilot(StrEnum):
    """Whose commands count."""

    POLICY = 'policy'
    OPERATOR = 'operator'

    @classmethod
    def of(cls, *, autonomous: bool) -> Pilot:
        """Who is in charge of an autonomous car, and who of another."""
        return cls.POLICY if autonomous else cls.OPERATOR


STALE_AFTER_S: Final = {Pilot.POLICY: Freshness(contract.topic('cmd_vel')).limit_s,
                        Pilot.OPERATOR: Freshness(contract.topic('teleop/cmd_vel')).limit_s}
"""Age at which a pilot's command must not be acted on any more."""


OPERATOR_LIMIT_S: Final = Freshness(contract.topic('operator/alive')).limit_s


class Driving(StrEnum):
    """Why the car does what it does."""

    COMMANDED = 'driving as commanded'
    CUT = 'driving, cut to the range'
    STALE = 'neutral: no fresh command'
    NOT_FINITE = 'neutral: the command is not finite'
    DISABLED = 'neutral: disabled'
    EMERGENCY_STOP = 'neutral: emergency stop'
    FAULT = 'neutral: the device failed'
    UNATTENDED = 'neutral: whoever looked after the car is silent'


@dataclass(frozen=True, slots=True)
class Decision:
    """What the motor is to do.

    Attributes:
        command: To apply.
        driving: Why.
        stamp_s: Of the image behind the last command of the pilot in charge.
    """

    command: DriveCommand
    driving: Driving
    stamp_s: float


class MotorGate:
    """Decides; times are seconds on the clock that deadlines are kept by.

    Attributes:
        enabled: Whether commands go through.
        stopped: Whether the emergency stop is latched.
        pilot: Who is in charge.
        fault: What the device said when it failed; empty when it works.
        unattended: Whether it is disabled because whoever looked after it fell silent.
    """

    def __init__(self, limiter: DriveLimiter, *, enabled: bool, pilot: Pilot) -> None:
        """Begin neutral.

        Args:
            limiter: Range of the car.
            enabled: Whether commands go through from the start.
            pilot: Who is in charge at first.
        """
        self._limiter = limiter
        self.enabled, self.stopped, self.pilot, self.fault = enabled, False, pilot, ''
        self._command: DriveCommand | None = None
        self._taken_s, self._expires_s, self._stamp_s = 0.0, -math.inf, 0.0
        self.unattended, self._attended_s = False, math.nan

    def attend(self, now_s: float) -> None:
        """Somebody looks after the car: from now on it drives only while this goes on."""
        self._attended_s = now_s

    def enable(self, wanted: bool) -> str:
        """Let commands through, or hold neutral.

        Returns:
            Why it is refused; empty when it is done.
        """
        if wanted and self.stopped:
            return 'the emergency stop is latched: clear it first'
        self.enabled, self.fault, self.unattended = wanted, '', False
        self._forget()
        return ''

    def emergency_stop(self, wanted: bool) -> None:
        """Latch neutral, or clear it; either way the car is disabled until it is enabled."""
        self.stopped, self.enabled, self.unattended = wanted, False, False
        self._forget()

    def give_to(self, pilot: Pilot) -> None:
        """Put another pilot in charge, whose next command counts and none before it."""
        if pilot is not self.pilot:
            self.pilot = pilot
            self._forget()

    def fail(self, fault: str) -> None:
        """The device failed: neutral until somebody enables the car again."""
        self.enabled, self.fault = False, fault
        self._forget()

    def offer(self, pilot: Pilot, command: DriveCommand, stamp_s: float, age_s: float,
              now_s: float) -> bool:
        """Take in a command.

        Args:
            pilot: Whose it is.
            command: As it came.
            stamp_s: Of the image behind it.
            age_s: Of that image; beyond the limit on either side of now it is not taken.
            now_s: When it came.

        Returns:
            Whether it counts: it is fresh, and of the pilot in charge.
        """
        limit_s = STALE_AFTER_S[pilot]
        if pilot is not self.pilot or not abs(age_s) <= limit_s:
            return False
        self._command, self._stamp_s = command, stamp_s
        self._taken_s, self._expires_s = now_s, now_s + limit_s - max(0.0, age_s)
        return True

    def decide(self, now_s: float) -> Decision:
        """What to do now."""
        self._require_attendance(now_s)
        driving = self._obstacle(now_s)
        if driving is not None or self._command is None:
            return Decision(NEUTRAL, driving or Driving.STALE, self._stamp_s)
        command, limiting = self._limiter.limit(self._command)
        reason = {Limiting.NONE: Driving.COMMANDED, Limiting.RANGE: Driving.CUT,
                  Limiting.NOT_FINITE: Driving.NOT_FINITE}[limiting]
        return Decision(command, reason, self._stamp_s)

    def _require_attendance(self, now_s: float) -> None:
        """Disable a car that was looked after and is no more; nobody else has to."""
        age_s = now_s - self._attended_s
        if math.isnan(age_s) or 0.0 <= age_s <= OPERATOR_LIMIT_S:
            return
        self._attended_s = math.nan
        if self.enabled:
            self.enabled, self.unattended = False, True
            self._forget()

    def _obstacle(self, now_s: float) -> Driving | None:
        if self.stopped:
            return Driving.EMERGENCY_STOP
        if self.fault:
            return Driving.FAULT
        if not self.enabled:
            return Driving.UNATTENDED if self.unattended else Driving.DISABLED
        # Before it was taken: simulated time began anew, and the command belongs to the old one.
        return None if self._taken_s <= now_s <= self._expires_s else Driving.STALE

    def _forget(self) -> None:
        self._command, self._expires_s = None, -math.inf
