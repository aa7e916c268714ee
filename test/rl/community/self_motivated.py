"""Leaves the how to the car: progress per step, times the square of the speed."""


def reward_function(params):
    if params['all_wheels_on_track'] and params['steps'] > 0:
        return params['progress'] / params['steps'] * 100.0 + params['speed'] ** 2
    return 0.01
