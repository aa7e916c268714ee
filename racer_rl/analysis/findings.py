"""What the data say in plain words: each finding has its evidence, and what to do about it.

A finding appears only if its evidence is strong; thresholds are constants of the modules
`findings_driving` and `findings_training`. What was not measured is never called fine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from racer_rl.analysis.run import Run


class Severity(StrEnum):
    """How much a finding matters, the worst first."""

    ALARM = 'alarm'
    WARNING = 'warning'
    HINT = 'hint'
    GOOD = 'good'


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to know about a run.

    Attributes:
        severity: How much it matters.
        title: What was found, in a line.
        evidence: The figures that say so.
        advice: What to do; empty where nothing is.
    """

    severity: Severity
    title: str
    evidence: str
    advice: str = ''

    def as_dict(self) -> dict[str, str]:
        """Plain data for `--json`."""
        return {**asdict(self), 'severity': self.severity.value}


Find = Callable[['Run'], Finding | None]


def findings_of(run: Run) -> tuple[Finding, ...]:
    """All findings of a run, the worst first."""
    from racer_rl.analysis.findings_driving import DRIVING
    from racer_rl.analysis.findings_training import TRAINING

    found = [finding for find in (*DRIVING, *TRAINING) if (finding := find(run)) is not None]
    order = list(Severity)
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))
