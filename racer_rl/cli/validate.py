"""`racer validate`: what is wrong with a reward function, before any time is spent on training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from racer_rl.reward.library import find_reward
from racer_rl.reward.validation.findings import Verdict
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError

validate_app = typer.Typer(add_completion=False)

EXIT_FOUND = 1


@validate_app.command()
def validate(
    file: Annotated[str, typer.Argument(
        metavar='FILE', help='Python file with reward_function(params), or an included one.')],
    track: Annotated[list[str] | None, typer.Option(
        help='Track by name or file; several times for several. [default: three that differ]'),
    ] = None,
    report: Annotated[Path | None, typer.Option(
        help='Write a report with the reward along the track (.html).')] = None,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Look for faults in a reward function: read it, run it in a sandbox, let drivers race.

    Exit code 0 if nothing is wrong, 1 if something was found, 2 if the file cannot be read.
    """
    from racer_rl.reward.validation.practice import PRACTICE_TRACKS
    from racer_rl.reward.validation.report import write_report
    from racer_rl.reward.validation.validate import validate as validate_file

    reward = find_reward(file)
    verdict, practice = validate_file(reward, [find_track(name)
                                               for name in track or PRACTICE_TRACKS])
    if report is not None:
        try:
            write_report(report, verdict, practice)
        except OSError as error:
            raise ConfigError(f'cannot write {report} ({error.strerror}); give a path in a folder '
                              'that you may write to.') from error
        typer.echo(f'wrote {report}', err=True)
    typer.echo(json.dumps(verdict.as_dict(), indent=2) if as_json else _text(verdict))
    if not verdict.ok:
        raise typer.Exit(EXIT_FOUND)


def _text(verdict: Verdict) -> str:
    """Every finding and exploit, then the verdict in a line."""
    lines = [str(finding) for finding in verdict.findings]
    lines += [f'{verdict.file}: exploit: {exploit}' for exploit in verdict.exploits]
    timing = '' if verdict.timing_us is None else f' A call takes {verdict.timing_us:.1f} us.'
    if verdict.ok:
        return '\n'.join((*lines, f'{verdict.file}: nothing is wrong.{timing}'))
    wrong = sum(finding.severity == 'error' for finding in verdict.findings)
    wrong += len(verdict.exploits)
    return '\n'.join((*lines, f'{verdict.file}: {wrong} to put right.{timing}'))
