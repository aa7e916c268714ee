"""What a reward function printed, out of a simulator's log or of our own reward log."""

from __future__ import annotations

import re
from typing import Final

import pandas as pd

from racer_rl.traces.step_files import TRACE

MOST_TEXTS: Final = 5_000
"""Different texts that are counted; of functions that print numbers there is no end."""

SHOWN_TEXTS: Final = 200
LONGEST_TEXT: Final = 200

_PREFIX: Final = re.compile(r'^\s*(?:\[[^\]]*\]\s+)+')
_PLATFORM: Final = re.compile(
    r'^(?:\[|\{|\d{4}-\d\d-\d\d|INFO|WARN|ERROR|DEBUG|(?:process|started|setting|ROS_)\b|frame=)')
_MOMENT: Final = re.compile(r'episode (\d+), step \d+, car \d+: (.*)|loading: (.*)')


class Printed:
    """Counts texts; of a simulator's log those that stand between two steps of an episode."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}
        self._pending: list[str] = []
        self._between_steps = False

    def log(self, chunk: bytes) -> None:
        """Take part of a log: what stands between steps was printed by the reward function."""
        lines = chunk.removesuffix(b'\n').split(b'\n')
        # Most lines are steps: only the others are looked at, and the steps beside them.
        others = [index for index, line in enumerate(lines) if b'SIM_TRACE_LOG:' not in line]
        last = -1
        for index in (*others, len(lines)):
            if index > last + 1:
                self._flush(lines[last + 1])
                self._between_steps = not _ends_episode(lines[index - 1])
            if index < len(lines) and self._between_steps:
                self._note(lines[index])
            last = index

    def own(self, chunk: bytes) -> None:
        """Take part of a `reward.log` of ours."""
        for line in chunk.decode('utf-8', 'replace').splitlines():
            if match := _MOMENT.fullmatch(line):
                self._add(match[2] or match[3] or '', int(match[1] or 0))

    def _flush(self, line: bytes) -> None:
        """Count what came before a step."""
        if not self._pending:
            return
        episode = _fields(line)[0]
        for text in self._pending:
            self._add(text, int(episode) if episode.isdigit() and len(episode) < 10 else 0)
        self._pending.clear()

    def _note(self, line: bytes) -> None:
        """Keep a line until a step follows it, unless the platform wrote it."""
        text = _PREFIX.sub('', line[:2 * LONGEST_TEXT].decode('utf-8', 'replace')).strip()
        if text and len(self._pending) < MOST_TEXTS and not _PLATFORM.match(text):
            self._pending.append(text)

    def _add(self, text: str, episode: int) -> None:
        text = text[:LONGEST_TEXT]
        if text not in self._counts and len(self._counts) >= MOST_TEXTS:
            text = 'other texts'
        self._counts.setdefault(text, [0, episode])[0] += 1

    def frame(self) -> pd.DataFrame:
        """The most frequent texts first: `text`, `count`, `first_episode`."""
        order = sorted(self._counts.items(), key=lambda item: (-item[1][0], item[0]))
        rows = [(text, count, first) for text, (count, first) in order[:SHOWN_TEXTS]]
        frame = pd.DataFrame(rows, columns=['text', 'count', 'first_episode'])
        return frame.astype({'text': 'str', 'count': 'int64', 'first_episode': 'int64'})


def _fields(line: bytes) -> list[bytes]:
    match = TRACE.search(line)
    return match[1].split(b',') if match else [b'']


def _ends_episode(line: bytes) -> bool:
    """Whether a step is an episode's last: what comes next is the platform's."""
    fields = _fields(line)
    return len(fields) < 10 or fields[9].strip() == b'True'
