"""When a simulator that others drive takes its next step, and with which commands.

Lock-step: one control period per round of commands, as fast as they come; time stands still in
between, so a slow computer gives the same drive as a fast one. Real time: one period every 66 ms,
or a factor faster; a command takes effect inside of the period as late as it arrived.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_vehicle.contract import COMMAND_STALE_S
from racer_vehicle.errors import ConfigError
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S

Floats = NDArray[np.float64]

SAME_STAMP_NS: Final = 500_000
"""Stamps that differ by less are the same: on their way they pass through seconds as floats."""


class LockStep:
    """Waits until every car is commanded on its newest image.

    Attributes:
        ignored: Commands that were decided on an older image, or came twice.
    """

    def __init__(self, cars: int, repeat_after_s: float = 0.5) -> None:
        """Begin with nothing offered.

        Args:
            cars: Number of cars; all of them must be commanded.
            repeat_after_s: How long to wait for a command before a message counts as lost.
        """
        self.ignored = 0
        self._repeat_after_s = repeat_after_s
        self._commands: list[DriveCommand | None] = [None] * cars
        self._stamps_ns: list[int | None] = [None] * cars
        self._offered_s = [0.0] * cars

    def offer(self, car: int, stamp_ns: int, now_s: float) -> None:
        """Sensors with this stamp have gone out; commands on earlier ones are void.

        Args:
            car: Whose.
            stamp_ns: Simulated time.
            now_s: Steady clock.
        """
        if self._stamps_ns[car] != stamp_ns:
            self._commands[car] = None
        self._stamps_ns[car], self._offered_s[car] = stamp_ns, now_s

    def accept(self, car: int, command: DriveCommand, stamp_ns: int) -> bool:
        """Take a command; False if it is not the one that is waited for.

        Args:
            car: Whose.
            command: What to do in the next period.
            stamp_ns: Of the image it was decided on.
        """
        offered_ns = self._stamps_ns[car]
        if (offered_ns is None or abs(stamp_ns - offered_ns) > SAME_STAMP_NS
                or self._commands[car] is not None):
            self.ignored += 1
            return False
        self._commands[car] = command
        return True

    @property
    def is_complete(self) -> bool:
        """Whether every car is commanded, so that the period can be driven."""
        return all(command is not None for command in self._commands)

    def commands(self) -> Floats:
        """The round's commands, (N, 2) steering rad and speed m/s; neutral where none came."""
        return as_array([command or NEUTRAL for command in self._commands])

    def overdue(self, now_s: float) -> tuple[int, ...]:
        """Cars whose sensors should be offered again, because no command came on them.

        Args:
            now_s: Steady clock.
        """
        return tuple(car for car, command in enumerate(self._commands)
                     if command is None and self._stamps_ns[car] is not None
                     and now_s - self._offered_s[car] >= self._repeat_after_s)


class RealTime:
    """Collects commands between two ticks of a clock."""

    def __init__(self, cars: int, factor: float) -> None:
        """Begin with every car neutral.

        Args:
            cars: Number of cars.
            factor: Simulated seconds per second.

        Raises:
            ConfigError: The factor is not usable.
        """
        if not 0.01 <= factor <= 100.0:
            raise ConfigError(f'factor is {factor!r}; allowed: 0.01 to 100 simulated seconds per '
                              'second. Lock-step is as fast as it goes.')
        self.factor = factor
        self._commands = [NEUTRAL] * cars
        self._arrived_s = [0.0] * cars
        self._begin_s = 0.0

    @property
    def tick_s(self) -> float:
        """Seconds between two periods."""
        return CONTROL_PERIOD_S / self.factor

    def begin(self, now_s: float) -> None:
        """A period begins at this time of the steady clock."""
        self._begin_s = now_s

    def accept(self, car: int, command: DriveCommand, now_s: float) -> None:
        """Take a command that came at this time of the steady clock; the last of a period counts.

        Args:
            car: Whose.
            command: What to do from now on.
            now_s: When it came.
        """
        self._commands[car], self._arrived_s[car] = command, now_s

    def commands(self) -> tuple[Floats, Floats]:
        """What to drive in the period that ends now.

        Returns:
            Commands (N, 2), steering rad and speed m/s, and how long after the period's begin
            each takes effect, (N,), simulated seconds. A command older than the contract allows is
            neutral: its motor node is gone.
        """
        after_s = self.factor * (np.array(self._arrived_s) - self._begin_s)
        stale = after_s < -COMMAND_STALE_S
        commands = as_array(self._commands)
        commands[stale] = NEUTRAL.steering_rad, NEUTRAL.speed_mps
        return commands, np.clip(after_s, 0.0, CONTROL_PERIOD_S)

    def release(self, car: int) -> None:
        """Forget what a car was told: it was lifted, and stands."""
        self._commands[car] = NEUTRAL


def as_array(commands: list[DriveCommand]) -> Floats:
    """Commands as (N, 2): steering rad, speed m/s."""
    return np.array([(command.steering_rad, command.speed_mps) for command in commands])
