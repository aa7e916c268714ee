"""What came of a step of the check, and of all of them: for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

Figure = float | int | str
"""What was measured; its name carries the unit."""

WIDTH: Final = 14
"""Of the first two columns of the table, characters."""


class Status(StrEnum):
    """How a step ended."""

    PASSED = 'passed'
    FAILED = 'FAILED'
    SKIPPED = 'skipped'


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and what to do about it."""

    said: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one step.

    Attributes:
        step: Its name.
        status: How it ended.
        figures: Name to what was measured.
        problems: Why it failed; empty otherwise.
        remark: Why it was skipped, or what to know although it passed.
    """

    step: str
    status: Status
    figures: Mapping[str, Figure] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    remark: str = ''

    @classmethod
    def of(cls, step: str, figures: Mapping[str, Figure], problems: Sequence[Problem],
           remark: str = '') -> Outcome:
        """A step that was taken; any problem makes it fail."""
        status = Status.FAILED if problems else Status.PASSED
        return cls(step=step, status=status, figures=dict(figures), problems=tuple(problems),
                   remark=remark)

    @classmethod
    def skipped(cls, step: str, why: str) -> Outcome:
        """A step that was not taken."""
        return cls(step=step, status=Status.SKIPPED, remark=why)

    @classmethod
    def failed(cls, step: str, said: str, remedy: str = '') -> Outcome:
        """A step that failed before anything was measured."""
        return cls(step=step, status=Status.FAILED, problems=(Problem(said, remedy),))

    def lines(self) -> list[str]:
        """Of the table."""
        measured = ', '.join(f'{name} {_short(value)}' for name, value in self.figures.items())
        what = '; '.join(filter(None, (measured, self.remark)))
        first = f'{self.step:<{WIDTH}}{self.status:<{WIDTH - 5}}{what}'.rstrip()
        indent = ' ' * WIDTH
        return [first, *(f'{indent}{problem.said} {problem.remedy}'.rstrip()
                         for problem in self.problems)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {'step': self.step, 'status': self.status.lower(), 'figures': dict(self.figures),
                'problems': [{'said': problem.said, 'remedy': problem.remedy}
                             for problem in self.problems], 'remark': self.remark}


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a check."""

    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Whether no step failed; one that was left out is no failure."""
        return not self._named(Status.FAILED)

    def lines(self) -> list[str]:
        """The table, and what it comes to."""
        return [line for outcome in self.outcomes for line in outcome.lines()] + [self.summary]

    @property
    def summary(self) -> str:
        """One line."""
        failed, skipped = self._named(Status.FAILED), self._named(Status.SKIPPED)
        passed = len(self._named(Status.PASSED))
        parts = [f'{passed} of {len(self.outcomes)} passed']
        parts += [f'failed: {", ".join(failed)}'] if failed else []
        parts += [f'not checked: {", ".join(skipped)}'] if skipped else []
        return '; '.join(parts) + '.'

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {'passed': self.passed, 'steps': [outcome.as_dict() for outcome in self.outcomes]}

    def _named(self, status: Status) -> list[str]:
        return [outcome.step for outcome in self.outcomes if outcome.status is status]


def _short(value: Figure) -> str:
    return f'{value:.3g}' if isinstance(value, float) else str(value)
