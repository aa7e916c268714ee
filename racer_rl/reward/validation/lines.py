"""Closed lines that scripted drivers follow around a track: its centre, a racing line, a weave."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from racer_sim.track import Track, vertex_normals

Floats = NDArray[np.float64]

SPACING_M: Final = 0.25
"""Between the points whose offsets are optimised: shorter than any bend, and soon solved."""

ROUNDS: Final = 5
"""After which the line moves by less than 2 cm more on all shipped tracks but one."""

WAVE_M: Final = 2.0
"""Length of one weave, about: whole weaves fit the track."""

CLEARANCE_M: Final = 0.12
"""Of a line from the border: half a car and a hand's breadth to steer in."""


def centre_offsets_m(track: Track, s_m: Floats) -> Floats:
    """Offsets to the left that lead along the centre, (K,), at arc lengths (K,)."""
    return np.zeros_like(s_m)


def weave_offsets_m(track: Track, s_m: Floats) -> Floats:
    """Offsets that weave from side to side, as wide as the narrowest place allows, (K,)."""
    waves = max(round(track.length_m / WAVE_M), 1)
    wide_m = min(_room_m(track, track.s_m[:-1])[0].min(), _room_m(track, track.s_m[:-1])[1].min())
    return np.asarray(wide_m * np.sin(math.tau * waves * s_m / track.length_m))


def right_lane_offsets_m(track: Track, s_m: Floats) -> Floats:
    """Offsets to the right border, less `CLEARANCE_M`, (K,): room to turn round on the left."""
    return -_room_m(track, s_m)[1]


def racing_offsets_m(track: Track, s_m: Floats) -> Floats:
    """Offsets to the left of the line of least curvature, (K,), at arc lengths (K,)."""
    knots_m, offsets_m = _least_curvature(track)
    return np.asarray(np.interp(s_m, knots_m, offsets_m, period=track.length_m))


@lru_cache(maxsize=64)
def _least_curvature(track: Track) -> tuple[Floats, Floats]:
    """Arc lengths and offsets of the line of least curvature between the borders.

    Curvature at a point is the second difference of its neighbours across the line, over the step
    squared. With direction and step of the line before, it is linear in the offsets: a bounded
    least-squares problem, solved `ROUNDS` times.

    Returns:
        Arc lengths on the centre line (M,) and offsets to the left (M,), metres.
    """
    count = max(int(track.length_m / SPACING_M), 12)
    s_m = np.arange(count) * track.length_m / count
    centre = np.stack(track.pose_at(s_m)[:2], axis=1)
    normals = vertex_normals(centre)
    second = np.roll(np.eye(count), 1, axis=0) + np.roll(np.eye(count), -1, axis=0)
    second -= 2.0 * np.eye(count)
    left_m, right_m = _room_m(track, s_m)
    offsets_m = np.zeros(count)
    for _ in range(ROUNDS):
        line = centre + offsets_m[:, None] * normals
        step_m = np.hypot(*(np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0)).T) / 2.0
        across = vertex_normals(line) / step_m[:, None] ** 2
        matrix = sum(across[:, [axis]] * second * normals[:, axis] for axis in (0, 1))
        bent = np.sum(across * (second @ centre), axis=1)
        offsets_m = lsq_linear(matrix, -bent, bounds=(-right_m, left_m), tol=1e-6).x
    return s_m, offsets_m


def _room_m(track: Track, s_m: Floats) -> tuple[Floats, Floats]:
    """How far a line may leave the centre to the left and right at arc lengths (K,)."""
    left, right = (np.interp(s_m, track.s_m[:-1], half_m, period=track.length_m)
                   for half_m in (track.left_m, track.right_m))
    return np.maximum(left - CLEARANCE_M, 0.01), np.maximum(right - CLEARANCE_M, 0.01)
