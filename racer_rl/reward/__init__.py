"""Reward functions: the parameters they see, loading them, and a few to start from."""
