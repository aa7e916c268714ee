"""A little for every step on the track, a lot for the lap, remembered across the steps."""


class Memory:
    best_steps = None


def reward_function(params):
    if params['is_offtrack']:
        return 1e-3
    reward = 0.1 + params['speed'] * 0.2
    if params['progress'] >= 100.0:
        if Memory.best_steps is None or params['steps'] < Memory.best_steps:
            Memory.best_steps = params['steps']
            reward += 50.0
        reward += 50.0
    return reward
