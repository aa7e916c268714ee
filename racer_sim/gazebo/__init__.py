"""Gazebo as a simulator: the car and the track in its format, and the way to a running server."""
