"""The conditions of each car's episode: what was drawn of a randomisation, ready for the kernels.

One car, one row of `CONDITION`: every range of `Randomization` by its name with the value that was
drawn, and where on the lens and the map the marks and shadows are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.randomization import NAMES, NONE, Randomization
from racer_sim.vehicle import GRAVITY_MPS2, SUBSTEP_S, SUBSTEPS
from racer_vehicle.spec import CameraSpec

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Records = NDArray[np.void]

PLACES: Final = ('slope_to', 'shadow_to', 'shadow_at', 'shadow_period', 'smudge_u', 'smudge_v',
                 'smudge_size', 'smudge_level', 'scratch_u', 'scratch_lean')
"""Where things are, each drawn evenly from 0 to 1."""

CONDITION: Final = np.dtype([(name, 'f8') for name in (*NAMES, *PLACES)])


class Conditions:
    """What was drawn for the running episodes of N cars, and what it does to their physics.

    Attributes:
        rows: `CONDITION`, (N,).
        driven_s: float64 (N,), seconds since each episode began.
        parameters: vehicle `PARAMETERS`, (N,), with what the battery still gives; see `wear`.
        are_neutral: Whether every car is as specified in every episode: nothing is ever drawn.
    """

    def __init__(self, randomizations: Sequence[Randomization], as_specified: Records) -> None:
        """Begin with everything as specified.

        Args:
            randomizations: At least one; car k draws from the k-th, in rotation.
            as_specified: vehicle `PARAMETERS`, (N,).
        """
        cars = len(as_specified)
        ends = np.array([one.ends for one in randomizations])
        mine = np.arange(cars) % len(randomizations)
        self._low, self._width = ends[mine, 0], ends[mine, 1] - ends[mine, 0]
        self.are_neutral = all(one.is_neutral for one in randomizations)
        neutral = (*NONE.ends[0], *(0.0 for _ in PLACES))
        self.rows = np.full(cars, np.array(neutral, dtype=CONDITION))
        self.driven_s = np.zeros(cars)
        self._as_specified = as_specified
        self._full_battery, self.parameters = as_specified.copy(), as_specified.copy()

    def draw(self, cars: Indices, random: np.random.Generator) -> None:
        """Draw anew for cars (K,) whose episodes begin."""
        evenly = random.random((len(cars), len(CONDITION.names or ())))
        ranges = slice(len(NAMES))
        evenly[:, ranges] = self._low[cars] + evenly[:, ranges] * self._width[cars]
        self.rows.view(np.float64).reshape(len(self.rows), -1)[cars] = evenly
        self.take_effect(cars)

    def take_effect(self, cars: Indices) -> None:
        """Let `rows` of cars (K,) be what their physics goes by."""
        self._full_battery[cars] = changed_vehicle(self._as_specified[cars], self.rows[cars])
        self.parameters[cars] = self._full_battery[cars]

    def wear(self, seconds: float) -> None:
        """Let time pass: batteries sag."""
        left = np.maximum(1.0 - self.rows['battery_sag'] * self.driven_s / 60.0, 0.1)
        for name in ('stall_accel_mps2', 'no_load_speed_mps'):
            self.parameters[name] = self._full_battery[name] * left
        self.driven_s += seconds

    def received(self, commands: Floats, before: Floats, random: np.random.Generator) -> Floats:
        """The commands (N, 2), or those before of cars whose frame was lost on its way."""
        lost = random.random(len(commands)) < self.rows['frame_drop']
        return np.where(lost[:, None], before, commands)

    def delays(self, age_substeps: Indices, random: np.random.Generator) -> Indices:
        """Image ages of a period: the episodes' (N,), their latency and its jitter, sub-steps."""
        jitter_s = random.uniform(-1.0, 1.0, len(age_substeps)) * self.rows['jitter_s']
        more = np.rint((self.rows['latency_s'] + jitter_s) / SUBSTEP_S)
        return np.clip(age_substeps + more.astype(np.int64), 0, 2 * SUBSTEPS - 1)


def changed_vehicle(as_specified: Records, rows: Records) -> Records:
    """What physics makes of conditions.

    Args:
        as_specified: vehicle `PARAMETERS`, (K,).
        rows: `CONDITION`, (K,).

    Returns:
        vehicle `PARAMETERS`, (K,).
    """
    changed = as_specified.copy()
    changed['friction'] *= rows['friction']
    for name in ('stall_accel_mps2', 'brake_accel_mps2'):  # the motor brakes, too
        changed[name] *= rows['motor'] / rows['mass']
    changed['speed_scale'] = rows['wheel_radius']
    changed['steering_trim_rad'] = rows['steering_trim_rad']
    changed['steering_play_rad'] = rows['steering_play_rad']
    pull_mps2, to_rad = GRAVITY_MPS2 * rows['slope'], math.tau * rows['slope_to']
    changed['slope_x_mps2'] = pull_mps2 * np.cos(to_rad)
    changed['slope_y_mps2'] = pull_mps2 * np.sin(to_rad)
    return changed


def apply_to_camera(cameras: Records, spec: CameraSpec, rows: Records, cars: Indices) -> None:
    """Write the cameras' geometry.

    Args:
        cameras: camera `CAMERA`, (N,), written.
        spec: The camera as specified.
        rows: `CONDITION`, (N,).
        cars: int64 (K,), which.
    """
    some = rows[cars]
    half = np.minimum(0.5 * spec.hfov_rad * some['camera_hfov'], 1.4)
    changed = cameras[cars]
    changed['focal_px'] = 0.5 * spec.width_px / np.tan(half)
    changed['x_m'] = spec.x_m + some['camera_x_m']
    changed['y_m'] = spec.y_m + some['camera_y_m']
    changed['z_m'] = spec.z_m + some['camera_z_m']
    changed['pitch_rad'] = spec.pitch_rad + some['camera_pitch_rad']
    changed['yaw_rad'] = some['camera_yaw_rad']
    cameras[cars] = changed
