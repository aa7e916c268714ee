"""Rankings, standings, divisions and names, against their rules written out once more."""

import math
import unicodedata
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_rl.league.divisions import Divisions
from racer_rl.league.names import LONGEST, name_key, one_line, require_name
from racer_rl.league.ranking import LapFigures, Measure, Ranking
from racer_rl.league.standings import Standing, rank_race, rank_season
from racer_rl.league.submissions import Outcome, State, Submission, Verdict
from racer_rl.races.result import EntryResult
from racer_vehicle.errors import ConfigError

TIMES = st.lists(st.floats(1.0, 200.0), max_size=12)


def entry(times_s, completion=1.0):
    return EntryResult(name='Ann', identity='bot:slow', status='lap_complete',
                       completion=completion, time_s=1.0, lap_times_s=tuple(times_s))


def submission(number, racer, score_s, incidents=0, division='Open'):
    figures = LapFigures(average_s=score_s, best_s=score_s, total_s=score_s)
    return Submission(
        number=number, race=1, racer=racer, division=division, model='m', model_id='', bundle='',
        submitted=f'2027-01-01T00:00:{number % 60:02}.000000+00:00', state=State.DONE, attempts=1,
        outcome=Outcome(verdict=Verdict.RANKED if score_s else Verdict.TOO_FEW_LAPS,
                        figures=figures if score_s else LapFigures(), resets=incidents))


@given(times_s=TIMES, consecutive=st.integers(1, 5))
def test_the_average_is_of_the_best_window_of_consecutive_laps(times_s, consecutive):
    found = Ranking(consecutive=consecutive).score(entry(times_s))

    if len(times_s) < consecutive:
        assert found is None
        return
    exact = min(sum(map(Fraction, times_s[first:first + consecutive])) / consecutive
                for first in range(len(times_s) - consecutive + 1))
    assert found == pytest.approx(float(exact), rel=1e-15)


@given(times_s=TIMES, completion=st.sampled_from([0.4, 1.0]))
def test_best_lap_and_total_time(times_s, completion):
    best = Ranking(by=Measure.BEST).score(entry(times_s, completion))
    total = Ranking(by=Measure.TOTAL).score(entry(times_s, completion))

    assert best == (min(times_s) if times_s else None)
    assert total == (math.fsum(times_s) if times_s and completion == 1.0 else None)


@given(runs=st.lists(st.tuples(
    st.sampled_from('abcdef'), st.sampled_from([None, 9.0, 9.5, 10.0, 10.5]),
    st.integers(0, 2)), max_size=40))
def test_each_racer_is_ranked_once_by_score_then_incidents_then_order(runs):
    submissions = [submission(number, racer, score_s, incidents)
                   for number, (racer, score_s, incidents) in enumerate(runs, 1)]

    lines = rank_race(submissions, Ranking(), ('Open', 'Pro'))

    expected = [min((score_s, incidents, number) for number, (who, score_s, incidents)
                    in enumerate(runs, 1) if who == racer and score_s)
                for racer in {racer for racer, score_s, _ in runs if score_s}]
    assert [(line.score_s, line.incidents, int(line.result)) for line in lines] == sorted(expected)
    assert [line.rank for line in lines] == list(range(1, len(lines) + 1))
    for line in lines:
        assert line.submissions == sum(who == line.racer and score_s is not None
                                       for who, score_s, _ in runs)


def test_divisions_are_ranked_for_themselves_the_highest_first():
    lines = rank_race([submission(1, 'a', 9.0), submission(2, 'b', 8.0),
                       submission(3, 'c', 10.0, division='Pro')], Ranking(), ('Open', 'Pro'))

    assert [(line.division, line.rank, line.racer) for line in lines] == [
        ('Pro', 1, 'c'), ('Open', 1, 'b'), ('Open', 2, 'a')]


@pytest.mark.parametrize(('ranked', 'promoted'), [
    (0, 0), (1, 1), (9, 1), (10, 1), (11, 2), (20, 2), (21, 3), (30, 3), (100, 10), (101, 11)])
def test_the_top_tenth_is_rounded_up(ranked, promoted):
    assert Divisions().promoted(ranked) == promoted


def standing(rank, racer, incidents=0, submitted=1, division='Open') -> Standing:
    return Standing(rank=rank, racer=racer, division=division, model='m', score_s=9.0,
                    best_lap_s=9.0, average_s=9.0, total_s=9.0, laps=3, incidents=incidents,
                    submitted=f'2027-01-01T00:00:{submitted:02}.000000+00:00', submissions=1,
                    result=f'{submitted:06}')


def test_a_season_counts_who_one_was_not_behind_of_then_incidents_then_order():
    first = [standing(1, 'a', 1, 1), standing(2, 'b', 0, 2), standing(3, 'c', 0, 3)]
    second = [standing(1, 'b', 0, 4), standing(2, 'a', 0, 5)]

    lines = rank_season([first, second], ('Open', 'Pro'), {'Open': 1})

    assert [(line.racer, line.points, line.races, line.promoted) for line in lines] == [
        ('b', 4, 2, True), ('a', 4, 2, False), ('c', 1, 1, False)]


def test_the_highest_division_promotes_nobody():
    assert Divisions().promotions([[standing(1, 'a'), standing(1, 'b', division='Pro')]]) == {
        'Open': 1}


@pytest.mark.parametrize('names', ['', 'A,A', 'A,a', '<b>'])
def test_divisions_need_names_of_their_own(names):
    with pytest.raises(ConfigError, match='allowed'):
        Divisions(names=tuple(names.split(',')) if names else ())


@pytest.mark.parametrize('name', ['Ann', "Zoë O'Neil", '李小龍', '=1+1', '🏎 fast', 'Ŕ'])
def test_names_of_any_script_are_names(name):
    assert require_name('racer', name) == unicodedata.normalize('NFC', name)


@pytest.mark.parametrize('name', [
    '', ' a', 'a ', 'a  b', 'a\nb', 'a\tb', '<script>', 'a\u202eb', 'a\u200bb', 'a\u00a0b',
    'x' * (LONGEST + 1), 'a' + '\u0316' * 4, 'a\x1b[31m', '\ud800'])
def test_names_that_hide_or_run_are_refused(name):
    with pytest.raises(ConfigError, match=r'racer name is .*; allowed: letters'):
        require_name('racer', name)


@given(st.text(max_size=60))
def test_whatever_is_a_name_can_be_shown(name):
    try:
        shown = require_name('racer', name)
    except ConfigError:
        return
    assert shown.isprintable()
    assert '<' not in shown
    assert require_name('racer', shown) == shown
    assert name_key(shown) == name_key(name_key(shown))


@given(st.text(max_size=2000))
def test_words_of_others_fit_a_line(text):
    assert one_line(text).isprintable()
    assert len(one_line(text)) <= 500
