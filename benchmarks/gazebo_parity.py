"""Gazebo and the embedded simulator side by side: images, scans, manoeuvres, a scripted driver.

    python benchmarks/gazebo_parity.py --out docs

Needs Gazebo Harmonic (`gz sim` 8) with its Python bindings. Both simulators get the same poses and
the same commands; everything else is what they make of them. Writes `gazebo-parity.md` and its
pictures.
"""

from __future__ import annotations

import io
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import cv2
import numpy as np
import typer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from racer_rl.benchmarks.machine import Machine
from racer_sim.bodies import Box, wall_boxes
from racer_sim.driven_world import DrivenWorldConfig, Motion
from racer_sim.gazebo.gazebo_world import GazeboConfig, GazeboWorld
from racer_sim.simulator import Simulator, SimulatorConfig
from racer_sim.starting_grid import Pose, one_course
from racer_sim.track import Track
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec
from racer_vehicle.storage import write_atomically

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]
Command = tuple[float, float]
"""Steering rad, speed m/s."""

CAR: Final = CarSpec()
TRACK: Final = 'kidney'
GRIP_MPS2: Final = CAR.tyre.friction * 9.80665

POSES: Final = 60
IMAGE_LIMIT: Final = 3.0
"""Mean absolute difference of grey levels."""

YAW_RATE_LIMIT: Final = 0.05
PATH_LIMIT_M: Final = 0.05
"""After a second of a step-steer below the grip limit."""

PULL_AWAY_S: Final = 3.0
"""Straight ahead, before a manoeuvre at speed."""


class Embedded:
    """One car in the embedded simulator, without judges."""

    def __init__(self, boxes: tuple[Box, ...] = ()) -> None:
        course = one_course(TRACK, 'forward')
        self._simulator = Simulator([course], CAR, SimulatorConfig(
            cars=1, boxes=boxes, image_age_s=(0.0, 0.0)), 0)

    def lift(self, pose: Pose) -> None:
        """Put the car somewhere, at rest."""
        self._simulator.set_pose(np.zeros(1, np.int64), pose.x_m, pose.y_m, pose.yaw_rad)

    def drive(self, command: Command) -> None:
        """One control period."""
        self._simulator.move(np.array([command]))

    def motion(self) -> Motion:
        """Ground truth."""
        state = self._simulator.state[0]
        return Motion(Pose(*(float(state[name]) for name in ('x_m', 'y_m', 'yaw_rad'))),
                      *(float(state[name]) for name in ('vx_mps', 'vy_mps', 'yaw_rate_radps')))

    def image(self) -> Image:
        """Grey."""
        return np.asarray(self._simulator.images()[0, 0])

    def scan(self) -> NDArray[np.float32]:
        """Ranges."""
        return np.asarray(self._simulator.scans()[0])


class Gazebo:
    """The same in Gazebo, in lock-step."""

    def __init__(self, world: GazeboWorld) -> None:
        self.world = world

    def lift(self, pose: Pose) -> None:
        """Put the car somewhere, at rest."""
        self.world.lift(0, pose)

    def drive(self, command: Command) -> None:
        """One control period."""
        self.world.drive(np.array([command]), np.zeros(1))

    def motion(self) -> Motion:
        """Ground truth."""
        return self.world.motion(0)

    def image(self) -> Image:
        """Grey."""
        return self.world.image(0, self.world.time_ns)

    def scan(self) -> NDArray[np.float32]:
        """Ranges."""
        return self.world.cars[0].scan(self.world.time_ns)


Either = Embedded | Gazebo


@contextmanager
def gazebo(boxes: tuple[Box, ...] = ()) -> Iterator[Gazebo]:
    """A Gazebo of its own for a while."""
    config = GazeboConfig(world=DrivenWorldConfig(track=TRACK, image_age_max_s=0.0), boxes=boxes)
    with (tempfile.TemporaryDirectory(prefix='racer-parity-') as folder,
          GazeboWorld(config, CAR, ('',), Path(folder)) as world):
        yield Gazebo(world)


def obstacles(track: Track) -> tuple[Box, ...]:
    """Boxes on the track, a fifth of the lap apart, and walls around it."""
    places = np.stack(track.pose_at(track.length_m * np.arange(5) / 5.0, 0.2), axis=1)
    return (*(Box(x_m=x, y_m=y, yaw_rad=yaw + 0.3) for x, y, yaw in places.tolist()),
            *wall_boxes(track))


def poses(track: Track, count: int, seed: int = 0) -> list[Pose]:
    """Places on a track and beside it, at any angle that driving brings about."""
    random = np.random.default_rng(seed)
    s_m = track.length_m * (np.arange(count) + random.random(count)) / count
    lateral, turn = random.uniform(-0.6, 0.6, count), random.uniform(-0.7, 0.7, count)
    x, y, yaw = track.pose_at(s_m, lateral)
    return [Pose(*map(float, place)) for place in zip(x, y, yaw + turn, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What both simulators showed at the same poses.

    Attributes:
        embedded: uint8 (K, height, width).
        gazebo: The same of Gazebo.
        embedded_m: float32 (K, rays).
        gazebo_m: The same of Gazebo.
    """

    embedded: Image
    gazebo: Image
    embedded_m: NDArray[np.float32]
    gazebo_m: NDArray[np.float32]

    @property
    def differences(self) -> Floats:
        """Mean absolute difference of grey levels, (K,)."""
        apart = np.abs(self.embedded.astype(float) - self.gazebo.astype(float))
        return np.asarray(apart.mean(axis=(1, 2)))

    @property
    def shifts_px(self) -> Floats:
        """By how much Gazebo's edges lie right of and below the embedded ones, (K, 2)."""
        window = cv2.createHanningWindow(self.embedded.shape[:0:-1], cv2.CV_32F)
        return np.array([
            cv2.phaseCorrelate(ours.astype(np.float32), theirs.astype(np.float32), window)[0]
            for ours, theirs in zip(self.embedded, self.gazebo, strict=True)])

    @property
    def range_errors_m(self) -> Floats:
        """Of the rays that return in both."""
        both = np.isfinite(self.embedded_m) & np.isfinite(self.gazebo_m)
        return np.abs(self.embedded_m[both].astype(float) - self.gazebo_m[both])

    @property
    def same_kind(self) -> float:
        """Share of the rays that return in both, or are too close or too far in both."""
        return float(np.mean(np.where(np.isfinite(self.embedded_m), np.isfinite(self.gazebo_m),
                                      self.embedded_m == self.gazebo_m)))


def look(embedded: Embedded, other: Gazebo, places: list[Pose]) -> Seen:
    """Put both cars to the same places."""
    shown: dict[str, list[NDArray[np.generic]]] = {'images': [], 'scans': []}
    for pose in places:
        for simulator in (embedded, other):
            simulator.lift(pose)
            shown['images'].append(simulator.image())
            shown['scans'].append(simulator.scan())
    images, scans = np.array(shown['images']), np.array(shown['scans'])
    return Seen(embedded=images[::2], gazebo=images[1::2], embedded_m=scans[::2],
                gazebo_m=scans[1::2])


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """All that was compared.

    Attributes:
        road: The track alone.
        furnished: With boxes on it and walls around it.
        driven: Manoeuvres.
        laps: Of the scripted driver, embedded and Gazebo, at each speed.
        period_ms: Wall time of a control period of Gazebo in lock-step, median.
    """

    road: Seen
    furnished: Seen
    driven: list[Driven]
    laps: list[tuple[Laps, Laps]]
    period_ms: float

    @property
    def failures(self) -> list[str]:
        """Bars that are missed."""
        found = [failure for driven in self.driven for failure in driven.failures]
        difference = float(self.road.differences.mean())
        if difference > IMAGE_LIMIT:
            found.append(f'images differ by {difference:.2f}')
        return found


def compare(tell: Callable[[str], None]) -> Parity:
    """Compare the two simulators."""
    track = one_course(TRACK, 'forward').track
    embedded = Embedded()
    with gazebo() as other:
        tell('images')
        road = look(embedded, other, poses(track, POSES))
        tell('manoeuvres')
        driven = [Driven(manoeuvre=each, embedded=drive(embedded, each),
                         gazebo=drive(other, each)) for each in MANOEUVRES]
        tell('laps')
        laps = [(lap(embedded, track, speed), lap(other, track, speed)) for speed in (1.0, 2.0)]
        tell('pace')
        period_ms = _period_ms(other)
    boxes = obstacles(track)
    with gazebo(boxes) as other:
        tell('boxes and walls')
        furnished = look(Embedded(boxes), other, poses(track, POSES, seed=1))
    return Parity(road=road, furnished=furnished, driven=driven, laps=laps, period_ms=period_ms)


def _period_ms(simulator: Gazebo) -> float:
    seconds = []
    for _ in range(200):
        begun_s = time.monotonic()
        simulator.drive((0.1, 1.0))
        seconds.append(time.monotonic() - begun_s)
    return float(np.median(seconds)) * 1e3


def report(parity: Parity) -> str:
    """The comparison in words and tables."""
    machine, road, furnished = Machine.here(), parity.road, parity.furnished
    lines = [
        '# Gazebo and the embedded simulator, side by side', '',
        'Written by `benchmarks/gazebo_parity.py`: the same poses and the same commands in both. '
        f'Track: `{TRACK}`. Gazebo in lock-step, software rendering.', '',
        f'Machine: {machine.cpu}, {machine.usable_cores} cores, load {machine.load[0]:g} at the '
        f'end (others use it too); Python {machine.python}. A control period of Gazebo takes '
        f'{parity.period_ms:.0f} ms there (median), {CONTROL_PERIOD_S * 1e3 / parity.period_ms:.1f}'
        ' times real time.', '',
        '## Images', '', '![Embedded above, Gazebo below](images/gazebo_images.png)', '',
        f'160x120 grey, {POSES} poses each. The difference is the mean of |Gazebo - embedded| over '
        f'all pixels, in levels of 255; at most {IMAGE_LIMIT:g} is wanted. The shift is that of '
        'the whole picture by phase correlation.', '',
        '| scene | difference, mean | worst pose | shift across, px | shift down, px |',
        '|---|---|---|---|---|',
        *(f'| {name} | {seen.differences.mean():.2f} | {seen.differences.max():.2f} | '
          f'{np.median(seen.shifts_px[:, 0]):+.2f} | {np.median(seen.shifts_px[:, 1]):+.2f} |'
          for name, seen in (('track', road), ('with boxes and walls', furnished))), '',
        '## Scans', '',
        f'Boxes and walls, {furnished.embedded_m.size:,} rays: {furnished.same_kind:.2%} return in '
        'both or in neither. Those that return differ by '
        f'{np.median(furnished.range_errors_m) * 1e3:.1f} mm (median), '
        f'{np.percentile(furnished.range_errors_m, 95) * 1e3:.0f} mm (95 %).', '',
        '## Manoeuvres', '', '![Paths, embedded and Gazebo](images/gazebo_paths.png)', '',
        f'Yaw rate after 1 s; places after 1 s and 2 s. Below the limit of grip '
        f'({GRIP_MPS2:.1f} m/s²) the yaw rate has to agree within {YAW_RATE_LIMIT:.0%}, the place '
        f'after 1 s within {PATH_LIMIT_M * 100:.0f} cm. Beyond it both slide, each in its way.',
        '',
        '| manoeuvre | yaw rate embedded | Gazebo, rad/s | difference | speed embedded | '
        'Gazebo, m/s | apart after 1 s, cm | after 2 s, cm | bars |',
        '|---|---|---|---|---|---|---|---|---|',
        *map(_row, parity.driven), '',
        '## A scripted driver', '',
        'Pure pursuit of the centre line, two laps from a standing start.', '',
        '| speed | laps embedded, s | laps Gazebo, s | widest embedded, m | Gazebo, m |',
        '|---|---|---|---|---|',
        *(f'| {ours.speed_mps:g} m/s | {_times(ours)} | {_times(theirs)} | {ours.widest_m:.3f} | '
          f'{theirs.widest_m:.3f} |' for ours, theirs in parity.laps), '',
        'Missed: ' + ('; '.join(parity.failures) or 'nothing') + '.', '',
    ]
    return '\n'.join(lines)


def _row(driven: Driven) -> str:
    ours, theirs = driven.yaw_rates
    row, bars = driven.embedded.at(1.0), ''
    if driven.manoeuvre.limits:
        bars = 'missed' if driven.failures else 'hold'
    return (f'| {driven.manoeuvre.name} | {ours:.2f} | {theirs:.2f} | '
            f'{driven.yaw_rate_error:+.1%} | {driven.embedded.speed_mps[row]:.2f} | '
            f'{driven.gazebo.speed_mps[row]:.2f} | {driven.apart_m(1.0) * 100:.1f} | '
            f'{driven.apart_m(2.0 - CONTROL_PERIOD_S) * 100:.1f} | {bars} |')


def _times(laps: Laps) -> str:
    return ', '.join(f'{seconds:.2f}' for seconds in laps.lap_times_s)


def picture_of_images(parity: Parity) -> bytes:
    """Pairs of images as PNG: embedded above, Gazebo below."""
    columns = [np.concatenate((seen.embedded[index], seen.gazebo[index]))
               for seen in (parity.road, parity.furnished) for index in (3, 17)]
    return cv2.imencode('.png', np.concatenate(columns, axis=1))[1].tobytes()


def picture_of_paths(parity: Parity) -> bytes:
    """The manoeuvres from above as PNG."""
    figure = Figure(figsize=(9.0, 9.0), layout='constrained')
    for axes, driven in zip(figure.subplots(4, 4).flat, parity.driven, strict=False):
        axes.plot(driven.embedded.x_m, driven.embedded.y_m, color='0.6', linewidth=3.0)
        axes.plot(driven.gazebo.x_m, driven.gazebo.y_m, color='tab:red', linewidth=1.0)
        axes.set_title(driven.manoeuvre.name, fontsize=7)
        axes.set_aspect('equal', adjustable='datalim')
        axes.tick_params(labelsize=6)
    figure.suptitle('grey: embedded; red: Gazebo; metres', fontsize=8)
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=90)
    return content.getvalue()


def main(
    out: Annotated[Path | None, typer.Option(help='Write report and pictures here.')] = None,
) -> None:
    """Compare Gazebo with the embedded simulator."""
    parity = compare(lambda line: typer.echo(line, err=True))
    text = report(parity)
    if out is not None:
        write_atomically(out / 'gazebo-parity.md', text.encode())
        write_atomically(out / 'images/gazebo_images.png', picture_of_images(parity))
        write_atomically(out / 'images/gazebo_paths.png', picture_of_paths(parity))
    typer.echo(text)
    if parity.failures:
        raise typer.Exit(1)


if __name__ == '__main__':
    typer.run(main)
