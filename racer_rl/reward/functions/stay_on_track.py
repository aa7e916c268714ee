"""Reward speed along the track, as long as all four wheels are on it.

Teaches: where the borders are, leaving the line between them free. A good start for a new track.
Weakness: one wheel over the line costs as much as a crash, so the car keeps away from the inside
of bends, where a racing line would touch it.
"""

import math


def reward_function(params):
    if not params['all_wheels_on_track']:
        return 0.001
    return max(0.001, speed_along_track(params))


def speed_along_track(params):
    """The part of the speed that leads from the waypoint behind to the one ahead."""
    behind, ahead = (params['waypoints'][index] for index in params['closest_waypoints'])
    track_rad = math.atan2(ahead[1] - behind[1], ahead[0] - behind[0])
    return params['speed'] * math.cos(math.radians(params['heading']) - track_rad)
