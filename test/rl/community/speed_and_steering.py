"""Fast on the straight, slow in the bend, told by the steering; NumPy for the curve."""

import numpy as np


def reward_function(params):
    if not params['all_wheels_on_track']:
        return 1e-3
    straightness = np.exp(-np.abs(params['steering_angle']) / 15.0)
    wanted_mps = 0.8 + 1.2 * straightness
    return float(np.clip(1.0 - abs(params['speed'] - wanted_mps) / 2.0, 1e-3, 1.0))
