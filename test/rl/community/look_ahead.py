"""Speed, by how well the wheels point at a waypoint some way ahead."""

import math

POINTS_AHEAD = 6


class Car:
    def __init__(self, params):
        self.x, self.y = params['x'], params['y']
        self.pointing = params['heading'] + params['steering_angle']

    def bearing_error(self, point):
        wanted = math.degrees(math.atan2(point[1] - self.y, point[0] - self.x))
        return (wanted - self.pointing + 180.0) % 360.0 - 180.0


def reward_function(params):
    if params['is_offtrack'] or params['is_crashed']:
        return 1e-3
    waypoints = params['waypoints']
    aim = waypoints[(params['closest_waypoints'][1] + POINTS_AHEAD) % len(waypoints)]
    error = Car(params).bearing_error(aim)
    return max(1e-3, params['speed'] * math.cos(math.radians(error)))
