"""Courses: tracks driven in one direction, packed into flat arrays that kernels read.

A batch of cars may be on several tracks and in both directions at once; every car names its
course by index. The two directions of a track share one ground texture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from racer_sim.camera import MIP_LEVEL
from racer_sim.ground import Ground, GroundStyle, paint_ground
from racer_sim.track import Track
from racer_vehicle.errors import ConfigError
from racer_vehicle.observation import rgb_to_luma

DIRECTIONS: Final = ('forward', 'reverse', 'both')
MIP_LEVELS: Final = 7
"""5 mm texels up to 32 cm: the footprint of a 160x120 image's last rows before the horizon."""


@dataclass(frozen=True, slots=True)
class Course:
    """A track driven in one direction.

    Attributes:
        track: Geometry in the direction of travel (already reversed if `reverse`).
        reverse: Whether this is against the direction in which the track was drawn.
    """

    track: Track
    reverse: bool

    @property
    def drawn(self) -> bytes:
        """The track as drawn, the same for both directions; names may belong to two files."""
        track = self.track.reversed() if self.reverse else self.track
        lines = track.centre_m, track.left_border_m, track.right_border_m
        return b''.join(line.tobytes() for line in lines)


def courses_of(tracks: Sequence[Track], direction: str = 'forward') -> tuple[Course, ...]:
    """Courses for tracks in the wanted direction(s), track by track.

    Args:
        tracks: At least one.
        direction: `forward` as drawn, `reverse`, or `both`.

    Raises:
        ConfigError: Unknown direction or no track.
    """
    if direction not in DIRECTIONS:
        raise ConfigError(f'direction is {direction!r}; allowed: {", ".join(DIRECTIONS)}.')
    if not tracks:
        raise ConfigError('no track was given; name at least one (`racer tracks list`).')
    flags = {'forward': (False,), 'reverse': (True,), 'both': (False, True)}[direction]
    return tuple(Course(track.reversed() if flag else track, flag)
                 for track in tracks for flag in flags)


@dataclass(frozen=True, slots=True)
class CourseGeometry:
    """Centre lines and widths of all courses, end to end.

    Attributes:
        points: float64 (sum N, 2), centre lines, metres.
        s_m: float64 (sum (N + 1),), cumulative arc lengths.
        left_m: float64 (sum N,), half width to the left border at each point.
        right_m: float64 (sum N,).
        first: int64 (courses + 1,), where each course's points start; its arc lengths start
            `course` places later, because each has one more.
        length_m: float64 (courses,).
        clockwise: bool (courses,), whether its direction of travel is clockwise.
    """

    points: NDArray[np.float64]
    s_m: NDArray[np.float64]
    left_m: NDArray[np.float64]
    right_m: NDArray[np.float64]
    first: NDArray[np.int64]
    length_m: NDArray[np.float64]
    clockwise: NDArray[np.bool_]

    @classmethod
    def of(cls, courses: Sequence[Course], border_margin_m: float = 0.0) -> CourseGeometry:
        """Pack courses in their order, with borders so much further in, at most by half."""
        tracks = [course.track for course in courses]
        left_m, right_m = (np.concatenate([getattr(track, side) for track in tracks])
                           for side in ('left_m', 'right_m'))
        return cls(
            points=np.concatenate([track.centre_m for track in tracks]),
            s_m=np.concatenate([track.s_m for track in tracks]),
            left_m=np.maximum(left_m - border_margin_m, left_m / 2.0),
            right_m=np.maximum(right_m - border_margin_m, right_m / 2.0),
            first=np.cumsum([0, *(len(track.centre_m) for track in tracks)]).astype(np.int64),
            length_m=np.array([track.length_m for track in tracks]),
            clockwise=np.array([track.is_clockwise for track in tracks]),
        )


@dataclass(frozen=True, slots=True)
class GroundTextures:
    """Mip pyramids of all grounds in one flat array, for grey or RGB cameras.

    Attributes:
        texels: uint8, flat.
        levels: `MIP_LEVEL`, (grounds, MIP_LEVELS).
        fields: uint8 (grounds, colours), colour beyond each texture.
        ground_of_course: int64 (courses,).
    """

    texels: NDArray[np.uint8]
    levels: NDArray[np.void]
    fields: NDArray[np.uint8]
    ground_of_course: NDArray[np.int64]

    @classmethod
    def of(cls, courses: Sequence[Course], style: GroundStyle, *, rgb: bool) -> GroundTextures:
        """Paint each track once and build its pyramid.

        Args:
            courses: Both directions of one track share a ground.
            style: Colours and line widths.
            rgb: Three colour planes instead of one of luma.
        """
        tracks = {course.drawn: _Drawn(course.drawn, course.track) for course in courses}
        texels, levels = _painted(tuple(tracks.values()), style, rgb=rgb)
        field = _planes(np.full((1, 1, 3), style.field, dtype=np.uint8), rgb=rgb).reshape(-1)
        ground_of = [list(tracks).index(course.drawn) for course in courses]
        return cls(texels, levels, np.tile(field, (len(tracks), 1)),
                   np.array(ground_of, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A track that equals every other one that looks the same."""

    drawn: bytes
    track: Track = field(compare=False)


@lru_cache(maxsize=3)
def _painted(tracks: tuple[_Drawn, ...], style: GroundStyle, *,
             rgb: bool) -> tuple[NDArray[np.uint8], NDArray[np.void]]:
    """Texels and levels of grounds, read-only: training, its evaluations and films share them."""
    levels = np.zeros((len(tracks), MIP_LEVELS), dtype=MIP_LEVEL)
    offset, chunks = 0, []
    for index, each in enumerate(tracks):
        ground = paint_ground(each.track, style)
        for level, planes in enumerate(_pyramid(ground, style, rgb=rgb)):
            texels_per_m = 1.0 / (ground.m_per_px * 2**level)
            levels[index, level] = (offset, *planes.shape[1:], texels_per_m,
                                    ground.x_min_m, ground.y_max_m)
            chunks.append(planes.ravel())
            offset += planes.size
    texels = np.concatenate(chunks)
    texels.setflags(write=False)
    levels.setflags(write=False)
    return texels, levels


def _planes(image: NDArray[np.uint8], *, rgb: bool) -> NDArray[np.uint8]:
    """Colour planes (3 or 1, height, width) of an RGB image."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)) if rgb else rgb_to_luma(image)[None]


def _pyramid(ground: Ground, style: GroundStyle, *, rgb: bool) -> list[NDArray[np.uint8]]:
    """All levels as planes; padded with field so that every halving averages whole 2x2 blocks."""
    unit = 2 ** (MIP_LEVELS - 1)
    height, width = ground.image.shape[:2]
    padded = cv2.copyMakeBorder(ground.image, 0, -height % unit, 0, -width % unit,
                                cv2.BORDER_CONSTANT, value=style.field)
    planes = _planes(padded.astype(np.uint8, copy=False), rgb=rgb)
    images = [planes]
    for _ in range(MIP_LEVELS - 1):
        planes = np.stack([cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
                           for plane in planes]).astype(np.uint8)
        images.append(planes)
    return images
