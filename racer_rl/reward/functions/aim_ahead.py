"""Reward steering towards the centre line a metre ahead, weighed by speed.

Teaches: to look ahead. Aiming at a point beyond the bend cuts the corner as a driver does, so
it comes near a racing line without computing one. Weakness: the distance ahead is a compromise for
the whole track; too short and the car weaves, too long and it cuts across the inside of hairpins.
"""

import math

AHEAD_M = 1.0
WIDEST_ERROR_DEG = 30.0


def reward_function(params):
    if params['is_offtrack'] or params['is_crashed']:
        return 0.001
    aim_x, aim_y = point_ahead(params)
    wanted_deg = math.degrees(math.atan2(aim_y - params['y'], aim_x - params['x']))
    pointing_deg = params['heading'] + params['steering_angle']
    error_deg = abs((wanted_deg - pointing_deg + 180.0) % 360.0 - 180.0)
    return max(0.001, params['speed'] * (1.0 - error_deg / WIDEST_ERROR_DEG))


def point_ahead(params):
    """Follow the waypoints from the next one until they are far enough from the car."""
    waypoints = params['waypoints']
    next_index = params['closest_waypoints'][1]
    for offset in range(len(waypoints)):
        point = waypoints[(next_index + offset) % len(waypoints)]
        if math.dist(point, (params['x'], params['y'])) >= AHEAD_M:
            return point
    return waypoints[next_index]
