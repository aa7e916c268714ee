"""Near the centre, and less of it for steering hard."""

STEERING_LIMIT_DEG = 15


def reward_function(params):
    near = max(1e-3, 1.0 - 2.0 * params['distance_from_center'] / params['track_width'])
    if abs(params['steering_angle']) > STEERING_LIMIT_DEG:
        near *= 0.8
    return float(near)
