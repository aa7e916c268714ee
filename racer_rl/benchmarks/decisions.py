"""A process that decides as the inference node does, times itself, and prints what it found.

It imports nothing of the trainer, so that its memory is that of a car's process. `inference.py`
gives the order.

    python -m racer_rl.benchmarks.decisions '{"bundle": ..., "views": ..., "core": ..., ...}'
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from racer_rl.benchmarks.machine import peak_memory_mib
from racer_vehicle.errors import RacerError
from racer_vehicle.lens import Distortion, Lens, Rectifier
from racer_vehicle.limiter import DriveLimiter
from racer_vehicle.pilot import PolicyPilot
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.policy_card import PolicyCard
from racer_vehicle.policy_loader import load_policy
from racer_vehicle.signals import Frame, Scan
from racer_vehicle.spec import CONTROL_PERIOD_S

RAW_PX: Final = (640, 480)
"""Width and height of what a camera delivers before its lens is rectified."""

LENS_PART: Final = 4
"""So many decisions are timed for one rectified image, which costs all policies the same."""

_WIDE_FOCAL_PX: Final = 230.0
"""Of an equidistant lens that sees 160 degrees across `RAW_PX`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to measure.

    Attributes:
        bundle: File of the policy.
        views: File of what the car sees, by `numpy.savez`: `images`, uint8 (K, height, width) or
            (K, height, width, 3), and `scans`, float32 (K, rays).
        count: Decisions that are timed.
        warm_up: Decisions before them that are not.
        core: That the process is pinned to; below 0: none.
        group: File that takes this process into a group with less than a core; empty: none.
    """

    bundle: str
    views: str
    count: int
    warm_up: int
    core: int
    group: str

    def run(self) -> Found:
        """Measure, in this process."""
        if self.core >= 0:
            os.sched_setaffinity(0, {self.core})
        cv2.setNumThreads(1)
        if self.group:
            Path(self.group).write_text(str(os.getpid()), encoding='ascii')
        with np.load(self.views) as file:
            images, scans = file['images'], file['scans']
        begun_s = time.perf_counter()
        driver = _Driver(Path(self.bundle))
        load_s, views = time.perf_counter() - begun_s, len(images)
        decided = self._timed(lambda index: driver.decide(
            index, images[index % views], scans[index % views]), self.count)
        memory_mib = _memory_mib()
        # The lens is the camera node's work.
        rectifier = _wide_lens(PolicyBundle.read(Path(self.bundle)).card)
        raw = [np.asarray(cv2.resize(image, RAW_PX), np.uint8) for image in images]
        rectified = self._timed(lambda index: rectifier.rectify(raw[index % views]),
                                max(self.count // LENS_PART, 1))
        return Found(decided=decided, rectified=rectified, load_s=round(load_s, 3),
                     memory_mib=memory_mib)

    def _timed(self, work: Callable[[int], object], count: int) -> Times:
        """Do a piece of work, given its number, again and again."""
        for index in range(-self.warm_up, 0):
            work(index)
        # From end to end: Linux pauses a process with a quota also where it asks for the time, and
        # no pause may fall between two durations.
        clocks = np.zeros((count + 1, 2), dtype=np.int64)
        clocks[0] = time.perf_counter_ns(), time.thread_time_ns()
        for index in range(count):
            work(index)
            clocks[index + 1] = time.perf_counter_ns(), time.thread_time_ns()
        return Times.of(*np.diff(clocks, axis=0).T)


@dataclass(frozen=True, slots=True)
class Times:
    """Of one piece of work, milliseconds.

    Attributes:
        p50_ms: Half of the times on the clock are no longer.
        p95_ms: 95 % of them.
        p99_ms: 99 % of them.
        max_ms: The longest.
        mean_ms: Their mean.
        cpu_mean_ms: Mean of CPU time, which other programs and a quota do not lengthen.
        cpu_p99_ms: 99 % of CPU times are no longer.
    """

    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    mean_ms: float
    cpu_mean_ms: float
    cpu_p99_ms: float

    @classmethod
    def of(cls, wall_ns: NDArray[np.int64], cpu_ns: NDArray[np.int64]) -> Times:
        """Of durations, nanoseconds, (N,) each."""
        figures = (*np.percentile(wall_ns, (50, 95, 99)), wall_ns.max(), wall_ns.mean(),
                   cpu_ns.mean(), np.percentile(cpu_ns, 99))
        return cls(*(round(float(figure) * 1e-6, 5) for figure in figures))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one process found.

    Attributes:
        decided: From the camera's image to the limited command.
        rectified: From the raw image to the camera's.
        load_s: From the file to a policy that is ready.
        memory_mib: Most main memory that the process had.
    """

    decided: Times
    rectified: Times
    load_s: float
    memory_mib: float

    @classmethod
    def from_json(cls, text: str) -> Found:
        """What a process printed."""
        found = json.loads(text)
        return cls(**found | {name: Times(**found[name]) for name in ('decided', 'rectified')})


class _Driver:
    """The inference node and the limiter behind it, without ROS."""

    def __init__(self, bundle: Path) -> None:
        card = PolicyBundle.read(bundle).card
        car = card.fitting_car
        self._pilot, self._limiter = PolicyPilot(), DriveLimiter.for_car(car)
        self._pilot.install(load_policy(bundle, car))

    def decide(self, index: int, image: NDArray[np.uint8], scan: NDArray[np.float32]) -> None:
        """On the image of a control period."""
        stamp_s = index * CONTROL_PERIOD_S
        self._pilot.note_scan(Scan(ranges_m=scan, stamp_s=stamp_s))
        choice = self._pilot.decide(Frame(image=image, stamp_s=stamp_s), stamp_s)
        if choice.command is None or choice.trouble:
            # Refusals are quick, and would pass for good figures.
            raise RacerError(f'the policy does not decide: {choice.why}')
        self._limiter.limit(choice.command)


def _wide_lens(card: PolicyCard) -> Rectifier:
    width, height = RAW_PX
    lens = Lens(width_px=width, height_px=height, fx_px=_WIDE_FOCAL_PX, fy_px=_WIDE_FOCAL_PX,
                cx_px=(width - 1) / 2, cy_px=(height - 1) / 2,
                distortion=Distortion.EQUIDISTANT, coefficients=(0.0,) * 4)
    return Rectifier(lens, card.observation.native_camera)


def _memory_mib() -> float:
    """Most that this process had; 0 where there is no `/proc`."""
    return peak_memory_mib(os.getpid()) if Path('/proc/self/status').is_file() else 0.0


def main(arguments: list[str]) -> None:
    """Carry out the order of a command line and print what was found."""
    found = Order(**json.loads(arguments[0])).run()
    sys.stdout.write(json.dumps(asdict(found)) + '\n')


if __name__ == '__main__':
    main(sys.argv[1:])
