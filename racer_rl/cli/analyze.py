"""`racer analyze`: what a run's log says, as one page that opens without a network."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from racer_rl.store.models import ModelFolder
from racer_vehicle.errors import ConfigError, RacerError

analyze_app = typer.Typer(add_completion=False)


@analyze_app.command()
def analyze(
    sources: Annotated[list[str], typer.Argument(
        metavar='SOURCE…', help='Names of models, or folders, archives and files of logs.')],
    out: Annotated[Path, typer.Option(help='Folder for the reports.', show_default='here')] = (
        Path()),
    show: Annotated[bool, typer.Option('--open', help='Open them in the browser.')] = False,
    track: Annotated[str | None, typer.Option(
        help='Name or file of the track that was driven.', show_default='looked for')] = None,
    compare: Annotated[bool, typer.Option(
        '--compare', help='One report of all sources side by side.')] = False,
    rescore: Annotated[str | None, typer.Option(
        metavar='REWARD', help='Pay the run again by this function.')] = None,
    bound: Annotated[bool, typer.Option(
        '--bound/--no-bound', help='Compare speeds with the lap bound.')] = True,
    as_json: Annotated[bool, typer.Option('--json', help='Print figures and findings.')] = False,
) -> None:
    """Write a report of every SOURCE: progress, laps, lines, findings and what to change.

    A source is the name of a model, or a folder, .tar.gz, .log, .csv or .parquet of DeepRacer's
    console, its self-hosted successors or racer itself.
    """
    # Pandas and Matplotlib take a second to import; a wrong option should not.
    if compare and len(sources) < 2:
        raise ConfigError(f'--compare with {len(sources)} source; give two or more.')
    if compare and rescore is not None:
        raise ConfigError('--compare and --rescore together; give one of them.')
    records: list[dict[str, Any]] = []
    written = [_compare(sources, out, track, records, bound=bound)] if compare else [
        _report(source, out, track, rescore, records, bound=bound) for source in sources]
    for path in written:
        typer.echo(f'wrote {path}', err=True)
        if show:
            webbrowser.open(path.resolve().as_uri())
    if as_json:
        typer.echo(json.dumps(records, indent=2, allow_nan=False))


def _report(source: str, out: Path, track: str | None, rescore: str | None,
            records: list[dict[str, Any]], *, bound: bool) -> Path:
    """One source's report; its figures are added to `records`."""
    from racer_rl.analysis.own import chapters_of
    from racer_rl.analysis.report import record_of, report_of, write_report

    with Console(stderr=True).status(f'reading {source}') as status:
        run, folder = _run(source, track, bound=bound)
        more = []
        if rescore is not None:
            from racer_rl.analysis.rescore import rescore_chapter, rescored
            from racer_rl.reward.library import find_reward

            status.update('paying the run again')
            result = rescored(run, find_reward(rescore))
            more.append(rescore_chapter(result))
        status.update('drawing')
        if folder is not None:
            more += chapters_of(folder)
        report = report_of(run, more)
    path = out / f'{run.name}.html'
    write_report(report, path)
    record = record_of(run, report)
    if rescore is not None:
        record['rescore'] = result.as_dict()
    records.append(record)
    for finding in report.findings or ():
        typer.echo(f'{finding.severity.value}: {finding.title}', err=True)
    return path


def _compare(sources: list[str], out: Path, track: str | None, records: list[dict[str, Any]], *,
             bound: bool) -> Path:
    """The report of several sources side by side."""
    from racer_rl.analysis.compare import comparison_of
    from racer_rl.analysis.report import record_of, write_report

    with Console(stderr=True).status('reading'):
        runs = [_run(source, track, bound=bound)[0] for source in sources]
        report = comparison_of(runs)
    path = out / f'{"-".join(run.name for run in runs)}.html'
    write_report(report, path)
    records += [record_of(run) for run in runs]
    return path


def _run(source: str, track: str | None, *, bound: bool) -> tuple[Any, ModelFolder | None]:
    """A prepared run with its lap bound, and the folder if it is a model of ours."""
    from racer_rl.analysis.own import open_run

    run, folder = open_run(source, track)
    if not bound or run.road.track is None:
        return run, folder
    from racer_sim.lap_bound import lap_bound
    from racer_vehicle.spec import CarSpec

    car = CarSpec() if folder is None else folder.setup.car
    try:
        found = lap_bound(run.road.track, car, run.top_speed_mps)
    except RacerError as error:
        typer.echo(f'no lap bound of {run.road.name}: {error}', err=True)
        return run, folder
    return run.with_bound(found), folder
