"""What learns and races over topics; the only modules of `racer_rl` that import ROS."""
