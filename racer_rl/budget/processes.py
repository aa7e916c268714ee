"""What this process and everything it started has taken of the machine."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TICKS: Final = os.sysconf('SC_CLK_TCK')
_PAGE: Final = os.sysconf('SC_PAGE_SIZE')


@dataclass(frozen=True, slots=True)
class Sample:
    """What a family of processes has taken, at one moment.

    Attributes:
        cpu_s: Seconds of a core, of those that have ended too.
        memory_bytes: Held at that moment. Of files and memory that they share, the most that one
            of them has counts, and once.
    """

    cpu_s: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class _Process:
    number: int
    parent: int
    cpu_s: float


def sample_family() -> Sample:
    """This process and its descendants, now; where there is no `/proc`, without those that live.

    A process that ends at this very moment may be missing until the next sample; none counts
    twice: parents are read before their children.
    """
    own = _read(os.getpid())
    if own is None:
        return _without_proc()
    children: dict[int, list[_Process]] = {}
    for process in _others():
        children.setdefault(process.parent, []).append(process)
    members, unseen = [], [own]
    while unseen:
        members.append(unseen.pop())
        unseen.extend(children.get(members[-1].number, ()))
    pages = [_pages(each.number) for each in members]
    held = sum(resident - shared for resident, shared in pages) + max(each for _, each in pages)
    return Sample(sum(each.cpu_s for each in members), held * _PAGE)


def _others() -> Iterator[_Process]:
    numbers = sorted(int(name) for name in os.listdir('/proc') if name.isdigit())
    for number in numbers:
        process = None if number == os.getpid() else _read(number)
        if process is not None:
            yield process


def _read(number: int) -> _Process | None:
    try:
        with open(f'/proc/{number}/stat', 'rb') as stream:
            told = stream.read()
    except OSError:
        return None
    # The name comes second, in brackets, and may hold anything. See proc(5) for the places.
    words = told.rpartition(b')')[2].split()
    ticks = sum(int(word) for word in words[11:15])  # its own and those of ended children
    return _Process(number, int(words[1]), ticks / _TICKS)


def _pages(number: int) -> tuple[int, int]:
    """Resident pages, and those of them that others may have too; see proc(5)."""
    try:
        with open(f'/proc/{number}/statm', 'rb') as stream:
            words = stream.read().split()
    except OSError:
        return 0, 0
    # What each has a right to stands in smaps_rollup, which takes 10 ms of a process with torch.
    return int(words[1]), int(words[2])


def _without_proc() -> Sample:
    unit = 1 if sys.platform == 'darwin' else 1024
    return Sample(sum(os.times()[:4]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
