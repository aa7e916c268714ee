"""Gazebo and the embedded simulator behind one face, and what both show at the same places."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from racer_sim.bodies import Box, wall_boxes
from racer_sim.driven_world import DrivenWorldConfig, Motion
from racer_sim.gazebo.gazebo_world import GazeboConfig, GazeboWorld
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.starting_grid import Pose, one_course
from racer_sim.track import Track
from racer_vehicle.spec import CarSpec

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]
Command = tuple[float, float]
"""Steering rad, speed m/s."""

CAR: Final = CarSpec()


class Embedded:
    """One car in the embedded simulator, without judges."""

    def __init__(self, track: str, boxes: tuple[Box, ...] = ()) -> None:
        """Make it.

        Args:
            track: Name or file.
            boxes: Standing in its world.
        """
        course = one_course(track, 'forward')
        self._simulator = Simulator([course], CAR, SimulatorConfig(
            cars=1, boxes=boxes, image_age_s=(0.0, 0.0)), 0)

    def lift(self, pose: Pose) -> None:
        """Put the car somewhere, at rest."""
        self._simulator.set_pose(np.zeros(1, np.int64), pose.x_m, pose.y_m, pose.yaw_rad)

    def drive(self, command: Command) -> None:
        """One control period."""
        self._simulator.move(np.array([command]))

    def motion(self) -> Motion:
        """Ground truth."""
        state = self._simulator.state[0]
        return Motion(Pose(*(float(state[name]) for name in ('x_m', 'y_m', 'yaw_rad'))),
                      *(float(state[name]) for name in ('vx_mps', 'vy_mps', 'yaw_rate_radps')))

    def image(self) -> Image:
        """Grey."""
        return np.asarray(self._simulator.images()[0, 0])

    def scan(self) -> NDArray[np.float32]:
        """Ranges."""
        return np.asarray(self._simulator.scans()[0])


class Gazebo:
    """The same in Gazebo, in lock-step."""

    def __init__(self, world: GazeboWorld) -> None:
        """Of a running Gazebo."""
        self.world = world

    def lift(self, pose: Pose) -> None:
        """Put the car somewhere, at rest."""
        self.world.lift(0, pose)

    def drive(self, command: Command) -> None:
        """One control period."""
        self.world.drive(np.array([command]), np.zeros(1))

    def motion(self) -> Motion:
        """Ground truth."""
        return self.world.motion(0)

    def image(self) -> Image:
        """Grey."""
        return self.world.image(0, self.world.time_ns)

    def scan(self) -> NDArray[np.float32]:
        """Ranges."""
        return self.world.cars[0].scan(self.world.time_ns)


Either = Embedded | Gazebo


@contextmanager
def gazebo(track: str, boxes: tuple[Box, ...] = ()) -> Iterator[Gazebo]:
    """A Gazebo of its own for a while; see `Embedded`."""
    config = GazeboConfig(world=DrivenWorldConfig(track=track, image_age_max_s=0.0), boxes=boxes)
    with (tempfile.TemporaryDirectory(prefix='racer-parity-') as folder,
          GazeboWorld(config, CAR, ('',), Path(folder)) as world):
        yield Gazebo(world)


def obstacles(track: Track) -> tuple[Box, ...]:
    """Boxes on the track, a fifth of the lap apart, and walls around it."""
    places = np.stack(track.pose_at(track.length_m * np.arange(5) / 5.0, 0.2), axis=1)
    return (*(Box(x_m=x, y_m=y, yaw_rad=yaw + 0.3) for x, y, yaw in places.tolist()),
            *wall_boxes(track))


def poses(track: Track, count: int, seed: int = 0) -> list[Pose]:
    """Places on a track and beside it, at any angle that driving brings about."""
    random = np.random.default_rng(seed)
    s_m = track.length_m * (np.arange(count) + random.random(count)) / count
    lateral, turn = random.uniform(-0.6, 0.6, count), random.uniform(-0.7, 0.7, count)
    x, y, yaw = track.pose_at(s_m, lateral)
    return [Pose(*map(float, place)) for place in zip(x, y, yaw + turn, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What both simulators showed at the same poses.

    Attributes:
        embedded: uint8 (K, height, width).
        gazebo: The same of Gazebo.
        embedded_m: float32 (K, rays).
        gazebo_m: The same of Gazebo.
    """

    embedded: Image
    gazebo: Image
    embedded_m: NDArray[np.float32]
    gazebo_m: NDArray[np.float32]

    @property
    def differences(self) -> Floats:
        """Mean absolute difference of grey levels, (K,)."""
        apart = np.abs(self.embedded.astype(float) - self.gazebo.astype(float))
        return np.asarray(apart.mean(axis=(1, 2)))

    @property
    def shifts_px(self) -> Floats:
        """By how much Gazebo's edges lie right of and below the embedded ones, (K, 2)."""
        window = cv2.createHanningWindow(self.embedded.shape[:0:-1], cv2.CV_32F)
        return np.array([
            cv2.phaseCorrelate(ours.astype(np.float32), theirs.astype(np.float32), window)[0]
            for ours, theirs in zip(self.embedded, self.gazebo, strict=True)])

    @property
    def range_errors_m(self) -> Floats:
        """Of the rays that return in both."""
        both = np.isfinite(self.embedded_m) & np.isfinite(self.gazebo_m)
        return np.abs(self.embedded_m[both].astype(float) - self.gazebo_m[both])

    @property
    def same_kind(self) -> float:
        """Share of the rays that return in both, or are too close or too far in both."""
        return float(np.mean(np.where(np.isfinite(self.embedded_m), np.isfinite(self.gazebo_m),
                                      self.embedded_m == self.gazebo_m)))


def look(embedded: Embedded, other: Gazebo, places: list[Pose]) -> Seen:
    """Put both cars to the same places."""
    shown: dict[str, list[NDArray[Any]]] = {'images': [], 'scans': []}
    for pose in places:
        for simulator in (embedded, other):
            simulator.lift(pose)
            shown['images'].append(simulator.image())
            shown['scans'].append(simulator.scan())
    images, scans = np.array(shown['images']), np.array(shown['scans'])
    return Seen(embedded=images[::2], gazebo=images[1::2], embedded_m=scans[::2],
                gazebo_m=scans[1::2])
