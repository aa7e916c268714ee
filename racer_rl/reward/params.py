"""The dictionary a reward function receives: DeepRacer's keys, with measured values.

All 23 documented keys and the four that the old simulator passed without documenting them. Degrees
and percent live only here. Against the old simulator two faults are mended: `speed` and
`steering_angle` are what the car does, not what it was told, and `is_reversed` tells the direction
in which the car really goes round. `compat` brings the old values back, for old functions.

Measuring and making dictionaries are apart: `ParamsBuilder` measures a simulator's cars as plain
numbers, `DictionaryMaker` makes the dictionaries of them, be it in another process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # the process of a reward function has no use for a simulator
    from racer_sim.simulator import Simulator

TRACKED_POINT_M: Final = 0.14
"""How far ahead of the car's origin the point was that the old simulator gave as x and y."""

Waypoints = list[tuple[float, float]]


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


class Numbers(NamedTuple):
    """What is measured of N cars and of the objects that they may meet.

    Attributes:
        cars: float64 (len(CAR), N), rows as `CAR` names them.
        objects: float64 (len(OBJECT), M), rows as `OBJECT` names them, car by car.
    """

    cars: NDArray[np.float64]
    objects: NDArray[np.float64]


CAR: Final = (
    'x', 'y', 'heading', 'lateral', 'wheels', 'is_crashed', 'is_reversed', 'progress', 'steps',
    'speed', 'steering', 'width', 'length', 'segment', 's_m', 'time_s', 'course', 'behind',
    'ahead', 'sees',
)
"""Of each car: as the dictionary's keys, `lateral` positive left, `wheels` on the track, `segment`
of the centre line, indices of the objects behind and ahead, whether it sees the one ahead."""

OBJECT: Final = ('car', 'distance', 'heading', 'lateral', 'x', 'y', 'speed')
"""Of each object: index of the car that may meet it, then as the dictionary's keys."""


class ParamsBuilder:
    """Measures a simulator's cars after each step."""

    def __init__(self, simulator: Simulator, *, compat: bool = False) -> None:
        """Watch a simulator.

        Args:
            simulator: Whose cars are paid.
            compat: As the old simulator told it: commanded speed and steering, x and y of its
                tracked point, `is_reversed` as the setting, headings of moving objects in radians.
        """
        self._simulator, self._compat = simulator, compat
        self._maker = DictionaryMaker(self.waypoints)

    @property
    def waypoints(self) -> list[Waypoints]:
        """Of every course, in the direction of travel, closed."""
        tracks = [course.track for course in self._simulator.courses]
        return [[(float(x), float(y)) for x, y in (*track.centre_m, track.centre_m[0])]
                for track in tracks]

    def build(self) -> list[RewardParams]:
        """Dictionaries of all cars, in their order."""
        return self._maker.make(self.measure())

    def measure(self) -> Numbers:
        """Numbers of all cars, new arrays."""
        simulator = self._simulator
        state, places, race = simulator.state, simulator.places, simulator.control.race
        cars = np.zeros((len(CAR), len(state)))
        for row, values in enumerate((
            state['x_m'], state['y_m'], np.degrees(state['yaw_rad']), places['lateral_m'],
            places['wheels_on_track'], simulator.crashed,
            simulator.geometry.clockwise[simulator.course_of] != race['backward'],
            simulator.control.progress_percent(simulator.length_m), race['steps'],
            np.hypot(state['vx_mps'], state['vy_mps']), np.degrees(state['steering_rad']),
            places['left_m'] + places['right_m'], simulator.length_m, places['segment'],
            places['s_m'], race['time_s'], simulator.course_of,
        )):
            cars[row] = values
        if self._compat:
            self._as_it_was(cars)
        return Numbers(cars, self._meet(cars) if simulator.has_company
                       else np.zeros((len(OBJECT), 0)))

    def _as_it_was(self, cars: NDArray[np.float64]) -> None:
        """Put in the values that the old simulator passed."""
        simulator = self._simulator
        yaw_rad = simulator.state['yaw_rad']
        cars[CAR.index('x')] += TRACKED_POINT_M * np.cos(yaw_rad)
        cars[CAR.index('y')] += TRACKED_POINT_M * np.sin(yaw_rad)
        cars[CAR.index('speed')] = np.abs(simulator.commands[:, 1])
        cars[CAR.index('steering')] = np.degrees(simulator.commands[:, 0])
        setting = np.array([course.reverse for course in simulator.courses])
        cars[CAR.index('is_reversed')] = setting[simulator.course_of]

    def _meet(self, cars: NDArray[np.float64]) -> NDArray[np.float64]:
        """The objects of all cars, (len(OBJECT), M), and in `cars` which are nearest to each."""
        met = self._simulator.met()
        there = met['is_there']
        count = there.sum(axis=1)
        # Round the lap in the direction of travel: the next is ahead, the last one behind.
        ahead = np.where(there, np.mod(met['s_m'] - cars[CAR.index('s_m')][:, None],
                                       cars[CAR.index('length')][:, None]), np.nan)
        chosen = np.flatnonzero(count)
        if chosen.size:
            nearest = np.nanargmin(ahead[chosen], axis=1)
            last = np.nanargmax(ahead[chosen], axis=1)
            # Numbers among the objects that are told, not among the bodies of the world.
            number = np.cumsum(there, axis=1) - 1
            several = count[chosen] > 1
            cars[CAR.index('behind'), chosen] = np.where(several, number[chosen, last], 0)
            cars[CAR.index('ahead'), chosen] = np.where(several, number[chosen, nearest], 0)
            cars[CAR.index('sees'), chosen] = self._sees(chosen, met[chosen, nearest])
        which, objects = np.nonzero(there)[0], met[there]
        yaw_rad = objects['yaw_rad']
        heading = np.where(objects['moves'], yaw_rad, 0.0) if self._compat else np.degrees(yaw_rad)
        return np.stack((which, objects['s_m'], heading, objects['lateral_m'], objects['x_m'],
                         objects['y_m'], objects['speed_mps']))

    def _sees(self, cars: NDArray[np.int64], objects: NDArray[np.void]) -> NDArray[np.bool_]:
        """Whether objects (K,) lie between the left and right edges of the images of cars (K,)."""
        state, camera = self._simulator.state[cars], self._simulator.car.camera
        sine, cosine = np.sin(state['yaw_rad']), np.cos(state['yaw_rad'])
        dx, dy = objects['x_m'] - state['x_m'], objects['y_m'] - state['y_m']
        bearing_rad = np.arctan2(cosine * dy - sine * dx - camera.y_m,
                                 cosine * dx + sine * dy - camera.x_m)
        return np.asarray(np.abs(bearing_rad) < camera.hfov_rad / 2.0)


class DictionaryMaker:
    """Makes dictionaries of numbers."""

    def __init__(self, waypoints: Sequence[Waypoints]) -> None:
        """Remember what every dictionary of a course shares.

        Args:
            waypoints: Of every course, closed.
        """
        self._waypoints = waypoints

    def make(self, numbers: Numbers) -> list[RewardParams]:
        """Dictionaries of all cars, in their order."""
        rows: list[list[Any]] = numbers.cars.tolist()  # Python's numbers: quicker row by row
        params = [self._of_car(*values) for values in zip(*rows, strict=True)]
        for car, distance, heading, lateral, x, y, speed in numbers.objects.T.tolist():
            entry = params[int(car)]
            entry['objects_distance'].append(distance)
            entry['objects_heading'].append(heading)
            entry['objects_left_of_center'].append(lateral > 0.0)
            entry['objects_distance_from_center'].append(abs(lateral))
            entry['objects_location'].append((x, y))
            entry['objects_speed'].append(speed)
        return params

    def _of_car(self, x: float, y: float, heading: float, lateral: float, wheels: float,
                is_crashed: float, is_reversed: float, progress: float, steps: float,
                speed: float, steering: float, width: float, length: float, segment: float,
                s_m: float, time_s: float, course: float, behind: float, ahead: float,
                sees: float) -> RewardParams:
        here = int(segment)
        return {
            'all_wheels_on_track': wheels == 4.0, 'x': x, 'y': y, 'heading': heading,
            'distance_from_center': abs(lateral), 'is_left_of_center': lateral > 0.0,
            'is_offtrack': wheels == 0.0, 'is_crashed': is_crashed != 0.0,
            'is_reversed': is_reversed != 0.0, 'progress': progress, 'steps': int(steps),
            'speed': speed, 'steering_angle': steering, 'track_width': width,
            'track_length': length, 'waypoints': self._waypoints[int(course)],
            'closest_waypoints': [here, here + 1], 'closest_objects': [int(behind), int(ahead)],
            'objects_distance': [], 'objects_heading': [], 'objects_left_of_center': [],
            'objects_location': [], 'objects_speed': [], 'projection_distance': s_m,
            'object_in_camera': sees != 0.0, 'objects_distance_from_center': [],
            'sim_time': time_s,
        }
