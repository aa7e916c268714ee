"""A race day as a value: who waits, who is on the track, what the clock says.

`after` makes the next day of a day and an event; it has no clock and keeps nothing, so that the
same events give the same day, whenever and wherever they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from racer_rl.race_day.events import Act, Event
from racer_rl.race_day.runs import Run, with_end, with_incident, with_lap
from racer_sim.rules import RaceRules
from racer_vehicle.errors import RacerError


class RefusedActError(RacerError):
    """What was asked for does not go together with what happens now; nothing has changed."""


class Phase(StrEnum):
    """Where an entry on the track is."""

    IDLE = 'idle'
    """Nobody is called."""
    READY = 'ready'
    RUNNING = 'running'
    OVER = 'over'
    """The run has ended; the result does not count before it is declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who races with what.

    Attributes:
        number: On this day, from 1.
        racer: Name.
        model: Name of the policy; may be empty.
        identity: `sha256:` and its digest; empty where none is known.
    """

    number: int
    racer: str
    model: str = ''
    identity: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A declared run.

    Attributes:
        entry: Whose.
        run: What it was.
        declared: When, UTC, ISO 8601.
    """

    entry: Entry
    run: Run
    declared: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A race day at one moment.

    Attributes:
        rules: Of every run.
        by_hand: Whether a person takes the times.
        entries: All that were ever entered, by their numbers from 1.
        queue: Who waits, in order.
        on_track: Who is called; None when idle.
        run: What happens on the track; None before the start.
        outcomes: What was declared, in order.
    """

    rules: RaceRules
    by_hand: bool
    entries: tuple[Entry, ...] = ()
    queue: tuple[int, ...] = ()
    on_track: int | None = None
    run: Run | None = None
    outcomes: tuple[Outcome, ...] = ()

    @property
    def phase(self) -> Phase:
        """Where the entry on the track is."""
        if self.on_track is None:
            return Phase.IDLE
        if self.run is None:
            return Phase.READY
        return Phase.OVER if self.run.is_over else Phase.RUNNING

    def entry(self, number: int) -> Entry:
        """An entry by its number."""
        return self.entries[number - 1]


PHASES_OF: Final[Mapping[Act, tuple[Phase, ...]]] = {
    Act.SKIP: (Phase.READY,),
    Act.START: (Phase.READY,),
    Act.LAP: (Phase.RUNNING,),
    Act.OFF_TRACK: (Phase.RUNNING,),
    Act.COLLISION: (Phase.RUNNING,),
    Act.END: (Phase.RUNNING,),
    Act.RESET: (Phase.RUNNING, Phase.OVER),
    Act.CALL: (Phase.IDLE,),
    Act.DECLARE: (Phase.OVER,),
}
"""When an act is possible; those that are not here: always."""

TIMED: Final = frozenset((Act.START, Act.LAP, Act.OFF_TRACK, Act.COLLISION, Act.END, Act.RESET))
"""Where somebody else takes the times, what was on the track cannot be made undone."""


def after(day: Day, event: Event) -> Day:
    """The day after an event.

    Raises:
        RefusedActError: The event is not possible now.
    """
    allowed = PHASES_OF.get(event.act, tuple(Phase))
    if day.phase not in allowed:
        raise RefusedActError(f'{event.act} is not possible now: {IN_WORDS[day.phase]}; possible '
                              f'when {" or when ".join(IN_WORDS[phase] for phase in allowed)}.')
    if event.act in TIMED and day.run is not None and event.at_s < day.run.latest_s:
        raise RefusedActError(f'{event.act} at {event.at_s:.3f} s is before what happened last, '
                              f'{day.run.latest_s:.3f} s; allowed: events in order.')
    return _STEPS[event.act](day, event)


IN_WORDS: Final = {Phase.IDLE: 'nobody is called to the start',
                   Phase.READY: 'an entry is ready to start', Phase.RUNNING: 'a run is under way',
                   Phase.OVER: 'a run is over and not declared'}


def _enter(day: Day, event: Event) -> Day:
    entry = Entry(number=len(day.entries) + 1, racer=event.racer, model=event.model,
                  identity=event.identity)
    return replace(day, entries=(*day.entries, entry), queue=(*day.queue, entry.number))


def _without(day: Day, number: int) -> tuple[int, ...]:
    if number not in day.queue:
        waiting = ', '.join(map(str, day.queue)) or 'nobody'
        raise RefusedActError(f'entry {number} does not wait; allowed: {waiting}.')
    return tuple(each for each in day.queue if each != number)


def _withdraw(day: Day, event: Event) -> Day:
    return replace(day, queue=_without(day, event.entry))


def _move(day: Day, event: Event) -> Day:
    others = _without(day, event.entry)
    place = min(max(0, event.place), len(others))
    return replace(day, queue=(*others[:place], event.entry, *others[place:]))


def _call(day: Day, event: Event) -> Day:
    if not day.queue:
        raise RefusedActError('nobody waits; enter somebody first.')
    number = event.entry or day.queue[0]
    return replace(day, queue=_without(day, number), on_track=number)


def _skip(day: Day, _event: Event) -> Day:
    """Whoever is called and not there goes to the end of the queue."""
    assert day.on_track is not None
    return replace(day, queue=(*day.queue, day.on_track), on_track=None)


def _start(day: Day, event: Event) -> Day:
    return replace(day, run=Run.begun(event))


def _lap(day: Day, event: Event) -> Day:
    assert day.run is not None
    if event.lap_s is None and event.at_s - day.run.lap_began_s < SHORTEST_LAP_S:
        raise RefusedActError(f'a lap of {event.at_s - day.run.lap_began_s:.2f} s is a key '
                              f'pressed twice; allowed: {SHORTEST_LAP_S:g} s or more.')
    return replace(day, run=with_lap(day.run, event, day.rules))


def _incident(day: Day, event: Event) -> Day:
    assert day.run is not None
    return replace(day, run=with_incident(day.run, event, day.rules, timed=day.by_hand))


def _end(day: Day, event: Event) -> Day:
    assert day.run is not None
    return replace(day, run=with_end(day.run, event, day.rules))


def _reset(day: Day, _event: Event) -> Day:
    return replace(day, run=None)


def _declare(day: Day, event: Event) -> Day:
    assert day.run is not None and day.on_track is not None
    outcome = Outcome(entry=day.entry(day.on_track), run=day.run, declared=event.when)
    return replace(day, outcomes=(*day.outcomes, outcome), on_track=None, run=None)


SHORTEST_LAP_S: Final = 1.0

_STEPS: Final[Mapping[Act, Callable[[Day, Event], Day]]] = {
    Act.ENTER: _enter, Act.WITHDRAW: _withdraw, Act.MOVE: _move, Act.CALL: _call,
    Act.SKIP: _skip, Act.START: _start, Act.LAP: _lap, Act.OFF_TRACK: _incident,
    Act.COLLISION: _incident, Act.END: _end, Act.RESET: _reset, Act.DECLARE: _declare}


class History:
    """A day and the way back.

    Attributes:
        day: Now.
    """

    def __init__(self, day: Day) -> None:
        """Begin with a day."""
        self.day = day
        self._before: list[Day] = []

    def copy(self) -> History:
        """The same, to be tried out."""
        copied = History(self.day)
        copied._before = list(self._before)
        return copied

    @property
    def can_undo(self) -> bool:
        """Whether there is something to be made undone."""
        return bool(self._before)

    def take(self, event: Event) -> Day:
        """Go on by an event; `UNDO` goes back to before the last one.

        What was declared stays declared, and so does what a clock of somebody else's has seen.

        Raises:
            RefusedActError: It is not possible now; nothing has changed.
        """
        if event.act is Act.UNDO:
            if not self._before:
                raise RefusedActError('there is nothing to be undone: results that are declared '
                                      'stay, and so does what was timed automatically.')
            self.day = self._before.pop()
            return self.day
        following = after(self.day, event)
        if event.act is Act.ENTER:  # whoever comes is there, whatever else is made undone
            self._before = [after(day, event) for day in self._before]
        elif event.act is Act.DECLARE or (event.act in TIMED and not self.day.by_hand):
            self._before.clear()
        else:
            self._before.append(self.day)
        self.day = following
        return following
