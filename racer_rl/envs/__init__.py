"""Environments: the batch, and its faces for Gymnasium and Stable-Baselines3."""


def register() -> None:
    """Make `gymnasium.make('racer/Racer-v0')` work; Gymnasium itself calls this as a plugin.

    Gymnasium is imported here because it loads its plugins while it is being imported itself.
    """
    from gymnasium.envs.registration import register as register_environment

    register_environment(id='racer/Racer-v0', entry_point='racer_rl.envs.gym:RacerEnv')
