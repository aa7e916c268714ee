"""`racer evaluate`: drive laps with a model, judge every one, and show where it drove."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from racer_rl.budget.budgets import check_before
from racer_rl.cli.bound_search import MOST_COURSES, find_bounds
from racer_rl.cli.race_options import (
    BotsOption,
    BotSpeedOption,
    CarsOption,
    ObstaclesOption,
    PlaceOption,
    RaceOption,
    RaceWords,
)
from racer_rl.cli.spending import spending
from racer_rl.cli.suite_view import show_suite
from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.comparison import Comparison, mean_ratio
from racer_rl.evaluation.film import Film
from racer_rl.evaluation.laps import (
    Evaluation,
    EvaluationPlan,
    Policy,
    Run,
    evaluate,
    few_tracks,
    with_course,
)
from racer_rl.evaluation.racing_line import Trajectory, picture_format, plot_racing_line
from racer_rl.store.evaluations import keep_evaluation
from racer_rl.store.locks import present
from racer_rl.store.models import ModelFolder, open_model
from racer_rl.traces.evaluating import EvaluationTrace
from racer_rl.traces.files import TraceFolder
from racer_sim.randomization import find_randomization
from racer_sim.simulator import Simulator

evaluate_app = typer.Typer(add_completion=False)


@evaluate_app.command()
def evaluate_model(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar='MODEL', help='Name of a trained model.')],
    track: Annotated[str | None, typer.Option(help='Instead of those it trained on.')] = None,
    laps: Annotated[int, typer.Option(help='Laps of each run.')] = 3,
    starts: Annotated[int, typer.Option(help='Runs, their starts spread over the lap.')] = 4,
    direction: Annotated[Literal['forward', 'reverse', 'both'] | None,
                         typer.Option(help='Instead of the one it trained in.')] = None,
    resets: Annotated[int, typer.Option(help='Incidents that a run survives.')] = 0,
    race: RaceOption = None,
    obstacles: ObstaclesOption = None,
    place: PlaceOption = None,
    bots: BotsOption = None,
    bot_speed: BotSpeedOption = None,
    cars: CarsOption = None,
    randomization: Annotated[str, typer.Option(
        help='What runs differ in: none, default, strong, or a .json file.')] = 'none',
    checkpoint: Annotated[str, typer.Option(
        help='best by evaluation, last, or the steps of an earlier one.')] = 'best',
    seed: Annotated[int, typer.Option(help='The same seed gives the same laps.')] = 0,
    video: Annotated[Path | None, typer.Option(help='Film the first run (.mp4).')] = None,
    plot: Annotated[Path | None, typer.Option(
        help='Draw all lines, coloured by speed (.png, .svg, .pdf).')] = None,
    suite: Annotated[Literal['laps', 'robust'], typer.Option(
        help='laps: as the other options say; robust: a fixed set of conditions and tracks.'
    )] = 'laps',
    bound: Annotated[bool | None, typer.Option(
        '--bound/--no-bound', show_default=f'up to {MOST_COURSES} courses',
        help='Compare with lap bounds, and compute those not known yet.')] = None,
    trace: Annotated[bool, typer.Option(
        '--trace/--no-trace', help="Keep every step in the model's folder, for analysis.")] = True,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Drive laps with a trained model, without exploration, and judge every one.

    --suite robust drives under other light, cameras, cars and timing, one at a time and all
    at once, mildly and hard, the other way round and on unknown tracks; only --checkpoint and
    --seed matter to it.
    """
    folder = open_model(model)
    check_before(None)  # it takes a minute or so: refused only if nothing is left
    with (present(folder.path),
          spending('evaluate', folder.name, folder.run.get('id', '')) as money):
        if suite == 'robust':
            show_suite(folder, checkpoint, seed, as_json=as_json)
            return
        setup = with_course(_known(folder) if track is None else folder.setup, track=track,
                            direction=direction, race=RaceWords.of(context.params).format())
        plan = EvaluationPlan(laps=laps, starts=starts, resets=resets, seed=seed,
                              randomization=find_randomization(randomization))
        kept = EvaluationTrace(setup.actions) if trace else None
        shown = _drive(folder.policy(checkpoint), setup, plan, video=video, plot=plot,
                       bound=bound, trace=kept)
        money.account.note(shown.evaluation.car_steps, shown.evaluation.completion)
        record = {'model': folder.name, 'checkpoint': checkpoint, **shown.as_dict()}
        _keep(folder, kept, record, {
            'tracks': setup.tracks, 'direction': setup.direction, 'randomization': randomization})
    for path in (video, plot):
        if path is not None:
            typer.echo(f'wrote {path}', err=True)
    if as_json:
        typer.echo(json.dumps(record, indent=2))
    else:
        print_result(shown)


def _known(folder: ModelFolder) -> RaceSetup:
    """What a model was trained on; of a pool of tracks a few."""
    known, shown = folder.setup, few_tracks(folder.setup)
    if len(shown.tracks) < len(known.tracks):
        typer.echo(f'of {len(known.tracks)} tracks that it was trained on, {len(shown.tracks)}; '
                   'name another with --track', err=True)
    return shown


def _drive(policy: Policy, setup: RaceSetup, plan: EvaluationPlan, *, video: Path | None,
           plot: Path | None, bound: bool | None, trace: EvaluationTrace | None) -> Comparison:
    """Evaluate with the wanted pictures; wrong file names are refused before the cars start."""
    trajectory = Trajectory()
    watches: list[Callable[[Simulator], None]] = [] if trace is None else [trace]
    if plot is not None:
        picture_format(plot)
        watches.append(trajectory)

    def watch(simulator: Simulator) -> None:
        for each in watches:
            each(simulator)

    with ExitStack() as films:
        if video is not None:
            watches.append(films.enter_context(Film(video)))
        films.enter_context(Console(stderr=True).status('driving'))
        result = evaluate(policy, setup, plan, watch=watch)
    bounds = () if bound is False else find_bounds(setup, wanted=bound is True)
    if plot is not None:
        plot_racing_line(trajectory, plot, bounds)
    return Comparison(result, bounds)


def _keep(folder: ModelFolder, trace: EvaluationTrace | None, record: Mapping[str, Any],
          conditions: Mapping[str, Any]) -> None:
    """Write it down; a folder that cannot be written to costs nobody the result."""
    try:
        keep_evaluation(folder.path, 'laps', record, conditions)
        if trace is not None:
            trace.write(TraceFolder(folder.path))
    except OSError as error:
        typer.echo(f'note: the evaluation was not kept: cannot write '
                   f'{error.filename or folder.path} ({error.strerror})', err=True)


def print_result(shown: Comparison) -> None:
    """One row a run, the sum of all, and how near it comes to the lap bound."""
    result, with_ratios = shown.evaluation, len(shown.bounds) > 1
    table = Table(box=None, pad_edge=False)
    for heading in ('track', 'direction'):
        table.add_column(heading, no_wrap=True)
    table.add_column('start', justify='right')
    table.add_column('status', no_wrap=True)
    for heading in ('laps', 'lap times s', 'best s'):
        table.add_column(heading, justify='right')
    if with_ratios:
        table.add_column('ratio', justify='right')
    for run, bound in shown.runs:
        ratio = mean_ratio([(run, bound)])
        ratios = ('-' if ratio is None else f'{ratio:.2f}',) if with_ratios else ()
        table.add_row(*_cells(run, result.plan.laps), *ratios)
    Console().print(table)
    typer.echo(_summary(result))
    if any(shown.bounds):
        typer.echo(_beside_bound(shown))


def _cells(run: Run, laps: int) -> tuple[str, ...]:
    """A run as words; a lap with an incident carries a star."""
    times = ' '.join(f'{lap.time_s:.2f}{"" if lap.clean else "*"}' for lap in run.laps)
    best = min((lap.time_s for lap in run.laps), default=None)
    return (run.track, run.direction, f'{run.start:.0%}', run.status.label.replace('_', ' '),
            f'{len(run.laps)}/{laps}', times or '-', '-' if best is None else f'{best:.2f}')


def _summary(result: Evaluation) -> str:
    """What matters of all runs, in a line."""
    words = [f'{result.clean_laps} of {result.total_laps} laps clean',
             f'{result.clean_runs} of {len(result.runs)} runs',
             f'{result.completion:.1%} of the distance']
    if result.overtaking_runs is not None:
        words.append(f'somebody overtaken in {result.overtaking_runs} runs')
    if result.mean_lap_s is not None and result.best_lap_s is not None:
        words += [f'mean lap {result.mean_lap_s:.2f} s', f'best {result.best_lap_s:.2f} s']
    if any(not lap.clean for run in result.runs for lap in run.laps):
        words.append('*: with an incident')
    return ', '.join(words)


def _beside_bound(shown: Comparison) -> str:
    """The flying laps and the lap bound, in a line."""
    ratio, bound_s, mean_s = shown.ratio, shown.lap_bound_s, shown.mean_flying_lap_s
    if mean_s is None:
        bound = 'lap bounds' if bound_s is None else f'lap bound {bound_s:.2f} s'
        return f'{bound}: no lap to compare was flying (clean, not the first of its run)'
    if ratio is None:
        return 'ratio: mean flying lap over the lap bound, where there is one'
    if bound_s is None:
        return f'mean flying lap {ratio:.2f} x the bound of its course: the ratio, run by run'
    return f'mean flying lap {mean_s:.2f} s = {ratio:.2f} x the bound {bound_s:.2f} s'
