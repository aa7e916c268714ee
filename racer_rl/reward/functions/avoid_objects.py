"""Reward speed along the track, less of it the nearer the car is to an object in its own lane.

Teaches: to pass boxes and slower cars on the other side of the centre line, early enough for a
smooth change of lanes. Without objects it is a plain reward for getting along on the track.
Weakness: it sees one object at a time, the next one ahead, and a lane is half of the track,
however far to the side the object stands.
"""

import math

CAREFUL_WITHIN_M = 1.5


def reward_function(params):
    if params['is_offtrack'] or params['is_crashed']:
        return 0.001
    speed_mps = speed_along_track(params)
    return max(0.001, speed_mps * share_of_free_road(params))


def share_of_free_road(params):
    """1 with nothing near in this lane, 0 right behind an object."""
    if not params['objects_distance']:
        return 1.0
    length_m = params['track_length']
    gaps_m = [(distance - params['projection_distance']) % length_m
              for distance in params['objects_distance']]
    gap_m = min(gaps_m)
    is_left = params['objects_left_of_center'][gaps_m.index(gap_m)]
    if is_left != params['is_left_of_center']:
        return 1.0
    return min(1.0, gap_m / CAREFUL_WITHIN_M)


def speed_along_track(params):
    """The part of the speed that leads from the waypoint behind to the one ahead."""
    behind, ahead = (params['waypoints'][index] for index in params['closest_waypoints'])
    track_rad = math.atan2(ahead[1] - behind[1], ahead[0] - behind[0])
    return params['speed'] * math.cos(math.radians(params['heading']) - track_rad)
