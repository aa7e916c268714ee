"""Race control by ground truth alone: one car's poses in, status and where to put the car out.

The judge is `RaceControl`, as in training. The simulator is not asked, so any simulator will do.
It is told when a car is held, and takes it off the track for so long. Crashes are seen where
somebody tells what stands and drives around the car.
"""

from __future__ import annotations

import json
import math
from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from racer_sim import vehicle
from racer_sim.camera import BODY
from racer_sim.collisions import FASTEST_MPS, Collisions
from racer_sim.courses import Course, CourseGeometry
from racer_sim.encounters import Overtakes, encounters_of
from racer_sim.placement import PLACE, locate
from racer_sim.race_format import LANE_SHARE
from racer_sim.rules import Lap, RaceControl, RaceRules, Status
from racer_sim.simulator import PLACING_GAP_M
from racer_sim.starting_grid import Pose, grid_pose
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

Floats = NDArray[np.float64]
Records = NDArray[np.void]

STANDS_WITHIN_M: Final = 0.15
"""How near to where it was put a car must be seen: it may have begun to move."""

LONGEST_GAP_S: Final = 10.0
"""Longest silence that is bridged; after more, a run begins anew."""

ASK_AGAIN: Final = 8
"""Observations after which a car that was not put where it should be is asked for again."""

TRAIL_POINTS: Final = 3000
"""Most points of a driven line that are kept: more than three minutes."""

OVER: Final = frozenset(
    status.label for status in Status
    if status not in {Status.PREPARE, Status.IN_PROGRESS, Status.PAUSE, Status.PARK})
"""Statuses that a run does not leave."""

NOTHING: Final = np.zeros(0, dtype=BODY)
CARS: Final = np.zeros(1, dtype=np.int64)
"""The one car's index and the one course's, as the batched judge takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceState:
    """What race control says about a car, each control period.

    Attributes:
        run: Number of the run since the start of the node; a reset begins the next.
        status: `prepare` until the car moves, then as in `Status.label`.
        progress_percent: Share of the current lap, 0 to 100.
        laps: Completed laps.
        lap_times_s: Theirs.
        lap_clean: Whether each was free of incidents.
        incidents: Times the car crashed, left the track, stood still or turned round.
        cause: Status of the last of them; empty without.
        steps: Control periods since the car moved.
        time_s: The same, seconds.
        passed: Bots and cars that the car has passed in the run, less those that passed it.
        held: Whether the car is off the track: not to move, to be seen or to be met.
        lifting: Whether it is about to be put elsewhere, by `sim/place`; it is held until it is
            seen there.
        stamp_s: Of the ground truth this is about.
    """

    run: int = 0
    status: str = Status.PREPARE.label
    progress_percent: float = 0.0
    laps: int = 0
    lap_times_s: tuple[float, ...] = ()
    lap_clean: tuple[bool, ...] = ()
    incidents: int = 0
    cause: str = ''
    steps: int = 0
    time_s: float = 0.0
    passed: int = 0
    held: bool = False
    lifting: bool = False
    stamp_s: float = 0.0

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RaceState:
        """The state that `to_json` wrote.

        Raises:
            ConfigError: It is none.
        """
        try:
            content: dict[str, Any] = json.loads(text)
            content |= {name: tuple(content[name]) for name in ('lap_times_s', 'lap_clean')}
            return cls(**content)
        except (ValueError, TypeError, KeyError):
            raise ConfigError(f'race state is {text[:80]!r}; allowed: a JSON object as '
                              'race_control publishes it; both sides must be of one '
                              'version.') from None

    @property
    def headline(self) -> str:
        """For people: lap, time, progress, status."""
        last = f'  last {self.lap_times_s[-1]:.2f} s' if self.lap_times_s else ''
        return (f'lap {self.laps + 1}  {self.progress_percent:.0f} %  {self.time_s:.1f} s{last}'
                f'  {self.status.replace("_", " ")}')


class RaceWatch:
    """Judges one car on one course.

    Attributes:
        state: After the last observation.
    """

    def __init__(self, course: Course, rules: RaceRules, car: CarSpec, *,
                 leaves: bool = False) -> None:
        """Wait for the car; the first run begins where it is first seen.

        Args:
            course: What it drives on.
            rules: What counts.
            car: Where its wheels are.
            leaves: Whether it leaves the track to others when its run is over.
        """
        self.course, self.rules = course, rules
        self.state = RaceState()
        self._control = RaceControl(1, rules)
        self._geometry = CourseGeometry.of([course])
        self._wheels_m = np.array(car.wheel_positions_m)
        self._places = np.zeros(1, dtype=PLACE)
        self._states = np.zeros(1, dtype=vehicle.STATE)
        self._collisions = Collisions(car, rules.blame)
        self._objects, self._overtakes = NOTHING, Overtakes(1, 0)
        self._leaves = leaves
        self._wanted: Pose | None = None
        self._asked = 0
        self._pose: Pose | None = None
        self._stamp_s = -math.inf
        self._lap_times_s: list[float] = []
        self._lap_clean: list[bool] = []
        self._trail: deque[tuple[float, float]] = deque(maxlen=TRAIL_POINTS)
        self._last_lap: list[tuple[float, float]] = []

    def begin(self, share: float, place: int = 0) -> Pose:
        """Begin a new run from a starting grid.

        Args:
            share: Of the lap, where the grid's first car stands.
            place: On the grid, from 0.

        Returns:
            Where the car must be put; the run is prepared once it is seen there.
        """
        return self.begin_at(grid_pose(self.course, share, place))

    def begin_at(self, pose: Pose) -> Pose:
        """Begin a new run from any place; returns it, as `begin` does."""
        self._forget()
        self._wanted, self._asked = pose, 0
        return pose

    def _forget(self) -> None:
        """A new run: nothing of the last one counts."""
        self._control.race[:] = 0
        self._overtakes.begin(CARS)
        self._wanted, self._pose = None, None
        self._lap_times_s, self._lap_clean, self._last_lap = [], [], []
        self._trail.clear()
        self.state = RaceState(run=self.state.run + 1, stamp_s=self.state.stamp_s)

    @property
    def line_m(self) -> Floats:
        """Where the car has driven, float64 (K, 2), map frame: the last lap and the current."""
        return np.array([*self._last_lap, *self._trail]).reshape(-1, 2)

    def observe(self, pose: Pose, stamp_s: float,
                objects: Records | None = None) -> Pose | None:
        """Take ground truth; judges as many control periods as have passed since the last.

        Args:
            pose: Of `base_link`.
            stamp_s: When.
            objects: `BODY`, (K,), what it can run into then; None: nobody tells.

        Returns:
            Where the car must be put now; None: leave it alone.
        """
        before, self._objects = self._objects, NOTHING if objects is None else objects
        if self._wanted is not None:
            self._asked += 1
            # The first look may be from before it was asked for, at a car that only passes by.
            within_m = self.rules.still_m if self._asked == 1 else STANDS_WITHIN_M
            if pose.distance_m(self._wanted) > within_m:
                self.state = replace(self.state, held=True, lifting=True, stamp_s=stamp_s)
                return self._wanted if self._asked % ASK_AGAIN == 0 else None
            self._wanted, self._pose, self._stamp_s = None, pose, stamp_s
        if self._pose is None or self._was_lifted(self._pose, pose, stamp_s - self._stamp_s):
            self._forget()
            self._pose, self._stamp_s = pose, stamp_s
        periods = math.floor((stamp_s - self._stamp_s) / CONTROL_PERIOD_S + 0.5)
        if periods:
            self._judge((self._pose, before), (pose, self._objects), periods)
            # Whole periods, not to `stamp_s`: what is left over counts towards the next one.
            self._pose, self._stamp_s = pose, self._stamp_s + periods * CONTROL_PERIOD_S
        self._report(stamp_s)
        return self._wanted

    def _was_lifted(self, before: Pose, now: Pose, gap_s: float) -> bool:
        """Whether somebody else put the car elsewhere, or its simulator began anew."""
        if self._status == Status.PAUSE:
            return False  # race control itself holds the car
        return (not -CONTROL_PERIOD_S <= gap_s <= LONGEST_GAP_S
                or before.distance_m(now)
                > STANDS_WITHIN_M + FASTEST_MPS * max(gap_s, CONTROL_PERIOD_S))

    @property
    def _status(self) -> Status:
        return Status(self._control.race['status'][0])

    def _judge(self, then: tuple[Pose, Records], seen: tuple[Pose, Records],
               periods: int) -> None:
        """Judge periods of even motion between two poses.

        Where the car was between them is a guess that cuts bends: only where it was seen can it
        be off the track, or crash. What stands around moves when it hears of a new run, so the
        first period of one cannot end in a crash.
        """
        (before, _), (now, objects) = then, seen
        hit = (self._status == Status.IN_PROGRESS and len(objects) > 0
               and self._collisions.hits(then, seen, periods * CONTROL_PERIOD_S))
        if self._status == Status.PREPARE and before.distance_m(now) > self.rules.still_m:
            self._locate(before)
            self._control.start(CARS, self._places['s_m'])
        for period in range(1, periods + 1):
            share = period / periods
            self._locate(Pose(before.x_m + share * (now.x_m - before.x_m),
                              before.y_m + share * (now.y_m - before.y_m), now.yaw_rad))
            verdict = self._control.update(
                self._places['s_m'], self._geometry.length_m,
                np.array([before.distance_m(now) / periods]),
                (self._places['wheels_on_track'] == 0) & (period == periods),
                np.array([hit and period == periods]))
            self._note(verdict.laps)
            if verdict.released[0]:
                self._put_back()
                return
        self._see(objects)

    def _see(self, objects: Records) -> None:
        """Count whom the car has passed, and who has passed it, where it was located last."""
        if self._overtakes.gaps_m.shape[1] != len(objects):
            before, self._overtakes = self._overtakes, Overtakes(1, len(objects))
            self._overtakes.count[:] = before.count
        self._overtakes.see(encounters_of(objects, self._places, self._geometry))

    def _locate(self, pose: Pose) -> None:
        """Find the car on its course."""
        self._states['x_m'], self._states['y_m'] = pose.x_m, pose.y_m
        self._states['yaw_rad'] = pose.yaw_rad
        locate(self._places, self._states, CARS, self._wheels_m, self._geometry)

    def _note(self, laps: tuple[Lap, ...]) -> None:
        """Record where the car is, and laps that it has completed."""
        if self._status == Status.IN_PROGRESS:
            self._trail.append((float(self._states['x_m'][0]), float(self._states['y_m'][0])))
        for lap in laps:
            self._lap_times_s.append(lap.time_s)
            self._lap_clean.append(lap.clean)
            self._last_lap = list(self._trail)
            self._trail.clear()

    def _way_back(self) -> Pose:
        """Where a car goes on after its penalty: at its progress.

        In the middle of the track, or where things stand on it, amid the nearer lane where there
        is room, and behind what it hit; by the rules past it, where it hit it time and again.
        """
        race, track = self._control.race[0], self.course.track
        s_m, mercy = float(race['last_s_m']), self.rules.mercy_crashes
        if not len(self._objects):
            return grid_pose(self.course, s_m / track.length_m, 0)
        if race['cause'] == Status.CRASHED:
            s_m += PLACING_GAP_M if 0 < mercy <= race['crashes_here'] else -PLACING_GAP_M
        lane = LANE_SHARE * (1.0 if self._places['lateral_m'][0] > 0.0 else -1.0)
        return self._collisions.place(track, s_m, lane, self._objects)

    def _put_back(self) -> None:
        """Have the car go on after its penalty."""
        self._wanted, self._asked = self._way_back(), 0
        self._locate(self._wanted)
        self._control.put_back(CARS, self._places['s_m'], self._geometry.length_m)

    def _report(self, stamp_s: float) -> None:
        """Renew `state`."""
        race, lifting = self._control.race[0], self._wanted is not None
        over = self._status.label in OVER
        self.state = RaceState(
            run=self.state.run, status=Status(race['status']).label,
            progress_percent=float(self._control.progress_percent(self._geometry.length_m)[0]),
            laps=int(race['laps']), lap_times_s=tuple(self._lap_times_s),
            lap_clean=tuple(self._lap_clean), incidents=int(race['incidents']),
            cause=Status(race['cause']).label if race['incidents'] else '',
            steps=int(race['steps']), time_s=float(race['time_s']),
            passed=int(self._overtakes.count[0]),
            held=lifting or self._status == Status.PAUSE or (over and self._leaves),
            lifting=lifting, stamp_s=stamp_s)
