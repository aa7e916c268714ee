"""Learning to race, and everything around a model."""
