"""Gazebo and the embedded simulator side by side: images, scans, manoeuvres, a scripted driver.

    python benchmarks/gazebo_parity.py --out docs

Needs Gazebo Harmonic (`gz sim` 8) with its Python bindings. Both simulators get the same poses and
the same commands; everything else is what they make of them. Writes `gazebo-parity.md` and its
pictures.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import cv2
import numpy as np
import typer
from matplotlib.figure import Figure

from racer_rl.benchmarks.machine import Machine
from racer_rl.benchmarks.manoeuvres import (
    MANOEUVRES,
    PATH_LIMIT_M,
    YAW_RATE_LIMIT,
    Driven,
    Laps,
    drive,
    lap,
)
from racer_rl.benchmarks.side_by_side import (
    CAR,
    Embedded,
    Gazebo,
    Seen,
    gazebo,
    look,
    obstacles,
    poses,
)
from racer_sim.starting_grid import one_course
from racer_vehicle.spec import CONTROL_PERIOD_S
from racer_vehicle.storage import write_atomically

TRACK: Final = 'kidney'
GRIP_MPS2: Final = CAR.tyre.friction * 9.80665

POSES: Final = 60
IMAGE_LIMIT: Final = 3.0
"""Mean absolute difference of grey levels."""


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
    embedded = Embedded(TRACK)
    with gazebo(TRACK) as other:
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
    with gazebo(TRACK, boxes) as other:
        tell('boxes and walls')
        furnished = look(Embedded(TRACK, boxes), other, poses(track, POSES, seed=1))
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
        f'{parity.period_ms:.0f} ms there (median), '
        f'{CONTROL_PERIOD_S * 1e3 / parity.period_ms:.1f} times real time.', '',
        '## Images', '', '![Embedded above, Gazebo below](images/gazebo_images.png)', '',
        f'160x120 grey, {POSES} poses each. The difference is the mean of |Gazebo - embedded| '
        f'over all pixels, in levels of 255; at most {IMAGE_LIMIT:g} is wanted. The shift is that '
        'of the whole picture by phase correlation.', '',
        '| scene | difference, mean | worst pose | shift across, px | shift down, px |',
        '|---|---|---|---|---|',
        *(f'| {name} | {seen.differences.mean():.2f} | {seen.differences.max():.2f} | '
          f'{np.median(seen.shifts_px[:, 0]):+.2f} | {np.median(seen.shifts_px[:, 1]):+.2f} |'
          for name, seen in (('track', road), ('with boxes and walls', furnished))), '',
        '## Scans', '',
        f'Boxes and walls, {furnished.embedded_m.size:,} rays: {furnished.same_kind:.2%} return '
        'in both or in neither. Those that return differ by '
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
