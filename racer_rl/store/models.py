"""One model, one folder: what it was trained for, its checkpoints, and what they showed.

model_metadata.json    DeepRacer's format: actions, sensors, network, algorithm
hyperparameters.json   DeepRacer's format
reward_function.py     the text that paid it
reward.log             what it printed
run.json               seed, setup, our own settings, versions: all that repeats the run
progress.json          where training stands, and the best evaluation
checkpoints/last.zip   written between updates, atomically
checkpoints/best.zip   the best by evaluation
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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import Policy
from racer_rl.reward.loading import RewardFile
from racer_sim.randomization import as_plain, randomization_from
from racer_vehicle.errors import ConfigError, ModelMismatchError, UnknownNameError
from racer_vehicle.metadata import ModelMetadata, TrainingAlgorithm
from racer_vehicle.spec import CarSpec, spec_as_dict, spec_from_dict
from racer_vehicle.storage import racer_home, write_atomically

if TYPE_CHECKING:
    from racer_rl.training.hyperparameters import Hyperparameters

NAME_RULE: Final = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]{0,63}')
CHECKPOINTS: Final = ('best', 'last')
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
        """File of the `best` or the `last` checkpoint."""
        if which not in CHECKPOINTS:
            raise ConfigError(f'checkpoint is {which!r}; allowed: {" or ".join(CHECKPOINTS)}.')
        return self.path / 'checkpoints' / f'{which}.zip'

    def create(
        self, setup: RaceSetup, hyperparameters: Hyperparameters, reward: RewardFile, seed: int,
        method: str,
    ) -> None:
        """Write everything that describes a new run; `run.json`, which makes it a model, last."""
        metadata = setup.metadata(TrainingAlgorithm(hyperparameters.ALGORITHM))
        self._write('model_metadata.json', metadata.to_json())
        self._write('hyperparameters.json', hyperparameters.to_deepracer_json())
        self._write('reward_function.py', reward.source)
        self._write_json(
            'run.json',
            {
                'format': RUN_FORMAT,
                'seed': seed,
                'method': method,
                'track': list(setup.tracks),
                'direction': setup.direction,
                'colour': setup.colour,
                'stack': setup.stack,
                'image_age_s': list(setup.image_age_s),
                'car': spec_as_dict(setup.car),
                'compat': setup.compat,
                'randomization': as_plain(setup.randomization),
                'reward': {'origin': setup.reward, 'sha256': reward.sha256},
                'hyperparameters': spec_as_dict(hyperparameters),
                'versions': {
                    'python': platform.python_version(),
                    **{name: importlib.metadata.version(name) for name in _PACKAGES},
                },
            },
        )

    def remove(self) -> None:
        """Delete the model and all it showed."""
        shutil.rmtree(self.path)

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
            track=tuple(run['track']),
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
            randomization=randomization_from(run.get('randomization', {})),
        )

    @property
    def metadata(self) -> ModelMetadata:
        """Content of `model_metadata.json`."""
        return ModelMetadata.from_json(self._read('model_metadata.json'))

    def policy(self, checkpoint: str = 'best') -> Policy:
        """The model as a policy without exploration.

        Args:
            checkpoint: `best` or `last`.

        Raises:
            ModelMismatchError: There is no such checkpoint, or it is damaged.
        """
        import torch

        from racer_rl.training.acting import FEW_THREADS, deterministic_policy
        from racer_rl.training.checkpoint import load_checkpoint

        path = self.checkpoint(checkpoint)
        if not path.is_file():
            raise ModelMismatchError(
                f'model {self.name!r} has no {checkpoint} checkpoint yet; '
                f'train it: racer train --name {self.name} --resume.'
            )
        torch.set_num_threads(FEW_THREADS)
        return deterministic_policy(load_checkpoint(path)[0])

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


def models_folder() -> Path:
    """Folder of all models."""
    return racer_home() / 'models'


def model_names() -> list[str]:
    """Names of all models, sorted."""
    return sorted(path.parent.name for path in models_folder().glob('*/run.json'))


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
