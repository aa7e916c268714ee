"""How long the graph takes from an image to the motor, and which images it lost."""

from __future__ import annotations

import struct
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

WAITING: Final = 32
"""Images that may be under way at once; an older one without a command is lost."""

_STAMP: Final = struct.Struct('<iI')
_STAMP_AT: Final = 4
"""Where a serialised message with a header has its stamp: after four bytes about the encoding."""


def stamp_ns_of(serialized: bytes) -> int:
    """Stamp of a serialised message that begins with a header, nanoseconds.

    Far cheaper than to unpack an image for its stamp alone. CDR as Fast DDS and Cyclone DDS write
    it on every machine that ROS 2 supports: little-endian.
    """
    sec, nanosec = _STAMP.unpack_from(serialized, _STAMP_AT)
    return int(sec) * 1_000_000_000 + int(nanosec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Of durations, milliseconds."""

    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, seconds: list[float]) -> Percentiles | None:
        """Of at least one duration; None of none."""
        if not seconds:
            return None
        middle, high = np.percentile(seconds, (50.0, 99.0))
        return cls(p50_ms=_ms(middle), p99_ms=_ms(high), max_ms=_ms(max(seconds)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingFigures:
    """What was measured while the car raced, on the clock of one process.

    Attributes:
        images: That the camera's sensor delivered.
        dropped: Of them, those on which no command reached the motor.
        decided: From an image to the policy's command on it: the image's age when it is used.
        applied: From an image to the motor: camera, policy, limiter and driver.
    """

    images: int
    dropped: int
    decided: Percentiles | None
    applied: Percentiles | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)


class Timing:
    """Pairs images with the commands that carry their stamp.

    All three moments are taken as they arrive at one process, so that its clock alone counts. The
    journey to it lengthens the first and the last alike and cancels out.
    """

    def __init__(self, *, lockstep: bool = False) -> None:
        """Begin; nothing counts until `begin`.

        Args:
            lockstep: The simulator goes on only with a command on its last image. So no image is
                lost on the way, though whoever listens, and stalls, may miss a command.
        """
        self._lockstep = lockstep
        self._heard: set[str] = set()
        self._images = self._dropped = 0
        self._counting = False
        self._waiting: dict[int, float] = {}
        self._undecided: dict[int, float] = {}
        self._decided_s: list[float] = []
        self._applied_s: list[float] = []

    @property
    def hears_all(self) -> bool:
        """Whether images and both commands have come; before, one might be missed, not missing."""
        return len(self._heard) == 3

    def begin(self) -> None:
        """A car races from now on."""
        self._counting = True

    def end(self) -> None:
        """It does no more; images that are under way do not count as lost."""
        self._counting = False
        self._images -= len(self._waiting)
        self._waiting.clear()
        self._undecided.clear()

    def sensed(self, stamp_ns: int, now_s: float) -> None:
        """An image has left the sensor; the same one again (after a lost message) is not new."""
        self._heard.add('sensed')
        if not self._counting or stamp_ns in self._waiting:
            return
        self._images += 1
        self._waiting[stamp_ns] = self._undecided[stamp_ns] = now_s
        if len(self._waiting) > WAITING:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            self._undecided.pop(oldest, None)
            self._dropped += not self._lockstep

    def decided(self, stamp_ns: int, now_s: float) -> None:
        """The policy has commanded on this image."""
        self._heard.add('decided')
        sensed_s = self._undecided.pop(stamp_ns, None)
        if sensed_s is not None:
            self._decided_s.append(now_s - sensed_s)

    def applied(self, stamp_ns: int, now_s: float) -> None:
        """The motor has been commanded on this image."""
        self._heard.add('applied')
        sensed_s = self._waiting.pop(stamp_ns, None)
        if sensed_s is not None:
            self._applied_s.append(now_s - sensed_s)
            self._undecided.pop(stamp_ns, None)

    @property
    def figures(self) -> TimingFigures:
        """Until now."""
        return TimingFigures(images=self._images, dropped=self._dropped,
                             decided=Percentiles.of(self._decided_s),
                             applied=Percentiles.of(self._applied_s))


def _ms(seconds: float) -> float:
    return round(float(seconds) * 1e3, 3)
