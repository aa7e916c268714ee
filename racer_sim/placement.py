"""Where cars are on their courses: ground truth for race control, rewards and critics."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from racer_sim.courses import CourseGeometry
from racer_sim.frenet import nearest_on_loop
from racer_sim.track import Track

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Records = NDArray[np.void]

PLACE: Final = np.dtype([
    ('segment', 'i8'), ('fraction', 'f8'), ('s_m', 'f8'), ('lateral_m', 'f8'),
    ('heading_error_rad', 'f8'), ('left_m', 'f8'), ('right_m', 'f8'), ('wheels_on_track', 'i8'),
])
"""Nearest centre-line segment of `base_link` and how far along it, arc length from the start line,
offset to the left, yaw relative to the segment, half widths there, and how many wheel contact
points lie between the borders."""


@njit(cache=True)
def wrap_angle(angle_rad: float) -> float:
    """The same direction in (-pi, pi]."""
    return math.atan2(math.sin(angle_rad), math.cos(angle_rad))


@njit(cache=True)
def _direction(line: Floats, segment: int) -> float:
    """Direction of travel of a segment of a closed line (N, 2)."""
    after = segment + 1 if segment + 1 < line.shape[0] else 0
    return math.atan2(line[after, 1] - line[segment, 1], line[after, 0] - line[segment, 0])


@njit(cache=True)
def _half_widths(left: Floats, right: Floats, segment: int,
                 fraction: float) -> tuple[float, float]:
    """Distances to the left and right border at a place, interpolated along its segment."""
    after = segment + 1 if segment + 1 < left.size else 0
    return (left[segment] + fraction * (left[after] - left[segment]),
            right[segment] + fraction * (right[after] - right[segment]))


@njit(cache=True)
def half_width(left: Floats, right: Floats, segment: int, fraction: float, side: float) -> float:
    """Distance to the border on one side, left if `side` is positive; see `_half_widths`."""
    to_left, to_right = _half_widths(left, right, segment, fraction)
    return to_left if side > 0.0 else to_right


@njit(cache=True)
def along_course(line: Floats, arc: Floats,
                 s_m: float) -> tuple[int, float, float, float, float]:
    """A place on a closed line, whose direction turns evenly from segment to segment.

    Args:
        line: float64 (N, 2), metres.
        arc: float64 (N + 1,), cumulative arc length.
        s_m: In [0, length].

    Returns:
        Segment, fraction along it, x and y in metres, direction of travel in radians.
    """
    count = line.shape[0]
    segment = min(np.searchsorted(arc, s_m, side='right') - 1, count - 1)
    fraction = (s_m - arc[segment]) / (arc[segment + 1] - arc[segment])
    after = segment + 1 if segment + 1 < count else 0
    before = segment - 1 if segment > 0 else count - 1
    x = line[segment, 0] + fraction * (line[after, 0] - line[segment, 0])
    y = line[segment, 1] + fraction * (line[after, 1] - line[segment, 1])
    here = _direction(line, segment)
    # At a vertex it is halfway between the two segments that meet there.
    if fraction < 0.5:
        turn = wrap_angle(here - _direction(line, before)) * (fraction - 0.5)
    else:
        turn = wrap_angle(_direction(line, after) - here) * (fraction - 0.5)
    return segment, fraction, x, y, here + turn


@njit(cache=True)
def _locate(places: Records, states: Records, course_of: Indices, wheels_m: Floats,
            points: Floats, s_m: Floats, left_m: Floats, right_m: Floats,
            first: Indices) -> None:
    for i in range(states.shape[0]):
        course = course_of[i]
        begin, end = first[course], first[course + 1]
        line, arc = points[begin:end], s_m[begin + course:end + course + 1]
        left, right = left_m[begin:end], right_m[begin:end]
        x, y, yaw = states[i].x_m, states[i].y_m, states[i].yaw_rad
        segment, fraction, s, lateral = nearest_on_loop(line, arc, x, y)
        places[i].segment, places[i].fraction = segment, fraction
        places[i].s_m, places[i].lateral_m = s, lateral
        places[i].heading_error_rad = wrap_angle(yaw - _direction(line, segment))
        places[i].left_m, places[i].right_m = _half_widths(left, right, segment, fraction)
        on_track, sine, cosine = 0, math.sin(yaw), math.cos(yaw)
        for w in range(wheels_m.shape[0]):
            wheel_x = x + cosine * wheels_m[w, 0] - sine * wheels_m[w, 1]
            wheel_y = y + sine * wheels_m[w, 0] + cosine * wheels_m[w, 1]
            segment, fraction, s, lateral = nearest_on_loop(line, arc, wheel_x, wheel_y)
            to_left, to_right = _half_widths(left, right, segment, fraction)
            on_track += -to_right <= lateral <= to_left
        places[i].wheels_on_track = on_track


def locate(places: Records, states: Records, course_of: Indices, wheels_m: Floats,
           geometry: CourseGeometry) -> None:
    """Project every car and its wheels onto its course.

    Args:
        places: `PLACE`, (N,), written.
        states: vehicle `STATE`, (N,).
        course_of: int64 (N,), course of each car.
        wheels_m: float64 (4, 2), contact points in `base_link`.
        geometry: All courses.
    """
    _locate(places, states, course_of, wheels_m, geometry.points, geometry.s_m,
            geometry.left_m, geometry.right_m, geometry.first)


@njit(cache=True)
def _bends_ahead(bends: Floats, places: Records, course_of: Indices, ahead_m: Floats,
                 points: Floats, s_m: Floats, first: Indices) -> None:
    for i in range(places.shape[0]):
        course = course_of[i]
        begin, end = first[course], first[course + 1]
        line, arc = points[begin:end], s_m[begin + course:end + course + 1]
        count = end - begin
        here = _direction(line, places[i].segment)
        for k in range(ahead_m.size):
            s = (places[i].s_m + ahead_m[k]) % arc[count]
            segment = min(np.searchsorted(arc, s, side='right') - 1, count - 1)
            bends[i, k] = wrap_angle(_direction(line, segment) - here)


def width_at(track: Track, half_m: Floats, s_m: Floats) -> Floats:
    """Half width at arc lengths (K,), from its values at the track's points."""
    return np.interp(s_m, track.s_m[:-1], half_m, period=track.length_m)


def bends_ahead(places: Records, course_of: Indices, ahead_m: Floats,
                geometry: CourseGeometry) -> Floats:
    """How much the course turns between each car and points further on.

    Args:
        places: `PLACE`, (N,).
        course_of: int64 (N,).
        ahead_m: float64 (K,), distances along the centre line.
        geometry: All courses.

    Returns:
        float64 (N, K), radians in (-pi, pi], positive left.
    """
    bends = np.empty((places.size, ahead_m.size))
    _bends_ahead(bends, places, course_of, ahead_m, geometry.points, geometry.s_m,
                 geometry.first)
    return bends
