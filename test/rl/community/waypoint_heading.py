"""Pointing the way that the nearest two waypoints point."""

import math

TOLERANCE_DEG = 10.0


def reward_function(params):
    waypoints = params['waypoints']
    last, following = (waypoints[i] for i in params['closest_waypoints'])
    track_deg = math.degrees(math.atan2(following[1] - last[1], following[0] - last[0]))
    off_deg = abs(track_deg - params['heading'])
    if off_deg > 180.0:
        off_deg = 360.0 - off_deg
    return 1.0 if off_deg <= TOLERANCE_DEG else 0.5
