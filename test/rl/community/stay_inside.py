"""A point while all wheels are inside and the border is not too close."""


def reward_function(params):
    to_border = 0.5 * params['track_width'] - params['distance_from_center']
    if params['all_wheels_on_track'] and to_border >= 0.05:
        return 1.0
    return 1e-3
