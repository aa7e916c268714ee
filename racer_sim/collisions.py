"""Whether one car has run into something, and where it has room, by what is seen from outside.

The judge is the simulator's own; speeds come out of where things were a moment ago.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.bodies import car_body, find_crashes, find_guilty
from racer_sim.placement import width_at
from racer_sim.simulator import CAR_COLOUR, PLACING_ROOM_M, WAYS_OUT
from racer_sim.starting_grid import Pose
from racer_sim.track import Track
from racer_vehicle.spec import CarSpec

Floats = NDArray[np.float64]
Records = NDArray[np.void]

FASTEST_MPS: Final = 10.0
"""Nothing drives faster: what seems to was put elsewhere, and stands."""

WORLD: Final = np.zeros(1, dtype=np.int64)


class Collisions:
    """Of one car; it is body 0, and others have another owner."""

    def __init__(self, car: CarSpec, blame: str) -> None:
        """Of a car.

        Args:
            car: Its size.
            blame: As in `RaceRules`.
        """
        self._footprints = np.array([car_body(car, 0, CAR_COLOUR)])
        self._by_blame = blame == 'striker'

    def hits(self, before: tuple[Pose, Records], now: tuple[Pose, Records], gap_s: float) -> bool:
        """Whether the car has run into something.

        Args:
            before: Where it was, and `BODY` (K,) around it.
            now: The same a moment later.
            gap_s: Between the two.
        """
        pose, bodies = now
        crashed = np.zeros(1, dtype=np.bool_)
        if not self._by_blame:
            find_crashes(crashed, self._at(pose), WORLD, bodies[None], np.array([len(bodies)]))
        else:
            velocities = np.array([((pose.x_m - before[0].x_m) / gap_s,
                                    (pose.y_m - before[0].y_m) / gap_s)])
            find_guilty(crashed, self._at(pose), velocities, WORLD, bodies[None],
                        _velocities(before[1], bodies, gap_s)[None], np.array([len(bodies)]))
        return bool(crashed[0])

    def place(self, track: Track, s_m: float, lane: float, bodies: Records) -> Pose:
        """Where a car is put back: there, or the next place further back that has room.

        Args:
            track: On which, in the direction of travel.
            s_m: Arc length.
            lane: Offset to the left as a share of the half width.
            bodies: `BODY`, (K,), that stand around.
        """
        ways = [(s_m, lane), *((s_m - back_m, other) for back_m, other in WAYS_OUT)]
        places = [_lane_pose(track, *way) for way in ways]
        return next((pose for pose in places if self._has_room(pose, bodies)), places[-1])

    def _has_room(self, pose: Pose, bodies: Records) -> bool:
        crowded, footprints = np.zeros(1, dtype=np.bool_), self._at(pose)
        footprints['length_m'] += 2.0 * PLACING_ROOM_M
        find_crashes(crowded, footprints, WORLD, bodies[None], np.array([len(bodies)]))
        return not crowded[0]

    def _at(self, pose: Pose) -> Records:
        """The car's body at a pose, `BODY` (1,)."""
        footprints = self._footprints.copy()
        footprints['x_m'], footprints['y_m'] = pose.x_m, pose.y_m
        footprints['yaw_rad'] = pose.yaw_rad
        return footprints


def _velocities(before: Records, now: Records, gap_s: float) -> Floats:
    """Of bodies in the map, float64 (K, 2); 0 for what was not there, or was put elsewhere."""
    if len(before) != len(now):
        return np.zeros((len(now), 2))
    moved = np.stack([now[name] - before[name] for name in ('x_m', 'y_m')], axis=1) / gap_s
    moved[np.hypot(moved[:, 0], moved[:, 1]) > FASTEST_MPS] = 0.0
    return moved


def _lane_pose(track: Track, s_m: float, lane: float) -> Pose:
    half_m = track.left_m if lane > 0.0 else track.right_m
    offset_m = lane * width_at(track, half_m, np.array([s_m]))[0]
    return Pose(*(float(value) for value in track.pose_at(s_m, offset_m)))
