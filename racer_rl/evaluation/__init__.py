"""Measuring a policy: laps, what went wrong, and pictures of both."""
