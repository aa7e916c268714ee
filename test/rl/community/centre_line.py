"""Three bands around the centre line."""


def reward_function(params):
    off_m = params['distance_from_center']
    width_m = params['track_width']
    for share, reward in ((0.1, 1.0), (0.25, 0.5), (0.5, 0.1)):
        if off_m <= share * width_m:
            return reward
    return 1e-3
