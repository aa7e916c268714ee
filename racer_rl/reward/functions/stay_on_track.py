"""Reward having all four wheels on the track, and a little more for more speed.

Teaches: where the borders are, leaving the line between them free. A good start for a new track.
Weakness: driving on the track in circles, or the wrong way round, earns as much as racing, and one
wheel over the line costs as much as a crash.
"""


def reward_function(params):
    if not params['all_wheels_on_track']:
        return 0.001
    return 1.0 + 0.25 * params['speed']
