"""The policies whose decisions are timed: a model's, a file's, or untrained ones of a network."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.envs.build import RaceSetup
from racer_vehicle.policy import PolicyBundle

NETWORKS: Final = ('FAST', 'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW')
"""The default network, and DeepRacer's of three layers."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A policy and what it is called in the report."""

    name: str
    bundle: PolicyBundle


def subjects_of(model: str | None, networks: Sequence[str], int8: bool) -> tuple[Subject, ...]:
    """What is to be timed.

    Args:
        model: Of the store, or a file `*.racer`; None: untrained policies.
        networks: Of the untrained ones, by name in the catalogue.
        int8: Each also with 8-bit weights.

    Raises:
        RacerError: There is no such model, file or network, or it cannot be used.
    """
    plain = ([Subject(model, _bundle(model))] if model
             else [Subject(name, untrained(name)) for name in networks])
    if not int8:
        return tuple(plain)
    from racer_rl.quantization import quantized

    return tuple(Subject(subject.name, bundle) for subject in plain
                 for bundle in (subject.bundle, quantized(subject.bundle)))


def untrained(network: str) -> PolicyBundle:
    """A policy with the weights that a training begins with.

    Args:
        network: Its name in the catalogue.

    Raises:
        UnknownNameError: There is no such network.
    """
    from racer_rl.envs.build import build_batch
    from racer_rl.envs.vector import RaceVecEnv
    from racer_rl.export import Origin, make_bundle
    from racer_rl.training.algorithms import build_model
    from racer_rl.training.hyperparameters import PPOHyperparameters
    from racer_rl.training.networks import find_network

    setup = RaceSetup(network=find_network(network).name)
    settings = PPOHyperparameters(n_envs=1, n_steps=64, batch_size=64)
    env = RaceVecEnv(build_batch(setup, cars=1, seed=0))
    try:
        model = build_model(settings, setup.network, env, 0)
        return make_bundle(model, Origin(model='untrained', setup=setup, reward_sha256='0' * 64,
                                         seed=0, versions={}))
    finally:
        env.close()


def _bundle(model: str) -> PolicyBundle:
    if model.endswith('.racer'):
        return PolicyBundle.read(Path(model))
    from racer_rl.export import export_bundle
    from racer_rl.store.models import open_model

    with tempfile.TemporaryDirectory(prefix='racer-bench-') as folder:
        return export_bundle(open_model(model), Path(folder) / 'policy.racer')
