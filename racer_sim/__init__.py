"""Tracks, worlds, physics, sensors and race rules: the embedded simulator."""

from racer_sim.kernels import forget_stale

forget_stale()
