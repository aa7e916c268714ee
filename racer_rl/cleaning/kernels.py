"""Compiled kernels of the simulator: made again, in half a minute, when they are needed."""

from __future__ import annotations

from racer_rl.cleaning.things import Kind, Thing, facts_of
from racer_sim.kernels import ENDINGS, kernel_folders


def kernel_things() -> tuple[Thing, ...]:
    """The kernels of each such folder; numba makes what it does not find."""
    things = []
    for folder in kernel_folders():
        files = facts_of(path for ending in ENDINGS for path in folder.glob(f'*{ending}'))
        things.append(Thing(
            kind=Kind.CACHE, name=f'compiled kernels in {folder.name}', files=files,
            paths=tuple(file.path for file in files),
            used_s=max((file.changed_ns for file in files), default=0) / 1e9))
    return tuple(things)
