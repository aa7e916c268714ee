"""Environments: the batch, and its faces for Gymnasium and Stable-Baselines3.

Importing this package registers `racer/Racer-v0`; `gymnasium.make('racer_rl.envs:racer/Racer-v0')`
does both at once.
"""

import gymnasium

gymnasium.register(id='racer/Racer-v0', entry_point='racer_rl.envs.gym:RacerEnv')
