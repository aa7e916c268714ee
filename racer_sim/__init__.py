"""Tracks, worlds, physics, sensors and race rules: the embedded simulator."""
