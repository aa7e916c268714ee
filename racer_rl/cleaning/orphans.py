"""Processes of ours that outlived whoever started them, found by their mark and ended by number.

Every process that makes no sense alone carries `RACER_OWNER` (`racer_vehicle/children.py`): reward
workers, examiners, the nodes of a ROS graph, Gazebo servers. Linux, or a pipe that closes, ends
nearly all of them with their owner; here is what is done about the rest. Names play no part.
"""

from __future__ import annotations

import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from racer_rl.jobs.processes import Handle
from racer_vehicle.children import OWNER, start_ticks

PATIENCE_S: Final = (5.0, 5.0)
"""How long a process gets to leave after SIGTERM, and after SIGKILL."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGKILL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A process whose owner has ended.

    Attributes:
        process_id: Its number.
        began: When it was started, as `start_ticks` has it: with the number, nobody else is meant.
        owner: Who started it: number and start time.
        command: Its first words, for people.
    """

    process_id: int
    began: int
    owner: str
    command: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)


def find_orphans() -> tuple[Orphan, ...]:
    """All orphans among the processes of this user, in this container, by number."""
    ours, namespace = _ancestors(os.getpid()), _namespace(os.getpid())
    found = []
    for path in Path('/proc').glob('[0-9]*'):
        number = int(path.name)
        # Elsewhere the owner's number would mean another process.
        if number not in ours and _namespace(number) == namespace:
            found.append(_orphan(number))
    return tuple(sorted((orphan for orphan in found if orphan is not None),
                        key=lambda orphan: orphan.process_id))


def end(orphan: Orphan, patience_s: tuple[float, float] = PATIENCE_S) -> bool:
    """Ask a process to end, and kill it if it does not.

    Args:
        orphan: From `find_orphans`.
        patience_s: As `PATIENCE_S`.

    Returns:
        Whether it has ended; also if it had before, and its number is somebody else's by now.
    """
    try:
        handle = Handle(os.pidfd_open(orphan.process_id))
    except ProcessLookupError:
        return True
    try:
        # The handle means one process for ever, so that this needs to be looked at once.
        if _orphan(orphan.process_id) != orphan:
            return True
        for number, wait_s in zip(_SIGNALS, patience_s, strict=True):
            handle.send(number)
            if handle.has_ended_within(wait_s):
                return True
    finally:
        os.close(handle.descriptor)
    return False


def _orphan(number: int) -> Orphan | None:
    """A process, if it is one of ours and its owner has ended."""
    began = start_ticks(number)
    try:
        words = Path(f'/proc/{number}/environ').read_bytes().split(b'\0')
        command = Path(f'/proc/{number}/cmdline').read_bytes().decode(errors='replace')
    except OSError:  # it has ended, or is somebody else's
        return None
    start = f'{OWNER}='.encode()
    owner = next((word.removeprefix(start).decode(errors='replace') for word in words
                  if word.startswith(start)), '')
    if began is None or not _has_ended(owner):
        return None
    program, *arguments = command.split('\0')
    return Orphan(process_id=number, began=began, owner=owner,
                  command=' '.join((Path(program).name, *arguments))[:80].strip())


def _has_ended(owner: str) -> bool:
    """Whether an owner is one, and no longer there; its number may be another's by now."""
    number, _, began = owner.partition(':')
    if not (number.isdecimal() and began.isdecimal()):
        return False
    return start_ticks(int(number)) != int(began)


def _namespace(number: int) -> str:
    """In which numbers mean what they mean for a process; empty if that is not to be seen."""
    try:
        return os.readlink(f'/proc/{number}/ns/pid')
    except OSError:
        return ''


def _ancestors(number: int) -> set[int]:
    """A process and all that it comes from."""
    found = set[int]()
    while number > 0 and number not in found:
        found.add(number)
        try:
            told = Path(f'/proc/{number}/stat').read_text(errors='replace')
        except OSError:
            break
        number = int(told.rpartition(')')[2].split()[1])
    return found
