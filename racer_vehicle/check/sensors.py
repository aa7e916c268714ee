"""Whether camera and lidar see: how often, how old, and whether it is a picture of the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from racer_vehicle import contract
from racer_vehicle.check.car_link import Sample
from racer_vehicle.check.outcome import Figure, Outcome, Problem
from racer_vehicle.signals import Frame, Scan
from racer_vehicle.spec import CONTROL_PERIOD_S, CameraSpec, LidarSpec

SLOWEST: Final = 0.8
"""Share of the contract's rate that is enough."""

DARK: Final = 8.0
"""Mean grey level, of 255, below which a picture counts as black: a covered lens, no light."""

FLAT: Final = 2.0
"""Standard deviation of the grey levels below which nothing can be told apart."""

MOST_INVALID: Final = 0.2
"""Share of rays that may be NaN (REP-117: could not be measured)."""

MOST_TOO_CLOSE: Final = 0.5
"""Share of rays that may be -inf (REP-117): more, and something is in front of the scanner."""

AHEAD_S: Final = 0.02
"""A stamp so far in the future means another clock, not rounding."""


def judge_camera(samples: Sequence[Sample[Frame]], camera: CameraSpec, duration_s: float, *,
                 simulated: bool, unfit: str = '') -> Outcome:
    """Judge what the camera node said.

    Args:
        samples: Its images, oldest first.
        camera: That the policy is to see through.
        duration_s: For how long it was listened to.
        simulated: A simulator's picture of a standing car may be the same to the last bit, and its
            floor may have no walls.
        unfit: What was wrong with messages that could not be read.
    """
    if not samples:
        return _silent('camera', 'image', duration_s, unfit,
                       'the camera: ls -l /dev/v4l/by-id, its cable, its `device` in camera.yaml')
    images = [sample.item.image for sample in samples]
    last = images[-1].astype(np.float64)
    figures = {**_flow(samples, duration_s), 'size': f'{images[-1].shape[1]}x{len(images[-1])}',
               'mean': float(last.mean()), 'contrast': float(last.std())}
    problems = _flow_problems('camera/image_raw', figures)
    if images[-1].shape[:2] != (camera.height_px, camera.width_px):
        problems.append(Problem(
            f'images are {figures["size"]}; allowed: {camera.width_px}x{camera.height_px}.',
            "Set the camera node's camera.width_px and camera.height_px to the policy's."))
    if last.mean() < DARK:
        problems.append(Problem(f'the picture is black (mean level {last.mean():.1f}).',
                                'Take the cap off, switch the light on, look at the exposure.'))
    elif last.std() < FLAT:
        problems.append(Problem(f'the picture is one flat grey (contrast {last.std():.1f}).',
                                'Something covers the lens, or the exposure is far off.'))
    if not simulated and len(images) > 1 and _all_equal(images):
        problems.append(Problem(f'the picture is frozen: {len(images)} images, the same to the '
                                'last bit.', 'Replug the camera and start the nodes again.'))
    return Outcome.of('camera', figures, problems, _old(figures))


def judge_lidar(samples: Sequence[Sample[Scan]], lidar: LidarSpec, duration_s: float, *,
                simulated: bool, unfit: str = '') -> Outcome:
    """Judge what the lidar node said; arguments as `judge_camera`."""
    if not samples:
        return _silent('lidar', 'scan', duration_s, unfit,
                       'the scanner: does it turn? ls -l /dev/serial/by-id, its power, `device` '
                       'and `baud` in lidar.yaml')
    scans = [sample.item.ranges_m for sample in samples]
    rays = np.concatenate(scans)
    figures = {**_flow(samples, duration_s), 'rays': lidar.rays, **ray_shares(rays)}
    problems = _flow_problems('scan', figures)
    if np.isnan(rays).mean() > MOST_INVALID:
        problems.append(Problem(f'{np.isnan(rays).mean():.0%} of the rays are invalid (NaN); '
                                f'allowed: {MOST_INVALID:.0%}.', 'Clean the scanner; check its '
                                'power: many scanners turn too slowly on a weak supply.'))
    if np.isneginf(rays).mean() > MOST_TOO_CLOSE:
        problems.append(Problem(f'{np.isneginf(rays).mean():.0%} of the rays are blocked (-inf); '
                                f'allowed: {MOST_TOO_CLOSE:.0%}.', 'Take away what is in front '
                                'of it: cables, a shell, a hand.'))
    if not simulated and np.isposinf(rays).all():
        problems.append(Problem('no ray came back (+inf).', 'Put the car into a room with walls '
                                f'within {lidar.range_max_m:g} m.'))
    if not simulated and len(scans) > 1 and _all_equal(scans):
        problems.append(Problem(f'the scan is frozen: {len(scans)} scans, the same to the last '
                                'bit.', 'Replug the scanner and start the nodes again.'))
    return Outcome.of('lidar', figures, problems)


def ray_shares(ranges_m: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> dict[str, Figure]:
    """How the rays of scans ended, by REP-117; the four shares make 1.

    Args:
        ranges_m: float32, any number of rays, m.
    """
    return {'valid': float(np.isfinite(ranges_m).mean()),
            'no_return': float(np.isposinf(ranges_m).mean()),
            'too_close': float(np.isneginf(ranges_m).mean()),
            'invalid': float(np.isnan(ranges_m).mean())}


def _silent(step: str, what: str, duration_s: float, unfit: str, device: str) -> Outcome:
    if unfit:
        return Outcome.failed(step, f'no {what} could be read: {unfit}')
    return Outcome.failed(step, f'no {what} came in {duration_s:g} s.',
                          f'See what the {step} node says (journalctl -u racer), then {device}.')


def _flow(samples: Sequence[Sample[Frame]] | Sequence[Sample[Scan]],
          duration_s: float) -> dict[str, Figure]:
    ages_s = np.array([sample.age_s for sample in samples])
    return {'hz': len(samples) / duration_s,
            'age_p50_ms': 1e3 * float(np.quantile(ages_s, 0.5)),
            'age_p99_ms': 1e3 * float(np.quantile(ages_s, 0.99, method='higher')),
            'age_min_ms': 1e3 * float(ages_s.min())}


def _flow_problems(topic: str, figures: dict[str, Figure]) -> list[Problem]:
    row, problems = contract.topic(topic), []
    assert row.rate_hz is not None and row.stale_after_s is not None
    hz, oldest_ms = float(figures['hz']), float(figures['age_p99_ms'])
    if hz < SLOWEST * row.rate_hz:
        problems.append(Problem(f'{hz:.1f} Hz; allowed: {SLOWEST * row.rate_hz:.1f} or more.',
                                'See whether the processor is busy (top), and the device slow.'))
    if oldest_ms > 1e3 * row.stale_after_s:
        problems.append(Problem(
            f'p99 of the age is {oldest_ms:.0f} ms; allowed: {1e3 * row.stale_after_s:.0f}: what '
            'is older is not driven on.', 'Shorten the exposure, free the processor.'))
    if float(figures['age_min_ms']) < -1e3 * AHEAD_S:
        problems.append(Problem('stamps are from the future.', 'The clocks of two machines '
                                'differ: run the check on the car, or synchronise them (chrony).'))
    return problems


def _old(figures: dict[str, Figure]) -> str:
    """A word on images that are fresh enough to drive on, but older than what models learn on."""
    period_ms = 1e3 * CONTROL_PERIOD_S
    if float(figures['age_p99_ms']) <= period_ms:
        return ''
    return (f'older than the {period_ms:.0f} ms that models learn with; '
            'train with --goal generalise')


def _all_equal(arrays: Sequence[np.ndarray]) -> bool:
    return all(np.array_equal(array, arrays[0], equal_nan=array.dtype.kind == 'f')
               for array in arrays[1:])
