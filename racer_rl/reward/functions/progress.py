"""Reward every metre gained along the track, and steady hands a little.

Teaches: to be fast. The metres gained in a step are what a lap time is made of, so the car finds
its own line and its own speed, and driving backwards costs what it loses. Weakness: nothing warns
of the border except the end of the episode, so the first laps come late; where that takes too
long, train with `stay_on_track` first.
"""

POINTS_PER_METRE = 10.0
POINTS_PER_DEGREE_TURNED = 0.005

_last = {'progress': 0.0, 'steering_angle': 0.0}


def reward_function(params):
    if params['steps'] <= 1:
        _last.update(progress=0.0, steering_angle=params['steering_angle'])

    gained_percent = params['progress'] - _last['progress']
    if gained_percent < -50.0:  # over the start line, where progress begins again
        gained_percent += 100.0
    gained_m = gained_percent / 100.0 * params['track_length']
    turned_deg = abs(params['steering_angle'] - _last['steering_angle'])
    _last.update(progress=params['progress'], steering_angle=params['steering_angle'])

    return POINTS_PER_METRE * gained_m - POINTS_PER_DEGREE_TURNED * turned_deg
