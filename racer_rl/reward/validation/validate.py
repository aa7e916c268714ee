"""The whole validation: read, run in the sandbox, race; each only if the one before allows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from racer_rl.reward.loading import RewardFile
from racer_rl.reward.validation.exploits import find_exploits
from racer_rl.reward.validation.findings import Finding, Verdict
from racer_rl.reward.validation.practice import Practice, practise
from racer_rl.reward.validation.sandboxed_run import finding_of, try_out
from racer_rl.reward.validation.states import collect_states
from racer_rl.reward.validation.static import check
from racer_sim.courses import courses_of
from racer_sim.track import Track
from racer_vehicle.errors import RewardError

NOT_RUN: Final = frozenset({
    'syntax', 'entry-point', 'signature', 'import-not-allowed', 'banned-call',
})
"""Faults with which a file is not run, not even in the sandbox."""

_SAME_FAULT: Final = {'unknown-key': 'raises'}
"""Code of reading -> code of the run that says the same of a line, less well."""

_PROVEN: Final = frozenset({'division-by-zero', 'returns-none'})
"""Codes of reading that an error of the run in the same line proves, and says better."""


def validate(file: RewardFile, tracks: Sequence[Track]) -> tuple[Verdict, Practice | None]:
    """Find what is wrong with a reward function.

    Args:
        file: The file.
        tracks: At least one, to drive on in both directions.

    Returns:
        The verdict, and how the reference drivers raced; None if the file has errors.
    """
    found = check(file)
    if any(finding.code in NOT_RUN for finding in found):
        return _verdict(file, found), None
    trial = try_out(file, collect_states(tracks))
    findings = _merged(found, trial.findings)
    if any(finding.severity == 'error' for finding in findings):
        return _verdict(file, findings, timing_us=trial.timing_us), None
    try:
        practice = practise(file, courses_of(tracks, 'both'))
    except RewardError as error:  # a state that only a long drive leads to
        findings = _merged(findings, [finding_of(file, str(error))])
        return _verdict(file, findings, timing_us=trial.timing_us), None
    verdict = Verdict(file=str(file.path), sha256=file.sha256, findings=findings,
                      exploits=find_exploits(practice), timing_us=trial.timing_us)
    return verdict, practice


def _verdict(file: RewardFile, findings: tuple[Finding, ...],
             timing_us: float | None = None) -> Verdict:
    return Verdict(file=str(file.path), sha256=file.sha256, findings=findings,
                   timing_us=timing_us)


def _merged(read: Sequence[Finding], ran: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings of both, in order of lines, each fault once."""
    known = {(finding.line, _SAME_FAULT.get(finding.code)) for finding in read}
    failed = {finding.line for finding in ran}
    kept = [finding for finding in read
            if finding.code not in _PROVEN or finding.line not in failed]
    kept += [finding for finding in ran if (finding.line, finding.code) not in known]
    return tuple(sorted(kept, key=lambda finding: finding.line or 0))
