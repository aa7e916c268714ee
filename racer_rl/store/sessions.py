"""What a session of training took, and why it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from racer_vehicle.spec import spec_as_dict
from racer_vehicle.strict_json import from_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """From the first round of a training command to its end.

    Attributes:
        began: UTC, ISO 8601.
        steps: That the model had at the end, those of earlier sessions included.
        wall_s: Seconds that passed.
        cpu_s: Seconds of a core that its process took, helpers that had ended included.
        stopped: Why it ended; empty while it runs, and if it was killed.
    """

    began: str
    steps: int
    wall_s: float
    cpu_s: float
    stopped: str = ''

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `sessions.json`."""
        return spec_as_dict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Session:
        """What `as_dict` gave.

        Raises:
            ConfigError: It is something else.
        """
        return from_object(cls, plain, 'session')
