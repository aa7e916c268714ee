"""How old a topic's last message is, and whether it may still be acted on."""

from __future__ import annotations

import math

from racer_vehicle.contract import Topic
from racer_vehicle.errors import ConfigError


class Freshness:
    """Watches one topic of the contract; stamps and times are of the same clock, seconds.

    A stamp from the future is as suspect as an old one: a clock was set back, or belongs to
    another machine. It counts as stale once it is further off than the topic's limit.
    """

    def __init__(self, row: Topic) -> None:
        """Begin without a message.

        Args:
            row: The topic.

        Raises:
            ConfigError: Messages of this topic do not age.
        """
        if row.stale_after_s is None:
            raise ConfigError(f'topic {row.name} has no stale_after_s; allowed: topics whose '
                              'messages age; see racer_vehicle/contract.py.')
        self.limit_s = row.stale_after_s
        self._stamp_s: float | None = None

    def note(self, stamp_s: float) -> None:
        """A message with this stamp has come."""
        self._stamp_s = stamp_s

    def age_s(self, now_s: float) -> float:
        """Age of the last message; infinite before the first, negative for one from the future."""
        return math.inf if self._stamp_s is None else now_s - self._stamp_s

    def is_fresh(self, now_s: float) -> bool:
        """Whether the last message may be acted on."""
        return abs(self.age_s(now_s)) <= self.limit_s
