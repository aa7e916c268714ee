"""Random tracks: outlines of grown patches of grid cells, bent, smoothed and scaled to length.

Bending and smoothing take the grid out of the outline. What comes out is measured against every
demand, and made again, simpler each time, until all are met. Curves are complex, x + iy.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from racer_sim.track import Track
from racer_sim.track_outline import grow_patch, outline_of, rounded
from racer_vehicle.errors import TrackError

Curve = NDArray[np.complex128]

ATTEMPTS = 80
START_STRAIGHT_M = 1.5
"""About how much straight a start line wants around it."""
POINT_SPACING_M = 0.12
RADIUS_MARGIN = 1.03
"""Asked of the smooth curve, so that its polygon keeps the radius too."""
BORDER_GAP_M = 0.15
"""Least room between borders of different parts of a track: a car's half width and a little."""


def generate_track(
    seed: int,
    *,
    length_m: float = 20.0,
    width_m: float = 0.8,
    min_radius_m: float = 0.5,
    name: str | None = None,
) -> Track:
    """Make a track from a seed; the same arguments give the same track.

    Args:
        seed: Any whole number from 0.
        length_m: Length of the centre line, met within 2 %.
        width_m: Width everywhere.
        min_radius_m: Tightest radius that the centre line may have.
        name: Name of the track; by default `generated-<seed>`.

    Raises:
        TrackError: A demand is out of range, or the demands cannot be met together.
    """
    radius_m = max(min_radius_m, (width_m + BORDER_GAP_M) / 2.0)
    _require_possible(seed, length_m, width_m, min_radius_m, radius_m)
    rng = np.random.default_rng(seed)
    # An outline step of the grid ends up about two radii long; few steps always fit.
    most_steps = max(4.0, length_m / (1.9 * radius_m))
    for attempt in range(ATTEMPTS):
        steps = 4 + (most_steps - 4) * (1.0 - attempt / (ATTEMPTS - 1))
        curve = _scaled(_random_curve(rng, round(steps)), length_m)
        if _fits(curve, radius_m * RADIUS_MARGIN, width_m + BORDER_GAP_M):
            return _as_track(name or f'generated-{seed}', curve, width_m)
    tight = 'min_radius_m' if radius_m == min_radius_m else 'width_m'
    raise TrackError(
        f'no track of {length_m:g} m with width_m {width_m:g} and min_radius_m {min_radius_m:g} '
        f'in {ATTEMPTS} attempts; {tight} is the strictest demand: lower it or raise length_m.'
    )


def _require_possible(
    seed: int, length_m: float, width_m: float, min_radius_m: float, radius_m: float
) -> None:
    """Refuse demands that no loop can meet."""
    demands = (
        ('seed', float(seed), 0.0, math.inf),
        ('length_m', length_m, 4.0, 500.0),
        ('width_m', width_m, 0.2, 5.0),
        ('min_radius_m', min_radius_m, 0.1, 50.0),
    )
    for what, value, low, high in demands:
        if not low <= value <= high:
            raise TrackError(f'{what} is {value:g}; allowed: {low:g} to {high:g}.')
    shortest_m = 2.0 * math.pi * radius_m * 1.1
    if length_m < shortest_m:
        raise TrackError(
            f'length_m {length_m:g} is too short for width_m {width_m:g} and min_radius_m '
            f'{min_radius_m:g}; allowed: {shortest_m:.1f} m or more with these.'
        )


def _random_curve(rng: np.random.Generator, steps: int) -> Curve:
    """A closed curve, evenly spaced, of no particular size; about `steps` grid steps long."""
    outline = rounded(outline_of(grow_patch(rng, steps)))
    x, y = outline.T - outline.mean(axis=0)[:, None]
    extent = float(np.hypot(x, y).max())
    stretch = rng.uniform(0.85, 1.2)
    depth = min(0.15, 0.04 * extent) * extent
    waves = rng.uniform(0.6, 1.3, 2) * math.pi / extent
    phases = rng.uniform(0.0, 2.0 * math.pi, 2)
    bent_x = stretch * x + depth * np.sin(waves[0] * y + phases[0])
    bent_y = y / stretch + depth * np.sin(waves[1] * x + phases[1])
    turned = (bent_x + 1j * bent_y) * np.exp(1j * rng.uniform(0.0, 2.0 * math.pi))
    curve = _smooth(_even(turned, len(turned)), rng.uniform(0.14, 0.4))
    return curve if rng.random() < 0.5 else curve[::-1]


def _even(curve: Curve, count: int) -> Curve:
    """The same closed curve with `count` points, evenly spaced."""
    closed = np.append(curve, curve[:1])
    s = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(closed)))))
    return np.asarray(np.interp(np.linspace(0.0, s[-1], count, endpoint=False), s, closed))


def _smooth(curve: Curve, sigma: float) -> Curve:
    """A closed, evenly spaced curve averaged along itself with a Gaussian of this many units."""
    length = float(np.abs(curve - np.roll(curve, 1)).sum())
    frequency = np.fft.fftfreq(len(curve), length / len(curve))
    damping = np.exp(-0.5 * (2.0 * math.pi * frequency * sigma) ** 2)
    return np.asarray(np.fft.ifft(np.fft.fft(curve) * damping))


def _scaled(curve: Curve, length_m: float) -> Curve:
    """A curve of this length, as points `POINT_SPACING_M` apart at most."""
    size = length_m / float(np.abs(curve - np.roll(curve, 1)).sum())
    return _even(size * curve, math.ceil(length_m / POINT_SPACING_M))


def _fits(curve: Curve, radius_m: float, apart_m: float) -> bool:
    """Whether a curve bends no tighter than a radius and keeps its parts a distance apart.

    Parts are places further apart along the curve than half a circle of diameter `apart_m`; a
    bend of the allowed radius by itself never brings such places closer than that diameter.
    """
    step = np.roll(curve, -1) - curve
    spacing = np.abs(step)
    turn = np.abs(np.angle(step / np.roll(step, 1)))
    if (turn * radius_m > (spacing + np.roll(spacing, 1)) / 2.0).any():
        return False
    s = np.cumsum(spacing)
    along = np.abs(s[:, None] - s)
    along = np.minimum(along, s[-1] - along)
    far = along >= math.pi / 2.0 * apart_m
    return bool((np.abs(curve[:, None] - curve)[far] >= apart_m).all())


def _as_track(name: str, curve: Curve, width_m: float) -> Track:
    """The track along a curve, started where it is straightest, off the negative quadrants."""
    heading = np.roll(curve, -1) - curve
    straightness = np.abs(_smooth(heading / np.abs(heading), START_STRAIGHT_M / 2.0))
    curve = np.roll(curve, -int(straightness.argmax()))
    corner = curve.real.min() + 1j * curve.imag.min()
    points = np.stack(((curve - corner).real, (curve - corner).imag), axis=1) + width_m
    return Track.from_centre_line(name, points, width_m / 2.0, width_m / 2.0)
