"""The machine that figures come from: without it they mean nothing."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

_PACKAGES: Final = (
    'racer', 'torch', 'stable-baselines3', 'numba', 'numpy', 'opencv-python-headless',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What was measured on.

    Attributes:
        cpu: Model, as the system names it.
        cores: Logical cores.
        usable_cores: Of them, those this process may run on.
        memory_gib: Main memory.
        load: Load averages over 1, 5 and 15 minutes before the first measurement; what other
            processes take is missing from wall figures.
        system: Operating system.
        omp_num_threads: `OMP_NUM_THREADS`, or None.
        python: Version.
        versions: Package to version.
    """

    cpu: str
    cores: int
    usable_cores: int
    memory_gib: float
    load: tuple[float, float, float]
    system: str
    omp_num_threads: str | None
    python: str
    versions: dict[str, str]

    @classmethod
    def here(cls) -> Machine:
        """This machine, now."""
        memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
        # Not every system pins processes to cores.
        affinity = getattr(os, 'sched_getaffinity', None)
        cores = os.cpu_count() or 1
        minute, five, fifteen = (round(load, 2) for load in os.getloadavg())
        return cls(
            cpu=cpu_model(),
            cores=cores,
            usable_cores=len(affinity(0)) if affinity else cores,
            memory_gib=round(memory / 2**30, 1),
            load=(minute, five, fifteen),
            system=platform.platform(terse=True),
            omp_num_threads=os.environ.get('OMP_NUM_THREADS'),
            python=platform.python_version(),
            versions={name: version(name) for name in _PACKAGES},
        )


def cpu_model() -> str:
    """The first `model name` of Linux, and what Python knows elsewhere."""
    listing = Path('/proc/cpuinfo')
    if listing.is_file():
        for line in listing.read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def peak_memory_mib(process: int) -> float:
    """Most memory that a process held, MiB, by Linux's own account (`VmHWM`).

    Raises:
        OSError: It has ended, or there is no `/proc`.
    """
    lines = Path(f'/proc/{process}/status').read_text('ascii').splitlines()
    peak = next(line for line in lines if line.startswith('VmHWM:'))
    return round(int(peak.split()[1]) / 1024, 1)
