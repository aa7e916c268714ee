"""The time that no repeated lap of a car can beat, so that a lap time says how good it is.

A point that can do at least what the simulated car can (`racer_sim.lap_limits`) drives the fastest
line through everything that the off-track rule allows (`racer_sim.lap_corridor`), which an optimal
control problem finds (`racer_sim.lap_optimum`). Three honest limits of it:

- It is a flying lap that can be repeated for ever. A single lap can be faster, by 1 to 2 % where
  the line is on a straight and 7 % in a bend, if its driver spoils those before and after it.
- The problem is not convex: the solver starts from three lines and keeps the best lap, but nothing
  proves that there is no better one. Tests drive against it.
- Gates stand 0.1 m apart. The lap is solved at twice the spacing too, and the difference, mostly
  below 0.1 %, is taken off.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.lap_corridor import Corridor, bends_of
from racer_sim.lap_limits import Envelope, PointCar, quasi_steady_lap
from racer_sim.lap_optimum import Optimum, fastest_lap, steady_guess
from racer_sim.track import Track
from racer_vehicle.errors import ConfigError, TrackError
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec
from racer_vehicle.storage import racer_home, write_atomically
from racer_vehicle.strict_json import from_object, parse_object, to_json

Floats = NDArray[np.float64]
Report = Callable[[str], None]

VERSION: Final = 1
"""Of the method; another one computes every bound anew."""

SPACING_M: Final = 0.1
"""About the arc length between gates; a 20 m track has 200."""

FEWEST_GATES: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LapBound:
    """The fastest flying lap.

    Attributes:
        bound_s: No repeated lap takes less: the optimum less `margin_s`.
        margin_s: What was taken off because gates stand apart.
        max_speed_mps: Highest commanded speed it holds for.
        qss_s: The optimum's line driven in steady balance at every place (forward-backward pass):
            a cross-check by other means, a little more than the bound.
        line: Read-only float64 (N, 2), where the mass centre goes, metres, first not repeated.
        speed_mps: Read-only float64 (N,), how fast.
    """

    bound_s: float
    margin_s: float
    max_speed_mps: float
    qss_s: float
    line: Floats
    speed_mps: Floats

    def ratio(self, lap_s: float) -> float:
        """A lap time as a multiple of the bound: 1 cannot be beaten."""
        return lap_s / self.bound_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """A `LapBound` as its file holds it."""

    bound_s: float
    margin_s: float
    max_speed_mps: float
    qss_s: float
    x_m: tuple[float, ...]
    y_m: tuple[float, ...]
    speed_mps: tuple[float, ...]


def lap_bound(track: Track, car: CarSpec, max_speed_mps: float,
              report: Report | None = None) -> LapBound:
    """The lap bound of a track, a car and a speed, from `racer_home()` if it was computed before.

    Args:
        track: In the direction of travel.
        car: As simulated.
        max_speed_mps: Highest speed that is ever commanded.
        report: Told in a few words what is being computed; never called for a kept bound.

    Raises:
        ConfigError: A speed or car that has no bound, or CasADi is missing.
        TrackError: The track is too wide for its bends, or no lap was found.
    """
    kept = kept_lap_bound(track, car, max_speed_mps)
    if kept is not None:
        return kept
    bound = compute_lap_bound(track, car, max_speed_mps, report)
    record = _Record(
        bound_s=bound.bound_s, margin_s=bound.margin_s, max_speed_mps=bound.max_speed_mps,
        qss_s=bound.qss_s, x_m=tuple(bound.line[:, 0].tolist()),
        y_m=tuple(bound.line[:, 1].tolist()), speed_mps=tuple(bound.speed_mps.tolist()))
    with contextlib.suppress(OSError):  # a full disk costs the time to compute it again
        write_atomically(_path(track, car, max_speed_mps), to_json(record).encode())
    return bound


def kept_lap_bound(track: Track, car: CarSpec, max_speed_mps: float) -> LapBound | None:
    """The lap bound if it was computed before, in no time; see `lap_bound`.

    Raises:
        ConfigError: A speed or car that has no bound.
    """
    return _read(_path(track, car, max_speed_mps))


def compute_lap_bound(track: Track, car: CarSpec, max_speed_mps: float,
                      report: Report | None = None) -> LapBound:
    """The lap bound of a track, a car and a speed, without any file; see `lap_bound`."""
    tell = report or (lambda words: None)
    point = PointCar.of(car, max_speed_mps)
    gates = max(FEWEST_GATES, round(track.length_m / SPACING_M / 2.0))
    # Between two judgements a path may bulge beyond its chord by a t^2 / 8.
    bulge_m = point.grip_mps2 * CONTROL_PERIOD_S**2 / 8.0
    coarse = Corridor.of(track, car, gates, bulge_m)
    fine = Corridor.of(track, car, 2 * gates, bulge_m)
    rough = _best_of_lines(coarse, point, tell)
    tell('refining the lap')
    found = None if rough is None else fastest_lap(fine, point, rough.spread_over(2 * gates))
    if rough is None or found is None:
        raise TrackError(f'no fastest lap of track {track.name!r} was found at '
                         f'{max_speed_mps:g} m/s; try another speed or a smoother centre line.')
    line = fine.at(found.offset_m)
    margin_s = abs(found.lap_s - rough.lap_s)
    return LapBound(
        bound_s=found.lap_s - margin_s, margin_s=margin_s, max_speed_mps=max_speed_mps,
        qss_s=_steady_s(point, found, bends_of(line)[0]),
        line=_frozen(np.column_stack((line.real, line.imag))),
        speed_mps=_frozen(found.speed_mps.copy()),
    )


def _best_of_lines(corridor: Corridor, point: PointCar, tell: Report) -> Optimum | None:
    """The fastest of the optima near three lines; None if the solver found none."""
    envelope = Envelope.of(point)
    found = []
    for name, line in (('gentlest line', corridor.gentlest), ('centre line', corridor.centre),
                       ('shortest line', corridor.shortest)):
        tell(f'searching from the {name}')
        optimum = fastest_lap(corridor, point, steady_guess(corridor, point, envelope, line()))
        if optimum is not None:
            found.append(optimum)
    return min(found, key=lambda optimum: optimum.lap_s, default=None)


def _steady_s(point: PointCar, optimum: Optimum, steps: Floats) -> float:
    """The quasi-steady lap on an optimum's line, whose bends are those that its forces made."""
    across = point.motion(optimum.speed_mps, optimum.slip_rad, optimum.drive_mps2).across
    return quasi_steady_lap(Envelope.of(point), steps, across / optimum.speed_mps**2)[0]


def _path(track: Track, car: CarSpec, max_speed_mps: float) -> Path:
    """Where a bound is kept."""
    key = _key(track, car, PointCar.of(car, max_speed_mps))
    return racer_home() / 'bounds' / f'{key}.json'


def _key(track: Track, car: CarSpec, point: PointCar) -> str:
    """Name of the file: the same for the same course, physics and method only."""
    physics = {'version': VERSION, 'wheels_m': car.wheel_positions_m, **asdict(point)}
    content = hashlib.sha256(json.dumps(physics, sort_keys=True).encode())
    for line in (track.centre_m, track.left_border_m, track.right_border_m):
        content.update(line.tobytes())
    return content.hexdigest()[:32]


def _read(path: Path) -> LapBound | None:
    """A kept bound; None if there is none, or none that can be used."""
    try:
        record = from_object(_Record, parse_object(path.read_bytes(), path.name), path.name)
    except (OSError, ConfigError):
        return None
    if not len(record.x_m) == len(record.y_m) == len(record.speed_mps):
        return None
    return LapBound(
        bound_s=record.bound_s, margin_s=record.margin_s, max_speed_mps=record.max_speed_mps,
        qss_s=record.qss_s, line=_frozen(np.column_stack((record.x_m, record.y_m))),
        speed_mps=_frozen(np.array(record.speed_mps)))


def _frozen(values: Floats) -> Floats:
    """The same array, read-only: one bound is shared by everybody who asks."""
    values.setflags(write=False)
    return values
