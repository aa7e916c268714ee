"""One file from which training goes on exactly where it stood.

The file is what Stable-Baselines3's `save` writes (a zip archive, which its `load` still reads),
plus `racer/state.json` and `racer/state.npz`: the random generators, the last observation, the
replay buffer of SAC; and whatever the caller wants kept, such as the state of the environment, in
the former if it is plain, else in `racer/kept.npz`.

The library also stores pickled objects, and unpickling runs whatever a file says. Loading here
never does: each of those objects is rebuilt from the plain data, and a file that holds others is
refused.
"""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.buffers import DictReplayBuffer
from stable_baselines3.common.vec_env import VecEnv

from racer_rl.training.algorithms import RacerPPO, RacerSAC
from racer_rl.training.policies import AsymmetricPolicy, AsymmetricSACPolicy
from racer_vehicle.errors import ModelMismatchError
from racer_vehicle.storage import write_atomically

Model: TypeAlias = RacerPPO | RacerSAC
Arrays: TypeAlias = dict[str, NDArray[Any]]

_FORMAT: Final = 1
_JSON_MEMBER: Final = 'racer/state.json'
_ARRAYS_MEMBER: Final = 'racer/state.npz'
_KEPT_MEMBER: Final = 'racer/kept.npz'
_MADE_AGAIN: Final = ('lr_schedule', 'rollout_buffer_class', 'replay_buffer_class',
                      '_last_original_obs')
"""Objects that the library makes afresh when they are None."""

_REMEDY: Final = 'give a checkpoint that racer wrote, or train again'


class Snapshot:
    """A model as it is at this moment, to be written then or later.

    Take it between rollouts, e.g. in a callback's `_on_rollout_start`; a rollout that has been
    collected but not yet learnt from would be lost.
    """

    def __init__(self, model: Model) -> None:
        """Copy all that makes up the model and its generators of random numbers."""
        self._document, arrays = _describe(model)
        archive = io.BytesIO()
        model.save(archive)
        with zipfile.ZipFile(archive, 'a') as members:
            members.writestr(_ARRAYS_MEMBER, _packed(arrays))
        self._archive = archive.getvalue()

    def write(self, path: Path, state: Mapping[str, Any]) -> None:
        """Write a checkpoint in one step: a crash at any moment leaves the old file or the new.

        Args:
            path: The file.
            state: Whatever else has to be kept: arrays (of any dtype but object) and JSON values.

        Raises:
            TypeError: A value of `state` is neither.
            OSError: The disk refused; an older file is untouched.
        """
        arrays = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
        plain = {key: value for key, value in state.items() if key not in arrays}
        archive = io.BytesIO(self._archive)
        with zipfile.ZipFile(archive, 'a') as members:
            document = {**self._document, 'kept': plain}
            members.writestr(_JSON_MEMBER, json.dumps(document, default=_plain))
            if arrays:
                members.writestr(_KEPT_MEMBER, _packed(arrays))
        write_atomically(path, archive.getvalue())


def save_checkpoint(path: Path, model: Model, state: Mapping[str, Any]) -> None:
    """Write a model as it is now: `Snapshot`, then `Snapshot.write`."""
    Snapshot(model).write(path, state)


def load_checkpoint(path: Path, env: VecEnv | None = None) -> tuple[Model, dict[str, Any]]:
    """Read a checkpoint and set the random generators of Python, NumPy and torch to its state.

    To go on exactly: load, then put the environment into its kept state, then
    `model.learn(steps, reset_num_timesteps=False)`.

    Args:
        path: The file.
        env: Where training goes on; None for a model that only predicts.

    Returns:
        The model, and the `state` it was saved with.

    Raises:
        ModelMismatchError: The file is missing, damaged or not ours, or `env` is not like the one
            that the model was trained in.
    """
    content, document, arrays = _read(path)
    model_class = RacerSAC if document['algorithm'] == RacerSAC.__name__ else RacerPPO
    objects = _objects(document, arrays)
    if env is not None:
        _check_environment(path, env, objects, document['n_envs'])
    model = model_class.load(io.BytesIO(content), env=env, device='cpu', custom_objects=objects,
                             force_reset=False)
    if isinstance(model, RacerSAC):
        _restore_replay(model, document, arrays)
    _restore_random(model, document, arrays)
    return model, {**document['kept'], **_group(arrays, 'kept')}


def _describe(model: Model) -> tuple[dict[str, Any], Arrays]:
    """What the library's archive holds only as pickled objects, or not at all."""
    version, python_words, gauss = random.getstate()
    name, numpy_words, *numpy_rest = np.random.get_state(legacy=True)
    document: dict[str, Any] = {
        'format': _FORMAT, 'algorithm': type(model).__name__, 'n_envs': model.n_envs,
        'episodes': list(model.ep_info_buffer or ()),
        'successes': list(model.ep_success_buffer or ()),
        'stats_window': model._stats_window_size,
        'random_python': [version, python_words, gauss], 'random_numpy': [name, *numpy_rest],
        'random_actions': model.action_space.np_random.bit_generator.state,
    }
    arrays: Arrays = {
        'random/torch': torch.get_rng_state().numpy(), 'random/numpy': np.asarray(numpy_words)}
    if isinstance(model, RacerPPO):
        document['clip_range'] = model.clip_range(1.0)  # type: ignore[operator]
    else:
        document['train_freq'] = model.train_freq.frequency  # type: ignore[union-attr]
        arrays |= _replay_arrays(model, document)
    if model._last_obs is not None:
        last = cast(Arrays, model._last_obs)
        arrays |= {f'last/{key}': value for key, value in last.items()}
        arrays['episode_starts'] = np.asarray(model._last_episode_starts)
    observation_space = model.observation_space
    assert isinstance(observation_space, spaces.Dict)
    for key, part in observation_space.spaces.items():
        arrays |= _space_arrays(f'observation/{key}', part)
    arrays |= _space_arrays('action', model.action_space)
    return document, arrays


def _read(path: Path) -> tuple[bytes, dict[str, Any], Arrays]:
    """Bytes of the whole file, and its plain data; refuses what racer did not write."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelMismatchError(
            f'cannot read checkpoint {path}: {error.strerror}; {_REMEDY}.') from None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()
            if damaged is not None:
                raise ModelMismatchError(f'{damaged} in checkpoint {path} is damaged; {_REMEDY}.')
            document = json.loads(archive.read(_JSON_MEMBER))
            library = json.loads(archive.read('data'))
            arrays = _unpacked(archive.read(_ARRAYS_MEMBER))
            if _KEPT_MEMBER in archive.namelist():
                kept = _unpacked(archive.read(_KEPT_MEMBER))
                arrays |= {f'kept/{key}': array for key, array in kept.items()}
    except (zipfile.BadZipFile, KeyError):
        # A cut archive can end in an archive that it held, which then lacks our members.
        raise ModelMismatchError(
            f'{path} is truncated, or no checkpoint of racer; {_REMEDY}.') from None
    if document['format'] != _FORMAT:
        raise ModelMismatchError(f'checkpoint {path} has format {document["format"]}; allowed: '
                                 f'{_FORMAT}; {_REMEDY}.')
    _refuse_pickles(path, library, _objects(document, arrays))
    return content, document, arrays


def _packed(arrays: Arrays) -> bytes:
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **arrays)
    return packed.getvalue()


def _unpacked(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content), allow_pickle=False) as packed:
        return dict(packed)


def _refuse_pickles(path: Path, library: Mapping[str, Any], rebuilt: Mapping[str, Any]) -> None:
    pickled = {key for key, value in library.items()
               if isinstance(value, dict) and ':serialized:' in value}
    unknown = sorted(pickled - rebuilt.keys())
    if unknown:
        raise ModelMismatchError(f'checkpoint {path} holds pickled {", ".join(unknown)}, which '
                                 f'could run any code; allowed: plain data; {_REMEDY}.')


def _objects(document: Mapping[str, Any], arrays: Arrays) -> dict[str, Any]:
    """What replaces each pickled object of the library's archive."""
    window, last = document['stats_window'], _group(arrays, 'last')
    sac = document['algorithm'] == RacerSAC.__name__
    parts = {name.split('/')[1] for name in arrays if name.startswith('observation/')}
    return {
        **dict.fromkeys(_MADE_AGAIN),
        'policy_class': AsymmetricSACPolicy if sac else AsymmetricPolicy,
        'observation_space': spaces.Dict(
            {key: _space(arrays, f'observation/{key}') for key in parts}),
        'action_space': _space(arrays, 'action'),
        '_last_obs': last or None,
        '_last_episode_starts': arrays.get('episode_starts'),
        'ep_info_buffer': deque(document['episodes'], maxlen=window),
        'ep_success_buffer': deque(document['successes'], maxlen=window),
        **{key: document[key] for key in ('train_freq', 'clip_range') if key in document},
    }


def _check_environment(path: Path, env: VecEnv, objects: Mapping[str, Any], cars: int) -> None:
    for what, given in (('observation', env.observation_space), ('action', env.action_space)):
        trained = objects[f'{what}_space']
        if given != trained:
            raise ModelMismatchError(f'the environment has {what}s {given}; allowed by checkpoint '
                                     f'{path}: {trained}; use what it was trained with.')
    if env.num_envs != cars:
        raise ModelMismatchError(f'the environment has {env.num_envs} cars; allowed by checkpoint '
                                 f'{path}: {cars}; set n_envs to {cars}.')


def _space_arrays(prefix: str, space: spaces.Space[Any]) -> Arrays:
    if isinstance(space, spaces.Discrete):
        return {f'{prefix}/n': np.asarray(space.n)}
    assert isinstance(space, spaces.Box)
    return {f'{prefix}/low': space.low, f'{prefix}/high': space.high}


def _space(arrays: Arrays, prefix: str) -> spaces.Space[Any]:
    if f'{prefix}/n' in arrays:
        return spaces.Discrete(int(arrays[f'{prefix}/n']))
    low, high = arrays[f'{prefix}/low'], arrays[f'{prefix}/high']
    return spaces.Box(low, high, dtype=low.dtype.type)


def _replay_arrays(model: RacerSAC, document: dict[str, Any]) -> Arrays:
    """The filled part of the replay buffer; its position goes to the document."""
    buffer = model.replay_buffer
    assert isinstance(buffer, DictReplayBuffer)
    document['replay'] = {'pos': buffer.pos, 'full': buffer.full}
    filled = buffer.size()
    return {name: array[:filled] for name, array in _replay_views(buffer).items()}


def _restore_replay(model: RacerSAC, document: Mapping[str, Any], arrays: Arrays) -> None:
    buffer = model.replay_buffer
    assert isinstance(buffer, DictReplayBuffer)
    for name, array in _replay_views(buffer).items():
        array[:len(arrays[name])] = arrays[name]
    buffer.pos, buffer.full = document['replay']['pos'], document['replay']['full']


def _replay_views(buffer: DictReplayBuffer) -> Arrays:
    views = {f'replay/{name}': getattr(buffer, name)
             for name in ('actions', 'rewards', 'dones', 'timeouts')}
    views |= {f'replay/now/{key}': array for key, array in buffer.observations.items()}
    return views | {f'replay/next/{key}': array for key, array in buffer.next_observations.items()}


def _restore_random(model: Model, document: Mapping[str, Any], arrays: Arrays) -> None:
    version, words, gauss = document['random_python']
    random.setstate((version, tuple(words), gauss))
    name, *rest = document['random_numpy']
    np.random.set_state((name, arrays['random/numpy'], *rest))
    torch.set_rng_state(torch.from_numpy(arrays['random/torch']))
    model.action_space.np_random.bit_generator.state = document['random_actions']


def _group(arrays: Arrays, prefix: str) -> Arrays:
    start = f'{prefix}/'
    return {name.removeprefix(start): array for name, array in arrays.items()
            if name.startswith(start)}


def _plain(value: object) -> Any:
    """JSON value of a NumPy scalar."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f'{value!r} is neither an array nor a JSON value; keep it as one of those.')
