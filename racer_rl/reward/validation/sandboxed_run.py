"""A reward function meets thousands of states in its sandbox: what breaks, drifts, takes long."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_rl.reward.loading import RewardFile
from racer_rl.reward.sandbox import RewardSandbox, SandboxLimits
from racer_rl.reward.validation.findings import Finding, Severity
from racer_rl.reward.validation.states import CARS, States
from racer_vehicle.errors import RewardError

LIMITS: Final = SandboxLimits(patience_s=1.0, patience_per_car_s=0.05)
PASS_S: Final = 1.0
"""Of the function's own time; a slow function sees fewer states."""

SLOW_US: Final = 200.0
TOO_SLOW_US: Final = 5000.0
GROWTH_PER_CALL: Final = 0.5
"""Pieces of memory that a call may leave behind on average."""

NOISE: Final = 500
"""Pieces of memory by which Python itself comes and goes."""

CODES: Final = (
    (' returned ', 'bad-return'),
    (' raised Refused', 'not-allowed'),
    (' raised MemoryError', 'too-much-memory'),
    (' raised _ArrayMemoryError', 'too-much-memory'),
    (' did not return ', 'never-returns'),
    (' ended the process ', 'ends-process'),
    (' raised ', 'raises'),
)
"""Words of a `RewardError` -> code, the first that fits."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of the run.

    Attributes:
        findings: What is wrong.
        timing_us: Usual duration of a call, microseconds; None if there was none.
    """

    findings: tuple[Finding, ...]
    timing_us: float | None


def try_out(file: RewardFile, states: States) -> Trial:
    """Run a file in its sandbox.

    Args:
        file: The file.
        states: What it sees.
    """
    try:
        with closing(_sandbox(file, states, seed=0)) as sandbox:
            return _try_out(file, states, sandbox)
    except RewardError as error:  # nothing more can be learnt from a process that is gone
        return Trial((finding_of(file, str(error)),), None)


def _sandbox(file: RewardFile, states: States, seed: int) -> RewardSandbox:
    return RewardSandbox(file, states.waypoints, CARS, seed=seed, limits=LIMITS)


def _try_out(file: RewardFile, states: States, sandbox: RewardSandbox) -> Trial:
    first = _run(sandbox, states)
    findings = list(_speed(file, first.call_us))
    if first.failures:
        failed = {finding.line: finding for finding in (
            finding_of(file, text) for text in reversed(first.failures))}
        return Trial((*findings, *failed.values()), first.call_us)
    seen = States(states.waypoints, states.steps[:len(first.rewards)])
    with closing(_sandbox(file, states, seed=1)) as other:
        if not np.array_equal(_run(other, seen, PASS_S * 10).rewards, first.rewards):
            findings.append(_whole(
                file, 'hidden-randomness', 'error',
                'The same moment is paid differently from one run to the next.',
                'Use nothing random, no clock, and no order of a set: training cannot learn '
                'from luck.'))
            return Trial(tuple(findings), first.call_us)
    findings += _repeated(file, seen, sandbox, first.rewards)
    return Trial(tuple(findings), first.call_us)


def _repeated(file: RewardFile, seen: States, sandbox: RewardSandbox,
              first: NDArray[np.float64]) -> list[Finding]:
    """What differs, or stays behind, when the same driving comes again and again."""
    second = _run(sandbox, seen, PASS_S * 10).rewards
    before = sandbox.memory_blocks()
    third = _run(sandbox, seen, PASS_S * 10).rewards
    growth = (sandbox.memory_blocks() - before - NOISE) / third.size
    findings = []
    if not np.array_equal(second, third):
        change = float(np.abs(third - second).max())
        findings.append(_whole(
            file, 'drifting-state', 'error',
            f'The same driving is paid differently each time (by up to {change:.3g}): something '
            'that the function remembers keeps changing, for example a counter.',
            "Set what it remembers anew where params['steps'] <= 1."))
    elif not np.array_equal(first, second):
        findings.append(_whole(
            file, 'memory-crosses-episodes', 'warning',
            'The first steps of an episode are paid by what was remembered of the last one.',
            "Set what it remembers anew where params['steps'] <= 1."))
    if growth > GROWTH_PER_CALL:
        findings.append(_whole(
            file, 'growing-memory', 'error',
            f'Every call leaves {growth:.1f} more pieces of data behind; in a long training '
            'they fill the memory.',
            "Keep only what you need, and clear lists where params['steps'] <= 1."))
    return findings


@dataclass(frozen=True, slots=True)
class _Pass:
    """Rewards (steps, CARS), what failed, and the usual duration of a call."""

    rewards: NDArray[np.float64]
    failures: Sequence[str]
    call_us: float


def _run(sandbox: RewardSandbox, states: States, within_s: float = PASS_S) -> _Pass:
    rewards, failures, seconds = [], list[str](), list[float]()
    for numbers in states.steps:
        paid = sandbox.pay(numbers)
        rewards.append(paid.rewards)
        failures += [text for _, text in paid.failures]
        seconds.append(paid.seconds)
        if sum(seconds) > within_s:
            break
    # The median: computing something once and keeping it is how it should be.
    return _Pass(np.array(rewards), failures, 1e6 * float(np.median(seconds)) / CARS)


def _speed(file: RewardFile, call_us: float) -> list[Finding]:
    if call_us <= SLOW_US:
        return []
    severity: Severity = 'error' if call_us > TOO_SLOW_US else 'warning'
    return [_whole(file, 'slow', severity,
                   f'A call takes {call_us / 1000.0:.2g} ms; training calls it for every step of '
                   'every car.',
                   f'Come below {SLOW_US / 1000.0:g} ms: compute what does not change once, '
                   'outside of the function.')]


def _whole(file: RewardFile, code: str, severity: Severity, message: str,
           remedy: str) -> Finding:
    return Finding(file=str(file.path), line=None, code=code, severity=severity, message=message,
                   remedy=remedy)


def finding_of(file: RewardFile, text: str) -> Finding:
    """A `RewardError` of this file, taken apart.

    Args:
        file: The file.
        text: The error's, `path:line: what; remedy`.
    """
    said = text.removeprefix(str(file.path))
    found = re.match(r':(\d+)(?=: )', said)
    said = said[found.end():] if found else said
    message, _, remedy = said.removeprefix(':').strip().rpartition('; ')
    code = next((code for words, code in CODES if words in text), 'does-not-load')
    return Finding(file=str(file.path), line=int(found[1]) if found else None, code=code,
                   severity='error', message=f'{message[:1].upper()}{message[1:]}.',
                   remedy=f'{remedy[:1].upper()}{remedy[1:]}')
