"""What the cars of a batch sense: cameras and lidars, in each episode's light and lens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.appearance import NOISE_LENGTH, Paint, finish, noise_table
from racer_sim.camera import camera_geometry, render
from racer_sim.conditions import apply_to_camera
from racer_sim.courses import Course, GroundTextures
from racer_sim.ground import Colour, GroundStyle
from racer_sim.lidar import scan
from racer_sim.traffic import Traffic
from racer_vehicle.observation import rgb_to_luma
from racer_vehicle.spec import CarSpec

Images = NDArray[np.uint8]
Indices = NDArray[np.int64]
Records = NDArray[np.void]

STEREO_BASELINE_M: Final = 0.06
"""Between the two cameras of a stereo pair; DeepRacer's simulator."""


class Senses:
    """Cameras and lidars of N cars.

    Attributes:
        camera_shape: Of one car's images: (views x colours, height, width).
    """

    def __init__(self, courses: Sequence[Course], car: CarSpec, cars: int, style: GroundStyle,
                 sky: Colour, *, rgb: bool, stereo: bool) -> None:
        """Paint the grounds.

        Args:
            courses: Where the cars may be.
            car: With its camera and lidar.
            cars: How many.
            style: Colours of the ground.
            sky: sRGB above the horizon.
            rgb: Colour cameras instead of grey ones.
            stereo: Two cameras a car, `STEREO_BASELINE_M` apart.
        """
        self._car, self._rgb = car, rgb
        self._ground = GroundTextures.of(courses, style, rgb=rgb)
        self._cameras = camera_geometry(car.camera, cars)
        half = STEREO_BASELINE_M / 2.0
        self._sides_m = np.array([half, -half]) if stereo else np.zeros(1)
        self._sky = self._shades(sky)
        self._skies = np.tile(self._sky, (cars, 1))
        self._paint = Paint(style, rgb=rgb)
        self._tables = np.zeros((cars, len(self._sky), 256), dtype=np.uint8)
        self._angles_rad = np.array(car.lidar.angles_rad)
        views, camera = len(self._sides_m), car.camera
        self.camera_shape = (views * len(self._sky), camera.height_px, camera.width_px)

    def _shades(self, colour: Colour) -> Images:
        """A colour as these cameras' planes: (3,) or (1,) uint8."""
        rgb = np.array([[colour]], dtype=np.uint8)
        return rgb.reshape(-1) if self._rgb else rgb_to_luma(rgb).reshape(-1)

    def shaded(self, body: NDArray[np.void]) -> NDArray[np.void]:
        """A body, itself, in the colours of these cameras."""
        body['colour'] = np.resize(self._shades(tuple(body['colour'].tolist())), 3)
        return body

    def change(self, conditions: Records, cars: Indices) -> None:
        """Take the conditions of episodes that begin.

        Args:
            conditions: `CONDITION`, (N,).
            cars: int64 (K,), whose episodes they are.
        """
        apply_to_camera(self._cameras, self._car.camera, conditions, cars)
        skies = self._sky + conditions['sky'][cars, None]
        self._skies[cars] = np.rint(np.clip(skies, 0.0, 255.0))
        for car in cars:
            self._tables[car] = self._paint.tables(conditions[car])

    def images(self, cars: Indices, states: Records, course_of: Indices,
               traffic: Traffic) -> Images:
        """What cameras would see in perfect light through a perfect lens.

        Args:
            cars: int64 (K,), whose.
            states: vehicle `STATE`, (N,).
            course_of: int64 (N,), course of each car.
            traffic: Boxes and cars.

        Returns:
            uint8 (K, *camera_shape), a new array.
        """
        images = np.empty((len(cars), *self.camera_shape), dtype=np.uint8)
        ground = self._ground
        render(images, cars, states, self._cameras, self._sides_m,
               ground.ground_of_course[course_of], ground.levels, ground.texels, self._skies,
               ground.fields, traffic.world_of, traffic.bodies, traffic.counts)
        return images

    def finish(self, images: Images, cars: Indices, states: Records, conditions: Records,
               random: np.random.Generator) -> None:
        """Let light, lens and sensor change images of `images`, in place.

        Args:
            images: uint8 (K, *camera_shape).
            cars: int64 (K,), whose.
            states: vehicle `STATE`, (N,).
            conditions: `CONDITION`, (N,), as `change` was told.
            random: Of the noise.
        """
        begins = random.integers(0, NOISE_LENGTH, len(cars))
        finish(images, cars, conditions, self._tables, noise_table(), begins, states,
               self._cameras, self._sides_m)

    def scans(self, states: Records, traffic: Traffic) -> NDArray[np.float32]:
        """What the lidars measure: float32 (N, rays), REP-117 values, a new array."""
        lidar = self._car.lidar
        ranges = np.empty((len(states), lidar.rays), dtype=np.float32)
        scan(ranges, states, self._angles_rad, lidar.x_m, lidar.z_m,
             np.array([lidar.range_min_m, lidar.range_max_m]), traffic.world_of, traffic.bodies,
             traffic.counts)
        return ranges
