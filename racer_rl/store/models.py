"""One model, one folder: what it was trained for, its checkpoints, and what they showed.

model_metadata.json    DeepRacer's format: actions, sensors, network, algorithm
hyperparameters.json   DeepRacer's format
reward_function.py     the text that paid it
reward.log             what it printed
run.json               id, lineage, seed, setup, own settings, versions: all that repeats the run
progress.json          where training stands, and the best evaluation
sessions.json          what every session of training took, and why it ended
checkpoints/last.zip   written between updates, atomically
checkpoints/best.zip   the best by evaluation
checkpoints/N.zip      the best before it, of N steps
evaluations/           what `racer evaluate` showed, one file each
tracks/                track files that came with the model
training.png           what the evaluations showed, over steps
robustness.json        what the newest robustness suite showed
tensorboard/           scalars
training-simtrace/ and others: what the cars did, see racer_rl/traces/files.py
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from racer_rl.clock import utc_now
from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import Policy
from racer_rl.reward.loading import RewardFile
from racer_rl.store.lineage import Lineage
from racer_rl.store.locks import CHECKPOINT_FOLDER, WRITER
from racer_rl.store.sessions import Session
from racer_sim.race_format import RaceFormat
from racer_sim.randomization import as_plain, randomization_from
from racer_vehicle.errors import ConfigError, ModelMismatchError, UnknownNameError
from racer_vehicle.metadata import ModelMetadata, TrainingAlgorithm
from racer_vehicle.spec import CarSpec, spec_as_dict, spec_from_dict
from racer_vehicle.storage import racer_home, write_atomically

if TYPE_CHECKING:
    from racer_rl.training.hyperparameters import Hyperparameters

NAME_RULE: Final = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]{0,63}')
CHECKPOINTS: Final = ('best', 'last')
TRACK_FOLDER: Final = 'tracks'
RUN_FORMAT: Final = 1
_RUN_KEYS: Final = frozenset({
    'format', 'seed', 'track', 'direction', 'colour', 'stack', 'image_age_s', 'car', 'reward',
    'hyperparameters',
})
_PACKAGES: Final = (
    'racer',
    'torch',
    'stable-baselines3',
    'numpy',
    'numba',
    'opencv-python-headless',
)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model of the store."""

    path: Path

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.path.name

    @property
    def exists(self) -> bool:
        """Whether a run has begun under this name."""
        return (self.path / 'run.json').is_file()

    @property
    def reward_path(self) -> Path:
        """The model's own copy of its reward function."""
        return self.path / 'reward_function.py'

    def checkpoint(self, which: str) -> Path:
        """File of a checkpoint, whether it is there or not.

        Args:
            which: `best`, `last`, or a number of steps.
        """
        if which not in CHECKPOINTS and not which.isdecimal():
            raise ConfigError(f'checkpoint is {which!r}; allowed: {" or ".join(CHECKPOINTS)}, or '
                              'the steps of an earlier one, e.g. 40960.')
        return self.path / CHECKPOINT_FOLDER / f'{which}.zip'

    def require_checkpoint(self, which: str) -> Path:
        """File of a checkpoint that is there.

        Raises:
            ModelMismatchError: It is not; what is there is named.
        """
        path = self.checkpoint(which)
        if not path.is_file():
            there = [name for name in (*CHECKPOINTS, *map(str, self.earlier))
                     if self.checkpoint(name).is_file()]
            remedy = (f'go on from another: racer clone {self.name} NEW --checkpoint {there[0]}'
                      if there else f'train it: racer train --name {self.name} --resume')
            raise ModelMismatchError(f'model {self.name!r} has no {which} checkpoint yet; there '
                                     f'is: {", ".join(there) or "none"}; {remedy}.')
        return path

    @property
    def earlier(self) -> list[int]:
        """Steps of the checkpoints that were the best before, oldest first."""
        files = (self.path / CHECKPOINT_FOLDER).glob('*.zip')
        return sorted(int(file.stem) for file in files if file.stem.isdecimal())

    def retire_best(self, keep: int) -> None:
        """Before a better one comes: keep the best checkpoint under its steps.

        Args:
            keep: So many of them are kept, the newest.
        """
        best = self.checkpoint('best')
        if keep and best.is_file():
            retired = self.checkpoint(str(self.progress.get('best_steps') or 0))
            retired.unlink(missing_ok=True)
            retired.hardlink_to(best)
        for steps in self.earlier[:-keep or None]:
            self.checkpoint(str(steps)).unlink()

    def create(
        self, setup: RaceSetup, hyperparameters: Hyperparameters, reward: RewardFile, seed: int,
        method: str, lineage: Lineage | None = None, identity: str = '',
    ) -> None:
        """Write everything that describes a new run; `run.json`, which makes it a model, last.

        Args:
            setup: What it is trained for.
            hyperparameters: Of the learner.
            reward: What pays it.
            seed: Of the training.
            method: How it comes about.
            lineage: Where it comes from, if not from nothing.
            identity: Its id; empty: drawn.
        """
        metadata = setup.metadata(TrainingAlgorithm(hyperparameters.ALGORITHM))
        self._write('model_metadata.json', metadata.to_json())
        self._write('hyperparameters.json', hyperparameters.to_deepracer_json())
        self._write('reward_function.py', reward.source)
        self._write_json(
            'run.json',
            {
                'format': RUN_FORMAT,
                'id': identity or new_id(),
                'created': utc_now(),
                'lineage': None if lineage is None else lineage.as_dict(),
                'seed': seed,
                'method': method,
                'track': list(map(self._carried, setup.tracks)),
                'direction': setup.direction,
                'colour': setup.colour,
                'stack': setup.stack,
                'image_age_s': list(setup.image_age_s),
                'car': spec_as_dict(setup.car),
                'compat': setup.compat,
                'race': spec_as_dict(setup.race),
                'randomization': as_plain(setup.randomization),
                'reward': {'origin': _reward_origin(setup.reward), 'sha256': reward.sha256},
                'hyperparameters': spec_as_dict(hyperparameters),
                'versions': {
                    'python': platform.python_version(),
                    **{name: importlib.metadata.version(name) for name in _PACKAGES},
                },
            },
        )

    def forget(self) -> None:
        """Delete all that a run began, before it was worth keeping; for its trainer."""
        (self.path / 'run.json').unlink(missing_ok=True)  # first: then it is no model
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != WRITER:
                path.unlink()

    def remove_unfinished(self) -> None:
        """Delete what a kill left half written; nobody else may be training the model."""
        for path in self.path.rglob('.*.part'):
            path.unlink()

    @property
    def run(self) -> dict[str, Any]:
        """Content of `run.json`.

        Raises:
            ModelMismatchError: It is damaged or of another format.
        """
        run = self._read_json('run.json')
        missing = sorted(_RUN_KEYS - run.keys())
        if missing or run['format'] != RUN_FORMAT:
            found = f'lacks {", ".join(missing)}' if missing else f'has format {run["format"]!r}'
            raise ModelMismatchError(
                f'{self.path / "run.json"} {found}; allowed: format {RUN_FORMAT}, complete; '
                'restore it or train again.'
            )
        return run

    @property
    def progress(self) -> dict[str, Any]:
        """Content of `progress.json`; empty before the first checkpoint."""
        return self._read_json('progress.json') if (self.path / 'progress.json').is_file() else {}

    @property
    def lineage(self) -> Lineage | None:
        """Where the model comes from; None if it was trained from nothing.

        Raises:
            ModelMismatchError: It is not told in words that are known.
        """
        told = self.run.get('lineage')  # absent from the first runs
        try:
            return None if told is None else Lineage.from_dict(told)
        except (ConfigError, AttributeError) as error:
            raise ModelMismatchError(f'{self.path / "run.json"} is damaged ({error}); restore '
                                     'it.') from None

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Sessions of training, oldest first; none of the first runs."""
        there = (self.path / 'sessions.json').is_file()
        try:
            told = self._read_json('sessions.json')['sessions'] if there else ()
            return tuple(Session.from_dict(session) for session in told)
        except (ConfigError, KeyError, TypeError) as error:
            raise ModelMismatchError(f'{self.path / "sessions.json"} is damaged ({error}); '
                                     'restore or delete it.') from None

    def write_sessions(self, sessions: Sequence[Session]) -> None:
        """Replace `sessions.json`."""
        self._write_json('sessions.json',
                         {'sessions': [session.as_dict() for session in sessions]})

    @property
    def robustness(self) -> dict[str, Any]:
        """Content of `robustness.json`; empty if the suite was never driven."""
        there = (self.path / 'robustness.json').is_file()
        return self._read_json('robustness.json') if there else {}

    def write_robustness(self, result: Mapping[str, Any]) -> None:
        """Replace `robustness.json`."""
        self._write_json('robustness.json', result)

    def write_progress(self, progress: Mapping[str, Any]) -> None:
        """Replace `progress.json`."""
        self._write_json('progress.json', progress)

    @property
    def setup(self) -> RaceSetup:
        """What the model was trained for."""
        run, metadata = self.run, self.metadata
        return RaceSetup(
            track=tuple(map(self._track_file, run['track'])),
            direction=run['direction'],
            reward=str(self.reward_path),
            compat=run.get('compat', False),  # absent from the first runs
            actions=metadata.action_space,
            sensors=metadata.sensors,
            lidar=metadata.lidar,
            network=metadata.neural_network,
            colour=run['colour'],
            stack=run['stack'],
            image_age_s=tuple(run['image_age_s']),
            car=spec_from_dict(CarSpec, run['car']),
            race=spec_from_dict(RaceFormat, run.get('race', {})),
            randomization=randomization_from(run.get('randomization', {})),
        )

    @property
    def metadata(self) -> ModelMetadata:
        """Content of `model_metadata.json`."""
        return ModelMetadata.from_json(self._read('model_metadata.json'))

    def policy(self, checkpoint: str = 'best') -> Policy:
        """The model as a policy without exploration.

        Args:
            checkpoint: `best`, `last` or a number of steps.

        Raises:
            ModelMismatchError: There is no such checkpoint, or it is damaged.
        """
        import torch

        from racer_rl.training.acting import FEW_THREADS, deterministic_policy
        from racer_rl.training.checkpoint import load_checkpoint

        path = self.require_checkpoint(checkpoint)
        torch.set_num_threads(FEW_THREADS)
        return deterministic_policy(load_checkpoint(path)[0])

    def _carried(self, track: str) -> str:
        """A track as `run.json` has it; a file that came with another model is copied along."""
        path = Path(track)
        if models_folder() not in path.parents:
            return track
        place = Path(TRACK_FOLDER, *path.relative_to(models_folder()).parts[2:])
        write_atomically(self.path / place, path.read_bytes())
        return place.as_posix()

    def _track_file(self, track: str) -> str:
        """A track by name or path; those that came with the model are below its folder."""
        return str(self.path / track) if track.startswith(f'{TRACK_FOLDER}/') else track

    def _write(self, name: str, text: str) -> None:
        write_atomically(self.path / name, text.encode())

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        self._write(name, json.dumps(content, indent=2) + '\n')

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads(self._read(name))
            if not isinstance(content, dict):
                raise ValueError(f'it holds a {type(content).__name__}, not an object')
        except ValueError as error:
            raise ModelMismatchError(
                f'{self.path / name} is damaged ({error}); restore it or train again.'
            ) from None
        return content

    def _read(self, name: str) -> str:
        path = self.path / name
        try:
            return path.read_text(encoding='utf-8')
        except (OSError, UnicodeDecodeError) as error:
            raise ModelMismatchError(
                f'cannot read {path} ({error}); restore it or train again.'
            ) from None


def new_id() -> str:
    """An id that no other model has."""
    return uuid.uuid4().hex


def _reward_origin(reward: str) -> str:
    """Name or path of a reward function; of one that another model keeps, whence that had it."""
    other = ModelFolder(Path(reward).parent)
    if Path(reward).name != other.reward_path.name or not other.exists:
        return reward
    origin: str = other.run['reward']['origin']
    return origin


def models_folder() -> Path:
    """Folder of all models."""
    return racer_home() / 'models'


def model_names() -> list[str]:
    """Names of all models, sorted."""
    folders = (path.parent.name for path in models_folder().glob('*/run.json'))
    return sorted(name for name in folders if NAME_RULE.fullmatch(name))


def model_folder(name: str) -> ModelFolder:
    """The folder of a name, whether there is a model in it or not.

    Raises:
        ConfigError: The name cannot be a folder's.
    """
    if not NAME_RULE.fullmatch(name):
        raise ConfigError(
            f'model name is {name!r}; allowed: letters, digits, and . _ - after the first, '
            'up to 64 characters.'
        )
    return ModelFolder(models_folder() / name)


def open_model(name: str) -> ModelFolder:
    """An existing model.

    Raises:
        UnknownNameError: There is none of that name; the nearest are offered.
    """
    folder = model_folder(name)
    if not folder.exists:
        known = model_names()
        if not known:
            raise ConfigError(
                f'unknown model {name!r}; there is none yet. Train one: racer train --name {name}.'
            )
        raise UnknownNameError('model', name, known)
    return folder
