"""A policy with 8-bit weights beside its original: what it loses, and what it saves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.bundle_policy import BundlePolicy, setup_of
from racer_rl.evaluation.laps import Evaluation, EvaluationPlan, evaluate, few_tracks
from racer_vehicle.policy import OUTPUT, PolicyBundle, session_of

LAPS: Final = EvaluationPlan(laps=3, starts=4, seed=2)
"""As many as a training drives, by other image ages than those of the calibration."""

WORTH_IT: Final = 0.9
"""Of the time of float32: with less gain than a tenth, 8-bit weights are not worth their loss."""

RUNS: Final = 2000
_WARM_UP: Final = 100
_TURNS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionFigures:
    """One of both policies.

    Attributes:
        evaluation: What it drove.
        network_bytes: Size of its network.
        p50_ms: Half of the runs of the network alone take no longer, on this machine.
        p99_ms: 99 % of them.
    """

    evaluation: Evaluation
    network_bytes: int
    p50_ms: float
    p99_ms: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {'network_bytes': self.network_bytes, 'p50_ms': self.p50_ms, 'p99_ms': self.p99_ms,
                **self.evaluation.as_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionComparison:
    """Both policies, on the same laps and the same machine."""

    float32: PrecisionFigures
    int8: PrecisionFigures

    @property
    def lost_completion(self) -> float:
        """Share of the distance that only float32 drove; below 0: int8 drove further."""
        return self.float32.evaluation.completion - self.int8.evaluation.completion

    @property
    def speed_up(self) -> float:
        """Time of float32 over that of int8, of the median run of the network."""
        return self.float32.p50_ms / self.int8.p50_ms

    @property
    def advice(self) -> str:
        """Whether int8 is worth it here, in a sentence."""
        if self.int8.p50_ms > WORTH_IT * self.float32.p50_ms:
            return (f'Not faster on this machine ({self.speed_up:.2f} times the speed): use '
                    'float32, unless the car is another kind of computer and shows a gain there.')
        if self.int8.evaluation.reliability < self.float32.evaluation.reliability:
            return (f'{self.speed_up:.1f} times as fast on this machine, but it drives worse: use '
                    'float32, if the car has the time for it.')
        return f'{self.speed_up:.1f} times as fast on this machine, and drives as well.'

    @property
    def summary(self) -> str:
        """For people: laps, completion, lap time, time of the network, size, and the advice."""
        before, after = self.float32, self.int8
        lap = ' -> '.join('-' if part.evaluation.mean_lap_s is None
                          else f'{part.evaluation.mean_lap_s:.2f}' for part in (before, after))
        return (
            f'float32 {_laps(before.evaluation)}, int8 {_laps(after.evaluation)}, completion '
            f'{before.evaluation.completion:.1%} -> {after.evaluation.completion:.1%}, mean lap '
            f'{lap} s\n'
            f'network p50 {before.p50_ms:.3f} -> {after.p50_ms:.3f} ms, p99 {before.p99_ms:.3f} '
            f'-> {after.p99_ms:.3f} ms, size {_size(before)} -> {_size(after)}\n'
            f'{self.advice}'
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {'float32': self.float32.as_dict(), 'int8': self.int8.as_dict(),
                'lost_completion': round(self.lost_completion, 6),
                'speed_up': round(self.speed_up, 3), 'advice': self.advice}


def compare_precisions(float32: PolicyBundle, int8: PolicyBundle, setup: RaceSetup | None = None,
                       plan: EvaluationPlan = LAPS) -> PrecisionComparison:
    """Drive laps with both, and time both networks in turns.

    Args:
        float32: The policy.
        int8: What `quantized` made of it.
        setup: Where they drive; None: as the card says.
        plan: What they drive.

    Raises:
        ConfigError: A track of the card is not known here: give another setup.
    """
    course = few_tracks(setup or setup_of(float32.card))
    shown = [evaluate(BundlePolicy(bundle), course, plan) for bundle in (float32, int8)]
    times = _times_ms([float32, int8])
    figures = [
        PrecisionFigures(evaluation=evaluation, network_bytes=len(bundle.onnx),
                         p50_ms=round(p50, 4), p99_ms=round(p99, 4))
        for bundle, evaluation, (p50, p99) in zip((float32, int8), shown, times, strict=True)
    ]
    return PrecisionComparison(float32=figures[0], int8=figures[1])


def _times_ms(bundles: list[PolicyBundle]) -> list[tuple[float, float]]:
    """Medians and 99th percentiles of the networks' runs, one image at a time, in turns."""
    sessions = [session_of(bundle.onnx) for bundle in bundles]
    spec, random = bundles[0].card.observation, np.random.default_rng(0)
    inputs: dict[str, Any] = {
        'camera': random.integers(0, 256, (1, *spec.camera_shape), dtype=np.uint8)}
    if spec.lidar_size:
        inputs['lidar'] = random.random((1, spec.lidar_size), dtype=np.float32)
    taken: list[list[float]] = [[] for _ in sessions]
    for _ in range(_TURNS):
        for session, times in zip(sessions, taken, strict=True):
            for run in range(-_WARM_UP, RUNS // _TURNS):
                begun_s = time.perf_counter()
                session.run([OUTPUT], inputs)
                if run >= 0:
                    times.append((time.perf_counter() - begun_s) * 1e3)
    return [(float(np.percentile(times, 50)), float(np.percentile(times, 99)))
            for times in taken]


def _laps(evaluation: Evaluation) -> str:
    return f'{evaluation.clean_laps} of {evaluation.total_laps} laps clean'


def _size(figures: PrecisionFigures) -> str:
    kilobytes = figures.network_bytes / 1e3
    return f'{kilobytes / 1e3:.1f} MB' if kilobytes >= 1000.0 else f'{kilobytes:.0f} kB'
