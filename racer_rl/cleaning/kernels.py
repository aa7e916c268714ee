"""Compiled kernels of the simulator: made again, in half a minute, when they are needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import racer_sim
from racer_rl.cleaning.things import Kind, Thing, facts_of

_ENDINGS: Final = ('.nbi', '.nbc')


def kernel_folders() -> tuple[Path, ...]:
    """Where numba keeps the kernels of `racer_sim`: beside the code, or in a cache of the user."""
    code = Path(racer_sim.__file__).parent
    named = os.environ.get('NUMBA_CACHE_DIR')
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'numba'
    return (code / '__pycache__', *(
        folder for place in ((Path(named),) if named else (cache,))
        for folder in place.glob(f'{code.name}_*')))


def kernel_things() -> tuple[Thing, ...]:
    """The kernels of each such folder; numba makes what it does not find."""
    things = []
    for folder in kernel_folders():
        files = facts_of(path for ending in _ENDINGS for path in folder.glob(f'*{ending}'))
        things.append(Thing(
            kind=Kind.CACHE, name=f'compiled kernels in {folder.name}', files=files,
            paths=tuple(file.path for file in files),
            used_s=max((file.changed_ns for file in files), default=0) / 1e9))
    return tuple(things)
