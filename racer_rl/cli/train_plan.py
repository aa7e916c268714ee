"""From the options of `racer train` to a plan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import typer

from racer_rl.cli.durations import parse_duration
from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import EvaluationPlan
from racer_rl.evaluation.suite import SuitePlan
from racer_rl.reward.library import COMPANY_REWARD, DEFAULT_REWARD
from racer_rl.store.models import ModelFolder
from racer_rl.training.distillation import Distillation
from racer_rl.training.goals import COMPANY_PRACTICE, Goal
from racer_rl.training.hyperparameters import ALGORITHMS, Hyperparameters, load_hyperparameters
from racer_rl.training.networks import find_network
from racer_rl.training.plan import AUTO, Limits, Method, TrainingPlan, find_method
from racer_sim.practice import expand_pool
from racer_sim.race_format import RaceFormat
from racer_sim.randomization import find_randomization
from racer_sim.track_library import find_track, track_names
from racer_vehicle.action import ContinuousActions
from racer_vehicle.errors import ConfigError
from racer_vehicle.metadata import ModelMetadata, TrainingAlgorithm
from racer_vehicle.observation import Sensor
from racer_vehicle.spec import spec_from_dict

DEFAULT_TIME: Final = '10m'

TAUGHT_NOTE: Final = (
    'the model learns from a teacher, which has the settings of FAST for its size: learning_rate, '
    'batch_size and num_epochs count once training is resumed. --method ppo has them count now.')

MANY_COURSES: Final = 8
"""More of them are judged by fewer laps each."""


def plan_limits(goal: Goal, time: str | None, steps: int | None, until_laps: bool,
                until_robust: float | None, early_stop: bool) -> Limits:
    """When a run stops: as was said, or as its goal says."""
    if time is None and steps is None and (goal.steps is None or not until_laps):
        time, steps = goal.time, goal.steps
    if time is None and steps is None:
        return Limits(time_s=parse_duration(DEFAULT_TIME), until_robust=until_robust,
                      until_laps=until_robust is None or until_laps)
    return Limits(
        time_s=float('inf') if time is None else parse_duration(time),
        steps=steps,
        until_laps=until_laps,
        until_robust=until_robust,
        early=early_stop and goal.stops_early and not until_laps,
    )


def capped(limits: Limits, max_time: str | None, max_steps: int | None) -> Limits:
    """The same limits, and these besides: whatever else ends the run, it ends by then."""
    time_s = limits.time_s if max_time is None else min(limits.time_s, parse_duration(max_time))
    steps = [each for each in (limits.steps, max_steps) if each is not None]
    return replace(limits, time_s=time_s, steps=min(steps, default=None))


def evaluation_of(setup: RaceSetup) -> EvaluationPlan:
    """Twelve laps of each course; of many courses, two each; in company, forty.

    There every lap is another one.
    """
    if setup.race.has_company and setup.course_count == 1:
        return EvaluationPlan(laps=5, starts=math.ceil(8 / setup.race.cars) * setup.race.cars)
    many = setup.course_count > MANY_COURSES
    return EvaluationPlan(laps=1, starts=2) if many else EvaluationPlan()


def held_out_of(limits: Limits, *, watched: bool) -> SuitePlan | None:
    """What a run with these limits has to drive elsewhere.

    Args:
        limits: If it stops by that.
        watched: Whether a person is to be told also where it does not.
    """
    if limits.until_robust is not None:
        return SuitePlan(starts=2)
    asked = limits.early or (watched and not limits.until_laps)
    return SuitePlan(single=False, starts=2, tracks=2) if asked else None


def read_metadata(path: Path) -> ModelMetadata:
    """A person's `model_metadata.json`.

    Raises:
        ConfigError: It cannot be read, or something of it cannot be used.
    """
    try:
        return ModelMetadata.from_json(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'cannot read {path} ({error}); give the path of a JSON file.') from None


def new_plan(goal: Goal, limits: Limits, *, tracks: Sequence[str] | None, direction: str | None,
             reward: str | None, compat: bool, algorithm: str | None, method: str,
             network: str | None, metadata: Path | None, hyperparameters: Path | None,
             learning_rate: float | None, max_speed: float | None, randomization: str | None,
             seed: int, race: RaceFormat, lidar: bool | None) -> TrainingPlan:
    """The plan of a new model; what is None comes from the goal, and from the kind of race.

    A race that has company wants a goal that is in it: see `Goal.in_company`.

    Raises:
        ConfigError: Something of it cannot be used.
    """
    usual = COMPANY_REWARD if race.has_company else DEFAULT_REWARD
    setup = RaceSetup(track=resolved_tracks(tracks or goal.tracks), compat=compat,
                      direction=direction or goal.direction, reward=reward or usual,
                      network=find_network(network or goal.network).name, race=race,
                      randomization=(goal.conditions if randomization is None
                                     else find_randomization(randomization)))
    if metadata is None:
        fastest = goal.max_speed_mps if max_speed is None else max_speed
        scans = race.has_company if lidar is None else lidar
        setup = replace(setup, actions=ContinuousActions(speed_high_mps=fastest), sensors=(
            Sensor.FRONT_FACING_CAMERA, *((Sensor.LIDAR,) if scans else ())))
    else:
        given = read_metadata(metadata)
        algorithm = given.training_algorithm.value
        setup = replace(setup, actions=given.action_space, sensors=given.sensors,
                        lidar=given.lidar, network=given.neural_network)
    if method == AUTO and algorithm != Method.SAC:
        method = goal.method
    chosen = find_method(method, algorithm, setup.network)
    settings, notes = load_hyperparameters(
        hyperparameters, chosen.algorithm, setup.network,
        goal.settings_for(setup.network, chosen.algorithm))
    taught_by_size = chosen is Method.DISTILL and find_network(setup.network).convolutions
    if taught_by_size and hyperparameters is not None:
        notes = (*notes, TAUGHT_NOTE)
    for note in notes:
        typer.echo(f'note: {note}', err=True)
    if learning_rate is not None:
        settings = replace(settings, learning_rate=learning_rate)
    setup = replace(setup, stack=settings.stack_size)
    setup.metadata(TrainingAlgorithm(settings.ALGORITHM))
    return TrainingPlan(setup=setup, hyperparameters=settings, limits=limits, seed=seed,
                        evaluation=evaluation_of(setup),
                        held_out=held_out_of(limits, watched=goal.stops_early),
                        distillation=distillation_of(chosen, setup))


def resumed_plan(folder: ModelFolder, limits: Limits) -> TrainingPlan:
    """The plan that a model was begun with, and new limits."""
    run = folder.run
    return TrainingPlan(
        setup=folder.setup, hyperparameters=settings_of(folder), limits=limits, seed=run['seed'],
        evaluation=evaluation_of(folder.setup), held_out=held_out_of(limits, watched=True),
        distillation=distillation_of(run.get('method'), folder.setup),
    )


def settings_of(folder: ModelFolder) -> Hyperparameters:
    """The settings that a model was begun with."""
    kind = ALGORITHMS[folder.metadata.training_algorithm]
    return spec_from_dict(kind, folder.run['hyperparameters'])


def distillation_of(method: str | None, setup: RaceSetup) -> Distillation | None:
    """How a model of this method learns from a teacher; None: it does without."""
    if method != Method.DISTILL:
        return None
    return Distillation(practice_share=COMPANY_PRACTICE if setup.race.has_company else 0.0)


def resolved_tracks(given: Sequence[str]) -> tuple[str, ...]:
    """Names of tracks, looked up; a file by its whole path, so that --resume finds it anywhere."""
    if not given:
        known = ', '.join(name for name, _ in track_names())
        raise ConfigError(f'no --track was given; name at least one of: {known}; or a file.')
    names = [name for one in given for name in expand_pool(one)]
    for one in names:
        find_track(one)
    return tuple(str(Path(one).resolve()) if Path(one).suffix else one for one in names)
