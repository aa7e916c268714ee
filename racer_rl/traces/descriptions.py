"""What a log's source holds beside the steps: metadata, settings, reward function, as texts."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from racer_rl.traces.entries import Entry
from racer_rl.traces.roles import Kind

MOST_BYTES: Final = 4 << 20
"""Of such a file."""

WORLD: Final = re.compile(rb'WORLD_NAME["\']?\s*[=:]\s*["\'\[]*([A-Za-z0-9_.-]{1,64})')
"""Where a job's settings, or the head of its log, name the track."""


class Descriptions:
    """The texts of a source; of several files of a kind, the one nearest to the top counts."""

    def __init__(self) -> None:
        """Begin with none."""
        self._texts: dict[Kind, tuple[int, str]] = {}

    def take(self, entry: Entry, kind: Kind) -> None:
        """Read a file, unless a better one is known.

        Raises:
            ValueError: It is too large.
        """
        depth = entry.path.count('/')
        if kind in self._texts and self._texts[kind][0] <= depth:
            return
        with entry.open() as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f'it is larger than {MOST_BYTES >> 20} MiB')
        self._texts[kind] = depth, content.decode('utf-8', 'replace')

    def text(self, kind: Kind) -> str | None:
        """The text of a kind; None if there is none."""
        return self._texts[kind][1] if kind in self._texts else None

    def object(self, kind: Kind) -> dict[str, Any] | None:
        """The JSON object of a kind; None if there is none, or it is damaged."""
        return json_object(self.text(kind))

    @property
    def world(self) -> str | None:
        """The track's name in the settings of a job."""
        match = WORLD.search((self.text(Kind.WORLD) or '').encode())
        return match[1].decode() if match else None


def json_object(text: str | None) -> dict[str, Any] | None:
    """A JSON object; None if it is none."""
    try:
        found = json.loads(text or '')
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
