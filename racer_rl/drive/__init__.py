"""Driving a trained model through the car's own nodes, on a machine without a ROS installation."""
