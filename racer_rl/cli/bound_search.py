"""The lap bounds that an evaluation is compared with: kept ones, or computed while one watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console
from rich.status import Status
from rich.text import Text

from racer_rl.envs.build import RaceSetup
from racer_sim.courses import Course, courses_of
from racer_sim.track_library import find_track
from racer_vehicle.errors import RacerError
from racer_vehicle.spec import CarSpec

if TYPE_CHECKING:  # SciPy takes a second to import
    from racer_sim.lap_bound import LapBound

MOST_COURSES: Final = 4
"""That bounds are computed for if nobody asked: each takes seconds."""


def find_bounds(setup: RaceSetup, *, wanted: bool = False) -> tuple[LapBound | None, ...]:
    """Bounds of a setup's courses, for its car and its fastest action.

    What cannot be had is said in a line on stderr, and is no error.

    Args:
        setup: What is raced.
        wanted: Whether to compute however many are missing, and not only a few.

    Returns:
        In order of course, None where there is none.
    """
    courses = courses_of([find_track(name) for name in setup.tracks], setup.direction)
    speed_mps = setup.actions.top_speed_mps
    kept = tuple(kept_bound(course, setup.car, speed_mps) for course in courses)
    missing = kept.count(None)
    if missing == 0:
        return kept
    if missing > MOST_COURSES and not wanted:
        typer.echo(f'{missing} of {len(courses)} courses have no lap bound yet; --bound computes '
                   'them, some seconds each.', err=True)
        return kept
    with Console(stderr=True).status('') as status:
        return tuple(found or _compute(course, setup.car, speed_mps, status)
                     for course, found in zip(courses, kept, strict=True))


def kept_bound(course: Course, car: CarSpec, max_speed_mps: float) -> LapBound | None:
    """A bound that was computed before; None without one."""
    from racer_sim.lap_bound import kept_lap_bound

    try:
        return kept_lap_bound(course.track, car, max_speed_mps)
    except RacerError:
        return None


def _compute(course: Course, car: CarSpec, speed_mps: float, status: Status) -> LapBound | None:
    """A bound that is missing; None if there can be none, which is said."""
    from racer_sim.lap_bound import lap_bound

    name = f'{course.track.name} reverse' if course.reverse else course.track.name
    if not status.console.is_terminal:
        typer.echo(f'computing the lap bound of {name}, once', err=True)
    try:
        return lap_bound(course.track, car, speed_mps, lambda words: status.update(
            Text(f'the lap bound of {name}, once: {words}')))
    except RacerError as error:
        typer.echo(f'no lap bound of {name}: {error}', err=True)
        return None
