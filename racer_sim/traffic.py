"""The bodies of all worlds: fixed boxes, guests of a race, and the cars that share a world."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.bodies import find_crashes, find_guilty, find_velocities
from racer_sim.camera import BODY

Records = NDArray[np.void]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ASIDE_M: Final = 1e6
"""Where the body of a car that does not race is put: nobody sees it or runs into it."""


class Traffic:
    """What the cars of a batch can see, scan and hit.

    Attributes:
        world_of: int64 (N,), the world of each car.
        bodies: `BODY`, (worlds, K): the fixed boxes first, then the guests, then the cars where
            they share worlds.
        counts: int64 (worlds,), K each.
        guests: `BODY`, (worlds, G), those of `bodies`; whoever invited them moves them.
        guest_speeds: float64 (worlds, G), m/s along their yaw.
    """

    def __init__(self, footprints: Records, boxes: Records, cars_per_world: int,
                 guest: Records, guests: int) -> None:
        """Lay out the worlds; `move` brings the cars to their places.

        Args:
            footprints: `BODY`, (N,), the cars.
            boxes: `BODY`, (B,), standing in every world.
            cars_per_world: Cars that share a world; divides N.
            guest: `BODY` scalar record, what a guest looks like.
            guests: Of each world; they are aside until they are moved.
        """
        worlds = len(footprints) // cars_per_world
        cars = cars_per_world if cars_per_world > 1 else 0
        fixed = len(boxes)
        self.world_of = np.repeat(np.arange(worlds), cars_per_world)
        self.bodies = np.zeros((worlds, fixed + guests + cars), dtype=BODY)
        self.bodies[:, :fixed] = boxes
        self.counts = np.full(worlds, self.bodies.shape[1], dtype=np.int64)
        self.guests = self.bodies[:, fixed:fixed + guests]
        self.guests[:] = guest
        self.guests['x_m'] = ASIDE_M
        self._speeds = np.zeros(self.bodies.shape)
        self.guest_speeds = self._speeds[:, fixed:fixed + guests]
        self._own_velocities = np.zeros((len(footprints), 2))
        self._velocities = np.zeros((*self.bodies.shape, 2))
        self._footprints = footprints.copy()
        self._cars = self.bodies[:, fixed + guests:]
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

    def overlaps(self, room_m: float = 0.0, beside_m: float = 0.0) -> Bools:
        """Whether each car's footprint overlaps another body of its world.

        Args:
            room_m: By how much the footprints are longer at either end.
            beside_m: By how much they are wider at either side.

        Returns:
            bool (N,).
        """
        crashed = np.zeros(len(self._footprints), dtype=np.bool_)
        if self.bodies.size:  # an empty world does not wait for the kernel to compile
            find_crashes(crashed, self._grown(room_m, beside_m), self.world_of, self.bodies,
                         self.counts)
        return crashed

    def _grown(self, room_m: float, beside_m: float) -> Records:
        """The cars' footprints, so much longer and wider at either end and side."""
        footprints = self._footprints.copy()
        footprints['length_m'] = np.maximum(footprints['length_m'] + 2.0 * room_m, 0.0)
        footprints['width_m'] = np.maximum(footprints['width_m'] + 2.0 * beside_m, 0.0)
        return footprints

    def guilty(self, states: Records, margin_m: float = 0.0) -> Bools:
        """Whether each car ran into another body of its world; see `find_guilty`.

        Args:
            states: vehicle `STATE`, (N,), by which the cars were moved.
            margin_m: By how much their footprints are larger on all sides.

        Returns:
            bool (N,).
        """
        guilty = np.zeros(len(self._footprints), dtype=np.bool_)
        if self.bodies.size:
            find_guilty(guilty, self._grown(margin_m, margin_m), self._own_velocities,
                        self.world_of, self.bodies, self.velocities(states), self.counts)
        return guilty

    def velocities(self, states: Records) -> Floats:
        """Of all bodies, in the map: float64 (worlds, K, 2), m/s; the next call overwrites it.

        Args:
            states: vehicle `STATE`, (N,), by which the cars were moved.
        """
        find_velocities(self._own_velocities, self._velocities, states, self.bodies, self._speeds)
        return self._velocities
