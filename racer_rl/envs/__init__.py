"""Environments: the batch, and its faces for Gymnasium and Stable-Baselines3."""

import gymnasium

gymnasium.register(id='racer/Racer-v0', entry_point='racer_rl.envs.gym:RacerEnv')
