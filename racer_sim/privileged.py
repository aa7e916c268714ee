"""The privileged observation: what only a critic or a teacher may know of simulated cars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from racer_sim import vehicle
from racer_sim.encounters import told
from racer_sim.placement import bends_ahead

if TYPE_CHECKING:
    from racer_sim.simulator import Simulator

LOOK_AHEAD_M: Final = np.array([0.2, 0.4, 0.7, 1.0, 1.4, 1.9, 2.5, 3.3, 4.3])
"""Distances at which the privileged observation tells how far the course has turned."""

PRIVILEGED_SIZE: Final = 15 + len(LOOK_AHEAD_M)
"""Values of one car that is alone; in company, those of `told` follow."""


def truth_of(cars: Simulator) -> NDArray[np.float32]:
    """Float32 (N, privileged_size), values of about one each.

    Offset over half width, half widths, sine and cosine of the heading error, velocities, wheel
    angle, last command, image age, the bends of `LOOK_AHEAD_M`, and of the episode's conditions:
    friction, motor, wheel radius and steering trim; in company, what `told` says.

    Args:
        cars: As they are now.
    """
    state, places, some = cars.state, cars.places, cars.conditions.rows
    half = np.where(places['lateral_m'] > 0.0, places['left_m'], places['right_m'])
    error = places['heading_error_rad']
    columns = (
        places['lateral_m'] / half, places['left_m'] + places['right_m'],
        np.sin(error), np.cos(error),
        state['vx_mps'] / 2.0, state['vy_mps'], state['yaw_rate_radps'] / 4.0,
        state['steering_rad'] * 2.0, cars.commands[:, 0] * 2.0, cars.commands[:, 1] / 2.0,
        cars.age_substeps / vehicle.SUBSTEPS,
    )
    drawn = (
        2.0 * (some['friction'] - 1.0), some['motor'] / some['mass'] - 1.0,
        5.0 * (some['wheel_radius'] - 1.0), 10.0 * some['steering_trim_rad'],
    )
    bends = bends_ahead(places, cars.course_of, LOOK_AHEAD_M, cars.geometry)
    truth = np.column_stack((*columns, bends, *drawn)).astype(np.float32)
    if not cars.has_company:
        return truth
    return np.concatenate((truth, told(cars.met(), places, state)), axis=1)
