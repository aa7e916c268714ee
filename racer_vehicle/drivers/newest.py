"""The newest item of a sensor, between the thread that makes it and the node that takes it."""

from __future__ import annotations

import math
import threading
from typing import Generic, Protocol, TypeVar

from racer_vehicle.errors import DeviceError


class Stamped(Protocol):
    """A frame, a scan."""

    @property
    def stamp_s(self) -> float:
        """When it was taken, seconds."""
        ...


Item = TypeVar('Item', bound=Stamped)


class Newest(Generic[Item]):
    """Holds one item; a newer one replaces it, and each is handed out once."""

    def __init__(self, name: str) -> None:
        """Start empty.

        Args:
            name: Of the device, for messages.
        """
        self._name = name
        self._lock = threading.Lock()
        self._item: Item | None = None
        self._stamp_s = -math.inf
        self._trouble = ''

    def put(self, item: Item) -> None:
        """Replace the item; whatever was wrong before is over."""
        with self._lock:
            self._item, self._stamp_s, self._trouble = item, item.stamp_s, ''

    def fail(self, trouble: str) -> None:
        """Note why nothing comes; an item that was not taken yet is still handed out."""
        with self._lock:
            self._trouble = trouble

    def take(self, now_s: float, max_age_s: float) -> Item | None:
        """The item, once; None while the last one taken is still fresh.

        Raises:
            DeviceError: Nothing so fresh exists, with the trouble that was noted.
        """
        with self._lock:
            item, self._item = self._item, None
            age_s, trouble = now_s - self._stamp_s, self._trouble
        if age_s <= max_age_s:
            return item
        last = f'its last data is {age_s:.2f} s old' if math.isfinite(age_s) else 'no data yet'
        raise DeviceError(f'{self._name}: {last}; allowed: {max_age_s:g} s; '
                          f'{trouble or "it has stalled or is still starting: check it"}.')
