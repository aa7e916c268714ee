"""From the options of `racer clone` and `racer train --from` to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import typer

from racer_rl.cli.train_plan import (
    distillation_of,
    evaluation_of,
    held_out_of,
    read_metadata,
    resolved_tracks,
    settings_of,
)
from racer_rl.envs.build import RaceSetup
from racer_rl.reward.library import find_reward
from racer_rl.store.models import ModelFolder, model_folder
from racer_rl.training.clone import Parent, clone
from racer_rl.training.hyperparameters import (
    Hyperparameters,
    PPOHyperparameters,
    load_hyperparameters,
)
from racer_rl.training.networks import find_network
from racer_rl.training.plan import Limits, TrainingPlan
from racer_sim.race_format import RaceFormat
from racer_sim.randomization import find_randomization
from racer_vehicle.action import ActionSpec, DiscreteActions
from racer_vehicle.errors import ConfigError
from racer_vehicle.observation import Sensor
from racer_vehicle.spec import spec_as_dict

RADICAL: Final = 0.5
"""Below this rank correlation two rewards disagree about which episodes were the better ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a clone is to have of its own; None: as its parent.

    Attributes:
        tracks: Names or files.
        direction: `forward`, `reverse` or `both`.
        reward: Name of an included function, or a path.
        compat: Whether the reward sees DeepRacer's old values.
        hyperparameters: A JSON file.
        learning_rate: Instead of the file's.
        randomization: Profile or file.
        race: Who and what is on the track.
        seed: Of what comes.
        network: Only what the parent has; so the others below.
        metadata: A `model_metadata.json`.
        algorithm: `ppo` or `sac`.
        max_speed: m/s.
    """

    tracks: Sequence[str] | None = None
    direction: str | None = None
    reward: str | None = None
    compat: bool | None = None
    hyperparameters: Path | None = None
    learning_rate: float | None = None
    randomization: str | None = None
    race: RaceFormat | None = None
    seed: int | None = None
    network: str | None = None
    metadata: Path | None = None
    algorithm: str | None = None
    max_speed: float | None = None


def clone_plan(name: str, parent: Parent, changes: Changes, limits: Limits,
               ) -> tuple[Parent, TrainingPlan]:
    """What a clone is trained for, and what it takes over.

    Args:
        name: Of the clone, for messages.
        parent: As asked for.
        changes: Of what the parent was trained for.
        limits: When to stop.

    Returns:
        The parent, with the spread of its actions reset if another `init_std` is given; the plan.

    Raises:
        ConfigError: A change cannot be made to a trained network, or a value cannot be used.
    """
    setup, before = parent.folder.setup, settings_of(parent.folder)
    _refuse_other_network(name, parent.folder, setup, before, changes)
    settings = _settings(changes, parent.folder, before)
    _require_same(name, parent.folder, 'a stack of', str(settings.stack_size),
                  str(before.stack_size), 'leave stack_size out')
    setup = replace(
        setup,
        track=setup.track if changes.tracks is None else resolved_tracks(changes.tracks),
        direction=changes.direction or setup.direction,
        reward=changes.reward or setup.reward,
        race=changes.race or setup.race,
        compat=setup.compat if changes.compat is None else changes.compat,
        randomization=(setup.randomization if changes.randomization is None
                       else find_randomization(changes.randomization)))
    seed = parent.folder.run['seed'] if changes.seed is None else changes.seed
    std = None
    if isinstance(settings, PPOHyperparameters) and isinstance(before, PPOHyperparameters) and (
            settings.init_std != before.init_std):
        std = settings.init_std
    plan = TrainingPlan(setup=setup, hyperparameters=settings, limits=limits, seed=seed,
                        evaluation=evaluation_of(setup),
                        held_out=held_out_of(limits, watched=True))
    return replace(parent, std=std), plan


def make_clone(name: str, parent: Parent, changes: Changes, limits: Limits) -> ModelFolder:
    """Begin the clone, and say if another reward is to pay it than its parent knew.

    Args:
        name: Of the clone.
        parent: As asked for.
        changes: Of what the parent was trained for.
        limits: When its training is to stop.

    Raises:
        RacerError: A change cannot be made, the name is taken, or the parent is not there.
    """
    parent, plan = clone_plan(name, parent, changes, limits)
    warn_of_reward(parent.folder, plan)
    return clone(parent, model_folder(name).path, plan)


def warn_of_reward(parent: ModelFolder, plan: TrainingPlan) -> None:
    """Say if the parent learnt to please another reward than the one that will pay its clone."""
    reward = find_reward(plan.setup.reward)
    if reward.sha256 == parent.run['reward']['sha256']:
        return
    from racer_rl.analysis.agreement import reward_agreement

    agreement = reward_agreement(parent, reward)
    if agreement is None:
        typer.echo(f'note: {parent.name} kept no episodes by which to compare the rewards.',
                   err=True)
    elif agreement < RADICAL:
        typer.echo(
            f'warning: the new reward likes other episodes of {parent.name} than the old one did '
            f'(rank correlation {agreement:.2f}; 1 is the same order, 0 none): what the model '
            'knows may be in its way. If it does not get better soon, train a new one with this '
            'reward.', err=True)


def _settings(changes: Changes, parent: ModelFolder, before: Hyperparameters) -> Hyperparameters:
    """The parent's, with the changes; a model that has practised is never thrown back."""
    taught = distillation_of(parent.run.get('method'), parent.setup)
    if taught is not None and taught.practises:
        before = replace(before, learning_rate=taught.practice_rate)
        if changes.learning_rate is None:
            typer.echo(f'note: {parent.name} practised at a rate of {taught.practice_rate:g}, and '
                       'so does its clone; --learning-rate sets another.', err=True)
    settings, notes = load_hyperparameters(changes.hyperparameters, before.ALGORITHM,
                                           parent.setup.network, spec_as_dict(before))
    for note in notes:
        typer.echo(f'note: {note}', err=True)
    if changes.learning_rate is not None:
        settings = replace(settings, learning_rate=changes.learning_rate)
    return settings


def _refuse_other_network(name: str, parent: ModelFolder, setup: RaceSetup,
                          before: Hyperparameters, changes: Changes) -> None:
    if changes.network is not None:
        _require_same(name, parent, 'network', find_network(changes.network).name, setup.network,
                      'leave --network out')
    if changes.algorithm is not None:
        _require_same(name, parent, 'algorithm', _short(changes.algorithm),
                      _short(before.ALGORITHM), 'leave --algorithm out')
    if changes.max_speed is not None:
        fastest = _fastest_mps(setup.actions)
        _require_same(name, parent, 'actions up to', f'{changes.max_speed:g} m/s',
                      f'{fastest:g} m/s', 'leave --max-speed out')
    if changes.metadata is None:
        return
    given = read_metadata(changes.metadata)
    remedy = f'leave --metadata out, or correct {changes.metadata.name}'
    for what, wanted, has in (
        ('sensors', _words(given.sensors), _words(setup.sensors)),
        ('actions', actions_in_words(given.action_space), actions_in_words(setup.actions)),
        ('network', given.neural_network, setup.network),
        ('algorithm', _short(given.training_algorithm), _short(before.ALGORITHM)),
        ('lidar sectors', str(given.lidar), str(setup.lidar)),
    ):
        _require_same(name, parent, what, wanted, has, remedy)
    if given.action_space != setup.actions:
        raise _fixed(name, parent, 'this action space', 'its own', remedy)


def _require_same(name: str, parent: ModelFolder, what: str, wanted: str, has: str,
                  remedy: str) -> None:
    if wanted != has:
        raise _fixed(name, parent, f'{what} {wanted}', has, remedy)


def _fixed(name: str, parent: ModelFolder, wanted: str, has: str, remedy: str) -> ConfigError:
    return ConfigError(
        f'{name!r} cannot have {wanted}: a clone begins with the weights of {parent.name!r}, that '
        f'were made for {has}; sensors, network and actions stay as they are. To clone, {remedy}; '
        f'to have it otherwise, train a new model: racer train --name {name}.')


def actions_in_words(actions: ActionSpec) -> str:
    """An action space in a few words."""
    if isinstance(actions, DiscreteActions):
        return f'{len(actions)} discrete, up to {_fastest_mps(actions):g} m/s'
    return f'continuous, {actions.speed_low_mps:g} to {actions.speed_high_mps:g} m/s'


def _fastest_mps(actions: ActionSpec) -> float:
    return (max(actions.speed_mps) if isinstance(actions, DiscreteActions)
            else actions.speed_high_mps)


def _short(algorithm: str) -> str:
    return algorithm.removeprefix('clipped_')


def _words(sensors: Sequence[Sensor]) -> str:
    return ' and '.join(sensors)
