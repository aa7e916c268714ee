"""Reward functions to start from, written as a person would write their own; use them by name."""
