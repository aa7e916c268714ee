"""`racer train`: teach a model to drive a track."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from racer_rl.cli.durations import format_duration
from racer_rl.cli.race_options import (
    RACE_OPTIONS,
    BotsOption,
    BotSpeedOption,
    CarsOption,
    ObstaclesOption,
    PlaceOption,
    RaceOption,
    RaceWords,
)
from racer_rl.traces.sampling import Sampling
from racer_sim.race_format import RaceFormat
from racer_vehicle.errors import ConfigError

if TYPE_CHECKING:
    from racer_rl.cli.spending import Spending
    from racer_rl.store.models import ModelFolder
    from racer_rl.training.plan import Limits, StopReason, TrainingPlan
    from racer_rl.training.standing import Standing

train_app = typer.Typer(add_completion=False)

EXIT_INTERRUPTED = 130
_KEPT_BY_RESUME = frozenset({
    'goal', 'track', 'direction', 'reward', 'compat', 'algorithm', 'method', 'network',
    'metadata', 'hyperparameters', 'learning_rate', 'max_speed', 'randomization', 'seed',
    'from_model', 'checkpoint', 'lidar', *RACE_OPTIONS,
})
_KEPT_BY_CLONES = frozenset({'goal', 'method', 'resume', 'lidar'})
_IN_METADATA = frozenset({'algorithm', 'network', 'max_speed', 'lidar'})


@train_app.command()
def train(
    context: typer.Context,
    name: Annotated[str, typer.Option(help='Name of the model.')],
    goal: Annotated[str, typer.Option(
        help='finish: clean laps soon; generalise: unknown tracks and cars; race: fast laps. '
             'Fills in what you leave out.')] = 'finish',
    track: Annotated[
        list[str] | None,
        typer.Option(help='Track by name or file; several times for several tracks; practice:32 '
                     'for 32 generated ones.'),
    ] = None,
    direction: Annotated[str | None, typer.Option(
        help='forward, reverse or both.', show_default='forward, or the goal')] = None,
    race: RaceOption = None,
    obstacles: ObstaclesOption = None,
    place: PlaceOption = None,
    bots: BotsOption = None,
    bot_speed: BotSpeedOption = None,
    cars: CarsOption = None,
    reward: Annotated[
        str | None,
        typer.Option(help='Python file with reward_function(params), or an included one by name.',
                     show_default='progress, or clear_objects in company'),
    ] = None,
    compat: Annotated[
        bool,
        typer.Option(
            '--compat',
            help="Show the reward DeepRacer's old values: speed and steering as commanded.",
        ),
    ] = False,
    algorithm: Annotated[str | None, typer.Option(
        help='ppo or sac.', show_default='as the method has it')] = None,
    method: Annotated[str, typer.Option(
        help='ppo, sac, or distill: a teacher that knows the truth goes ahead. auto: distill for '
             'networks with convolutions.')] = 'auto',
    network: Annotated[
        str | None, typer.Option(help="FAST, FINE, or one of DeepRacer's three by name.",
                                 show_default='as the goal has it')
    ] = None,
    lidar: Annotated[bool | None, typer.Option(
        '--lidar/--no-lidar', help='Whether the policy reads the lidar besides the camera.',
        show_default='in company only')] = None,
    metadata: Annotated[
        Path | None,
        typer.Option(
            help='model_metadata.json: actions, sensors, network and algorithm from there.'
        ),
    ] = None,
    hyperparameters: Annotated[
        Path | None, typer.Option(help="JSON with settings by our names or DeepRacer's.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(
        help='Size of the steps of learning.', show_default='as the network has it')] = None,
    max_speed: Annotated[float | None, typer.Option(
        help='Fastest action, m/s, 0.6 to 4.', show_default='2, or the goal')] = None,
    randomization: Annotated[str | None, typer.Option(
        help='What episodes differ in: none, default, strong, or a .json file.',
        show_default='none, or the goal')] = None,
    seed: Annotated[int, typer.Option(help='Same seed, same weights.', min=0)] = 0,
    time: Annotated[
        str | None,
        typer.Option(
            help='Stop after so long: 90s, 10m, 1h. [default: by goal, unless --steps]'
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help='Stop after so many steps.', min=1)] = None,
    until_laps: Annotated[
        bool,
        typer.Option(
            '--until-laps',
            help='Stop as soon as every evaluation lap is clean: 4 starts x 3 laps.',
        ),
    ] = False,
    until_robust: Annotated[float | None, typer.Option(
        help='Stop at this score of the robustness suite, 0 to 1.')] = None,
    early_stop: Annotated[bool, typer.Option(
        '--early-stop/--no-early-stop',
        help='With --time or --steps: stop when held-out driving no longer improves.')] = True,
    max_time: Annotated[str | None, typer.Option(
        help='In any case stop after so long: 90s, 10m, 1h.')] = None,
    max_steps: Annotated[int | None, typer.Option(
        help='In any case stop after so many steps.', min=1)] = None,
    max_cost: Annotated[str | None, typer.Option(
        help='In any case stop when the model has cost so much, all sessions together: 0.05 or '
             '"0.05 EUR".')] = None,
    trace: Annotated[Sampling, typer.Option(
        help='Steps to keep for analysis: every, sample (all of the first 100 iterations, then '
             'one in ten), none.')] = Sampling.SAMPLE,
    keep: Annotated[int, typer.Option(
        help='Checkpoints to keep that were the best before.', min=0, max=1000)] = 2,
    from_model: Annotated[str | None, typer.Option(
        '--from', metavar='MODEL', help='Begin as a clone of this model: its sensors, network and '
        'actions, and of the rest what you leave out.')] = None,
    checkpoint: Annotated[str, typer.Option(
        help='With --from: best, last, or the steps of an earlier one.')] = 'best',
    resume: Annotated[
        bool, typer.Option('--resume', help='Go on with a model of this name.')
    ] = False,
    detach: Annotated[bool, typer.Option(
        '--detach', help='Train in the background, without this terminal: see racer jobs.',
    )] = False,
    as_json: Annotated[
        bool, typer.Option('--json', help='Print the result as one JSON object.')
    ] = False,
) -> None:
    """Teach a model to drive a track from its camera.

    Without --time, --steps, --until-laps or --until-robust it stops as the goal says: `finish` as
    with `--until-laps --time 10m`, in company after 1,000,000 steps, `generalise` after 170s,
    `race` after 288s. A run by time or steps ends sooner when driving elsewhere no longer gets
    better, unless it is a `race`, in company, or --no-early-stop is given. Ctrl-C saves and
    leaves with 130; --resume goes on.
    """
    from racer_rl.cli.train_plan import capped, new_plan, plan_limits, resumed_plan
    from racer_rl.store.models import model_folder, open_model
    from racer_rl.training.goals import find_goal

    if detach:
        from racer_rl.cli.train_job import train_detached

        train_detached(context, name, as_json=as_json)
        return
    company = RaceWords.of(context.params).format()
    wanted = find_goal(goal)
    if company is not None and company.has_company and from_model is None:
        wanted = wanted.in_company(company.cars)
    limits = capped(plan_limits(wanted, time, steps, until_laps, until_robust, early_stop),
                    max_time, max_steps)
    if resume:
        _refuse_options(
            context, _KEPT_BY_RESUME, '--resume is given; allowed with it: --time, --steps, '
            '--until-laps, --until-robust, --no-early-stop, --max-time, --max-steps, '
            '--max-cost, --trace, --keep. Leave it out, or train a new model, or a clone: --from.'
        )
        folder = open_model(name)
        plan = resumed_plan(folder, limits)
    elif from_model is not None:
        _refuse_options(context, _KEPT_BY_CLONES, '--from is given, and a clone goes on as its '
                        'parent was; leave it out.')
        folder = _clone(context, name, from_model, limits, company)
        plan, resume = resumed_plan(folder, limits), True
    else:
        folder = model_folder(name)
        if folder.exists:
            raise ConfigError(
                f'model {name!r} exists already; choose another --name, or go on with it: '
                f'racer train --name {name} --resume.'
            )
        if metadata is not None:
            _refuse_options(
                context, _IN_METADATA, '--metadata is given and says the same; leave one out.'
            )
        _refuse_options(context, frozenset({'checkpoint'}),
                        'there is no --from; leave it out, or name the model to clone.')
        plan = new_plan(
            wanted, limits, tracks=track, direction=direction, reward=reward, compat=compat,
            algorithm=algorithm, method=method, network=network, metadata=metadata,
            hyperparameters=hyperparameters, learning_rate=learning_rate, max_speed=max_speed,
            randomization=randomization, seed=seed,
            lidar=lidar,
            race=company or RaceFormat())
    _run(context, folder, replace(plan, trace=trace, keep=keep), resume=resume, as_json=as_json)


def _clone(context: typer.Context, name: str, source: str, limits: Limits,
           race: RaceFormat | None) -> ModelFolder:
    """The new model that `--from` asks for, with what was typed changed."""
    from racer_rl.cli.clone_plan import Changes, make_clone
    from racer_rl.store.models import open_model
    from racer_rl.training.clone import Parent

    def typed(option: str) -> Any:
        return context.params[option] if _is_typed(context, option) else None

    folder = make_clone(
        name, Parent(folder=open_model(source), checkpoint=context.params['checkpoint']),
        Changes(tracks=typed('track'), race=race,
                **{option: typed(option) for option in (
            'direction', 'reward', 'compat', 'hyperparameters', 'learning_rate', 'randomization',
            'seed', 'network', 'metadata', 'algorithm', 'max_speed')}), limits)
    typer.echo(f'{name}: {folder.lineage}', err=True)
    return folder


def _refuse_options(context: typer.Context, refused: frozenset[str], why: str) -> None:
    """Refuse options that were typed, rather than ignore them."""
    for parameter, value in context.params.items():
        if parameter in refused and _is_typed(context, parameter):
            given = ', '.join(value) if isinstance(value, list) else value
            option = parameter.removesuffix('_model').replace('_', '-')
            raise ConfigError(f'--{option} is {given}, but {why}')


def _is_typed(context: typer.Context, parameter: str) -> bool:
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == 'COMMANDLINE'


def _run(context: typer.Context, folder: ModelFolder, plan: TrainingPlan, *, resume: bool,
         as_json: bool) -> None:
    """Train with progress on the terminal (stderr), then say what came of it."""
    from racer_rl.cli.budget_words import cost_line
    from racer_rl.cli.spending import afford, cost_as_dict, spending
    from racer_rl.cli.train_job import training_job
    from racer_rl.cli.training_view import show_training
    from racer_rl.store.models import new_id
    from racer_rl.training.plan import StopReason
    from racer_rl.training.train import train

    model_id = folder.run.get('id', folder.name) if folder.exists else new_id()
    purse, line = afford(folder, model_id, plan.limits, context.params['max_cost'])
    plan = replace(plan, model_id=model_id)
    with (contextlib.ExitStack() as begun,
          training_job(context, folder.name, plan) as job,
          show_training(folder.name, plan.limits) as shown):
        opened: list[Spending] = []

        def brake() -> StopReason | None:
            if not opened:  # all is built: what cannot be used was refused before
                shown.say(line)
                opened.append(begun.enter_context(
                    spending('train', folder.name, model_id, purse=purse)))
            return opened[0].brake()

        def watch(standing: Standing) -> None:
            opened[0].account.note(standing.session_steps, standing.completion)
            shown(standing)

        reason, standing = train(folder, plan, job.watching(watch), resume=resume, brake=brake)
        job.ended(reason, standing)
        brake()
        account = opened[0].account
        account.note(standing.session_steps, standing.completion)
        account.finish(reason.value)
    spent = account.spent
    # Not the standing's: a resumed session may not have bettered it.
    best = folder.progress.get('best')
    if as_json:
        typer.echo(
            json.dumps({
                'model': folder.name,
                'folder': str(folder.path),
                'stopped_because': reason.value,
                'steps': standing.steps,
                'episodes': standing.episodes,
                'seconds': round(standing.seconds, 3),
                'best': best,
                'warning': standing.warning,
                'cost': cost_as_dict(spent, purse),
            })
        )
    else:
        clean = standing.evaluation.clean_laps if standing.evaluation else None
        cost = cost_line(spent, completion=standing.completion, clean_laps=clean)
        typer.echo(_summary(folder, reason, standing, best, cost))
    if reason is StopReason.INTERRUPTED:
        raise typer.Exit(EXIT_INTERRUPTED)


def _summary(
    folder: ModelFolder, reason: StopReason, standing: Standing, best: Mapping[str, Any] | None,
    cost: str,
) -> str:
    """A few lines for people: why it ended, what the best can do, its cost, what to do next."""
    took = format_duration(standing.seconds)
    lines = [f'stopped: {reason} after {standing.steps:,} steps, {took}.']
    if standing.warning:
        lines.append(f'warning: {standing.warning}.')
    if best:
        clean, total, pace_s = best['clean_laps'], best['total_laps'], best['mean_lap_s']
        pace = '' if pace_s is None else f', mean lap {pace_s:.2f} s'
        lines.append(f'best model: {clean} of {total} laps clean{pace}{_confirmed(best)}.')
    if best and best.get('robust_score') is not None:
        lines.append(f'elsewhere: {best["robust_score"]:.0%} of the laps clean; the curve is '
                     f'{folder.path / "training.png"}')
    lines += [cost, f'saved in {folder.path}']
    if best and best['clean_laps'] == best['total_laps']:
        lines.append(f'watch it drive: racer evaluate {folder.name} --video {folder.name}.mp4')
    else:
        lines.append(f'train on: racer train --name {folder.name} --resume')
    return '\n'.join(lines)


def _confirmed(best: Mapping[str, Any]) -> str:
    confirmation = best.get('confirmation')
    if not confirmation:
        return ''
    clean, total = confirmation['clean_laps'], confirmation['total_laps']
    return f'; {clean} of {total} more, from other starts, to confirm it'
