"""The bodies of all worlds: fixed boxes, and the cars that share a world, where they are now."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.bodies import WALL_OWNER, find_crashes
from racer_sim.camera import BODY

Records = NDArray[np.void]
Bools = NDArray[np.bool_]

ASIDE_M: Final = 1e6
"""Where the body of a car that does not race is put: nobody sees it or runs into it."""


class Traffic:
    """What the cars of a batch can see, scan and hit.

    Attributes:
        world_of: int64 (N,), the world of each car.
        bodies: `BODY`, (worlds, K): the fixed boxes first, then the cars where they share worlds.
        counts: int64 (worlds,), K each.
    """

    def __init__(self, footprints: Records, boxes: Records, cars_per_world: int) -> None:
        """Lay out the worlds; `move` brings the cars to their places.

        Args:
            footprints: `BODY`, (N,), the cars.
            boxes: `BODY`, (B,), standing in every world.
            cars_per_world: Cars that share a world; divides N.
        """
        worlds = len(footprints) // cars_per_world
        cars = cars_per_world if cars_per_world > 1 else 0
        self.world_of = np.repeat(np.arange(worlds), cars_per_world)
        self.bodies = np.zeros((worlds, len(boxes) + cars), dtype=BODY)
        self.bodies[:, :len(boxes)] = boxes
        self.counts = np.full(worlds, self.bodies.shape[1], dtype=np.int64)
        self._footprints = footprints.copy()
        self._cars = self.bodies[:, len(boxes):]
        self._cars[:] = footprints.reshape(worlds, -1)[:, :cars]

    def move(self, states: Records, racing: Bools) -> None:
        """Carry the cars' bodies to where the cars are; those that do not race are set aside.

        Args:
            states: vehicle `STATE`, (N,).
            racing: bool (N,); the others stand in nobody's way: they serve a penalty, or are done.
        """
        for name in ('x_m', 'y_m', 'yaw_rad'):
            self._footprints[name] = states[name]
        if self._cars.size:
            self._cars[:] = self._footprints.reshape(self._cars.shape)
            self._cars['x_m'][~racing.reshape(self._cars.shape)] = ASIDE_M

    def overlaps(self, room_m: float = 0.0) -> Bools:
        """Whether each car's footprint overlaps another body of its world.

        Args:
            room_m: By how much the footprints are longer at either end.

        Returns:
            bool (N,).
        """
        crashed = np.zeros(len(self._footprints), dtype=np.bool_)
        if self.bodies.size:  # an empty world does not wait for the kernel to compile
            footprints = self._footprints.copy()
            footprints['length_m'] += 2.0 * room_m
            find_crashes(crashed, footprints, self.world_of, self.bodies, self.counts)
        return crashed

    def objects_of(self, car: int) -> Records:
        """`BODY` (K,): what one car can meet, walls and cars that are aside left out."""
        bodies = self.bodies[self.world_of[car]]
        apart = (bodies['owner'] == car) | (bodies['owner'] == WALL_OWNER)
        return bodies[~apart & (bodies['x_m'] != ASIDE_M)]
