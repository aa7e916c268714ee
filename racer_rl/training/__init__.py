"""Training on Stable-Baselines3: networks, policies, settings, algorithms, checkpoints."""
