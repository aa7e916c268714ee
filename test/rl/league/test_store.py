"""The league's folder: who may do what when, and processes that share it or die in it."""

import datetime
import hashlib
import json
import sqlite3
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest

from racer_rl.database import DatabaseError
from racer_rl.league.clock import as_text, parse_moment
from racer_rl.league.database import FILE, open_database
from racer_rl.league.divisions import Divisions
from racer_rl.league.importing import import_race
from racer_rl.league.intake import RefusedError, note_refused, read_bundle, submit
from racer_rl.league.protection import protect_models
from racer_rl.league.queue import MOST_ATTEMPTS, leased
from racer_rl.league.ranking import LapFigures, Measure, Ranking
from racer_rl.league.seasons import (
    close_race,
    next_season,
    open_race,
    season_standings,
    seasons,
    unfinished,
)
from racer_rl.league.store import create_league, league_names, open_league
from racer_rl.league.submissions import Outcome, State, Verdict
from racer_rl.league.table_csv import read_table, write_table
from racer_rl.league.terms import Conditions, RaceTerms
from racer_rl.races.plan import RacePlan
from racer_sim.randomization import STRONG
from racer_sim.rules import RaceRules
from racer_vehicle.errors import ConfigError, UnknownNameError
from racer_vehicle.policy_archive import pack

NOON = datetime.datetime(2027, 3, 1, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
TERMS = RaceTerms(plan=RacePlan(track='oval'))
HOLDER = """
from racer_rl.league.queue import leased
from racer_rl.league.store import open_league

with open_league('spring') as league, leased(league) as lease:
    print(lease.submission.number, flush=True)
    input()
"""


def outcome(average_s, incidents=0):
    return Outcome(verdict=Verdict.RANKED, laps=3, resets=incidents, figures=LapFigures(
        average_s=average_s, best_s=average_s, total_s=3 * average_s))


@pytest.fixture
def league(racer_home):
    create_league('spring', Divisions(), NOON)
    with open_league('spring') as league:
        open_race(league, TERMS, Conditions(), now=NOON)
        yield league


@pytest.fixture
def enter(league, toy):
    def enter(racer, average_s=None, *, at=NOON, race=None, incidents=0):
        if racer not in [each.name for each in league.racers()]:
            league.join(racer, at)
        entry = submit(league, league.racer(racer), toy(), now=at, race=race)
        if average_s is not None:
            with leased(league, number=entry.number) as lease:
                entry = lease.conclude(outcome(average_s, incidents))
        return entry
    return enter


def test_a_league_is_found_by_its_name(league):
    assert league_names() == ['spring']
    with pytest.raises(UnknownNameError, match='did you mean spring'), open_league('sprin'):
        pass
    with pytest.raises(ConfigError, match='exists already'):
        create_league('spring', Divisions(), NOON)
    with pytest.raises(ConfigError, match='allowed: letters, digits'):
        create_league('../x', Divisions(), NOON)
    assert [path.name for path in league.folder.parent.iterdir()] == ['spring']


def test_racers_who_look_the_same_are_the_same(league):
    league.join('Ann', NOON)

    for name in ('Ann', 'ANN', '\uff21nn'):
        with pytest.raises(ConfigError, match='has joined spring already'):
            league.join(name, NOON)
    assert league.racer('ann').name == 'Ann'
    with pytest.raises(UnknownNameError, match='Join: racer league join spring'):
        league.racer('Bob')


def test_a_race_takes_submissions_from_its_opening_until_its_closing(league, enter):
    close_race(league, 1, NOON)
    race = open_race(league, TERMS, Conditions(), now=NOON, opens=NOON + HOUR,
                     closes=NOON + 2 * HOUR, title='final')
    league.join('Ann', NOON)

    with pytest.raises(ConfigError, match=r'race 2 of .* opens at 2027-03-01 13:00 UTC; it'):
        enter('Ann')
    assert enter('Ann', at=NOON + HOUR).race == race.number == 2
    with pytest.raises(ConfigError, match='closed at 2027-03-01 14:00 UTC'):
        enter('Ann', at=NOON + 2 * HOUR)
    with pytest.raises(ConfigError, match=r'race 1 of .* closed at 2027-03-01 12:00'):
        enter('Ann', at=NOON + HOUR, race=1)
    with pytest.raises(ConfigError, match='allowed: after it opens'):
        open_race(league, TERMS, Conditions(), now=NOON, closes=NOON)


def test_a_closed_race_still_races_what_has_come(league, enter):
    entry = enter('Ann')

    close_race(league, 1, NOON + HOUR)

    assert unfinished(league, 1) == 1
    with pytest.raises(ConfigError, match='1 submissions of race 1 were not raced yet'):
        next_season(league, NOON + HOUR)
    with leased(league) as lease:
        lease.conclude(outcome(9.0))
    assert league.standings(1)[0].result == entry.result


def test_a_racer_has_so_many_submissions_and_refused_files_are_none(league, enter, toy):
    race = open_race(league, replace(TERMS, max_submissions=2), Conditions(), now=NOON)
    enter('Ann', race=race.number)
    with pytest.raises(RefusedError) as error:
        read_bundle(toy().content[:-1])
    note_refused(league, league.racer('Ann'), 'cut', error.value, now=NOON, race=race.number)
    enter('Ann', race=race.number)

    with pytest.raises(ConfigError, match="'Ann' has used all 2 submissions of race 2"):
        enter('Ann', race=race.number)
    assert enter('Bob', race=race.number).racer == 'Bob'
    verdicts = [each.outcome and each.outcome.verdict for each in league.submissions(2)]
    assert verdicts == [None, Verdict.NOT_A_BUNDLE, None, None]


@pytest.mark.parametrize(('change', 'verdict', 'words'), [
    (lambda bundle: b'PK\x03\x04' + bytes(64 << 20), Verdict.TOO_LARGE, 'more than 64 MiB'),
    (lambda bundle: b'\x80\x04\x95', Verdict.NOT_A_BUNDLE, 'pickle'),
    (lambda bundle: bundle.content.replace(b'policy.onnx', b'policy.exec'), Verdict.NOT_A_BUNDLE,
     'allowed: exactly'),
])
def test_what_is_no_policy_is_refused_at_the_door(toy, change, verdict, words):
    with pytest.raises(RefusedError, match=words) as error:
        read_bundle(change(toy()))
    assert error.value.verdict is verdict


def test_a_bomb_is_not_unpacked(toy, tmp_path):
    bomb = tmp_path / 'bomb.racer'
    with zipfile.ZipFile(bomb, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('card.json', toy().card_json)
        archive.writestr('policy.onnx', bytes(50 << 20))
    assert bomb.stat().st_size < 1 << 20

    with pytest.raises(RefusedError, match=r'policy.onnx is compressed|card.json is compressed'):
        read_bundle(bomb)


def test_a_network_of_nothing_but_fields_is_not_looked_through(toy):
    onnx = b'\x10\x01' * (4 << 20)
    card = replace(toy().card, onnx_sha256=hashlib.sha256(onnx).hexdigest())
    with pytest.raises(RefusedError, match='more than 200,000 fields') as error:
        read_bundle(pack({'card.json': card.to_json().encode(), 'policy.onnx': onnx}))
    assert error.value.verdict is Verdict.NOT_A_BUNDLE


def test_another_car_and_a_name_that_hides_are_refused(toy):
    with pytest.raises(RefusedError, match='wheelbase') as error:
        read_bundle(toy(wheelbase_m=0.3).content)
    assert error.value.verdict is Verdict.DOES_NOT_FIT
    with pytest.raises(RefusedError, match='model name is'):
        read_bundle(toy(model='<script>').content)


def test_hidden_conditions_are_told_when_the_race_is_closed_and_prove_themselves(league):
    hidden = Conditions.hidden(STRONG)
    league.folder.chmod(0o755)
    race = open_race(league, TERMS, hidden, now=NOON)
    assert league.folder.stat().st_mode & 0o777 == 0o700

    assert race.told(NOON) is None
    assert race.plan.seed == hidden.seed
    closed = close_race(league, race.number, NOON)
    assert closed.told(NOON) == hidden
    assert Conditions.from_json(hidden.to_json()).commitment == race.conditions.commitment
    assert replace(hidden, seed=hidden.seed ^ 1).commitment != hidden.commitment
    assert Conditions.hidden(STRONG).commitment != Conditions.hidden(STRONG).commitment


def test_the_best_of_a_season_move_up_and_stay_where_they_were_in_it(league, enter):
    for index in range(11):
        enter(f'racer {index}', 9.0 + index)
    close_race(league, 1, NOON)

    final = next_season(league, NOON + HOUR)

    assert [line.racer for line in final if line.promoted] == ['racer 0', 'racer 1']
    assert {racer.name for racer in league.racers() if racer.division == 'Pro'} == {
        'racer 0', 'racer 1'}
    assert [season.ended for season in seasons(league)] == [as_text(NOON + HOUR), '']
    open_race(league, TERMS, Conditions(), now=NOON)
    for racer, score in (('racer 1', 9.0), ('racer 0', 9.5), ('racer 5', 8.0)):
        enter(racer, score)
    assert [(line.division, line.rank, line.racer) for line in league.standings()] == [
        ('Pro', 1, 'racer 1'), ('Pro', 2, 'racer 0'), ('Open', 1, 'racer 5')]
    assert season_standings(league, 1) == final
    assert not [line for line in season_standings(league, 2) if line.division == 'Pro'
                and line.promoted]


def test_a_season_ends_once_its_races_are_closed(league):
    with pytest.raises(ConfigError, match=r'race 1 of .* is not closed yet'):
        next_season(league, NOON)
    close_race(league, 1, NOON)
    next_season(league, NOON)
    with pytest.raises(ConfigError, match=r'season 2 of .* has no race'):
        next_season(league, NOON)


def test_terms_that_cannot_be_won_are_refused():
    with pytest.raises(ConfigError, match='4 consecutive laps of a race of 3'):
        replace(TERMS, ranking=Ranking(consecutive=4))
    with pytest.raises(ConfigError, match='the race may take 100000 s'):
        replace(TERMS, plan=RacePlan(track='oval', rules=RaceRules(time_limit_s=1e5)))
    longest = replace(TERMS, ranking=Ranking(by=Measure.BEST, consecutive=9))
    assert RaceTerms.from_json(longest.to_json()) == longest


def test_a_track_file_comes_along(league, ring):
    race = open_race(league, RaceTerms(plan=RacePlan(track=str(ring))), Conditions(), now=NOON)

    copy = league.folder / 'tracks' / 'ring.npy'
    assert race.plan.track == str(copy)
    assert copy.read_bytes() == ring.read_bytes()


def test_a_submission_is_with_one_at_a_time_and_comes_back_unless_concluded(league, enter):
    first, second = enter('Ann'), enter('Bob')

    with leased(league) as one, leased(league) as two, leased(league) as none:
        assert (one.submission.number, two.submission.number) == (first.number, second.number)
        assert one.submission.state is State.RACING
        assert none is None
        two.conclude(outcome(9.0))
    assert league.submission(first.number).state is State.QUEUED
    with leased(league) as again, leased(league) as none:
        assert again.submission.number == first.number
        assert none is None
    assert list((league.folder / 'leases').iterdir()) == [league.folder / 'leases' / '1']


def test_an_interrupted_race_is_nobodys_fault(league, enter):
    enter('Ann')

    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(KeyboardInterrupt), leased(league) as lease:
            assert lease is not None
            raise KeyboardInterrupt
    assert league.submission(1).attempts == 0


def test_whoever_is_killed_leaves_the_submission_to_others_but_not_for_ever(league, enter):
    enter('Ann')

    for attempt in range(MOST_ATTEMPTS):
        with subprocess.Popen([sys.executable, '-c', HOLDER], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == '1\n'
            with leased(league) as none:
                assert none is None
            process.kill()
        assert league.submission(1).attempts == attempt + 1
    with leased(league) as none:
        assert none is None
    assert league.submission(1).outcome.verdict is Verdict.BROKE_DOWN


def test_a_race_comes_out_of_its_table_as_it_went_in(league, enter):
    for racer, average_s in (('=Ann', 9.1), ('Bob', 9.3), ('=Ann', 8.7)):
        enter(racer, average_s, incidents=2)
    ranking = TERMS.ranking

    table = write_table(league.submissions(1), league.standings(1), ranking)
    race = import_race(league, read_table(table.encode(), ranking), 'copy', NOON)

    assert write_table(league.submissions(race.number), league.standings(race.number),
                       ranking) == table
    assert race.is_closed(NOON)
    foreign = b'alias,bestLapTime,avgLapTime,division\nNew,9000,9100,Gold\n'
    with pytest.raises(UnknownNameError, match='division'):
        import_race(league, read_table(foreign, ranking), 'bad', NOON)
    assert len(league.races()) == 2
    assert 'New' not in [racer.name for racer in league.racers()]


def test_protected_models_are_added_to_those_there_are(racer_home):
    protect_models({'red'})
    protect_models({'blue', 'red'})

    assert json.loads((racer_home / 'leagues' / 'protected.json').read_text()) == ['blue', 'red']
    assert league_names() == []


def test_a_damaged_or_newer_file_is_left_alone(league, tmp_path):
    (tmp_path / FILE).write_bytes(b'SQLite format 3\0' + b'x' * 5000)
    with pytest.raises(DatabaseError, match='restore the folder of the league'):
        open_database(tmp_path)
    with sqlite3.connect(league.folder / FILE) as rows:
        rows.execute('PRAGMA user_version = 99')
    with pytest.raises(DatabaseError, match='has format 99'):
        open_database(league.folder)
    with pytest.raises(DatabaseError, match='cannot use'):
        open_database(tmp_path / 'none')


@pytest.mark.parametrize('text', ['tomorrow', '2027-03-01', '2027-03-01T12:00', '',
                                  '0001-01-01T00:00+14:00'])
def test_a_time_without_its_zone_is_refused(text):
    with pytest.raises(ConfigError, match='allowed: date, time and zone'):
        parse_moment('--opens', text)


def test_times_are_compared_in_one_zone():
    assert as_text(parse_moment('--opens', '2027-03-01T13:00+01:00')) == as_text(NOON)
    assert as_text(parse_moment('--opens', '2027-03-01T12:00Z')) == as_text(NOON)
