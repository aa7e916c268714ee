"""A trained model to a policy bundle: what leaves the training and drives a car.

Only the actor goes, as an ONNX graph that takes the camera's bytes and the encoded scan;
everything around the network is the car's own code, which the training used as well.
"""

from __future__ import annotations

import io
import subprocess
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

from racer_rl.envs.build import RaceSetup
from racer_rl.store.models import ModelFolder
from racer_rl.training.checkpoint import load_checkpoint
from racer_rl.training.policies import ActorModule, actor_module
from racer_vehicle.errors import ModelMismatchError
from racer_vehicle.observation import ObservationSpec
from racer_vehicle.policy import OUTPUT, PolicyBundle
from racer_vehicle.policy_card import CarDimensions, PolicyCard

OPSET: Final = 17
"""Of 2022: every ONNX Runtime that a car may have reads it."""

TOLERANCE: Final = 1e-5
"""Largest difference between the network in training and on the car, on outputs of about 1."""

_PROBES: Final = 64
_UNSET: Final = '0' * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a model comes from, for its card.

    Attributes:
        model: Its name.
        setup: What it was trained for.
        reward_sha256: Of the reward function's text.
        seed: Of the training.
        versions: Package to version.
    """

    model: str
    setup: RaceSetup
    reward_sha256: str
    seed: int
    versions: Mapping[str, str]

    @classmethod
    def of(cls, folder: ModelFolder) -> Origin:
        """As a model's folder tells it.

        Raises:
            ModelMismatchError: The folder is damaged.
        """
        run = folder.run
        return cls(model=folder.name, setup=folder.setup, reward_sha256=run['reward']['sha256'],
                   seed=run['seed'], versions=run.get('versions', {}))


def export_bundle(folder: ModelFolder, path: Path, checkpoint: str = 'best') -> PolicyBundle:
    """Write a model of the store as a bundle.

    Args:
        folder: The model.
        path: File to write in one step, `*.racer`.
        checkpoint: `best`, `last` or a number of steps.

    Raises:
        ModelMismatchError: There is no such checkpoint, it is damaged, or the exported network
            does not agree with it.
        OSError: The disk refused; an old file is untouched.
    """
    model = load_checkpoint(folder.require_checkpoint(checkpoint))[0]
    bundle = make_bundle(model, Origin.of(folder))
    bundle.write(path)
    return bundle


def make_bundle(model: BaseAlgorithm, origin: Origin) -> PolicyBundle:
    """The bundle of a model in memory; the model is only read.

    Args:
        model: Trained or in training.
        origin: For the card.

    Raises:
        ModelMismatchError: The model is not one of racer's, is not for this setup, or the exported
            network does not agree with it.
    """
    actor, spec = actor_module(model), origin.setup.observation
    space = model.observation_space['camera'].shape  # type: ignore[index]
    if space != spec.camera_shape:
        raise ModelMismatchError(f'the model sees images {space}; allowed by its setup: '
                                 f'{spec.camera_shape}; give the setup that it was trained with.')
    onnx = _to_onnx(actor, spec)
    _require_equal(actor, onnx, spec)
    card = PolicyCard(
        model=origin.model, observation=spec, action=origin.setup.actions,
        car=CarDimensions.of(origin.setup.car), onnx_sha256=_UNSET, track=origin.setup.tracks,
        reward_sha256=origin.reward_sha256, seed=origin.seed, steps=model.num_timesteps,
        versions=dict(origin.versions), git_hash=source_git_hash(),
    )
    return PolicyBundle.pack(card, onnx)


def source_git_hash() -> str:
    """Commit of the checkout that this code runs from, `-dirty` if changed; empty without one."""
    folder = Path(__file__).resolve().parents[1]
    try:
        result = subprocess.run(
            ['git', 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'], cwd=folder,
            capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    # An installed package may lie in the checkout of something else.
    is_ours = (folder / '.git').exists()
    return result.stdout.strip() if is_ours and result.returncode == 0 else ''


def _to_onnx(actor: ActorModule, spec: ObservationSpec) -> bytes:
    inputs = [torch.from_numpy(part) for part in _probes(spec, 1).values()]
    names = list(_probes(spec, 1))
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that torch prefers since 2.9 needs a package more, for graphs like these
        # without any advantage; the older one says so at every call.
        warnings.simplefilter('ignore', DeprecationWarning)
        torch.onnx.export(
            actor, tuple(inputs), buffer,  # type: ignore[arg-type]
            dynamo=False, opset_version=OPSET, input_names=names,
            output_names=[OUTPUT], dynamic_axes={name: {0: 'cars'} for name in (*names, OUTPUT)},
        )
    return buffer.getvalue()


def _probes(spec: ObservationSpec, count: int) -> dict[str, NDArray[Any]]:
    """Random inputs, the same each time: `camera` and, for a car that has one, `lidar`."""
    random = np.random.default_rng(0)
    camera = random.integers(0, 256, (count, *spec.camera_shape), dtype=np.uint8)
    probes: dict[str, NDArray[Any]] = {'camera': camera}
    if spec.lidar_size:
        probes['lidar'] = random.random((count, spec.lidar_size), dtype=np.float32)
    return probes


def _require_equal(actor: ActorModule, onnx: bytes, spec: ObservationSpec) -> None:
    """Run both on random observations.

    Raises:
        ModelMismatchError: They differ.
    """
    probes = _probes(spec, _PROBES)
    session = onnxruntime.InferenceSession(onnx, providers=['CPUExecutionProvider'])
    exported = session.run([OUTPUT], probes)[0]
    with torch.inference_mode():
        trained = actor(*map(torch.from_numpy, probes.values())).numpy()
    apart = float(np.abs(exported - trained).max())
    # Logits have no scale of their own.
    allowed = TOLERANCE * max(1.0, float(np.abs(trained).max()))
    if not apart <= allowed:
        raise ModelMismatchError(
            f'the exported network differs from the trained one by {apart:g}; allowed: '
            f'{allowed:g}; if the weights are finite, report this with the versions of torch '
            'and onnxruntime.'
        )
