"""A model that learns from laps which somebody else drove: from a log's poses and commands.

The simulator puts its car where theirs was, draws what our camera sees there, and the network
learns by regression what their driver chose. That is plain imitation, without the corrections that
a teacher could give on the model's own way; laps that were driven while exploring hold the ways
back to the line as well, because whoever explores strays from it and returns.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import numpy as np
from gymnasium import spaces

from racer_rl.envs.batch import Observation
from racer_rl.envs.build import RaceSetup, build_simulator
from racer_rl.reward.library import DEFAULT_REWARD
from racer_rl.store.community import CommunityModel, readable_metadata, reward_notes
from racer_rl.store.lineage import Kinship, Lineage
from racer_rl.store.locks import staged
from racer_rl.store.models import ModelFolder, model_folder
from racer_rl.traces.log import read_log
from racer_rl.traces.recorded_laps import RecordedLap, best_laps, driven_direction
from racer_rl.traces.roles import Kind
from racer_rl.training.acting import FEW_THREADS, torch_threads
from racer_rl.training.algorithms import RacerPPO
from racer_rl.training.distillation import Distillation, Lessons, Student
from racer_rl.training.hyperparameters import PPOHyperparameters, load_hyperparameters
from racer_rl.training.networks import find_network
from racer_rl.training.plan import Limits, Method, TrainingPlan
from racer_rl.training.train import Training
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError, RacerError
from racer_vehicle.observation import FrameStack

PASSES: Final = 20
PASSES_OF_CONVOLUTIONS: Final = 4
"""Over all frames. A network with convolutions learns more of each, and takes longer for it."""

FEWEST_PASSES_FRAMES: Final = 2_000
"""Of fewer frames, there are as many more passes."""

Say = Callable[[str], None]


def learn_from_log(source: Path, model: CommunityModel, name: str, track: str,
                   network: str | None, seed: int,
                   say: Say = lambda words: None) -> tuple[ModelFolder, tuple[str, ...]]:
    """Make a model of the store out of a log; it is there when it has learnt, or not at all.

    Args:
        source: Folder or archive of the log.
        model: The same, of `read_community`.
        name: In the store.
        track: That was driven, name or file.
        network: Name of the network that learns; None: theirs.
        seed: Of the weights and of the order of learning.
        say: Told what is being done.

    Returns:
        The model, and a line for everything that a person should know.

    Raises:
        ConfigError: The log holds no lap to learn from, or was driven on another track; or the
            name is taken.
    """
    folder, notes = model_folder(name), list[str]()
    with staged(folder.path) as hidden:
        say('reading the log')
        laps = best_laps(read_log(source))
        direction = driven_direction(laps, find_track(track))
        with tempfile.TemporaryDirectory() as files:
            plan = _plan(model, Path(files), track, direction, network, seed, notes)
            _make(ModelFolder(hidden), plan, laps, model.name, say)
    times_s = [lap.time_s for lap in laps]
    notes.append(f'learnt from {len(laps)} laps of {min(times_s):.1f} to {max(times_s):.1f} s, '
                 f'{sum(len(lap.commands) for lap in laps):,} frames.')
    return folder, tuple(notes)


def _plan(model: CommunityModel, files: Path, track: str, direction: str, network: str | None,
          seed: int, notes: list[str]) -> TrainingPlan:
    """What the model is for: their actions and sensors, settings and reward, on this track."""
    metadata = readable_metadata(model, notes)
    if metadata is None:
        raise ConfigError(f'{notes[-1]} A network cannot learn from commands without knowing what '
                          'it may ask for; put a model_metadata.json beside the log.')
    chosen = find_network(network or metadata.neural_network).name
    settings = _settings(model, files, chosen, notes)
    reward = _reward(model, files, notes)
    setup = RaceSetup(
        track=(str(Path(track).resolve()) if Path(track).suffix else track,), direction=direction,
        reward=reward, compat=reward != DEFAULT_REWARD, actions=metadata.action_space,
        sensors=metadata.sensors, lidar=metadata.lidar, network=chosen,
        stack=settings.stack_size)
    # The run ends at once: what it has to learn, it learns before.
    return TrainingPlan(setup=setup, hyperparameters=settings, limits=Limits(steps=1), seed=seed)


def _settings(model: CommunityModel, files: Path, network: str,
              notes: list[str]) -> PPOHyperparameters:
    """Theirs, for those who train on; the network's own where theirs cannot be used."""
    path = None
    if Kind.HYPERPARAMETERS in model.texts:
        path = files / 'hyperparameters.json'
        path.write_text(model.texts[Kind.HYPERPARAMETERS], encoding='utf-8')
    try:
        settings, remarks = load_hyperparameters(path, 'ppo', network)
    except RacerError as error:
        settings, remarks = load_hyperparameters(None, 'ppo', network)
        notes.append(f'hyperparameters.json is not used: {error}')
    notes += remarks
    assert isinstance(settings, PPOHyperparameters)
    return settings


def _reward(model: CommunityModel, files: Path, notes: list[str]) -> str:
    """What pays whoever trains on: their function if it can be run, else ours."""
    if Kind.REWARD not in model.texts:
        notes.append(f'it brings no reward_function.py; {DEFAULT_REWARD} pays if you train on.')
        return DEFAULT_REWARD
    path = files / 'reward_function.py'
    path.write_text(model.texts[Kind.REWARD], encoding='utf-8')
    found, may_run = reward_notes(path)
    notes += found
    if not may_run:
        notes.append(f'its reward function is not used; {DEFAULT_REWARD} pays if you train on.')
        return DEFAULT_REWARD
    return str(path)


def _make(folder: ModelFolder, plan: TrainingPlan, laps: Sequence[RecordedLap], source: str,
          say: Say) -> None:
    """Learn, judge, and write all that a model is."""
    training = Training(folder, plan, resume=False)
    try:
        model = training.model
        assert isinstance(model, RacerPPO)
        lessons = _lessons(plan, laps, cast(spaces.Dict, training.env.observation_space))
        say(f'learning from {lessons.size:,} frames')
        passes = _passes(lessons.size, plan.setup.network)
        with torch_threads(FEW_THREADS):
            Student(model.policy, Distillation()).learn(lessons, passes * lessons.size)
        model.num_timesteps, model._n_updates = lessons.size, passes
        training.save('last')
        ours = plan.setup.reward == DEFAULT_REWARD
        setup = plan.setup if ours else replace(plan.setup, reward=f'of {source}')
        folder.create(setup, plan.hyperparameters, training.reward, plan.seed,
                      Method.DISTILL.value, Lineage(kind=Kinship.DISTILLED, model=source))
        say('driving laps with what it learnt')
        training.run(lambda standing: None)
    finally:
        training.close()


def _passes(frames: int, network: str) -> int:
    passes = PASSES_OF_CONVOLUTIONS if find_network(network).convolutions else PASSES
    return passes * max(1, round(FEWEST_PASSES_FRAMES / frames))


def _lessons(plan: TrainingPlan, laps: Sequence[RecordedLap], space: spaces.Dict) -> Lessons:
    """What our car would have seen on their laps, with what they did; a car drives each lap."""
    setup = plan.setup
    simulator = build_simulator(setup, cars=len(laps), seed=plan.seed)
    lessons = Lessons(space, Distillation().memory_mib, np.random.default_rng(plan.seed))
    stack = FrameStack(setup.stack)
    lengths = np.array([len(lap.commands) for lap in laps])
    for step in range(int(lengths.max())):
        rows = [min(step, length - 1) for length in lengths]
        x_m, y_m, yaw_rad = np.array([lap.poses[row] for lap, row in zip(laps, rows, strict=True)]
                                     ).T
        simulator.set_pose(np.arange(len(laps)), x_m, y_m, yaw_rad)
        camera = stack.push(setup.observation.encode_camera(simulator.images()),
                            np.full(len(laps), step == 0))
        seen: Observation = {'camera': camera}
        if setup.observation.lidar_sensor is not None:
            seen['lidar'] = setup.observation.encode_lidar(simulator.scans())
        chosen = setup.actions.encode(np.array(
            [lap.commands[row] for lap, row in zip(laps, rows, strict=True)]))
        labels = chosen if chosen.ndim == 1 else chosen.astype(np.float32)
        driving = lengths > step
        lessons.add({key: part[driving] for key, part in seen.items()}, labels[driving])
    return lessons
