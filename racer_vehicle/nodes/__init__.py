"""The car's ROS 2 nodes: the only part of the car's code that knows ROS."""
