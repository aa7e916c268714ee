"""The simulator's ROS 2 nodes: the only part of it that knows ROS."""
