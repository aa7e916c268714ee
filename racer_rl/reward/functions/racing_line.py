"""Reward speed along the track near a racing line, which is worked out from the waypoints.

Teaches: to enter a bend wide, touch its inside and leave it wide, which keeps the bend gentle and
the car fast. The line is worked out at the first call, which takes a moment. Weakness: the car
learns this line and no better one, and the line knows nothing of tyres, nor of how wide the track
is.
"""

import math

import numpy as np

WIDEST_M = 0.25  # from the centre; more where the track is wide enough for you
POINT_EVERY_M = 0.5
ROUNDS = 1000

_lines: dict[tuple[float, ...], list[float]] = {}


def reward_function(params):
    if params['is_offtrack'] or params['is_crashed']:
        return 0.001
    waypoints = params['waypoints']
    track = (*waypoints[0], *waypoints[1])  # and direction: as good as a name
    if track not in _lines:
        _lines[track] = offsets_of_line(waypoints)

    side = 1.0 if params['is_left_of_center'] else -1.0
    wanted_m = _lines[track][params['closest_waypoints'][0]]
    off_line_m = abs(side * params['distance_from_center'] - wanted_m)
    share_of_half_width = off_line_m / (params['track_width'] / 2.0)
    return max(0.001, speed_along_track(params) * (1.0 - share_of_half_width**2))


def offsets_of_line(waypoints):
    """How far left of each waypoint the line passes, in metres.

    It bends as little as it can, like a springy band between walls: in every round each point
    gives way to the change of bend at its place.
    """
    every = max(1, round(POINT_EVERY_M / math.dist(waypoints[0], waypoints[1])))
    chosen = range(0, len(waypoints) - 1, every)  # the last waypoint repeats the first
    centre = np.array([waypoints[index] for index in chosen])
    along = np.roll(centre, -1, axis=0) - np.roll(centre, 1, axis=0)
    to_left = np.column_stack((-along[:, 1], along[:, 0])) / np.hypot(*along.T)[:, None]
    one = np.eye(len(centre))
    bend = np.roll(one, 1, axis=0) - 2.0 * one + np.roll(one, -1, axis=0)
    change = bend @ bend  # times points: how the bend changes at each of them
    by_centre = (to_left * (change @ centre)).sum(axis=1)
    by_offsets = change * (to_left @ to_left.T)
    offsets_m = np.zeros(len(centre))
    for _ in range(ROUNDS):
        offsets_m -= (by_centre + by_offsets @ offsets_m) / 10.0
        offsets_m = np.clip(offsets_m, -WIDEST_M, WIDEST_M)
    every_waypoint = np.arange(len(waypoints) - 1)
    return np.interp(every_waypoint, chosen, offsets_m, period=len(waypoints) - 1).tolist()


def speed_along_track(params):
    """The part of the speed that leads from the waypoint behind to the one ahead."""
    behind, ahead = (params['waypoints'][index] for index in params['closest_waypoints'])
    track_rad = math.atan2(ahead[1] - behind[1], ahead[0] - behind[0])
    return params['speed'] * math.cos(math.radians(params['heading']) - track_rad)
