"""Options of `racer league`, and the race that they describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from racer_rl.cli.race_options import RaceWords
from racer_vehicle.errors import ConfigError

if TYPE_CHECKING:
    from racer_rl.league.clock import Moment
    from racer_rl.league.store import League, Race
    from racer_rl.league.terms import Conditions, RaceTerms
    from racer_rl.races.plan import RacePlan

LAP_LIMIT_S: Final = 60.0
"""Of a race, for each of its laps, unless one is given."""

AsJson = Annotated[bool, typer.Option('--json', help='Print one JSON object.')]
LeagueName = Annotated[str, typer.Argument(metavar='NAME', help='Name of the league.')]
RaceNumber = Annotated[int | None, typer.Option(
    '--race', metavar='N', help='Number of the race.', show_default='the one that is open')]
TitleOption = Annotated[str, typer.Option(help='Of the race.', show_default='its track')]
DirectionOption = Annotated[Literal['forward', 'reverse'] | None, typer.Option(
    help='Way round.', show_default='forward')]
TypeOption = Annotated[str | None, typer.Option(
    '--type', help='time-trial, object-avoidance, head-to-bot, or head-to-head: there, against '
    'the bots slow, medium and optimal.', show_default='as the next options have it')]
CarsOption = Annotated[int | None, typer.Option(
    help='Cars that share the track, 2 to 8: the policy and bots (head to head).',
    show_default='4')]
LapsOption = Annotated[int | None, typer.Option(help='Of a race.', show_default='3')]
RankingOption = Annotated[Literal['average', 'best', 'total'] | None, typer.Option(
    help='What wins: the best average of consecutive laps, the best lap, or the total time.',
    show_default='average')]
ConsecutiveOption = Annotated[int | None, typer.Option(
    metavar='N', help='Laps of the average.', show_default='3')]
ResetsOption = Annotated[int | None, typer.Option(
    help='Incidents that a car survives, with penalties.', show_default='10000')]
TimeLimitOption = Annotated[float | None, typer.Option(
    metavar='SECONDS', help='Of a race.', show_default=f'{LAP_LIMIT_S:g} a lap')]
MaxSubmissionsOption = Annotated[int | None, typer.Option(
    metavar='N', help='Of one racer; 0: any number.', show_default='0')]
OpensOption = Annotated[str, typer.Option(
    metavar='TIME', help='Date, time and zone, e.g. 2027-03-01T18:00+01:00.', show_default='now')]
ClosesOption = Annotated[str, typer.Option(
    metavar='TIME', help='Likewise.', show_default='when somebody closes it')]
SeedOption = Annotated[int | None, typer.Option(
    help='Of everything random.', show_default='0; of hidden conditions: drawn')]
RandomizationOption = Annotated[str, typer.Option(
    help='Conditions that everybody knows: none, default, strong, or a .json file.')]
HiddenOption = Annotated[str, typer.Option(
    '--hidden-conditions', metavar='PROFILE',
    help='Conditions that nobody knows until the race is closed: none, default, strong, or a '
    '.json file.')]


def open_from(league: League, options: Mapping[str, Any], now: Moment) -> Race:
    """Open a race as a command's options say; what they leave out is as in the last race.

    Raises:
        ConfigError: They do not go together.
        TrackError: The track cannot be raced on.
    """
    from racer_rl.league.clock import parse_moment
    from racer_rl.league.seasons import open_race
    from racer_rl.league.terms import RaceTerms
    from racer_rl.races.plan import RacePlan

    races = league.races()
    before = races[-1].terms if races else RaceTerms(plan=RacePlan(track=options['track']))
    return open_race(
        league, _terms(before, options), _conditions(options), now=now,
        opens=parse_moment('--opens', options['opens']) if options['opens'] else None,
        closes=parse_moment('--closes', options['closes']) if options['closes'] else None,
        title=options['title'])


def _terms(before: RaceTerms, options: Mapping[str, Any]) -> RaceTerms:
    from racer_rl.league.ranking import Measure

    ranking = before.ranking
    if options['ranking'] is not None:
        ranking = replace(ranking, by=Measure(options['ranking']))
    plan = _plan(before.plan, options)
    if options['consecutive'] is not None:
        ranking = replace(ranking, consecutive=options['consecutive'])
    elif options['laps'] is not None:  # of a race of two laps, the average of two
        ranking = replace(ranking, consecutive=min(ranking.consecutive, plan.rules.laps))
    most = options['max_submissions']
    return replace(before, plan=plan, ranking=ranking,
                   max_submissions=before.max_submissions if most is None else most)


def _plan(before: RacePlan, options: Mapping[str, Any]) -> RacePlan:
    rules, laps, limit_s = before.rules, options['laps'], options['time_limit']
    if laps is not None:
        rules = replace(rules, laps=laps, time_limit_s=LAP_LIMIT_S * laps)
    if limit_s is not None:
        rules = replace(rules, time_limit_s=limit_s)
    if options['resets'] is not None:
        rules = replace(rules, resets=options['resets'])
    words = RaceWords.of({**options, 'race': options['race_type']})
    return replace(before, track=options['track'] or before.track, rules=rules,
                   direction=options['direction'] or before.direction,
                   format=words.format() or before.format)


def _conditions(options: Mapping[str, Any]) -> Conditions:
    from racer_rl.league.terms import Conditions
    from racer_sim.randomization import find_randomization

    seed = options['seed']
    if options['hidden']:
        if seed is not None or options['randomization'] != 'none':
            raise ConfigError('--hidden-conditions with --seed or --randomization; allowed: '
                              'hidden conditions, or known ones.')
        return Conditions.hidden(find_randomization(options['hidden']))
    return Conditions(seed=seed or 0, randomization=find_randomization(options['randomization']))
