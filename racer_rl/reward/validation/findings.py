"""What a validation says: findings in a file, exploits on a track, and the verdict over both."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal['error', 'warning']
Measure = Literal['per second', 'per lap']


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong, or doubtful, with a file.

    Attributes:
        file: Its path.
        line: From 1; None where no single line is to blame.
        code: Kind of fault, short-kebab-case, e.g. `unknown-key`.
        severity: `error` must be put right, `warning` should be looked at.
        message: What is wrong, for somebody who writes a first program.
        remedy: What to do.
    """

    file: str
    line: int | None
    code: str
    severity: Severity
    message: str
    remedy: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f'{self.file}:{self.line}'
        return f'{place}: {self.severity}: {self.message} {self.remedy} [{self.code}]'


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploit:
    """A bad way of driving that the reward prefers to a good one.

    Attributes:
        driver: Who is paid too much.
        track: Where.
        direction: `forward` or `reverse`.
        paid: What the driver collects, in the measure's unit.
        against: The good driver.
        against_paid: What that one collects.
        measure: Of the two amounts.
        reason: Which part of the driving or of the track pays it, in plain words.
    """

    driver: str
    track: str
    direction: str
    paid: float
    against: str
    against_paid: float
    measure: Measure
    reason: str

    def __str__(self) -> str:
        return (f'{self.driver} is paid {self.paid:.3g} {self.measure} on {self.track} '
                f'({self.direction}), {self.against} only {self.against_paid:.3g}: {self.reason}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All that a validation found.

    Attributes:
        file: Path of the reward function.
        sha256: Of its bytes, hexadecimal.
        findings: In order of lines.
        exploits: Worst first.
        timing_us: Usual duration of a call, microseconds; None where it never ran.
    """

    file: str
    sha256: str
    findings: tuple[Finding, ...]
    exploits: tuple[Exploit, ...] = ()
    timing_us: float | None = None

    @property
    def ok(self) -> bool:
        """Whether one can train with it: no error and no exploit; warnings are advice."""
        return not self.exploits and all(each.severity != 'error' for each in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {'ok': self.ok, **asdict(self)}
