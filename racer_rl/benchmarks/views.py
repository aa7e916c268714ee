"""What a car sees along a track, in a file: the same pictures for everybody who is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from racer_rl.envs.build import build_simulator
from racer_rl.evaluation.bundle_policy import setup_of
from racer_vehicle.policy_card import PolicyCard

VIEWS: Final = 64
"""Places along the track."""


def write_views(path: Path, card: PolicyCard, track: str) -> None:
    """Write images as the camera node sends them, and scans.

    Args:
        path: File for `numpy.load`: `images`, uint8 (K, height, width) or (K, height, width, 3),
            and `scans`, float32 (K, rays).
        card: Of the policy whose car looks.
        track: Name or file.
    """
    simulator = build_simulator(setup_of(card, track), cars=VIEWS, seed=0)
    course, cars = np.zeros(VIEWS, dtype=np.int64), np.arange(VIEWS)
    simulator.place(cars, course, cars / VIEWS * simulator.geometry.length_m[course])
    planes = simulator.images()
    images = planes[:, 0] if planes.shape[1] == 1 else planes.transpose(0, 2, 3, 1)
    np.savez(path, images=np.ascontiguousarray(images), scans=simulator.scans())
