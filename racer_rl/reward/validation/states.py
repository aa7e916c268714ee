"""Moments of driving, by the thousand, and its corners: what a reward function has to bear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_rl.reward.params import CAR, Numbers, ParamsBuilder, Waypoints
from racer_sim.bodies import Box
from racer_sim.courses import courses_of
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.track import Track
from racer_vehicle.spec import CarSpec

CARS: Final = 24
STEPS: Final = 40
OBJECTS: Final = (0, 1, 6)
HOLD_STEPS: Final = 6

FASTEST_MPS: Final = 4.0

_START: Final = {'steps': 1.0, 'time_s': 0.066, 'progress': 0.0, 's_m': 0.0, 'segment': 0.0}

CORNERS: Final = (
    {**_START, 'speed': 0.0, 'steering': 0.0, 'lateral': 0.0, 'heading': 0.0, 'x': 0.0, 'y': 0.0},
    {'speed': 0.0}, {'speed': FASTEST_MPS}, {'steering': -30.0}, {'steering': 0.0},
    {'steering': 30.0}, {'heading': -180.0}, {'heading': 0.0}, {'heading': 180.0},
    {'lateral': 0.0}, {'lateral': 5.0, 'wheels': 0.0}, {'lateral': -5.0, 'wheels': 0.0},
    {'wheels': 2.0}, {'is_crashed': 1.0}, {'is_reversed': 0.0}, {'is_reversed': 1.0},
    {'progress': 0.0}, {'progress': 100.0}, {'steps': 2.0}, {'steps': 2727.0, 'time_s': 180.0},
    {'x': 0.0, 'y': 0.0},
)
"""What is changed in measured cars; all but the first and last keep what fits together."""


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """Steps to be paid one after the other, by one instance of the function for each car.

    Attributes:
        waypoints: Of every course.
        steps: Numbers of `CARS` cars each; episodes begin with `steps` 1 and run on.
    """

    waypoints: tuple[Waypoints, ...]
    steps: tuple[Numbers, ...]


def collect_states(tracks: Sequence[Track], seed: int = 0) -> States:
    """Drive on tracks, in both directions, among no, one and six objects.

    Args:
        tracks: At least one.
        seed: Of the driving.

    Returns:
        The corners first.
    """
    waypoints: list[Waypoints] = []
    corners, driven = [], []
    for track in tracks:
        first = len(waypoints)
        for objects in OBJECTS:
            simulator = _simulator(track, objects, seed)
            builder = ParamsBuilder(simulator)
            if objects == OBJECTS[0]:
                waypoints += builder.waypoints
            steps = _drive(simulator, builder, np.random.default_rng((seed, objects)))
            for numbers in steps:
                numbers.cars[CAR.index('course')] += first
            corners += [_changed(steps[0], corner) for corner in CORNERS]
            driven += steps
    return States(waypoints=tuple(waypoints), steps=(*corners, *driven))


def _simulator(track: Track, objects: int, seed: int) -> Simulator:
    boxes = []
    for share in np.arange(objects) / max(objects, 1):
        lateral_m = 0.2 if round(share * objects) % 2 else -0.2
        x, y, yaw = track.pose_at(share * track.length_m + 1.0, lateral_m)
        boxes.append(Box(x_m=float(x), y_m=float(y), yaw_rad=float(yaw)))
    config = SimulatorConfig(cars=CARS, boxes=tuple(boxes))
    return Simulator(courses_of([track], 'both'), CarSpec(), config, seed)


def _drive(simulator: Simulator, builder: ParamsBuilder,
           random: np.random.Generator) -> list[Numbers]:
    """Whims from standing still to full speed; some begin off the track or face the wrong way."""
    simulator.reset()
    cars = np.arange(CARS)
    lateral = np.where(cars % 6 == 5, random.uniform(1.3, 2.0, CARS), random.uniform(-1, 1, CARS))
    turned = np.where(cars % 6 == 4, np.pi, random.uniform(-0.5, 0.5, CARS))
    simulator.place(cars, simulator.course_of.copy(),
                    random.uniform(0, 1, CARS) * simulator.length_m, lateral, turned)
    steps = []
    for step in range(STEPS):
        if step % HOLD_STEPS == 0:
            commands = _whims(random)
        ended = np.flatnonzero(simulator.step(commands).ended)
        steps.append(builder.measure())
        if ended.size:
            simulator.reset(ended)
    return steps


def _whims(random: np.random.Generator) -> NDArray[np.float64]:
    steering_rad = random.uniform(-0.5, 0.5, CARS)
    speed_mps = random.choice((0.0, 1.0, 2.0, FASTEST_MPS), CARS)
    return np.column_stack((steering_rad, speed_mps))


def _changed(numbers: Numbers, changes: dict[str, float]) -> Numbers:
    cars = numbers.cars.copy()
    for name, value in {'steps': 1.0, **changes}.items():
        cars[CAR.index(name)] = value
    return Numbers(cars, numbers.objects)
