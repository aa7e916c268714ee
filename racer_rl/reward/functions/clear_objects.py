"""Reward every metre gained along the track, and steer clear of what stands or drives on it.

Teaches: to be fast, to move over early for a box or a slower car, and to pass it with room to
spare. The nearer an object in the car's way, the more is taken, and all of it comes back once the
way is clear again: it only tells sooner what a crash would tell late, and what lap is the best
stays the same (potential-based shaping, A. Ng et al., 1999). A crash costs more than its metres,
but among cars less than among boxes: who fears it too much waits behind them.
Weakness: ways are compared at their offset from the centre line, as if both kept it; in the
middle of a bend a car that cuts it may be told of a danger that is none.
"""

POINTS_PER_METRE = 10.0
POINTS_PER_DEGREE_TURNED = 0.005
POINTS_FOR_A_CLEAR_WAY = 10.0
PRICE_OF_AN_INCIDENT_AMONG_BOXES = 120.0
PRICE_OF_AN_INCIDENT_AMONG_CARS = 60.0

CAREFUL_WITHIN_M = 1.5
CLEAR_BESIDE_M = 0.45
PASSED_M = 0.4

_last = {'progress': 0.0, 'steering_angle': 0.0, 'danger': 0.0}


def reward_function(params):
    danger = greatest_danger(params)
    if params['steps'] <= 1:
        _last.update(progress=0.0, steering_angle=params['steering_angle'], danger=danger)

    gained_percent = params['progress'] - _last['progress']
    if gained_percent < -50.0:  # over the start line, where progress begins again
        gained_percent += 100.0
    gained_m = gained_percent / 100.0 * params['track_length']
    turned_deg = abs(params['steering_angle'] - _last['steering_angle'])
    more_danger = danger - _last['danger']
    _last.update(progress=params['progress'], steering_angle=params['steering_angle'],
                 danger=danger)

    if params['is_crashed'] or params['is_offtrack']:
        return -(PRICE_OF_AN_INCIDENT_AMONG_CARS if any(params['objects_speed'])
                 else PRICE_OF_AN_INCIDENT_AMONG_BOXES)
    return (POINTS_PER_METRE * gained_m - POINTS_PER_DEGREE_TURNED * turned_deg
            - POINTS_FOR_A_CLEAR_WAY * more_danger)


def greatest_danger(params):
    """How much an object is in the car's way: 1 right before it, 0 far away or well beside it."""
    own_m = offset_m(params['distance_from_center'], params['is_left_of_center'])
    dangers = [0.0]
    for at_m, beside_m, is_left in zip(
            params['objects_distance'], params['objects_distance_from_center'],
            params['objects_left_of_center'], strict=True):
        # Until it is passed, an object is ahead; then it is a lap away.
        gap_m = (at_m - params['projection_distance'] + PASSED_M) % params['track_length']
        near = 1.0 - max(gap_m - PASSED_M, 0.0) / CAREFUL_WITHIN_M
        in_the_way = 1.0 - abs(offset_m(beside_m, is_left) - own_m) / CLEAR_BESIDE_M
        if near > 0.0 and in_the_way > 0.0:
            dangers.append(near * in_the_way)
    return max(dangers)


def offset_m(distance_m, is_left):
    """To the left of the centre line."""
    return distance_m if is_left else -distance_m
