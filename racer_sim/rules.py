"""Race control, batched: progress, laps, incidents, penalties and why an episode ended.

The rules are DeepRacer's (statuses, patience, penalties), with two documented faults of the
original mended: speed and direction are what the car does, not what it was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S, require_range

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


EPSILON_S: Final = 1e-9
"""Rounding that times are compared with."""


class Status(IntEnum):
    """Episode statuses; `label` is the word that traces and metrics use."""

    PREPARE = 0
    IN_PROGRESS = 1
    LAP_COMPLETE = 2
    CRASHED = 3
    OFF_TRACK = 4
    IMMOBILIZED = 5
    REVERSED = 6
    TIME_UP = 7
    PAUSE = 8
    PARK = 9

    @property
    def label(self) -> str:
        """Lower-case name as in SIM_TRACE logs."""
        return self.name.lower()


INCIDENTS: Final = (Status.CRASHED, Status.OFF_TRACK, Status.IMMOBILIZED, Status.REVERSED)
"""What ends a run, or costs a penalty and a reset where resets are allowed."""

RACE: Final = np.dtype([
    ('status', 'i8'), ('steps', 'i8'), ('time_s', 'f8'), ('travelled_m', 'f8'), ('laps', 'i8'),
    ('lap_start_s', 'f8'), ('last_s_m', 'f8'), ('moved_m', 'f8'), ('backward', '?'),
    ('still_steps', 'i8'), ('backward_steps', 'i8'), ('penalty_left_s', 'f8'), ('incidents', 'i8'),
    ('cause', 'i8'), ('clean', '?'), ('crashes_here', 'i8'), ('crashed_at_m', 'f8'),
])
"""One car's race: distance along the course since the start (unwrapped), completed laps, time at
which the current lap began, whether the last movement along the course was backward, status of the
last incident, whether the current lap is free of incidents, crashes in a row at one place, and the
distance at which the last one was."""

ONE_PLACE_M: Final = 1.0
"""Crashes so near to each other, along the course, are at one place."""


class Lap(NamedTuple):
    """A completed lap: which car, its number from 1, simulated seconds, and if clean."""

    car: int
    number: int
    time_s: float
    clean: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceRules:
    """What ends an episode or a race.

    Attributes:
        laps: Laps that complete the run. 1 in training, 3 in an evaluation.
        time_limit_s: Longest run on the simulated clock; DeepRacer's virtual events used 180.
        resets: Incidents a car may survive; 0 ends the run at the first, as in training.
        off_track_penalty_s: Standing time after any incident but a crash. 2, the console's.
        collision_penalty_s: Standing time after a crash. 5.
        patience_steps: Consecutive steps without motion, or backward, before it counts. 15.
        still_m: Movement in a step that counts as none. 0.0003.
        blame: Whose collision it is where two cars meet: the `striker`'s, that is of whoever
            drove into the other, or of `both`.
        mercy_crashes: So many crashes in a row at one place, and the car is put past what it hits
            instead of behind it; 0: never. 3, the original, where that was switched on.
    """

    laps: int = 1
    time_limit_s: float = 180.0
    resets: int = 0
    off_track_penalty_s: float = 2.0
    collision_penalty_s: float = 5.0
    patience_steps: int = 15
    still_m: float = 0.0003
    blame: Literal['striker', 'both'] = 'striker'
    mercy_crashes: int = 0

    def __post_init__(self) -> None:
        require_range(self, laps=(1, 100_000), time_limit_s=(0.1, 1e6), resets=(0, 1_000_000),
                      off_track_penalty_s=(0, 600), collision_penalty_s=(0, 600),
                      patience_steps=(1, 10_000), still_m=(0, 1.0), mercy_crashes=(0, 1000))
        if self.blame not in ('striker', 'both'):
            raise ConfigError(f'blame is {self.blame!r}; allowed: striker, both.')


class Verdict(NamedTuple):
    """What one step decided.

    Attributes:
        ended: bool (N,), runs that are over.
        released: bool (N,), cars that have served their penalty and must be put back.
        laps: The laps completed.
    """

    ended: Bools
    released: Bools
    laps: tuple[Lap, ...]


def lap_progress_percent(race: NDArray[np.void], length_m: Floats, laps: int) -> Floats:
    """Share of the current lap since its start, 0 to 100; a completed run reads 100.

    Args:
        race: `RACE`, any number of records.
        length_m: Of their courses.
        laps: Of a run.
    """
    done = np.where(race['laps'] >= laps, race['laps'] - 1, race['laps'])
    percent: Floats = np.clip(100.0 * (race['travelled_m'] / length_m - done), 0.0, 100.0)
    return percent


# As plain numbers: an array compares itself with those ten times as fast as with members.
_IN_PROGRESS, _LAP_COMPLETE, _CRASHED = map(int, (
    Status.IN_PROGRESS, Status.LAP_COMPLETE, Status.CRASHED))
_OFF_TRACK, _IMMOBILIZED, _REVERSED = map(int, (
    Status.OFF_TRACK, Status.IMMOBILIZED, Status.REVERSED))
_TIME_UP, _PAUSE, _PARK = map(int, (Status.TIME_UP, Status.PAUSE, Status.PARK))


class RaceControl:
    """Watches N cars; `race` holds their `RACE` records and is written only here."""

    def __init__(self, cars: int, rules: RaceRules) -> None:
        """Start with every car in `PREPARE`; `start` puts them into the race.

        Args:
            cars: Number of cars.
            rules: Shared by all of them.
        """
        self.rules = rules
        self.race = np.zeros(cars, dtype=RACE)

    def start(self, cars: NDArray[np.int64], s_m: Floats) -> None:
        """Begin a new run for some cars.

        Args:
            cars: int64 (K,), indices.
            s_m: float64 (K,), where on the course they stand.
        """
        self.race[cars] = np.zeros(len(cars), dtype=RACE)
        self.race['status'][cars] = _IN_PROGRESS
        self.race['last_s_m'][cars] = s_m
        self.race['clean'][cars] = True

    def put_back(self, cars: NDArray[np.int64], s_m: Floats, length_m: Floats) -> None:
        """Account for cars that were lifted to another place on the course after a penalty.

        Args:
            cars: int64 (K,), indices.
            s_m: float64 (K,), where they stand now.
            length_m: float64 (K,), length of their courses.
        """
        shift = s_m - self.race['last_s_m'][cars]
        self.race['travelled_m'][cars] += shift - length_m * np.rint(shift / length_m)
        self.race['last_s_m'][cars] = s_m

    def retire(self, cars: NDArray[np.int64]) -> None:
        """End the runs of cars (K,) that cannot go on; they are out of everybody's way."""
        self.race['status'][cars] = _PARK

    def suspend(self, car: int, *, out: bool) -> None:
        """Take a car out of everybody's way, or let it go on, for whoever judges by other means.

        Args:
            car: Index.
            out: Whether it is not in the race now.
        """
        self.race['status'][car] = _PAUSE if out else _IN_PROGRESS

    @property
    def frozen(self) -> Bools:
        """Cars that must not move: not in a race, or serving a penalty."""
        return self.race['status'] != _IN_PROGRESS

    def progress_percent(self, length_m: Floats) -> Floats:
        """Share of the current lap since its start, (N,), 0 to 100; a completed run reads 100."""
        return lap_progress_percent(self.race, length_m, self.rules.laps)

    def update(self, s_m: Floats, length_m: Floats, moved_m: Floats, off_track: Bools,
               crashed: Bools) -> Verdict:
        """Judge one control period.

        Args:
            s_m: float64 (N,), arc length of each car now.
            length_m: float64 (N,), length of its course.
            moved_m: float64 (N,), distance its `base_link` moved in the period.
            off_track: bool (N,), all four wheels outside.
            crashed: bool (N,), overlapping another body.

        Returns:
            Which runs ended, which cars have served their penalty and must be put back on the
            course, and the completed laps.
        """
        rules, count = self.rules, len(self.race)
        ended, released = np.zeros((2, count), dtype=np.bool_)
        lap_s = np.zeros(count)
        lap_clean = np.zeros(count, dtype=np.bool_)
        _judge_period(self.race, s_m, length_m, moved_m, off_track, crashed, (
            rules.laps, rules.resets, rules.patience_steps, rules.still_m, rules.time_limit_s,
            rules.off_track_penalty_s, rules.collision_penalty_s),
            ended, released, lap_s, lap_clean)
        laps = tuple(Lap(car, int(self.race['laps'][car]), float(lap_s[car]), bool(lap_clean[car]))
                     for car in np.flatnonzero(lap_s).tolist())
        return Verdict(ended, released, laps)

    @property
    def goes_on(self) -> Bools:
        """Cars that drive or serve a penalty."""
        status = self.race['status']
        return (status == _IN_PROGRESS) | (status == _PAUSE)


@njit(cache=True)
def _follow(race: Any, s_m: float, length_m: float, moved_m: float, still_m: float) -> float:
    """Record how a car moved; returns the distance along the course, 0 if it does not race."""
    running = race.status == _IN_PROGRESS
    along = s_m - race.last_s_m
    along -= length_m * np.rint(along / length_m)  # the short way across the start line
    if not running:
        along = 0.0
    race.travelled_m += along
    still = moved_m <= still_m
    if running:
        race.last_s_m = s_m
        if not still:
            race.backward = along < 0.0
    race.moved_m = moved_m if running else 0.0
    race.still_steps = race.still_steps + 1 if running and still else 0
    race.backward_steps = race.backward_steps + 1 if along < 0.0 else 0
    return along


@njit(cache=True)
def _incident(race: Any, off_track: bool, crashed: bool, patience: int) -> int:
    """What happened to a racing car, the worst of it; `_IN_PROGRESS` if nothing did."""
    if crashed:
        return _CRASHED
    if off_track:
        return _OFF_TRACK
    if race.still_steps >= patience:
        return _IMMOBILIZED
    return _REVERSED if race.backward_steps >= patience else _IN_PROGRESS


@njit(cache=True)
def _note(race: Any, status: int, resets: int, off_track_s: float,
          collision_s: float) -> None:
    """Record an incident; with resets left, a penalty begins, and otherwise the run is over."""
    race.incidents += 1
    race.clean, race.cause, race.status = False, status, status
    if status == _CRASHED:
        again = abs(race.travelled_m - race.crashed_at_m) < ONE_PLACE_M
        race.crashes_here = race.crashes_here + 1 if again else 1
        race.crashed_at_m = race.travelled_m
    if race.incidents <= resets:
        race.penalty_left_s = collision_s if status == _CRASHED else off_track_s
        race.status = _PAUSE
        race.still_steps = race.backward_steps = 0


@njit(cache=True)
def _judge_period(races: NDArray[np.void], s_m: Floats, length_m: Floats, moved_m: Floats,
                  off_track: Bools, crashed: Bools,
                  rules: tuple[int, int, int, float, float, float, float], ended: Bools,
                  released: Bools, lap_s: Floats, lap_clean: Bools) -> None:
    """As of `RaceControl.update`.

    Args:
        races: `RACE`, (N,), written.
        s_m: As the arguments after it, of `update`.
        length_m: The same.
        moved_m: The same.
        off_track: The same.
        crashed: The same.
        rules: Laps, resets, patience, stillness, time limit and both penalties.
        ended: bool (N,), written.
        released: bool (N,), written.
        lap_s: float64 (N,), time of a lap that was completed; left alone without one.
        lap_clean: bool (N,), whether it was free of incidents.
    """
    laps, resets, patience, still_m, limit_s, off_track_s, collision_s = rules
    for i in range(races.shape[0]):
        race = races[i]
        paused = race.status == _PAUSE
        alive = paused or race.status == _IN_PROGRESS
        race.steps += alive
        race.time_s = race.steps * CONTROL_PERIOD_S
        along = _follow(race, s_m[i], length_m[i], moved_m[i], still_m)
        if not alive:
            continue
        over_m = race.travelled_m - (race.laps + 1) * length_m[i]
        if not paused and over_m >= 0.0:
            # Timed by interpolation inside the period.
            at_s = race.time_s - CONTROL_PERIOD_S * over_m / max(along, 1e-9)
            race.laps += 1
            lap_s[i], lap_clean[i] = at_s - race.lap_start_s, race.clean
            race.lap_start_s, race.clean = at_s, True
            if race.laps >= laps:
                race.status = _LAP_COMPLETE
        if race.status == _IN_PROGRESS:
            status = _incident(race, off_track[i], crashed[i], patience)
            if status != _IN_PROGRESS:
                _note(race, status, resets, off_track_s, collision_s)
        if paused:
            race.penalty_left_s -= CONTROL_PERIOD_S
        goes_on = race.status == _IN_PROGRESS or race.status == _PAUSE
        if goes_on and race.time_s >= limit_s - EPSILON_S:
            race.status = _TIME_UP
        elif paused and race.penalty_left_s <= EPSILON_S:
            race.status = _IN_PROGRESS
            released[i] = True
        ended[i] = not (race.status == _IN_PROGRESS or race.status == _PAUSE)
