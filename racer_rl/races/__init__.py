"""Races: who drives what, by which rules, and what came of it, for anyone to repeat."""
