"""Progress per step so far, and more every hundred steps for being ahead of a schedule."""

STEPS_A_LAP = 300


def reward_function(params):
    steps, progress = params['steps'], params['progress']
    reward = progress / steps if steps > 0 else 0.0
    if steps % 100 == 0 and progress > 100.0 * steps / STEPS_A_LAP:
        reward += 10.0
    return float(reward)
