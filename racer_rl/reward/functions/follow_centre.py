"""Reward getting along the track near the centre line, most on it, nothing at the border.

Teaches: to stay in the middle, soon and reliably, because every step says how far off the car
is. Speed counts only as far as it leads along the track, so that turning in circles, dawdling and
going the wrong way do not pay. Weakness: the middle is not the fastest line.
"""

import math


def reward_function(params):
    if params['is_offtrack'] or params['is_crashed']:
        return 0.001
    share_of_half_width = params['distance_from_center'] / (params['track_width'] / 2.0)
    return max(0.001, speed_along_track(params) * (1.0 - share_of_half_width**2))


def speed_along_track(params):
    """The part of the speed that leads from the waypoint behind to the one ahead."""
    behind, ahead = (params['waypoints'][index] for index in params['closest_waypoints'])
    track_rad = math.atan2(ahead[1] - behind[1], ahead[0] - behind[0])
    return params['speed'] * math.cos(math.radians(params['heading']) - track_rad)
