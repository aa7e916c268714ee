"""The race day itself: takes the organiser's commands, keeps what happens, and tells the pages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from racer_rl.league.clock import as_text, now
from racer_rl.race_day.board import Board
from racer_rl.race_day.day import Day, History, Phase, RefusedActError
from racer_rl.race_day.events import Act, Event
from racer_rl.race_day.journal import Journal
from racer_rl.race_day.sources import Source
from racer_rl.race_day.view import view_of
from racer_sim.rules import Status
from racer_vehicle.children import boot_id
from racer_vehicle.errors import RacerError

TICK_S: Final = 0.2
ALONE_S: Final = 4.0
"""Without a sign of life of a control page, a car stands; pages give one every second."""


class RaceDay:
    """One day; all methods may be called from any thread.

    Attributes:
        trouble: What people should know; empty: nothing.
    """

    def __init__(self, board: Board, journal: Journal, source: Source,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """Go on where the journal ends.

        Args:
            board: Of whom the results are.
            journal: What happened so far.
            source: Of laps.
            clock: Steady, seconds; the same one for as long as the machine is up.

        Raises:
            RefusedActError: The journal is of another kind of day.
        """
        self._board, self._journal, self._source, self._clock = board, journal, source, clock
        self._history = History(Day(rules=board.rules, by_hand=source.by_hand))
        self._changed = threading.Condition(threading.RLock())
        self._moving = threading.Lock()
        self._version, self._run_number, self._seen_s = 0, 0, clock()
        self._alone, self.trouble = False, ''
        for event in journal.events:
            self._history.take(event)
        self._go_on_after_a_break()
        self._hand_over()
        self._standings = board.standings()

    def _go_on_after_a_break(self) -> None:
        """What was under way goes on only where its clock, the organiser's, does."""
        day, now_s = self._history.day, self._clock()
        if day.phase is not Phase.RUNNING:
            return
        assert day.run is not None
        restarted = day.run.boot != boot_id()  # the steady clock began anew
        if day.by_hand and not restarted:
            self.trouble = 'race day was interrupted; the clock of the run never stopped.'
            return
        at_s = max(now_s, day.run.latest_s)
        done_s = sum(lap.time_s for lap in day.run.laps)
        self._note(Event(act=Act.END, at_s=at_s, status=Status.PARK.label, time_s=done_s))
        self.trouble = ('race day was interrupted in this run, which has ended with the laps so '
                        'far: declare it, or reset it to drive again.')

    @property
    def day(self) -> Day:
        """The state of things."""
        return self._history.day

    def enter(self, racer: str, model: str = '', identity: str = '') -> None:
        """Add an entry to the queue."""
        self._take(Event(act=Act.ENTER, at_s=self._clock(), racer=racer, model=model,
                         identity=identity))

    def do(self, act: Act, entry: int = 0, place: int = 0) -> None:
        """Do what the organiser wants, now.

        Args:
            act: What.
            entry: Number of the entry, where one is meant.
            place: In the queue, for `MOVE`.

        Raises:
            RacerError: It is not possible; nothing has changed.
        """
        at_s = self._clock()  # when the key arrived, whatever has to be waited for
        event = Event(act=act, at_s=at_s, entry=entry, place=place)
        if act is Act.START:
            self._start()
        elif act is Act.CALL:
            self._take(event)
            self._prepare()
        elif act is Act.DECLARE:
            self._declare(replace(event, when=as_text(now())))
        else:
            self._take(event)

    def _start(self) -> None:
        """Have the car drive, and only then start the clock."""
        with self._moving:
            day = self.day
            if day.phase is not Phase.READY or day.on_track is None:
                raise RefusedActError('start is not possible now: call an entry first.')
            self._run_number += 1
            self._alone, ear = False, _Ear(self, self._run_number)
            try:
                self._source.start(day.entry(day.on_track), ear)
                self._take(Event(act=Act.START, at_s=self._clock(), boot=boot_id()))
            except BaseException:
                self._source.stop()
                raise
            ear.open()

    def _prepare(self) -> None:
        day = self.day
        if day.on_track is None:
            return
        try:
            self._source.prepare(day.entry(day.on_track))
        except RacerError as error:
            self.tell(str(error))

    def _declare(self, event: Event) -> None:
        """Count a result; if this is cut off half way, `_hand_over` does the rest next time."""
        with self._changed:
            self._take(event)
            self._board.keep(self.day.outcomes[-1])
            self._standings = self._board.standings()
            self._announce()

    def _hand_over(self) -> None:
        """Make sure that the league has every result."""
        for outcome in self.day.outcomes:
            self._board.keep(outcome)

    def hold(self) -> None:
        """Let the car stand amid the run.

        Raises:
            RacerError: There is none here.
        """
        self._source.hold()
        self.tell('the car is held; the clock goes on.')

    def release(self) -> None:
        """Let the car go on.

        Raises:
            RacerError: It cannot, or nothing is under way.
        """
        with self._moving:
            if self.day.phase is not Phase.RUNNING:
                raise RefusedActError('no run is under way; allowed: go on in a run.')
            self._alone = False
            self._source.release()
        self.tell('')

    def _take(self, event: Event) -> None:
        """Note an event; where it ends a run, the car stands first."""
        with self._changed:
            before, run = self.day.phase, self.day.run
            if run is not None:  # two keys at once, by two threads: in the order of the lock
                event = replace(event, at_s=max(event.at_s, run.latest_s))
            self._note(event)
            ended = before is Phase.RUNNING and self.day.phase is not Phase.RUNNING
            if event.act is not Act.ENTER:
                self.trouble = ''
            self._announce()
        if ended:
            self._source.stop()

    def _note(self, event: Event) -> None:
        """On the disk before anybody sees it, and not there if it is not possible."""
        following = self._history.copy()
        following.take(event)
        self._journal.append(event)
        self._history = following

    def _announce(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def tell(self, text: str) -> None:
        """Show people what they should know."""
        with self._changed:
            if text != self.trouble:
                self.trouble = text
                self._announce()

    def heard_from(self, run: int, event: Event) -> None:
        """The source says that something happened in a run; of an earlier one it is late."""
        with self._changed:
            if run == self._run_number and self.day.phase is Phase.RUNNING:
                self._take(event)

    def seen(self) -> None:
        """A control page is there."""
        self._seen_s = self._clock()

    def tick(self) -> None:
        """Look at the clock: ends runs whose time is up, holds a car that nobody looks after."""
        self._source.beat()
        now_s = self._clock()
        with self._changed:
            run = self.day.run
            if self.day.phase is not Phase.RUNNING or run is None:
                return
            if self._source.live is not None:
                self._announce()
            if self.day.by_hand and run.elapsed_s(now_s) >= self.day.rules.time_limit_s:
                self._take(Event(act=Act.END, at_s=now_s))
                return
        if self._source.has_car and not self._alone and now_s - self._seen_s > ALONE_S:
            self._alone = True
            try:
                self._source.hold()
            except RacerError as error:
                self.tell(f'no control page is open any more, and {error}')
            else:
                self.tell('no control page is open any more: the car was stopped.')

    def view(self) -> dict[str, Any]:
        """All that pages show."""
        with self._changed:
            return view_of(self.day, self._standings, self._source.live, self._clock(), {
                'version': self._version, 'trouble': self.trouble,
                'can_undo': self._history.can_undo, 'has_car': self._source.has_car})

    def wait(self, version: int, patience_s: float) -> bool:
        """Wait until there is more to show than of a version; whether there is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._version != version, patience_s)

    def close(self) -> None:
        """The car stands, whatever else."""
        self._source.close()


class _Ear:
    """Listens for one run; what comes before its clock has started waits."""

    def __init__(self, day: RaceDay, run: int) -> None:
        self._day, self._run = day, run
        self._early: list[Event] | None = []
        self._lock = threading.RLock()

    def open(self) -> None:
        """The clock has started."""
        with self._lock:
            early, self._early = self._early or [], None
            for event in early:
                self._day.heard_from(self._run, event)

    def happened(self, event: Event) -> None:
        """Pass on."""
        with self._lock:
            if self._early is None:
                self._day.heard_from(self._run, event)
            else:
                self._early.append(event)

    def trouble(self, text: str) -> None:
        """Pass on."""
        self._day.tell(text)
