"""Policy bundles: one file with a network and its card, read without trust and run on the car.

A bundle is a zip archive of `card.json`, `policy.onnx` and, if somebody vouches for it,
`signature.json`; its identity is the SHA-256 of its bytes. The car reads it from a file or from a
message alike, checks everything that it says, and runs the network through the same codecs as the
training.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from racer_vehicle.action import DiscreteActions
from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.observation import FrameStack, rgb_to_luma
from racer_vehicle.onnx_check import refuse_unsafe
from racer_vehicle.policy_archive import (
    CARD_MEMBER,
    ONNX_MEMBER,
    REMEDY,
    SIGNATURE_MEMBER,
    file_content,
    pack,
    require_packed,
    unpack,
)
from racer_vehicle.policy_card import PolicyCard
from racer_vehicle.signals import DriveCommand
from racer_vehicle.signature import Signature
from racer_vehicle.spec import CarSpec
from racer_vehicle.storage import write_atomically

OUTPUT: Final = 'action'

_LOAD_ERRORS: Final = (runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph,
                       runtime.InvalidProtobuf, runtime.NoModel, runtime.NotImplemented,
                       runtime.RuntimeException)


@dataclass(frozen=True, slots=True)
class PolicyBundle:
    """A network with its card, checked against each other.

    Attributes:
        card: What the policy is.
        onnx: The network.
        content: Bytes of the bundle.
        sha256: Their digest, hexadecimal: the identity of the policy.
        card_json: The card's file, byte for byte, which is what a signature is for.
        signature: Of somebody who vouches for it; not yet verified.
    """

    card: PolicyCard
    onnx: bytes = field(repr=False)
    content: bytes = field(repr=False)
    sha256: str
    card_json: bytes = field(repr=False)
    signature: Signature | None

    @classmethod
    def pack(cls, card: PolicyCard, onnx: bytes) -> PolicyBundle:
        """Make a bundle; the same card and network give the same bytes.

        Args:
            card: Of the network; its digest is filled in.
            onnx: The network.
        """
        card = replace(card, onnx_sha256=hashlib.sha256(onnx).hexdigest())
        return cls.read(pack({CARD_MEMBER: card.to_json().encode(), ONNX_MEMBER: onnx}))

    @classmethod
    def read(cls, source: Path | bytes) -> PolicyBundle:
        """Read and check a bundle.

        Args:
            source: Its file or its bytes.

        Raises:
            ModelMismatchError: It is not a whole, untampered bundle of this format.
        """
        content = source if isinstance(source, bytes) else file_content(source)
        members = unpack(content)
        card, onnx = PolicyCard.from_json(members[CARD_MEMBER]), members[ONNX_MEMBER]
        found = hashlib.sha256(onnx).hexdigest()
        if found != card.onnx_sha256:
            raise ModelMismatchError(f'{ONNX_MEMBER} has SHA-256 {found}; allowed by its card: '
                                     f'{card.onnx_sha256}; it was changed: {REMEDY}.')
        refuse_unsafe(onnx)
        vouched = members.get(SIGNATURE_MEMBER)
        signature = None if vouched is None else Signature.from_json(vouched)
        require_packed(content, members)
        return cls(card, onnx, content, hashlib.sha256(content).hexdigest(), members[CARD_MEMBER],
                   signature)

    def signed(self, signature: Signature) -> PolicyBundle:
        """The same policy with a signature, in place of another if there was one."""
        return PolicyBundle.read(pack({
            CARD_MEMBER: self.card_json, ONNX_MEMBER: self.onnx,
            SIGNATURE_MEMBER: signature.to_json().encode(),
        }))

    def write(self, path: Path) -> None:
        """Write the file in one step.

        Raises:
            OSError: The disk refused; an old file is untouched.
        """
        write_atomically(path, self.content)


class LoadedPolicy:
    """A policy that drives one car."""

    def __init__(self, bundle: PolicyBundle, car: CarSpec) -> None:
        """Make the network ready to run.

        Args:
            bundle: The policy.
            car: The car that it is to drive.

        Raises:
            ModelMismatchError: The policy is not for this car, the network does not load, or it
                is not what its card says.
        """
        bundle.card.require_fits(car)
        self.bundle = bundle
        self._session = session_of(bundle.onnx)
        _require_interface(self._session, bundle.card)
        _try_out(self._session, bundle.card)
        self._stack = FrameStack(bundle.card.observation.stack)

    @property
    def reads_scans(self) -> bool:
        """Whether it needs a lidar."""
        return self.bundle.card.observation.lidar_sensor is not None

    def act(self, image: NDArray[np.uint8], scan: NDArray[np.float32] | None,
            fresh: bool) -> DriveCommand:
        """Decide.

        Args:
            image: uint8, (height, width) grey or (height, width, 3) RGB, of the native camera.
            scan: float32, (rays,), m, REP-117; policies without lidar do not look at it.
            fresh: Whether the drive begins with this image, so that none before it counts.

        Raises:
            ConfigError: An image or scan of another shape, or no scan where the policy needs one.
            ModelMismatchError: The network fails, or its output is not finite or of another shape.
        """
        output = _run(self._session, self.encode(image, scan, fresh))
        card = self.bundle.card
        wanted = (1, _outputs(card))
        values = output[0].tolist() if output.shape == wanted else []
        if not values or not all(map(math.isfinite, values)):
            gave = values or f'shape {output.shape}'
            raise ModelMismatchError(
                f'policy {card.model!r} ({self.bundle.sha256[:12]}) gave {gave}; allowed: finite '
                f'numbers of shape {wanted}; use an earlier checkpoint.'
            )
        steering_rad, speed_mps = card.action.decode_one(values)
        return DriveCommand(steering_rad=steering_rad, speed_mps=speed_mps)

    def encode(self, image: NDArray[np.uint8], scan: NDArray[np.float32] | None,
               fresh: bool) -> dict[str, NDArray[Any]]:
        """The network's inputs, remembering the frame; arguments and errors as `act`."""
        spec = self.bundle.card.observation
        if spec.lidar_sensor is not None and scan is None:
            raise ConfigError(f'policy {self.bundle.card.model!r} reads {spec.lidar_sensor} '
                              'and there is no scan; start the lidar node.')
        planes = _planes(image, spec.camera.colour == 'rgb')
        frames = self._stack.push(spec.encode_camera(planes), np.array([fresh]))
        inputs: dict[str, NDArray[Any]] = {'camera': frames}
        if scan is not None and spec.lidar_sensor is not None:
            inputs['lidar'] = spec.encode_lidar(scan[np.newaxis])
        return inputs


def _planes(image: NDArray[np.uint8], rgb: bool) -> NDArray[np.uint8]:
    """The image of one car as a batch of one, (1, C, H, W), grey or R, G, B."""
    if image.ndim == 3 and image.shape[2] == 3:
        return image.transpose(2, 0, 1)[np.newaxis] if rgb else rgb_to_luma(image)[None, None]
    if image.ndim != 2 or rgb:
        allowed = '(height, width, 3)' if rgb else '(height, width) or (height, width, 3)'
        raise ConfigError(f'the image has shape {image.shape}; allowed: {allowed}; '
                          "set the camera's colour to the policy's.")
    return image[np.newaxis, np.newaxis]


def session_of(onnx: bytes) -> onnxruntime.InferenceSession:
    """A network ready to run, as on the car.

    Raises:
        ModelMismatchError: It does not load.
    """
    options = onnxruntime.SessionOptions()
    # One thread: a network of this size is no faster on two, and the sums come out the same.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=['CPUExecutionProvider'])
    except _LOAD_ERRORS as error:
        raise ModelMismatchError(f'{ONNX_MEMBER} does not load ({error}); {REMEDY}.') from None


def _try_out(session: onnxruntime.InferenceSession, card: PolicyCard) -> None:
    """Run once on black: the first run is slow, and what fails must fail before the car drives."""
    spec = card.observation
    inputs: dict[str, NDArray[Any]] = {'camera': np.zeros((1, *spec.camera_shape), np.uint8)}
    if spec.lidar_size:
        inputs['lidar'] = np.zeros((1, spec.lidar_size), np.float32)
    _run(session, inputs)


def _run(session: onnxruntime.InferenceSession,
         inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """The network's output, floats.

    Raises:
        ModelMismatchError: It fails.
    """
    try:
        output: NDArray[Any] = session.run([OUTPUT], inputs)[0]
    except _LOAD_ERRORS as error:
        raise ModelMismatchError(f'{ONNX_MEMBER} does not run ({error}); {REMEDY}.') from None
    return output


def _outputs(card: PolicyCard) -> int:
    """How many numbers the network gives for a car."""
    return len(card.action) if isinstance(card.action, DiscreteActions) else 2


def _require_interface(session: onnxruntime.InferenceSession, card: PolicyCard) -> None:
    spec = card.observation
    wanted: dict[str, tuple[str, tuple[int, ...]]] = {
        'camera': ('tensor(uint8)', spec.camera_shape)}
    if spec.lidar_size:
        wanted['lidar'] = ('tensor(float)', (spec.lidar_size,))
    for side, found, allowed in (
        ('inputs', session.get_inputs(), wanted),
        ('outputs', session.get_outputs(), {OUTPUT: ('tensor(float)', (_outputs(card),))}),
    ):
        # The first axis is the cars': any number of them.
        has = {part.name: (part.type, tuple(part.shape[1:])) for part in found}
        if has != allowed:
            raise ModelMismatchError(f'the network has {side} {has}; allowed by its card: '
                                     f'{allowed}; export the model again.')
