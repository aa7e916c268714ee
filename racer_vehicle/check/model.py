"""Whether the policy is whole, trusted, made for this car, the one that drives, and in time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import numpy as np

from racer_vehicle.check.car_link import Driver
from racer_vehicle.check.outcome import Figure, Outcome, Problem
from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.policy import LoadedPolicy
from racer_vehicle.policy_loader import load_policy
from racer_vehicle.signing import TrustedKeys
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

BUDGET_S: Final = 0.5 * CONTROL_PERIOD_S
"""For one decision, p99: the other half of the period is for the camera and the other nodes."""

RUNS: Final = 150
_WARM_UP: Final = 10


def check_model(driver: Driver, car: CarSpec) -> Outcome:
    """Load the policy as the inference node does, and time it.

    Args:
        driver: Which policy, whose keys, and what the inference node says it drives by.
        car: That it is to drive.
    """
    if not driver.bundle:
        return Outcome.failed('model', 'no policy was given, and the inference node has none.',
                              'Name one: racer car check car.racer.')
    try:
        trusted = TrustedKeys.read(Path(driver.trusted_keys)) if driver.trusted_keys else None
        policy = load_policy(Path(driver.bundle), car, trusted)
    except (ConfigError, ModelMismatchError) as error:
        return Outcome.failed('model', str(error))
    figures, problems = _timed(policy, car)
    bundle = policy.bundle
    figures = {'name': bundle.card.model, 'sha256': bundle.sha256[:12],
               'signed': bundle.signature.key_id if bundle.signature else 'no', **figures}
    if driver.active_sha256 not in {'', bundle.sha256}:
        problems.append(Problem(
            f'the inference node drives by {driver.active_sha256[:12]}; allowed: '
            f'{bundle.sha256[:12]}.', 'Start the nodes again with this policy.'))
    remark = '' if trusted else 'no signature is asked for (trusted_keys is empty)'
    return Outcome.of('model', figures, problems, remark)


def _timed(policy: LoadedPolicy, car: CarSpec) -> tuple[dict[str, Figure], list[Problem]]:
    """Time decisions on noise, in this process, beside whatever else the car does."""
    random, camera = np.random.default_rng(0), car.camera
    rgb = policy.bundle.card.observation.camera.colour == 'rgb'
    shape = (camera.height_px, camera.width_px, *((3,) if rgb else ()))
    image = random.integers(0, 256, shape, dtype=np.uint8)
    scan = np.full(car.lidar.rays, 1.0, np.float32)
    took_s = np.zeros(RUNS + _WARM_UP)
    for run in range(len(took_s)):
        begun_s = time.perf_counter()
        policy.act(image, scan, fresh=run == 0)
        took_s[run] = time.perf_counter() - begun_s
    p50_s, p99_s = np.quantile(took_s[_WARM_UP:], (0.5, 0.99))
    problems = [] if p99_s <= BUDGET_S else [Problem(
        f'p99 of a decision is {1e3 * p99_s:.1f} ms; allowed: {1e3 * BUDGET_S:.0f}.',
        'Take a smaller network (FAST), or stop what else keeps the processor busy.')]
    return {'decision_p50_ms': 1e3 * float(p50_s), 'decision_p99_ms': 1e3 * float(p99_s)}, problems
