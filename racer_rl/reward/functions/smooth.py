"""Reward speed along the track near its centre, and take some back for every jerk of the steering.

Teaches: to drive so that a real servo and real tyres can follow, which is what carries over to
the car. Weakness: it is timid where a track needs a quick flick, in chicanes and hairpins, and its
three terms pull against each other: change their weights and the style changes.
"""

import math

FULL_LOCK_DEG = 30.0

_last = {'steering_angle': 0.0}


def reward_function(params):
    if params['steps'] <= 1:
        _last['steering_angle'] = params['steering_angle']
    jerk = abs(params['steering_angle'] - _last['steering_angle']) / FULL_LOCK_DEG
    _last['steering_angle'] = params['steering_angle']

    if params['is_offtrack'] or params['is_crashed']:
        return 0.001
    near_centre = max(0.0, 1.0 - params['distance_from_center'] / (params['track_width'] / 2.0))
    return max(0.001, speed_along_track(params) * (0.5 + 0.5 * near_centre) - jerk)


def speed_along_track(params):
    """The part of the speed that leads from the waypoint behind to the one ahead."""
    behind, ahead = (params['waypoints'][index] for index in params['closest_waypoints'])
    track_rad = math.atan2(ahead[1] - behind[1], ahead[0] - behind[0])
    return params['speed'] * math.cos(math.radians(params['heading']) - track_rad)
