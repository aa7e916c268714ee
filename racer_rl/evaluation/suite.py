"""The robustness suite: the same laps under a fixed set of conditions, and one score.

A policy that drives the track it was trained on, with the car as specified, has shown little: the
next floor, battery or camera mount is another. The suite changes one thing at a time, mildly and
hard, then all at once, the direction, and the track. What is drawn is seeded, so that two models
meet the same conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from racer_rl.envs.build import RaceSetup, build_simulator
from racer_rl.evaluation.laps import (
    Evaluation,
    EvaluationPlan,
    Policy,
    drive_runs,
    rounded,
)
from racer_sim.courses import Course, courses_of
from racer_sim.obstacle_places import require_room_on
from racer_sim.race_format import RaceFormat
from racer_sim.randomization import DEFAULT, NONE, STRONG, Randomization
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S, require_range

STRENGTHS: Final = {'mild': DEFAULT, 'hard': STRONG}
"""Of a condition: the profile whose ranges it draws from."""

CONDITIONS: Final = {
    'paint and sky': ('asphalt', 'lines', 'surroundings', 'sky'),
    'light': ('light', 'exposure'),
    'shadows': ('shadow',),
    'blur and noise': ('blur', 'noise'),
    'dirty lens': ('smudge', 'scratch'),
    'camera mount': ('camera_x_m', 'camera_y_m', 'camera_z_m', 'camera_pitch_rad',
                     'camera_yaw_rad', 'camera_hfov'),
    'lost frames': ('frame_drop',),
    'grip': ('friction',),
    'mass and motor': ('mass', 'motor'),
    'battery': ('battery_sag',),
    'worn steering': ('steering_trim_rad', 'steering_play_rad'),
    'wheel size': ('wheel_radius',),
    'slope': ('slope',),
    'latency': ('latency_s', 'jitter_s'),
}
"""What each condition draws; every range is in one of them."""

AS_SPECIFIED: Final = 'as specified'
EVERYTHING: Final = 'all at once'
OTHER_WAY: Final = 'the other way round'
HELD_OUT: Final = 'unknown tracks'

HELD_OUT_TRACKS: Final = ('kidney', 'clover', 'meander', 'fishhook', 'switchback')
"""Of which those count that a model was not trained on; driven both ways round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitePlan:
    """How much of it is driven.

    Attributes:
        starts: Runs of each condition on each course, their starts spread over the lap.
        laps: Of each run.
        single: Whether each condition is driven by itself; otherwise only all at once.
        tracks: How many unknown tracks.
        lap_time_limit_s: Simulated seconds for each lap.
        seed: Of what is drawn.
    """

    starts: int = 4
    laps: int = 1
    single: bool = True
    tracks: int = 4
    lap_time_limit_s: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_range(self, starts=(1, 64), laps=(1, 100), lap_time_limit_s=(1.0, 3600.0),
                      tracks=(0, len(HELD_OUT_TRACKS)), seed=(0, 2**63 - 1))

    @property
    def evaluation(self) -> EvaluationPlan:
        """What is driven of each field."""
        return EvaluationPlan(laps=self.laps, starts=self.starts, seed=self.seed,
                              lap_time_limit_s=self.lap_time_limit_s)


@dataclass(frozen=True, slots=True)
class Cell(Evaluation):
    """One field of the matrix: an evaluation under a condition.

    Attributes:
        condition: Which.
        strength: `mild`, `hard`, or empty where there is but one.
    """

    condition: str
    strength: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`: of so many fields, only what they come to."""
        return {'condition': self.condition, 'strength': self.strength,
                'clean_share': rounded(self.clean_share),
                'completion': rounded(self.completion),
                'mean_lap_s': rounded(self.mean_lap_s), 'runs': len(self.runs)}


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """The matrix."""

    cells: tuple[Cell, ...]

    @property
    def score(self) -> float:
        """Mean share of clean laps over the fields of the matrix, 0 to 1."""
        return float(np.mean([cell.clean_share for cell in self.cells]))

    @property
    def completion(self) -> float:
        """Mean share of the distance over the fields: moves before the score does."""
        return float(np.mean([cell.completion for cell in self.cells]))

    @property
    def car_steps(self) -> int:
        """Control periods that were driven, all cars together."""
        seconds = sum(run.time_s for cell in self.cells for run in cell.runs)
        return round(seconds / CONTROL_PERIOD_S)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {'suite': 'robust', 'score': round(self.score, 6),
                'completion': round(self.completion, 6),
                'conditions': [cell.as_dict() for cell in self.cells]}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A field to be driven: its conditions, and the indices of its courses."""

    condition: str
    strength: str
    randomization: Randomization
    courses: tuple[int, ...]


def run_suite(policy: Policy, setup: RaceSetup, plan: SuitePlan | None = None) -> SuiteResult:
    """Drive a policy under all conditions, side by side.

    Args:
        policy: Without exploration.
        setup: What it was trained on; its own randomisation does not matter.
        plan: How much.
    """
    plan = plan or SuitePlan()
    own, other, unknown = (tuple(part) for part in _courses(setup, plan))
    courses = (*own, *other, *unknown)
    entries = _entries(len(own), len(other), len(unknown), plan)
    entry_of, course, share = _cars(entries, plan)
    setup = replace(setup, race=race_everywhere(setup.race, courses))
    simulator = build_simulator(
        setup, cars=len(entry_of), seed=plan.seed, rules=plan.evaluation.rules, courses=courses,
        randomization=tuple(entries[index].randomization for index in entry_of))
    runs = drive_runs(policy, setup, simulator, course, share)
    return SuiteResult(tuple(
        Cell(replace(plan.evaluation, randomization=entry.randomization),
             tuple(run for run, mine in zip(runs, entry_of, strict=True) if mine == index),
             entry.condition, entry.strength)
        for index, entry in enumerate(entries)))


def race_everywhere(race: RaceFormat, courses: Sequence[Course]) -> RaceFormat:
    """The same race on all courses; alone where cars share a track, or one has no room for it."""
    try:
        require_room_on(courses, race)
    except ConfigError:
        return RaceFormat()
    return race if race.cars == 1 else RaceFormat()


def _courses(setup: RaceSetup, plan: SuitePlan) -> tuple[Sequence[Course], ...]:
    """Own courses; own tracks the other way, if that was not trained; unknown tracks, both."""
    tracks = [find_track(name) for name in setup.tracks]
    own = courses_of(tracks, setup.direction)
    opposite = {'forward': 'reverse', 'reverse': 'forward'}.get(setup.direction)
    known = {track.name for track in tracks}
    unknown = [find_track(name) for name in HELD_OUT_TRACKS if name not in known][:plan.tracks]
    return (own, courses_of(tracks, opposite) if opposite else (),
            courses_of(unknown, 'both') if unknown else ())


def _entries(own: int, other: int, unknown: int, plan: SuitePlan) -> list[_Entry]:
    """The fields of the matrix, row by row."""
    mine = tuple(range(own))
    others, strange = (tuple(range(own, own + other)),
                       tuple(range(own + other, own + other + unknown)))
    entries = [_Entry(AS_SPECIFIED, '', NONE, mine)]
    for condition, names in CONDITIONS.items() if plan.single else ():
        for strength, profile in STRENGTHS.items():
            drawn = replace(NONE, **{name: getattr(profile, name) for name in names})
            entries.append(_Entry(condition, strength, drawn, mine))
    for condition, courses in ((EVERYTHING, mine), (OTHER_WAY, others), (HELD_OUT, strange)):
        if condition != EVERYTHING and courses:
            entries.append(_Entry(condition, '', NONE, courses))
        if courses:
            entries += [_Entry(condition, strength, profile, courses)
                        for strength, profile in STRENGTHS.items()]
    return entries


def _cars(entries: Sequence[_Entry], plan: SuitePlan) -> tuple[Any, Any, Any]:
    """Entry, course and start of every car, (N,) each."""
    rows = [(index, course, start / plan.starts)
            for index, entry in enumerate(entries) for course in entry.courses
            for start in range(plan.starts)]
    entry_of, course, share = (np.array(column) for column in zip(*rows, strict=True))
    return entry_of, course, share
