"""The dictionary a reward function receives: DeepRacer's keys, with measured values.

All 23 documented keys and the four that the old simulator passed without documenting them. Degrees
and percent live only here. Against the old simulator two faults are mended: `speed` and
`steering_angle` are what the car does, not what it was told, and `is_reversed` tells the direction
in which the car really goes round.
"""

from __future__ import annotations

import math
from typing import Any, TypedDict

import numpy as np

from racer_sim.simulator import Simulator


class RewardParams(TypedDict):
    """One car, one step. Lengths in m, speeds in m/s, angles in degrees, map frame, REP-103 signs.

    Attributes:
        all_wheels_on_track: All four contact points between the borders.
        x: `base_link`, midway between the axles.
        y: As `x`.
        heading: Yaw, -180 to 180, counter-clockwise positive.
        distance_from_center: To the centre line, never negative.
        is_left_of_center: Side of the centre line, seen in the direction of travel.
        is_offtrack: No contact point between the borders; the episode ends.
        is_crashed: Overlaps an object; the episode ends.
        is_reversed: The car goes round clockwise.
        progress: Share of the lap since the episode's start, 0 to 100.
        steps: Steps of the episode, the first call sees 1.
        speed: Measured, never negative.
        steering_angle: Measured angle of the virtual middle front wheel, positive left.
        track_width: Between the borders, here.
        track_length: Of the centre line.
        waypoints: Centre line in the direction of travel, first repeated at the end; shared
            between calls, not to be changed.
        closest_waypoints: Indices of the waypoints behind and ahead.
        closest_objects: Indices of the objects behind and ahead; both 0 with fewer than two.
        objects_distance: Of each object along the centre line from the start line.
        objects_heading: Yaw of each object, degrees.
        objects_left_of_center: Side of each object.
        objects_location: Centre of each object.
        objects_speed: Of each object; 0 if it stands.
        projection_distance: Along the centre line from the start line.
        object_in_camera: Whether the next object ahead lies inside the camera's field of view.
        objects_distance_from_center: Of each object, never negative.
        sim_time: Simulated seconds since the episode's start.
    """

    all_wheels_on_track: bool
    x: float
    y: float
    heading: float
    distance_from_center: float
    is_left_of_center: bool
    is_offtrack: bool
    is_crashed: bool
    is_reversed: bool
    progress: float
    steps: int
    speed: float
    steering_angle: float
    track_width: float
    track_length: float
    waypoints: list[tuple[float, float]]
    closest_waypoints: list[int]
    closest_objects: list[int]
    objects_distance: list[float]
    objects_heading: list[float]
    objects_left_of_center: list[bool]
    objects_location: list[tuple[float, float]]
    objects_speed: list[float]
    projection_distance: float
    object_in_camera: bool
    objects_distance_from_center: list[float]
    sim_time: float


class ParamsBuilder:
    """Builds the dictionaries of a simulator's cars after each step."""

    def __init__(self, simulator: Simulator) -> None:
        """Prepare what does not change: waypoints and standing objects of every course."""
        self._simulator = simulator
        self._waypoints = [
            [(float(x), float(y)) for x, y in (*course.track.centre_m, course.track.centre_m[0])]
            for course in simulator.courses
        ]
        self._has_objects = bool(simulator.config.boxes) or simulator.config.cars_per_world > 1

    def build(self) -> list[RewardParams]:
        """Dictionaries of all cars, in their order."""
        params = [self._alone(*values) for values in zip(*self._columns(), strict=True)]
        if self._has_objects:
            for car, entry in enumerate(params):
                self._add_objects(car, entry)
        return params

    def _columns(self) -> list[list[Any]]:
        """The arguments of `_alone` for all cars, as Python's types: quicker array by array."""
        simulator = self._simulator
        state, places, race = simulator.state, simulator.places, simulator.control.race
        clockwise = simulator.geometry.clockwise[simulator.course_of] != race['backward']
        columns = (
            state['x_m'], state['y_m'], np.degrees(state['yaw_rad']), places['lateral_m'],
            places['wheels_on_track'], simulator.crashed, clockwise,
            simulator.control.progress_percent(simulator.length_m), race['steps'],
            np.hypot(state['vx_mps'], state['vy_mps']), np.degrees(state['steering_rad']),
            places['left_m'] + places['right_m'], simulator.length_m, places['segment'],
            places['s_m'], race['time_s'], simulator.course_of,
        )
        return [column.tolist() for column in columns]

    def _alone(self, x: float, y: float, heading: float, lateral: float, wheels: int,
               is_crashed: bool, is_reversed: bool, progress: float, steps: int, speed: float,
               steering: float, width: float, length: float, segment: int, s_m: float,
               time_s: float, course: int) -> RewardParams:
        """Dictionary of a car that meets nobody."""
        return {
            'all_wheels_on_track': wheels == 4, 'x': x, 'y': y, 'heading': heading,
            'distance_from_center': abs(lateral), 'is_left_of_center': lateral > 0.0,
            'is_offtrack': wheels == 0, 'is_crashed': is_crashed, 'is_reversed': is_reversed,
            'progress': progress, 'steps': steps, 'speed': speed, 'steering_angle': steering,
            'track_width': width, 'track_length': length, 'waypoints': self._waypoints[course],
            'closest_waypoints': [segment, segment + 1], 'closest_objects': [0, 0],
            'objects_distance': [], 'objects_heading': [], 'objects_left_of_center': [],
            'objects_location': [], 'objects_speed': [], 'projection_distance': s_m,
            'object_in_camera': False, 'objects_distance_from_center': [], 'sim_time': time_s,
        }

    def _add_objects(self, car: int, params: RewardParams) -> None:
        """Describe the boxes and cars that this car may meet."""
        simulator = self._simulator
        bodies, speeds = simulator.other_bodies(car)
        if not bodies.size:
            return
        track = simulator.courses[simulator.course_of[car]].track
        x, y = bodies['x_m'], bodies['y_m']
        at = track.project(np.column_stack((x, y)))
        params['objects_distance'] = at.s_m.tolist()
        params['objects_heading'] = np.degrees(np.remainder(
            bodies['yaw_rad'] + math.pi, math.tau) - math.pi).tolist()
        params['objects_left_of_center'] = (at.lateral_m > 0.0).tolist()
        params['objects_distance_from_center'] = np.abs(at.lateral_m).tolist()
        params['objects_location'] = list(zip(x.tolist(), y.tolist(), strict=True))
        params['objects_speed'] = speeds.tolist()
        ahead = np.mod(at.s_m - params['projection_distance'], track.length_m)
        if len(bodies) > 1:
            params['closest_objects'] = [int(ahead.argmax()), int(ahead.argmin())]
        params['object_in_camera'] = self._sees(car, *params['objects_location'][ahead.argmin()])

    def _sees(self, car: int, x_m: float, y_m: float) -> bool:
        """Whether a place lies between the left and right edge of a car's camera image."""
        state, camera = self._simulator.state[car], self._simulator.car.camera
        sine, cosine = math.sin(state['yaw_rad']), math.cos(state['yaw_rad'])
        dx, dy = x_m - state['x_m'], y_m - state['y_m']
        bearing = math.atan2(cosine * dy - sine * dx - camera.y_m,
                             cosine * dx + sine * dy - camera.x_m)
        return abs(bearing) < camera.hfov_rad / 2.0
