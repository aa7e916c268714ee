"""Closed lines that scripted drivers follow around a track: its centre, a racing line, a weave."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from racer_sim.track import Track, vertex_normals

Floats = NDArray[np.float64]

SPACING_M: Final = 0.25
"""Between the points whose offsets are optimised: shorter than any bend, and soon solved."""

LENGTH_WEIGHT: Final = 1.0
"""What a metre costs, in 1/m^2: as much as a metre on a circle of 1 m.

At 6 m/s^2 in bends, 0.1 and 0.3 give longer laps on most shipped tracks; 2 gains no time.
"""

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
    wide_m = min(half_m.min() for half_m in _room_m(track, track.s_m[:-1]))
    return np.asarray(wide_m * np.sin(math.tau * waves * s_m / track.length_m))


def right_lane_offsets_m(track: Track, s_m: Floats) -> Floats:
    """Offsets to the right border, less `CLEARANCE_M`, (K,): room to turn round on the left."""
    return -_room_m(track, s_m)[1]


def racing_offsets_m(track: Track, s_m: Floats) -> Floats:
    """Offsets to the left of the racing line, short and gently bent, (K,), at arc lengths (K,)."""
    knots_m, offsets_m = _gentle_and_short(track)
    return np.asarray(np.interp(s_m, knots_m, offsets_m, period=track.length_m))


@lru_cache(maxsize=64)
def _gentle_and_short(track: Track) -> tuple[Floats, Floats]:
    """Arc lengths and offsets of the line between the borders that bends least and is short.

    Minimised is the integral of (curvature squared + `LENGTH_WEIGHT`) along the line; at each
    point that is the turn from one chord to the next, squared, over the length between the
    chords' middles, and the weight times that length.

    Returns:
        Arc lengths on the centre line (M,) and offsets to the left (M,), metres.
    """
    count = max(int(track.length_m / SPACING_M), 12)
    s_m = np.arange(count) * track.length_m / count
    centre = np.stack(track.pose_at(s_m)[:2], axis=1)
    normals = vertex_normals(centre)

    def roots(offsets_m: Floats) -> Floats:
        line = centre + offsets_m[:, None] * normals
        chord = (np.roll(line, -1, axis=0) - line) @ (1.0, 1.0j)
        before = np.roll(chord, 1)
        root_m = np.sqrt((np.abs(chord) + np.abs(before)) / 2.0)
        turn = np.angle(chord / before)
        return np.concatenate((turn / root_m, math.sqrt(LENGTH_WEIGHT) * root_m))

    left_m, right_m = _room_m(track, s_m)
    neighbours = sum(np.roll(np.eye(count), shift, axis=0) for shift in (-1, 0, 1))
    solution = least_squares(roots, np.zeros(count), bounds=(-right_m, left_m), xtol=1e-4,
                             ftol=1e-4, max_nfev=100,
                             jac_sparsity=np.concatenate((neighbours, neighbours)))
    return s_m, solution.x


def _room_m(track: Track, s_m: Floats) -> tuple[Floats, Floats]:
    """How far a line may leave the centre to the left and right at arc lengths (K,)."""
    left, right = (np.interp(s_m, track.s_m[:-1], half_m, period=track.length_m)
                   for half_m in (track.left_m, track.right_m))
    return np.maximum(left - CLEARANCE_M, 0.01), np.maximum(right - CLEARANCE_M, 0.01)
