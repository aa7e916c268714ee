"""Race control, batched: progress, laps, incidents, penalties and why an episode ended.

The rules are DeepRacer's (statuses, patience, penalties), with two documented faults of the
original mended: speed and direction are what the car does, not what it was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal, NamedTuple

import numpy as np
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
        self.race['status'][cars] = Status.IN_PROGRESS
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
        self.race['status'][cars] = Status.PARK

    @property
    def frozen(self) -> Bools:
        """Cars that must not move: not in a race, or serving a penalty."""
        return self.race['status'] != Status.IN_PROGRESS

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
        race = self.race
        running = race['status'] == Status.IN_PROGRESS
        paused = race['status'] == Status.PAUSE
        alive = self._goes_on
        race['steps'][alive] += 1
        race['time_s'] = race['steps'] * CONTROL_PERIOD_S
        along = self._follow(running, s_m, length_m, moved_m)
        laps = self._count_laps(running, along, length_m)
        self._judge(running, off_track, crashed)
        race['penalty_left_s'][paused] -= CONTROL_PERIOD_S
        late = self._goes_on & (race['time_s'] >= self.rules.time_limit_s - EPSILON_S)
        race['status'][late] = Status.TIME_UP
        released = paused & ~late & (race['penalty_left_s'] <= EPSILON_S)
        race['status'][released] = Status.IN_PROGRESS
        return Verdict(alive & ~self._goes_on, released, laps)

    @property
    def _goes_on(self) -> Bools:
        """Cars that drive or serve a penalty."""
        status = self.race['status']
        return (status == Status.IN_PROGRESS) | (status == Status.PAUSE)

    def _follow(self, running: Bools, s_m: Floats, length_m: Floats, moved_m: Floats) -> Floats:
        """Record how the running cars moved; returns the distance along the course, (N,)."""
        race = self.race
        along = s_m - race['last_s_m']
        along -= length_m * np.rint(along / length_m)  # the short way across the start line
        along[~running] = 0.0
        race['travelled_m'] += along
        race['last_s_m'][running] = s_m[running]
        race['moved_m'] = np.where(running, moved_m, 0.0)
        still = moved_m <= self.rules.still_m
        race['backward'] = np.where(running & ~still, along < 0.0, race['backward'])
        race['still_steps'] = np.where(running & still, race['still_steps'] + 1, 0)
        race['backward_steps'] = np.where(along < 0.0, race['backward_steps'] + 1, 0)
        return along

    def _count_laps(self, running: Bools, along: Floats, length_m: Floats) -> tuple[Lap, ...]:
        """Close laps whose line was crossed, timed by interpolation inside the period."""
        race, laps = self.race, []
        crossed = running & (race['travelled_m'] >= (race['laps'] + 1) * length_m)
        for car in np.flatnonzero(crossed):
            record = race[car]
            over = record['travelled_m'] - (record['laps'] + 1) * length_m[car]
            at_s = record['time_s'] - CONTROL_PERIOD_S * over / max(along[car], 1e-9)
            record['laps'] += 1
            time_s = float(at_s - record['lap_start_s'])
            laps.append(Lap(int(car), int(record['laps']), time_s, bool(record['clean'])))
            record['lap_start_s'], record['clean'] = at_s, True
            if record['laps'] >= self.rules.laps:
                record['status'] = Status.LAP_COMPLETE
        return tuple(laps)

    def _judge(self, running: Bools, off_track: Bools, crashed: Bools) -> None:
        """Set the status of cars with an incident; with resets left, a penalty begins instead."""
        race, patience = self.race, self.rules.patience_steps
        open_run = running & (race['status'] == Status.IN_PROGRESS)
        for status, happened in (
            (Status.REVERSED, race['backward_steps'] >= patience),
            (Status.IMMOBILIZED, race['still_steps'] >= patience),
            (Status.OFF_TRACK, off_track),
            (Status.CRASHED, crashed),
        ):
            race['status'][open_run & happened] = status
        incident = open_run & (race['status'] != Status.IN_PROGRESS)
        race['incidents'][incident] += 1
        race['clean'][incident] = False
        race['cause'][incident] = race['status'][incident]
        forgiven = incident & (race['incidents'] <= self.rules.resets)
        hit = race['status'] == Status.CRASHED
        again = hit & (np.abs(race['travelled_m'] - race['crashed_at_m']) < ONE_PLACE_M)
        race['crashes_here'] = np.where(
            incident & hit, np.where(again, race['crashes_here'], 0) + 1, race['crashes_here'])
        race['crashed_at_m'] = np.where(incident & hit, race['travelled_m'],
                                        race['crashed_at_m'])
        race['penalty_left_s'][forgiven] = np.where(
            hit, self.rules.collision_penalty_s, self.rules.off_track_penalty_s)[forgiven]
        race['status'][forgiven] = Status.PAUSE
        race['still_steps'][forgiven] = 0
        race['backward_steps'][forgiven] = 0
