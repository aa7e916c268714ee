"""`racer league join`, `submit` and `race`: how people and their policies come in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from racer_rl.cli.league_options import AsJson, LeagueName, RaceNumber
from racer_rl.cli.race_entries import BUNDLE_SUFFIX
from racer_vehicle.spec import CONTROL_PERIOD_S

if TYPE_CHECKING:
    from racer_rl.league.confined import Raced
    from racer_rl.league.store import League, Race
    from racer_rl.league.submissions import Submission
    from racer_vehicle.policy import PolicyBundle

EXIT_REFUSED: Final = 2
_LOOK_AGAIN_S: Final = 0.5

RacerName = Annotated[str, typer.Option('--racer', metavar='R', help='Name of the racer.')]
VideoOption = Annotated[bool, typer.Option('--video', help='Film it, for the standings.')]


def join_league(name: LeagueName, racer: RacerName, as_json: AsJson = False) -> None:
    """Join a league."""
    from racer_rl.league.clock import now
    from racer_rl.league.store import open_league

    with open_league(name) as league:
        joined = league.join(racer, now())
    if as_json:
        typer.echo(json.dumps({'league': name, 'racer': joined.name,
                               'division': joined.division}))
    else:
        typer.echo(f'{joined.name} has joined {name}, division {joined.division}; next: racer '
                   f'league submit {name} MODEL --racer {joined.name!r}')


def submit_policy(
    name: LeagueName,
    model: Annotated[str, typer.Argument(
        metavar='MODEL', help='A model of yours, or a .racer file.')],
    racer: RacerName,
    race: RaceNumber = None,
    checkpoint: Annotated[str, typer.Option(
        help='Of a model of yours: best, last, or the steps of an earlier one.')] = 'best',
    queue: Annotated[bool, typer.Option(
        '--queue', help='Leave it in the queue, for racer league race or a race day.')] = False,
    video: VideoOption = False,
    as_json: AsJson = False,
) -> None:
    """Submit a policy: it is checked, raced and ranked."""
    from racer_rl.league.clock import now
    from racer_rl.league.intake import RefusedError, note_refused, submit
    from racer_rl.league.store import open_league

    with open_league(name) as league:
        who, moment = league.racer(racer), now()
        try:
            bundle, model_name, model_id = _policy(model, checkpoint)
        except RefusedError as error:
            submission = note_refused(league, who, Path(model).stem, error, now=moment, race=race)
        else:
            submission = submit(league, who, bundle, now=moment, model=model_name,
                                model_id=model_id, race=race)
            _protect(model_name, model_id)
            if not queue:
                submission = _race_one(league, submission, video=video)
        _say(league, submission, as_json=as_json)


def race_queue(
    name: LeagueName,
    race: Annotated[int | None, typer.Option(
        '--race', metavar='N', help='Only submissions for this race.')] = None,
    video: VideoOption = False,
    as_json: AsJson = False,
) -> None:
    """Race all submissions that wait; several at once share the work."""
    from racer_rl.league.store import open_league

    with open_league(name) as league:
        raced = drain(league, race, video=video, wait=False)
    if as_json:
        typer.echo(json.dumps({'league': name, 'raced': [_as_dict(each) for each in raced]},
                              indent=2))
    else:
        typer.echo(f'{len(raced)} submissions raced; see: racer league standings {name}')


def drain(league: League, race: int | None, *, video: bool, wait: bool) -> list[Submission]:
    """Race what waits, a line on stderr for each.

    Args:
        league: Of which.
        race: Only for this race; None: for any.
        video: Whether to film them.
        wait: Whether to wait also for those that other processes race.

    Returns:
        What this process raced.
    """
    from racer_rl.league.confined import ConfinedRaces
    from racer_rl.league.racing import race_next
    from racer_rl.league.seasons import unfinished

    raced: list[Submission] = []
    with closing(ConfinedRaces()) as races:
        while True:
            one = race_next(league, races, race=race, video=video, around=_accounted)
            if one is not None:
                raced.append(one)
                typer.echo(f'{one.result}  {_words(one)}', err=True)
            elif wait and unfinished(league, race):
                threading.Event().wait(_LOOK_AGAIN_S)
            else:
                return raced


def _race_one(league: League, submission: Submission, *, video: bool) -> Submission:
    """Race one submission, or wait until whoever races it already has done so."""
    from racer_rl.league.confined import ConfinedRaces
    from racer_rl.league.racing import race_next

    typer.echo(f'submission {submission.result} is in the queue; racing', err=True)
    with closing(ConfinedRaces()) as races:
        while submission.outcome is None:
            one = race_next(league, races, number=submission.number, video=video,
                            around=_accounted)
            submission = one or league.submission(submission.number)
            if submission.outcome is None:
                threading.Event().wait(_LOOK_AGAIN_S)
    return submission


@contextmanager
def _accounted(submission: Submission, race: Race) -> Iterator[Callable[[Raced], None]]:
    """While a submission is raced: its cost is that of its model."""
    from racer_rl.cli.race_entries import prepare_bots
    from racer_rl.cli.spending import spending
    from racer_rl.league.race_process import opponents_of

    with spending('race', submission.model, submission.model_id) as money:
        def note(raced: Raced) -> None:
            if raced.result is not None:
                driven_s = raced.result.entries[-1].time_s
                money.account.note(round(driven_s / CONTROL_PERIOD_S))

        prepare_bots(race.plan, opponents_of(race.plan))
        yield note


def _policy(model: str, checkpoint: str) -> tuple[PolicyBundle, str, str]:
    """The policy of a file or a model, and the model's name and id; both empty of a file."""
    from racer_rl.league.intake import read_bundle

    if model.endswith(BUNDLE_SUFFIX) or '/' in model:
        return read_bundle(Path(model)), '', ''
    from racer_rl.cli.race_entries import bundle_of
    from racer_rl.store.models import open_model

    folder = open_model(model)
    typer.echo(f'exporting {model}', err=True)
    return read_bundle(bundle_of(model, checkpoint).content), model, folder.run.get('id', '')


def _protect(model: str, model_id: str) -> None:
    from racer_rl.league.protection import protect_models

    if model:
        protect_models({model_id or model})


def _say(league: League, submission: Submission, *, as_json: bool) -> None:
    """What came of a submission; anything but a drive is an error of the command."""
    from racer_rl.league.submissions import DROVE, EXPLAINED

    outcome = submission.outcome
    if as_json:
        typer.echo(json.dumps({'league': league.name, **_as_dict(submission)}, indent=2))
    elif outcome is None:
        typer.echo(f'submission {submission.result} waits; race it: racer league race '
                   f'{league.name}')
    else:
        typer.echo(_words(submission), err=outcome.verdict not in DROVE)
    if outcome is None:
        return
    if outcome.verdict not in DROVE:
        if not as_json:
            typer.echo(EXPLAINED[outcome.verdict], err=True)
        raise typer.Exit(EXIT_REFUSED)
    if not as_json:
        lines = [line for line in league.standings(submission.race)
                 if line.racer == submission.racer]
        typer.echo(f'rank {lines[0].rank} of division {lines[0].division}' if lines
                   else 'not ranked yet')


def _words(submission: Submission) -> str:
    from racer_rl.league.submissions import DROVE

    outcome = submission.outcome
    assert outcome is not None  # it was raced or refused
    who, best_s = f'{submission.racer}, {submission.model}', outcome.figures.best_s
    reason = f': {outcome.reason}' if outcome.reason else ''
    if outcome.verdict not in DROVE:
        return f'{who}: refused, {outcome.verdict}{reason}'
    time = '' if best_s is None else f', the best in {best_s:.3f} s'
    return (f'{who}: {outcome.verdict}{reason}; laps: {outcome.laps}{time}; incidents: '
            f'{outcome.resets}')


def _as_dict(submission: Submission) -> dict[str, Any]:
    return {**asdict(submission), 'result': submission.result}
