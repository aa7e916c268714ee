"""Manoeuvres that are driven in Gazebo and in the embedded simulator alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from racer_rl.benchmarks.side_by_side import CAR, Command, Either, Floats
from racer_sim.driven_world import Motion
from racer_sim.starting_grid import Pose
from racer_sim.track import Track
from racer_vehicle.spec import CONTROL_PERIOD_S

YAW_RATE_LIMIT: Final = 0.05
PATH_LIMIT_M: Final = 0.05
"""After a second of a step-steer below the grip limit."""

PULL_AWAY_S: Final = 3.0
"""Straight ahead, before a manoeuvre at speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manoeuvre:
    """Commands by the time since it began.

    Attributes:
        name: For people.
        command: Steering rad and speed m/s at a time, s.
        begin_mps: Speed at the begin; the car pulls away straight ahead to it.
        duration_s: Of the manoeuvre.
        limits: Whether its bars hold: it stays below the limit of grip.
    """

    name: str
    command: Callable[[float], Command]
    begin_mps: float
    duration_s: float = 2.0
    limits: bool = False


def step_steer(speed_mps: float, degrees: float, *, limits: bool) -> Manoeuvre:
    """At a constant speed, the wheel is turned at once."""
    command = math.radians(degrees), speed_mps
    return Manoeuvre(name=f'step-steer {speed_mps:g} m/s {degrees:g}°', command=lambda _: command,
                     begin_mps=speed_mps, limits=limits)


def slalom(speed_mps: float, degrees: float, hertz: float) -> Manoeuvre:
    """A sine at the steering wheel."""
    def command(time_s: float) -> Command:
        return math.radians(degrees) * math.sin(math.tau * hertz * time_s), speed_mps

    return Manoeuvre(name=f'slalom {speed_mps:g} m/s {degrees:g}° {hertz:g} Hz', command=command,
                     begin_mps=speed_mps, duration_s=4.0)


def speed_change(name: str, begin_mps: float, end_mps: float, degrees: float = 0.0) -> Manoeuvre:
    """The speed is changed at once, with the wheel held."""
    command = math.radians(degrees), end_mps
    return Manoeuvre(name=name, command=lambda _: command, begin_mps=begin_mps)


MANOEUVRES: Final = (
    step_steer(1.0, 10.0, limits=True), step_steer(1.0, 20.0, limits=True),
    step_steer(2.0, 5.0, limits=True), step_steer(2.0, 10.0, limits=True),
    step_steer(3.0, 2.0, limits=True), step_steer(3.0, 4.0, limits=True),
    step_steer(2.0, 20.0, limits=False), step_steer(3.0, 12.0, limits=False),
    step_steer(1.5, -15.0, limits=True),
    slalom(1.5, 15.0, 0.7), slalom(2.5, 6.0, 0.7),
    speed_change('pull away to 1 m/s', 0.0, 1.0), speed_change('pull away to 3 m/s', 0.0, 3.0),
    speed_change('brake from 2 m/s', 2.0, 0.0), speed_change('brake from 3 m/s', 3.0, 0.0),
    speed_change('brake in a bend from 2 m/s', 2.0, 0.5, 8.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A manoeuvre as driven; arrays of one row a control period, from its begin."""

    x_m: Floats
    y_m: Floats
    yaw_rad: Floats
    speed_mps: Floats
    yaw_rate_radps: Floats

    def at(self, time_s: float) -> int:
        """Row of a time."""
        return round(time_s / CONTROL_PERIOD_S)


def drive(simulator: Either, manoeuvre: Manoeuvre) -> Trace:
    """Drive a manoeuvre; its begin is the origin, heading along x."""
    simulator.lift(Pose(0.0, 0.0, 0.0))
    pull_away = round(PULL_AWAY_S / CONTROL_PERIOD_S) if manoeuvre.begin_mps else 0
    for _ in range(pull_away):
        simulator.drive((0.0, manoeuvre.begin_mps))
    motions = [simulator.motion()]
    for step in range(round(manoeuvre.duration_s / CONTROL_PERIOD_S)):
        simulator.drive(manoeuvre.command(step * CONTROL_PERIOD_S))
        motions.append(simulator.motion())
    return _trace(motions)


def _trace(motions: list[Motion]) -> Trace:
    places = np.array([(motion.pose.x_m, motion.pose.y_m) for motion in motions])
    yaw = np.unwrap([motion.pose.yaw_rad for motion in motions])
    turn = np.array([[np.cos(yaw[0]), -np.sin(yaw[0])], [np.sin(yaw[0]), np.cos(yaw[0])]])
    x, y = ((places - places[0]) @ turn).T
    return Trace(x_m=x, y_m=y, yaw_rad=yaw - yaw[0],
                 speed_mps=np.array([motion.vx_mps for motion in motions]),
                 yaw_rate_radps=np.array([motion.yaw_rate_radps for motion in motions]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """A manoeuvre in both simulators."""

    manoeuvre: Manoeuvre
    embedded: Trace
    gazebo: Trace

    def apart_m(self, time_s: float) -> float:
        """Between the two cars."""
        ours, theirs, row = self.embedded, self.gazebo, self.embedded.at(time_s)
        return float(math.hypot(ours.x_m[row] - theirs.x_m[row], ours.y_m[row] - theirs.y_m[row]))

    @property
    def yaw_rates(self) -> tuple[float, float]:
        """After one second, rad/s: embedded, Gazebo; the mean of three control periods."""
        rows = slice(self.embedded.at(1.0) - 1, self.embedded.at(1.0) + 2)
        return (float(self.embedded.yaw_rate_radps[rows].mean()),
                float(self.gazebo.yaw_rate_radps[rows].mean()))

    @property
    def yaw_rate_error(self) -> float:
        """Of Gazebo, as a share."""
        ours, theirs = self.yaw_rates
        return theirs / ours - 1.0 if abs(ours) > 0.1 else 0.0

    @property
    def failures(self) -> list[str]:
        """Bars that it misses."""
        if not self.manoeuvre.limits:
            return []
        found = []
        if abs(self.yaw_rate_error) > YAW_RATE_LIMIT:
            found.append(f'{self.manoeuvre.name}: yaw rate {self.yaw_rate_error:+.1%}')
        if self.apart_m(1.0) > PATH_LIMIT_M:
            found.append(f'{self.manoeuvre.name}: {self.apart_m(1.0) * 100:.1f} cm apart')
        return found


def pursue(track: Track, pose: Pose, speed_mps: float, ahead_m: float = 0.5) -> Command:
    """Steer at a point of the centre line ahead."""
    s_m = float(track.project((pose.x_m, pose.y_m)).s_m) + ahead_m
    to_x, to_y, _ = map(float, track.pose_at(s_m))
    bearing = math.atan2(to_y - pose.y_m, to_x - pose.x_m) - pose.yaw_rad
    steering = math.atan(2.0 * CAR.wheelbase_m * math.sin(bearing) / ahead_m)
    return float(np.clip(steering, -CAR.max_steering_rad, CAR.max_steering_rad)), speed_mps


@dataclass(frozen=True, slots=True, kw_only=True)
class Laps:
    """What a scripted driver did with two laps from a standing start: lap times, widest offset."""

    speed_mps: float
    lap_times_s: tuple[float, float]
    widest_m: float


def lap(simulator: Either, track: Track, speed_mps: float) -> Laps:
    """Two laps along the centre line, by pure pursuit."""
    simulator.lift(Pose(*(float(value) for value in track.pose_at(0.0))))
    travelled, before, times, widest, steps = 0.0, 0.0, [0.0], 0.0, 0
    while len(times) < 3 and steps < 3000:
        simulator.drive(pursue(track, simulator.motion().pose, speed_mps))
        steps += 1
        at = track.project((simulator.motion().pose.x_m, simulator.motion().pose.y_m))
        widest = max(widest, abs(float(at.lateral_m)))
        moved = (float(at.s_m) - before + track.length_m / 2) % track.length_m - track.length_m / 2
        if travelled < len(times) * track.length_m <= travelled + moved:
            missing = len(times) * track.length_m - travelled
            times.append((steps - 1 + missing / moved) * CONTROL_PERIOD_S)
        travelled, before = travelled + moved, float(at.s_m)
    first, second = np.diff(times)[:2]
    return Laps(speed_mps=speed_mps, lap_times_s=(float(first), float(second)), widest_m=widest)
