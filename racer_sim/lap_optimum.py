"""The fastest lap of a point through a corridor whose line is free: an optimal control problem.

State: offset from the smooth line, course angle to it, speed, drive force. Control: slip angle and
demanded drive. All are unknowns at every gate, tied from gate to gate by the trapezoidal rule, and
the lap closes on itself (J. T. Betts, *Practical Methods for Optimal Control*, chapter 4; the
course in track coordinates as in R. Lot and F. Biral, *A Curvilinear Abscissa Approach for the Lap
Time Optimization of Racing Vehicles*, 2014). IPOPT solves it, which comes with CasADi.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from racer_sim.lap_corridor import LEAST_SPREAD, Corridor, bends_of
from racer_sim.lap_limits import (
    FULL_GRIP,
    LOWEST_MPS,
    Envelope,
    Motion,
    PointCar,
    quasi_steady_lap,
)
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S

Floats = NDArray[np.float64]

ROUGHNESS: Final = 1e-5
"""Seconds per square radian between slip angles of neighbouring gates: forbids chatter."""

STEEPEST_RAD: Final = 1.2
MOST_SLIP_RAD: Final = 0.6
BEYOND_M: Final = 0.1
"""How far beyond its edge a gate can be crossed at all, on the inside of a bend at speed."""

_OPTIONS: Final = {
    'print_time': False, 'ipopt.print_level': 0, 'ipopt.sb': 'yes', 'ipopt.tol': 1e-6,
    'ipopt.max_iter': 500, 'ipopt.mu_init': 1e-3,
}


class Optimum(NamedTuple):
    """A lap that no small change makes faster.

    Attributes:
        lap_s: Its time.
        offset_m: float64 (M,), offsets from the smooth line.
        course_rad: float64 (M,), directions to it.
        speed_mps: float64 (M,).
        drive_mps2: float64 (M,).
        slip_rad: float64 (M,).
        demand_mps2: float64 (M,).
    """

    lap_s: float
    offset_m: Floats
    course_rad: Floats
    speed_mps: Floats
    drive_mps2: Floats
    slip_rad: Floats
    demand_mps2: Floats

    def spread_over(self, gates: int) -> Optimum:
        """The same lap at another number of gates, as a guess."""
        count = len(self.offset_m)
        wanted = np.arange(gates) * count / gates
        columns = (np.interp(wanted, np.arange(count), column, period=count)
                   for column in self[1:])
        return Optimum(self.lap_s, *columns)


def steady_guess(corridor: Corridor, point: PointCar, envelope: Envelope,
                 offsets_m: Floats) -> Optimum:
    """A guess from the quasi-steady lap on a line, given by its offsets (M,)."""
    line = corridor.at(offsets_m)
    steps, curvature = bends_of(line)
    lap_s, speed = quasi_steady_lap(envelope, steps, curvature)
    along = (np.roll(speed, -1) ** 2 - speed**2) / (2.0 * steps)
    slip = point.slip_for(np.clip(speed**2 * curvature / point.grip_mps2, -0.95, 0.95))
    lost = along - point.motion(speed, slip, 0.0).along
    drive = np.clip(lost, -0.8 * point.grip_mps2, 0.8 * point.grip_mps2)
    course = np.angle((np.roll(line, -1) - np.roll(line, 1)) / corridor.tangents)
    return Optimum(lap_s, offsets_m, np.clip(course, -1.0, 1.0), speed, drive, slip, drive)


def fastest_lap(corridor: Corridor, point: PointCar, guess: Optimum) -> Optimum | None:
    """The optimum near a guess; None if the solver finds none.

    Raises:
        ConfigError: CasADi is not installed.
    """
    casadi = _casadi()
    names = Optimum._fields[1:]
    unknowns = [casadi.SX.sym(name, len(corridor.points)) for name in names]
    problem = _Problem(casadi, corridor, point, *unknowns)
    everything = casadi.vertcat(*unknowns)
    smooth = ROUGHNESS * casadi.sumsqr(problem.after(problem.slip) - problem.slip)
    zeros, positives = problem.dynamics(), problem.limits()
    lowest, highest = _bounds(corridor, point)
    solver = casadi.nlpsol('lap', 'ipopt', {
        'x': everything, 'f': problem.lap + smooth, 'g': casadi.vertcat(zeros, positives),
    }, _OPTIONS)
    upper = np.concatenate((np.zeros(zeros.numel()), np.full(positives.numel(), np.inf)))
    solution = solver(x0=np.concatenate(guess[1:]), lbx=lowest, ubx=highest, lbg=0.0, ubg=upper)
    if not solver.stats()['success']:
        return None
    found = solution['x']
    columns = np.asarray(found).reshape(len(names), -1)
    return Optimum(float(casadi.Function('lap', [everything], [problem.lap])(found)), *columns)


class _Problem:
    """One lap as expressions of its unknowns, (M, 1) each."""

    def __init__(self, casadi: ModuleType, corridor: Corridor, point: PointCar, offset: Any,
                 course: Any, speed: Any, drive: Any, slip: Any, demand: Any) -> None:
        self._casadi, self._point, self._spacing_m = casadi, point, corridor.spacing_m
        bend, left_m, right_m = corridor.curvature, corridor.left_m, corridor.right_m
        self._bend, self._left_m, self._right_m = (
            casadi.DM(column) for column in (bend, left_m, right_m))
        # How round the corridor's edges are where they are the inside of a bend.
        self._left_bend = casadi.DM(np.maximum(bend / (1.0 - left_m * bend), 0.0))
        self._right_bend = casadi.DM(np.maximum(-bend / (1.0 - right_m * bend), 0.0))
        self._offset, self._course, self._speed, self._drive = offset, course, speed, drive
        self.slip, self._demand = slip, demand
        self._shrink = 1.0 - offset * self._bend
        self._slowness = self._shrink / (speed * np.cos(course))  # seconds a metre of smooth line
        self._motion: Motion = point.motion(speed, slip, drive)
        self.lap = self._spacing_m * casadi.sum1(self._slowness)

    def after(self, column: Any) -> Any:
        """Values at each next gate; the lap is closed."""
        return self._casadi.vertcat(column[1:], column[0])

    def dynamics(self) -> Any:
        """What must be zero: steps between gates that the forces do not explain."""
        point, motion, slowness = self._point, self._motion, self._slowness
        turning = motion.across / self._speed * slowness - self._bend
        lagging = (self._demand - self._drive) / max(point.lag_s, 1e-3) * slowness
        return self._casadi.vertcat(
            self._gap(self._offset, self._shrink * np.tan(self._course)),
            self._gap(self._course, turning),
            self._gap(point.energy(self._speed, motion.across),
                      motion.along * self._speed * slowness),
            self._gap(self._drive, lagging),
        )

    def _gap(self, state: Any, slope: Any) -> Any:
        mean = (slope + self.after(slope)) / 2.0
        return self.after(state) - state - self._spacing_m * mean

    def limits(self) -> Any:
        """What must not be negative: drive to spare, and room at both ends of the gates."""
        wanted, had = self._point.drive_limits(self._motion.rolling)
        # Judged once a period: in between, a chord may cut the inside of a bend, which is rounder.
        half_s = CONTROL_PERIOD_S / 2.0
        chord_m = half_s * (self._speed + half_s * self._point.grip_mps2)
        cut_m = chord_m * chord_m / 2.0
        return self._casadi.vertcat(
            wanted - self._demand,
            had - self._demand,
            self._left_m + cut_m * self._left_bend - self._offset,
            self._offset - self._right_m + cut_m * self._right_bend,
        )


def _bounds(corridor: Corridor, point: PointCar) -> tuple[Floats, Floats]:
    """Lowest and highest values of all unknowns, (6 M,) each."""
    count = len(corridor.points)
    bend = np.where(corridor.curvature == 0.0, 1e-9, corridor.curvature)
    centre = (1.0 - LEAST_SPREAD / 2.0) / bend  # almost where neighbouring gates meet
    left_m = np.minimum(corridor.left_m + BEYOND_M, np.where(bend > 0.0, centre, np.inf))
    right_m = np.maximum(corridor.right_m - BEYOND_M, np.where(bend < 0.0, centre, -np.inf))
    most = FULL_GRIP * point.grip_mps2
    highest = (STEEPEST_RAD, 1.1 * point.max_speed_mps, most, MOST_SLIP_RAD, 100.0)
    lowest = (-STEEPEST_RAD, LOWEST_MPS, -most, -MOST_SLIP_RAD, -most)
    return (np.concatenate((right_m, np.repeat(lowest, count))),
            np.concatenate((left_m, np.repeat(highest, count))))


def _casadi() -> ModuleType:
    """The solver's library: a second to import, and nothing else of racer needs it."""
    try:
        import casadi
    except ImportError:
        raise ConfigError('a lap bound needs CasADi, which is not installed; install it with: '
                          'pip install casadi') from None
    casadi.GlobalOptions.setNumpyMode(1)  # NumPy's functions build expressions
    return casadi
