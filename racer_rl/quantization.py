"""Networks with 8-bit weights: a quarter of the size, and faster where the weights are many.

Static quantisation by ONNX Runtime. The result marks where numbers change between 8 bits and
floats by standard operators (QuantizeLinear, DequantizeLinear), so that every car's runtime reads
it. Ranges of the activations come from what the policy sees while it drives laps. The last layer
stays as it is: it is small, and its errors would go straight to the steering.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from racer_rl.envs.batch import Observation
from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.bundle_policy import BundlePolicy, setup_of
from racer_rl.evaluation.laps import EvaluationPlan, evaluate, few_tracks
from racer_vehicle.errors import ModelMismatchError
from racer_vehicle.policy import PolicyBundle

CALIBRATION: Final = EvaluationPlan(laps=1, starts=8, seed=1)
"""Laps whose images give the ranges; not those by which the result is judged afterwards."""

CALIBRATION_FRAMES: Final = 512
LEAST_FRAMES: Final = 32
"""A policy that leaves the track at once shows less than that, and nothing worth measuring."""

_LAYERS: Final = ('Conv', 'Gemm', 'MatMul')
_AT_ONCE: Final = 32


def quantized(bundle: PolicyBundle, setup: RaceSetup | None = None) -> PolicyBundle:
    """The same policy with 8-bit weights; unsigned, because it is another network.

    Args:
        bundle: A policy with float32 weights.
        setup: Where it drives the laps that it is calibrated on; None: as its card says.

    Raises:
        ModelMismatchError: It has 8-bit weights already, no layer that could have them, or drives
            too short a way to be calibrated.
        ConfigError: A track of its card is not known here: give another setup.
    """
    if bundle.card.precision != 'float32':
        raise ModelMismatchError(f'policy {bundle.card.model!r} has {bundle.card.precision} '
                                 'weights already; allowed: float32; export the model again.')
    frames = _seen_on_laps(bundle, setup or setup_of(bundle.card))
    network = _quantize(bundle.onnx, frames)
    return PolicyBundle.pack(replace(bundle.card, precision='int8'), network)


class _Recorder:
    """A policy that keeps what its network reads."""

    def __init__(self, policy: BundlePolicy) -> None:
        self._policy = policy
        self.seen: list[dict[str, NDArray[Any]]] = []

    def __call__(self, observation: Observation) -> NDArray[Any]:
        self.seen.append({name: part.copy()
                          for name, part in self._policy.inputs(observation).items()})
        return self._policy(observation)


def _seen_on_laps(bundle: PolicyBundle, setup: RaceSetup) -> dict[str, NDArray[Any]]:
    """Inputs of the network, spread evenly over the laps that it drives."""
    recorder = _Recorder(BundlePolicy(bundle))
    evaluate(recorder, few_tracks(setup), CALIBRATION)
    frames = {name: np.concatenate([seen[name] for seen in recorder.seen])
              for name in recorder.seen[0]}
    count = len(frames['camera'])
    if count < LEAST_FRAMES:
        raise ModelMismatchError(f'policy {bundle.card.model!r} drove {count} steps; allowed for '
                                 f'calibration: {LEAST_FRAMES} or more; train it further.')
    chosen = np.linspace(0, count - 1, min(count, CALIBRATION_FRAMES)).astype(np.int64)
    return {name: part[chosen] for name, part in frames.items()}


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Frames in portions, as ONNX Runtime asks for them."""

    def __init__(self, frames: dict[str, NDArray[Any]]) -> None:
        self._portions = iter([
            {name: part[place:place + _AT_ONCE] for name, part in frames.items()}
            for place in range(0, len(frames['camera']), _AT_ONCE)
        ])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next portion; None after the last."""
        return next(self._portions, None)


def _quantize(network: bytes, frames: dict[str, NDArray[Any]]) -> bytes:
    """8-bit weights for all layers but the last, a scale for each of their outputs."""
    with tempfile.TemporaryDirectory(prefix='racer-int8-') as name:
        prepared, result = Path(name) / 'prepared.onnx', Path(name) / 'int8.onnx'
        # Shapes of all tensors, which ranges are measured for; this way needs no further package.
        quant_pre_process(onnx.load_from_string(network), prepared, skip_symbolic_shape=True)
        layers = [node.name for node in onnx.load(prepared).graph.node if node.op_type in _LAYERS]
        if len(layers) < 2:
            raise ModelMismatchError(f'the network has {len(layers)} layers with weights; allowed '
                                     'for int8: 2 or more, of which the last stays float32.')
        quantize_static(prepared, result, _Reader(frames), quant_format=QuantFormat.QDQ,
                        per_channel=True, nodes_to_quantize=layers[:-1],
                        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8)
        return _standard(onnx.load(result), onnx.load_from_string(network))


def _standard(made: onnx.ModelProto, original: onnx.ModelProto) -> bytes:
    """Without the versions that the tools leave in it, which older runtimes would stumble over."""
    del made.opset_import[:]
    made.opset_import.extend(original.opset_import)
    made.ir_version = original.ir_version
    onnx.checker.check_model(made)
    result: bytes = made.SerializeToString()
    return result
