"""Reward being near the centre line, most on it, nothing at the border.

Teaches: to stay in the middle, soon and reliably, because every step says how far off the car
is. Weakness: the middle is not the fastest line, and speed earns nothing: a car that dawdles along
the centre collects more steps of reward than one that races.
"""


def reward_function(params):
    if params['is_offtrack'] or params['is_crashed']:
        return 0.001
    share_of_half_width = params['distance_from_center'] / (params['track_width'] / 2.0)
    return max(0.001, 1.0 - share_of_half_width**2)
