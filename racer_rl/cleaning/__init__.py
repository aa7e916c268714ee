"""Frees space and ends what was left behind, without losing anything that is needed."""
