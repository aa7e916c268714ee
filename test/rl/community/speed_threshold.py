"""Full pay above a speed, some below, next to none off the track."""

FAST_MPS = 1.0


def reward_function(params):
    if not params['all_wheels_on_track']:
        reward = 1e-3
    elif params['speed'] < FAST_MPS:
        reward = 0.5
    else:
        reward = 1.0
    return reward
