"""Entries driven in the embedded simulator, at a pace that people can follow."""

from __future__ import annotations

import threading
import time
from typing import Final

from racer_rl.race_day.board import LeagueBoard
from racer_rl.race_day.day import Entry
from racer_rl.race_day.events import Act, Event
from racer_rl.race_day.sources import Listener, Live
from racer_rl.races.entrants import Entrant
from racer_rl.races.run import run_race
from racer_sim.rules import Status
from racer_sim.simulator import Simulator
from racer_vehicle.errors import RacerError
from racer_vehicle.policy import PolicyBundle

PATIENCE_S: Final = 10.0
"""For a run to notice that it is stopped; it does so at its next step."""


class _StoppedError(Exception):
    """Somebody stopped the run; it leaves through `run_race`."""


class Simulated:
    """A simulator of its own for every run.

    Attributes:
        by_hand: False.
        has_car: False: nothing moves but pixels.
    """

    by_hand, has_car = False, False

    def __init__(self, board: LeagueBoard, pace: float) -> None:
        """Get ready.

        Args:
            board: Knows policies and plan.
            pace: Seconds of the race in one of the wall's.
        """
        self._board, self._pace = board, pace
        self._bundle: PolicyBundle | None = None
        self._run: _Run | None = None

    def prepare(self, entry: Entry) -> None:
        """Read its policy."""
        self._bundle = self._board.bundle(entry)

    def start(self, entry: Entry, listener: Listener) -> None:
        """Drive, in a thread."""
        self.stop()
        entrant = Entrant(name=entry.racer, bundle=self._board.bundle(entry))
        self._run = _Run(self._board, entrant, listener, self._pace)
        self._run.start()

    def hold(self) -> None:
        """A run in the simulator is ended rather than held."""
        raise RacerError('there is no car to be held; end the run instead.')

    release = hold

    def stop(self) -> None:
        """End the run under way."""
        run, self._run = self._run, None
        if run is not None:
            run.stopping.set()
            if run is not threading.current_thread():
                run.join(PATIENCE_S)

    def beat(self) -> None:
        """Nobody listens."""

    @property
    def live(self) -> Live | None:
        """Where the car is."""
        run = self._run
        return None if run is None else run.live

    def close(self) -> None:
        """End."""
        self.stop()


class _Run(threading.Thread):
    """One run.

    Attributes:
        live: Where it stands.
        stopping: Once set, it ends at its next step.
    """

    def __init__(self, board: LeagueBoard, entrant: Entrant, listener: Listener,
                 pace: float) -> None:
        super().__init__(name='race-day-run', daemon=True)
        self._board, self._entrant, self._listener = board, entrant, listener
        self._pace, self._began_s = pace, 0.0
        self._laps, self._lap_start_s, self._incidents, self._clean = 0, 0.0, 0, True
        self.live = Live(time_s=0.0, lap_s=0.0, at_s=time.monotonic(), pace=0.0, progress=0.0)
        self.stopping = threading.Event()

    def run(self) -> None:
        """Drive the race, and tell how it ended."""
        try:
            result = run_race(self._board.plan, [self._entrant], self._watch)
        except _StoppedError:
            return
        except RacerError as error:
            self._end(Status.PARK.label, 0.0)
            self._listener.trouble(f'{self._entrant.name} cannot drive: {error}')
            return
        entry = result.entries[0]
        self._end(entry.status, entry.time_s, result.to_json())
        if entry.failure:
            self._listener.trouble(f'{entry.name}: {entry.failure}')

    def _end(self, status: str, time_s: float, result: str = '') -> None:
        self._tell(Act.END, status=status, time_s=time_s, result=result)

    def _tell(self, act: Act, **values: object) -> None:
        self._listener.happened(Event(act=act, at_s=time.monotonic(), **values))  # type: ignore[arg-type]

    def _watch(self, simulator: Simulator) -> None:
        """Wait until the wall has come as far, then tell what has changed."""
        race = simulator.control.race[0]
        if not self._began_s:
            self._began_s = time.monotonic()  # not before: the first step compiles kernels
        time_s = float(race['time_s'])
        due_s = self._began_s + time_s / self._pace - time.monotonic()
        if self.stopping.wait(max(0.0, due_s)):
            raise _StoppedError
        self._note_incidents(int(race['incidents']), Status(race['cause']))
        self._note_laps(int(race['laps']), float(race['lap_start_s']))
        state = simulator.state[0]
        progress = float(simulator.control.progress_percent(simulator.length_m)[0]) / 100.0
        self.live = Live(
            time_s=time_s, lap_s=max(0.0, time_s - self._lap_start_s), at_s=time.monotonic(),
            pace=self._pace, progress=progress,
            place_m=(float(state['x_m']), float(state['y_m'])))

    def _note_incidents(self, incidents: int, cause: Status) -> None:
        if incidents > self._incidents:
            self._incidents, self._clean = incidents, False
            act = Act.COLLISION if cause is Status.CRASHED else Act.OFF_TRACK
            self._tell(act, status=cause.label)

    def _note_laps(self, laps: int, lap_start_s: float) -> None:
        if laps > self._laps:
            self._tell(Act.LAP, lap_s=lap_start_s - self._lap_start_s, clean=self._clean)
            self._laps, self._lap_start_s, self._clean = laps, lap_start_s, True
