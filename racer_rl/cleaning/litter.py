"""What killed processes left in the machine, outside of the store: orphans and shared memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from racer_rl.cleaning.orphans import Orphan, end, find_orphans
from racer_rl.cleaning.shared_memory import Segment, dead_segments, remove_segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Litter:
    """What was found.

    Attributes:
        orphans: Processes.
        segments: Shared memory.
    """

    orphans: tuple[Orphan, ...]
    segments: tuple[Segment, ...]

    @property
    def memory_bytes(self) -> int:
        """Of the shared memory."""
        return sum(segment.bytes for segment in self.segments)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {'orphans': [orphan.as_dict() for orphan in self.orphans],
                'segments': len(self.segments), 'memory_bytes': self.memory_bytes}


def find_litter(now_s: float) -> Litter:
    """Look; changes nothing.

    Args:
        now_s: Seconds since 1970.
    """
    return Litter(orphans=find_orphans(), segments=dead_segments(now_s))


def clear(litter: Litter, now_s: float) -> tuple[int, tuple[Orphan, ...]]:
    """End the orphans, then remove the shared memory.

    Returns:
        Bytes of memory that became free, and the orphans that would not end.
    """
    stubborn = tuple(orphan for orphan in litter.orphans if not end(orphan))
    return sum(remove_segment(segment, now_s) for segment in litter.segments), stubborn
