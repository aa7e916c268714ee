"""Evaluation: a policy that does not explore drives laps from several starts; each is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from racer_rl.envs.batch import Observation, RaceBatch
from racer_rl.envs.build import RaceSetup, build_simulator
from racer_sim.race_format import RaceFormat
from racer_sim.randomization import NONE, Randomization
from racer_sim.rules import Lap, RaceRules, Status
from racer_sim.simulator import Simulator
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S, require_range


class Policy(Protocol):
    """Anything that turns observations of N cars into policy outputs."""

    def __call__(self, observation: Observation) -> NDArray[Any]:
        """Outputs, (N,) indices or (N, 2) in [-1, 1]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """What is driven.

    Attributes:
        laps: Laps of a run.
        starts: Runs on each course, their starts spread evenly over the lap.
        resets: Incidents a run survives, with DeepRacer's penalties; 0 ends it at the first.
        lap_time_limit_s: Simulated seconds a run may take, for each of its laps.
        seed: Of the image ages, and of what is drawn of the randomisation.
        randomization: What runs differ in, and from the car as specified.
    """

    laps: int = 3
    starts: int = 4
    resets: int = 0
    lap_time_limit_s: float = 180.0
    seed: int = 0
    randomization: Randomization = NONE

    def __post_init__(self) -> None:
        require_range(
            self,
            laps=(1, 1000),
            starts=(1, 256),
            resets=(0, 1_000_000),
            lap_time_limit_s=(1.0, 3600.0),
            seed=(0, 2**63 - 1),
        )

    @property
    def rules(self) -> RaceRules:
        """Race rules of one run."""
        return RaceRules(
            laps=self.laps, resets=self.resets, time_limit_s=self.laps * self.lap_time_limit_s
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One car from one start.

    Attributes:
        track: Name of the track.
        direction: `forward` or `reverse`.
        start: Share of the lap at which it started.
        status: How it ended.
        incidents: How often it left the track, crashed, stood or turned round.
        completion: Share of the wanted laps that were driven, 0 to 1.
        time_s: Simulated seconds.
        laps: The laps it completed.
        overtakes: Bots or cars that it passed, less those that passed it; None: it was alone.
    """

    track: str
    direction: str
    start: float
    status: Status
    incidents: int
    completion: float
    time_s: float
    laps: tuple[Lap, ...]
    overtakes: int | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a policy showed."""

    plan: EvaluationPlan
    runs: tuple[Run, ...]

    @property
    def total_laps(self) -> int:
        """Laps that were wanted."""
        return self.plan.laps * len(self.runs)

    @property
    def clean_laps(self) -> int:
        """Laps completed without an incident."""
        return sum(lap.clean for run in self.runs for lap in run.laps)

    @property
    def car_steps(self) -> int:
        """Control periods that were driven, all cars together."""
        return round(sum(run.time_s for run in self.runs) / CONTROL_PERIOD_S)

    @property
    def clean_runs(self) -> int:
        """Runs of which every wanted lap was clean."""
        return sum(run.incidents == 0 and len(run.laps) == self.plan.laps for run in self.runs)

    @property
    def overtaking_runs(self) -> int | None:
        """Runs that passed somebody; None where nobody could be met."""
        passed = [run.overtakes for run in self.runs if run.overtakes is not None]
        return sum(count > 0 for count in passed) if passed else None

    @property
    def is_clean(self) -> bool:
        """Whether every wanted lap was clean."""
        return self.clean_laps == self.total_laps

    @property
    def clean_share(self) -> float:
        """Clean laps over wanted ones, 0 to 1."""
        return self.clean_laps / self.total_laps

    @property
    def completion(self) -> float:
        """Mean share of the wanted distance that was driven, 0 to 1."""
        return float(np.mean([run.completion for run in self.runs]))

    @property
    def lap_times_s(self) -> tuple[float, ...]:
        """Times of all completed laps."""
        return tuple(lap.time_s for run in self.runs for lap in run.laps)

    @property
    def mean_lap_s(self) -> float | None:
        """Mean time of the completed laps; None without one."""
        return float(np.mean(self.lap_times_s)) if self.lap_times_s else None

    @property
    def best_lap_s(self) -> float | None:
        """Fastest completed lap; None without one."""
        return min(self.lap_times_s, default=None)

    @property
    def reliability(self) -> tuple[float, float]:
        """Greater is better: clean laps, then completion."""
        return float(self.clean_laps), self.completion

    @property
    def pace(self) -> float:
        """Greater is better: less the mean lap time, seconds."""
        return -(self.mean_lap_s or np.inf)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json` and for the model's folder; times to the microsecond."""
        return {
            'laps': self.plan.laps,
            'clean_laps': self.clean_laps,
            'total_laps': self.total_laps,
            'clean_runs': self.clean_runs,
            'overtaking_runs': self.overtaking_runs,
            'completion': round(self.completion, 6),
            'mean_lap_s': rounded(self.mean_lap_s),
            'best_lap_s': rounded(self.best_lap_s),
            'status_counts': dict(sorted(Counter(run.status.label for run in self.runs).items())),
            'starts': self.plan.starts,
            'resets': self.plan.resets,
            'seed': self.plan.seed,
            'runs': [
                {
                    'track': run.track,
                    'direction': run.direction,
                    'start': run.start,
                    'status': run.status.label,
                    'incidents': run.incidents,
                    'completion': round(run.completion, 6),
                    'time_s': rounded(run.time_s),
                    'overtakes': run.overtakes,
                    'lap_times_s': [rounded(lap.time_s) for lap in run.laps],
                    'lap_clean': [lap.clean for lap in run.laps],
                }
                for run in self.runs
            ],
        }


def evaluate(
    policy: Policy,
    setup: RaceSetup,
    plan: EvaluationPlan,
    watch: Callable[[Simulator], None] | None = None,
    simulator: Simulator | None = None,
    *,
    blind: bool = False,
) -> Evaluation:
    """Drive all runs of a plan side by side.

    Args:
        policy: Its outputs are taken as they are.
        setup: Track(s), direction and codecs; its rules give way to the plan's.
        plan: What to drive.
        watch: Called before the first step and after every one, e.g. to film.
        simulator: To drive in, with a car for each run, instead of an embedded one. Its episodes
            are lost, its rules are kept.
        blind: The policy reads only what is privileged; see `RaceBatch`.

    Returns:
        The runs in order of course and start.

    Raises:
        ConfigError: The starts are no whole number of races.
    """
    courses = setup.course_count
    if plan.starts % setup.race.cars:
        raise ConfigError(f'starts is {plan.starts} in a race of {setup.race.cars} cars; allowed: '
                          f'{setup.race.cars}, or a multiple: each start is one of its cars.')
    if simulator is None:
        simulator = build_simulator(
            setup, cars=courses * plan.starts, seed=plan.seed, rules=plan.rules,
            randomization=(plan.randomization,),
        )
    rules, simulator.control.rules = simulator.control.rules, plan.rules
    course = np.repeat(np.arange(courses), plan.starts)
    share = np.tile(np.arange(plan.starts) / plan.starts, courses)
    try:
        runs = drive_runs(policy, setup, simulator, course, share, watch, blind=blind)
    finally:
        simulator.control.rules = rules
    return Evaluation(plan, runs)


def drive_runs(
    policy: Policy,
    setup: RaceSetup,
    simulator: Simulator,
    course: NDArray[np.int64],
    share: NDArray[np.float64],
    watch: Callable[[Simulator], None] | None = None,
    *,
    blind: bool = False,
) -> tuple[Run, ...]:
    """Drive one run with every car of a simulator, by its rules, side by side.

    Args:
        policy: Its outputs are taken as they are.
        setup: With the codecs.
        simulator: Its episodes are lost.
        course: int64 (N,), of its courses, each car's.
        share: float64 (N,), of the lap, where each car starts.
        watch: Called before the first step and after every one.
        blind: The policy reads only what is privileged; see `RaceBatch`.

    Returns:
        The cars' runs, in their order.
    """
    batch = RaceBatch(simulator, None if blind else setup.observation, setup.actions, None)
    simulator.place(np.arange(len(course)), course, share * simulator.geometry.length_m[course])
    laps: list[Lap] = []
    ended = np.zeros(len(course), dtype=np.bool_)
    observation = batch.observe(~ended)
    while True:
        if watch is not None:
            watch(simulator)
        if ended.all():
            break
        step = batch.step(policy(observation))
        laps.extend(step.laps)
        ended |= step.terminated | step.truncated
        observation = batch.observe(np.zeros(len(course), dtype=np.bool_))
    return tuple(_run(simulator, car, float(share[car]), laps) for car in range(len(course)))


def _run(simulator: Simulator, car: int, start: float, laps: list[Lap]) -> Run:
    race, course = simulator.control.race[car], simulator.courses[simulator.course_of[car]]
    driven = race['travelled_m'] / (simulator.control.rules.laps * course.track.length_m)
    return Run(
        track=course.track.name,
        direction='reverse' if course.reverse else 'forward',
        start=start,
        status=Status(race['status']),
        incidents=int(race['incidents']),
        completion=float(np.clip(driven, 0.0, 1.0)),
        time_s=float(race['time_s']),
        laps=tuple(lap for lap in laps if lap.car == car),
        overtakes=int(simulator.overtakes.count[car]) if simulator.can_overtake else None,
    )


JUDGED_TRACKS: Final = 6
"""Of those that a model was trained on: a pool of practice tracks tells no more than these."""


def few_tracks(setup: RaceSetup) -> RaceSetup:
    """The same on the first `JUDGED_TRACKS` of its tracks."""
    return replace(setup, track=setup.tracks[:JUDGED_TRACKS])


def with_course(
    setup: RaceSetup, *, track: str | None = None, direction: str | None = None,
    race: RaceFormat | None = None,
) -> RaceSetup:
    """The same car and codecs in another race; None keeps what there is."""
    changes: Mapping[str, Any] = {
        key: value
        for key, value in (('track', track), ('direction', direction), ('race', race))
        if value is not None
    }
    return replace(setup, **changes)


def rounded(value: float | None) -> float | None:
    """A figure for `as_dict`, to the sixth decimal; None stays None."""
    return None if value is None else round(value, 6)
