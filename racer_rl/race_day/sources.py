"""Where laps come from: whatever drives and times the entry on the track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from racer_rl.race_day.day import Entry
from racer_rl.race_day.events import Event
from racer_vehicle.errors import RacerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What is going on this very moment.

    Attributes:
        time_s: Of the run, penalties included, by whoever times it.
        lap_s: Of the lap under way.
        at_s: When that was so, on the machine's steady clock.
        pace: Seconds of the run in one of the wall's; 0: the clock stands.
        progress: Share of the lap, 0 to 1.
        place_m: Of the car, in the map; None: not known.
    """

    time_s: float
    lap_s: float
    at_s: float
    pace: float
    progress: float
    place_m: tuple[float, float] | None = None


class Listener(Protocol):
    """Who is told; may be called from any thread."""

    def happened(self, event: Event) -> None:
        """A lap, an incident or the end."""

    def trouble(self, text: str) -> None:
        """What people should know; the run goes on or not, as events say."""


class Source(Protocol):
    """Drives and times one entry after another.

    Attributes:
        by_hand: Whether times come from the organiser's keys, and not from here.
        has_car: Whether a real motor is moved; it must stand whenever nobody looks after it.
    """

    by_hand: bool
    has_car: bool

    def prepare(self, entry: Entry) -> None:
        """An entry is called: do what takes time before it can start.

        Raises:
            RacerError: It cannot start.
        """

    def start(self, entry: Entry, listener: Listener) -> None:
        """Let it drive; returns once it does.

        Raises:
            RacerError: It does not.
        """

    def hold(self) -> None:
        """Let the car stand, in the middle of the run.

        Raises:
            RacerError: There is no car here to be held.
        """

    def release(self) -> None:
        """Let it go on.

        Raises:
            RacerError: It cannot.
        """

    def stop(self) -> None:
        """The run is over, whatever it was: the car stands. Never fails, and may come twice."""

    def beat(self) -> None:
        """Race day is alive; a car that does not hear so for a second stands."""

    @property
    def live(self) -> Live | None:
        """What is going on; None: nothing, or times come by hand."""

    def close(self) -> None:
        """Stop, and let go of everything."""


class ByHand:
    """Nothing but the organiser's keys: somebody else makes the car drive."""

    by_hand, has_car = True, False
    live = None

    def prepare(self, entry: Entry) -> None:
        """Nothing to be done, as for the rest."""

    def start(self, entry: Entry, listener: Listener) -> None:
        """The clock starts."""

    def hold(self) -> None:
        """Nothing here holds a car."""
        raise RacerError('race day does not move this car; whoever drives it has to stop it.')

    release = hold

    def stop(self) -> None:
        """The car is stopped by whoever drives it."""

    def beat(self) -> None:
        """Nobody listens."""

    def close(self) -> None:
        """Nothing is open."""
