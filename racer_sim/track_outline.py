"""Outlines of random patches of grid cells: loops with hairpins and bays that never cross.

One grid step is the unit of length. A patch that grows by cells with few neighbours has fingers,
and its outline therefore has hairpins, chicanes and straights.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cell = tuple[int, int]

BAY_CHANCE = 0.15
"""Of growing a cell into a bay, against 1 for growing a finger."""

SAMPLES_PER_STEP = 24

_RING: tuple[Cell, ...] = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))


def grow_patch(rng: np.random.Generator, steps: int) -> set[Cell]:
    """A patch of cells without holes whose outline has at least `steps` steps."""
    patch: set[Cell] = {(0, 0)}
    outline = 4
    while outline < steps:
        rim = sorted(
            {(x + dx, y + dy) for x, y in patch for dx, dy in _RING[::2]} - patch,
        )
        cells = [cell for cell in rim if _joins_once(patch, cell)]
        sides = np.array([_sides(patch, cell) for cell in cells])
        # Cells that touch the patch on one side make fingers, the others fill its bays.
        chance = np.where(sides == 1, 1.0, BAY_CHANCE)
        cell = cells[rng.choice(len(cells), p=chance / chance.sum())]
        outline += 4 - 2 * _sides(patch, cell)
        patch.add(cell)
    return patch


def _sides(patch: set[Cell], cell: Cell) -> int:
    """How many of a cell's four sides touch the patch."""
    return sum((cell[0] + dx, cell[1] + dy) in patch for dx, dy in _RING[::2])


def _joins_once(patch: set[Cell], cell: Cell) -> bool:
    """Whether adding a cell neither closes a hole nor makes two parts meet at a corner only."""
    ring = [(cell[0] + dx, cell[1] + dy) in patch for dx, dy in _RING]
    starts = [index for index in range(8) if ring[index] and not ring[index - 1]]
    if len(starts) != 1:
        return False
    run = [(starts[0] + offset) % 8 for offset in range(sum(ring))]
    return any(index % 2 == 0 for index in run)


def outline_of(patch: set[Cell]) -> list[Cell]:
    """Grid corners around a patch, counter-clockwise, one unit apart."""
    follow: dict[Cell, Cell] = {}
    for x, y in patch:
        corners = ((x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1))
        outward = ((0, -1), (1, 0), (0, 1), (-1, 0))
        for index, (dx, dy) in enumerate(outward):
            if (x + dx, y + dy) not in patch:
                follow[corners[index]] = corners[(index + 1) % 4]
    corner = min(follow)
    loop = [corner]
    while (corner := follow[corner]) != loop[0]:
        loop.append(corner)
    return loop


def rounded(corners: list[Cell]) -> Floats:
    """The outline with a quarter circle through every corner, float64 (M, 2)."""
    points = np.array(corners, dtype=np.float64)
    before, after = ((points + np.roll(points, shift, axis=0)) / 2.0 for shift in (1, -1))
    turn = np.linspace(0.0, math.pi / 2.0, SAMPLES_PER_STEP, endpoint=False)
    # A quarter circle between the midpoints of two edges; on a straight corner it is a line.
    centre = before + after - points
    ahead, inward = points - before, before - centre
    arc = centre[:, None] + np.sin(turn)[:, None] * ahead[:, None]
    arc = arc + np.cos(turn)[:, None] * inward[:, None]
    straight = (np.abs(after + before - 2.0 * points) < 1e-9).all(axis=1)
    part = np.linspace(0.0, 1.0, SAMPLES_PER_STEP, endpoint=False)[:, None]
    arc[straight] = before[straight, None] + part * (after - before)[straight, None]
    return np.asarray(arc.reshape(-1, 2))
