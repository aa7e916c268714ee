"""The bytes that an RPLIDAR A1 or A2 and its host exchange.

Slamtec, *RPLIDAR interface protocol and application notes*, the legacy scan: requests, response
descriptors, and five bytes a measurement. The protocol has no checksum in that direction, only
three bits of each measurement that must fit; that is all there is to find its place by.
"""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STOP: Final = 0x25
RESET: Final = 0x40
SCAN: Final = 0x20
GET_HEALTH: Final = 0x52
SET_MOTOR_PWM: Final = 0xF0

SCAN_DESCRIPTOR: Final = bytes.fromhex('A55A0500004081')
HEALTH_DESCRIPTOR: Final = bytes.fromhex('A55A0300000006')
HEALTH_FAILED: Final = 2

PACKET: Final = 5
IN_STEP: Final = 6
"""Packets in a row that must fit before a place in the stream is believed: 1 in 8^6 by chance."""

WIDEST_GAP_RAD: Final = math.radians(30.0)
"""Between measurements of a revolution that counts; more means that bytes were lost."""

_SYNC: Final = 0xA5


def request(command: int, payload: bytes = b'') -> bytes:
    """A request; with a payload it carries size and checksum."""
    if not payload:
        return bytes((_SYNC, command))
    body = bytes((_SYNC, command, len(payload))) + payload
    return body + bytes((functools.reduce(operator.xor, body),))


@dataclass(frozen=True, slots=True)
class Revolution:
    """One turn of the scanner.

    Attributes:
        angles_rad: float64, (n,), clockwise from the scanner's front, as it counts.
        ranges_m: float64, (n,); 0: nothing came back.
        stamp_s: When its first byte arrived.
    """

    angles_rad: Floats
    ranges_m: Floats
    stamp_s: float


class ScanDecoder:
    """Measurements out of a stream of bytes, in pieces of any size, with bytes lost and wrong.

    Attributes:
        skipped_bytes: How many were passed over to get into step.
        dropped: How many revolutions had holes.
    """

    def __init__(self) -> None:
        """Begin out of step, and before the first whole revolution."""
        self.skipped_bytes = 0
        self.dropped = 0
        self._bytes = bytearray()
        self._in_step = False
        self._parts: list[NDArray[np.int64]] | None = None
        self._stamp_s = 0.0

    def feed(self, content: bytes, now_s: float) -> list[Revolution]:
        """Take bytes; give the whole revolutions that they complete, oldest first.

        Args:
            content: As received.
            now_s: When.
        """
        self._bytes += content
        revolutions: list[Revolution] = []
        while True:
            packets = self._whole_packets()
            if len(packets) < (1 if self._in_step else IN_STEP):
                return revolutions
            fits = _fit(packets)
            if not self._in_step:
                self._get_into_step(fits)
                continue
            good = len(packets) if fits.all() else int(fits.argmin())
            self._in_step = good == len(packets)
            revolutions += self._take(packets[:good].astype(np.int64), now_s)
            del self._bytes[:good * PACKET]

    def _whole_packets(self) -> NDArray[np.uint8]:
        count = len(self._bytes) // PACKET
        content = np.frombuffer(bytes(self._bytes[:count * PACKET]), dtype=np.uint8)
        return content.reshape(count, PACKET)

    def _get_into_step(self, fits: NDArray[np.bool_]) -> None:
        self._in_step = bool(fits[:IN_STEP].all())
        if not self._in_step:
            del self._bytes[0]
            self.skipped_bytes += 1

    def _take(self, packets: NDArray[np.int64], now_s: float) -> list[Revolution]:
        """Sort packets that fit into revolutions, each of which begins with its start flag."""
        revolutions = []
        starts = np.flatnonzero(packets[:, 0] & 1)
        for part in np.split(packets, starts):
            if len(part) and part[0, 0] & 1:
                revolutions += self._finish()
                self._parts, self._stamp_s = [], now_s
            if self._parts is not None:
                self._parts.append(part)
        return revolutions

    def _finish(self) -> list[Revolution]:
        if self._parts is None:
            return []
        packets = np.concatenate(self._parts)
        angle_q6 = packets[:, 1] >> 1 | packets[:, 2] << 7
        distance_q2_mm = packets[:, 3] | packets[:, 4] << 8
        angles_rad = np.remainder(np.radians(angle_q6 / 64.0), math.tau)
        around = np.sort(angles_rad)
        gaps = np.diff(around, append=around[0] + math.tau)
        if gaps.max() > WIDEST_GAP_RAD:
            self.dropped += 1
            return []
        return [Revolution(angles_rad, distance_q2_mm / 4000.0, self._stamp_s)]


def _fit(packets: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether start flag and its complement differ, and the check bit is set, (n,)."""
    flags = packets[:, 0]
    return ((flags ^ (flags >> 1)) & packets[:, 1] & 1).astype(np.bool_)
