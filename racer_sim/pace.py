"""When a simulator that others drive takes its next step, and with which commands.

Lock-step: one control period per round of commands, as fast as they come; time stands still in
between, so a slow computer gives the same drive as a fast one. Real time: one period every 66 ms,
or a factor faster; a command takes effect inside of the period as late as it arrived.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from racer_vehicle.contract import COMMAND_STALE_S, SAME_STAMP_S
from racer_vehicle.errors import ConfigError
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S

Floats = NDArray[np.float64]

SAME_STAMP_NS: Final = round(SAME_STAMP_S * 1e9)

NEVER_NS: Final = -10**18
"""No sensors have this stamp."""


class Pace(Protocol):
    """When the next period is driven.

    Attributes:
        tick_s: How often `tick` is to be called.
        ignored: Commands that came for no period.
    """

    tick_s: float
    ignored: int

    @property
    def is_complete(self) -> bool:
        """Whether the next period waits for nothing but to be driven."""
        ...

    def offer(self, car: int, stamp_ns: int, now_s: float) -> None:
        """Sensors of a car have gone out.

        Args:
            car: Whose.
            stamp_ns: Theirs, simulated time.
            now_s: Steady clock.
        """
        ...

    def accept(self, car: int, command: DriveCommand, stamp_ns: int, now_s: float) -> bool:
        """Take a command.

        Args:
            car: Whose.
            command: Finite.
            stamp_ns: Of the image it was decided on.
            now_s: Steady clock.

        Returns:
            Whether to drive a period now.
        """
        ...

    def judge(self, car: int, stamp_ns: int, *, settled: bool) -> bool:
        """Race control has spoken about a car.

        Args:
            car: Which.
            stamp_ns: Of the sensors it has judged by.
            settled: Whether no place for the car is to follow.

        Returns:
            Whether to drive a period now.
        """
        ...

    def tick(self, now_s: float) -> bool:
        """Whether to drive a period now, by this time of the steady clock."""
        ...

    def commands(self) -> tuple[Floats, Floats | None]:
        """What to drive in this period, which ends the wait for it.

        Returns:
            Commands (N, 2), steering rad and speed m/s, and how long after the period's begin
            each takes effect, (N,), simulated seconds; None: as the simulator has drawn it.
        """
        ...

    def forget(self, car: int) -> bool:
        """A car is lifted: what it was told does not count.

        Until it is offered sensors again, nothing waits for it.

        Returns:
            Whether time has to go on for it to see where it is: it stands still meanwhile.
        """
        ...

    def overdue(self, now_s: float) -> tuple[int, ...]:
        """Cars whose sensors should be sent again, because no command came on them."""
        ...


class LockStep:
    """Waits until every car is commanded on its newest image; older commands are ignored.

    And, for cars whose race control has ever spoken, until it has judged by the same moment: what
    it moves or holds is elsewhere in the next period, however slow the machine is.
    """

    def __init__(self, cars: int, repeat_after_s: float = 0.5) -> None:
        """Begin with nothing offered.

        Args:
            cars: Number of cars; all of them must be commanded.
            repeat_after_s: How long to wait for a command before a message counts as lost.
        """
        self.tick_s, self.ignored = repeat_after_s / 5.0, 0
        self._repeat_after_s = repeat_after_s
        self._commands: list[DriveCommand | None] = [None] * cars
        self._stamps_ns: list[int | None] = [None] * cars
        self._judged_ns: list[int | None] = [None] * cars
        self._offered_s = [0.0] * cars

    def offer(self, car: int, stamp_ns: int, now_s: float) -> None:
        """As of the protocol; commands on earlier images are void."""
        if self._stamps_ns[car] != stamp_ns:
            self._commands[car] = None
        self._stamps_ns[car], self._offered_s[car] = stamp_ns, now_s

    def accept(self, car: int, command: DriveCommand, stamp_ns: int, now_s: float) -> bool:
        """As of the protocol: drives when every car is commanded."""
        if not self._is_newest(car, stamp_ns) or self._commands[car] is not None:
            self.ignored += 1
            return False
        self._commands[car] = command
        return self.is_complete

    def _is_newest(self, car: int, stamp_ns: int | None) -> bool:
        """Whether a stamp is that of the newest sensors of a car."""
        offered_ns = self._stamps_ns[car]
        return (offered_ns is not None and stamp_ns is not None
                and abs(stamp_ns - offered_ns) <= SAME_STAMP_NS)

    def _is_awaited(self, car: int) -> bool:
        """Whether a word about the newest sensors of a car is still to come."""
        if self._stamps_ns[car] is None:
            return False
        judged_ns = self._judged_ns[car]
        return self._commands[car] is None or (judged_ns is not None
                                               and not self._is_newest(car, judged_ns))

    @property
    def is_complete(self) -> bool:
        """As of the protocol."""
        return not any(map(self._is_awaited, range(len(self._commands))))

    def judge(self, car: int, stamp_ns: int, *, settled: bool) -> bool:
        """As of the protocol; drives when this was what all waited for."""
        self._judged_ns[car] = stamp_ns if settled else NEVER_NS
        return self.is_complete

    def tick(self, now_s: float) -> bool:
        """As of the protocol: time stands still until commands come."""
        return False

    def commands(self) -> tuple[Floats, Floats | None]:
        """As of the protocol."""
        return as_array([command or NEUTRAL for command in self._commands]), None

    def forget(self, car: int) -> bool:
        """As of the protocol."""
        self._commands[car] = self._stamps_ns[car] = None
        return True

    def overdue(self, now_s: float) -> tuple[int, ...]:
        """As of the protocol."""
        return tuple(car for car in range(len(self._commands)) if self._is_awaited(car)
                     and now_s - self._offered_s[car] >= self._repeat_after_s)


class RealTime:
    """Drives by the clock; the last command of a period counts from when it arrived."""

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
        self.tick_s, self.ignored = CONTROL_PERIOD_S / factor, 0
        self._factor = factor
        self._commands = [NEUTRAL] * cars
        self._arrived_s = [0.0] * cars
        self._begin_s = self._end_s = 0.0

    @property
    def is_complete(self) -> bool:
        """As of the protocol: the clock says when."""
        return False

    def offer(self, car: int, stamp_ns: int, now_s: float) -> None:
        """As of the protocol; nothing waits for an answer."""

    def accept(self, car: int, command: DriveCommand, stamp_ns: int, now_s: float) -> bool:
        """As of the protocol; takes any command, as a motor does."""
        self._commands[car], self._arrived_s[car] = command, now_s
        return False

    def judge(self, car: int, stamp_ns: int, *, settled: bool) -> bool:
        """As of the protocol; nothing waits for it."""
        return False

    def tick(self, now_s: float) -> bool:
        """As of the protocol: a period ends with every tick."""
        self._begin_s, self._end_s = self._end_s, now_s
        return True

    def commands(self) -> tuple[Floats, Floats | None]:
        """As of the protocol; commands older than the contract allows have lost their motor."""
        after_s = self._factor * (np.array(self._arrived_s) - self._begin_s)
        commands = as_array(self._commands)
        commands[after_s < -COMMAND_STALE_S] = NEUTRAL.steering_rad, NEUTRAL.speed_mps
        return commands, np.clip(after_s, 0.0, CONTROL_PERIOD_S)

    def forget(self, car: int) -> bool:
        """As of the protocol."""
        self._commands[car] = NEUTRAL
        return False

    def overdue(self, now_s: float) -> tuple[int, ...]:
        """As of the protocol: what is lost is lost."""
        return ()


def as_array(commands: list[DriveCommand]) -> Floats:
    """Commands as (N, 2): steering rad, speed m/s."""
    return np.array([(command.steering_rad, command.speed_mps) for command in commands])
