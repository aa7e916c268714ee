"""Tables: what is written is read, nothing in them runs, and what is wrong is said by its line."""

import csv
import io
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_rl.league.ranking import LapFigures, Measure, Ranking
from racer_rl.league.submissions import DROVE, Outcome, State, Submission, Verdict
from racer_rl.league.table_csv import COLUMNS, MOST_BYTES, read_table, write_table
from racer_vehicle.errors import ConfigError

STARTS = st.sampled_from(['', '=', '+', '-', '@', "'", "''", '\uff1d', '"', ','])
WORDS = st.text(st.characters(categories=['L', 'N', 'P', 'Sc'], exclude_characters='<>'),
                min_size=1, max_size=9)
NAMES = st.tuples(STARTS, WORDS).map(lambda parts: unicodedata.normalize('NFC', ''.join(parts)))
SECONDS = st.none() | st.floats(0.001, 85_999.0)
COUNTS = st.integers(0, 10_000)


@st.composite
def submissions(draw):
    figures = LapFigures(average_s=draw(SECONDS), best_s=draw(SECONDS), total_s=draw(SECONDS))
    verdict = draw(st.sampled_from(Verdict))
    if verdict in DROVE:
        verdict = Verdict.RANKED if figures.average_s is not None else Verdict.TOO_FEW_LAPS
    return Submission(
        number=1, race=1, racer=draw(NAMES), division=draw(NAMES), model=draw(NAMES), model_id='',
        bundle=draw(st.sampled_from(['', 'ab' * 32])),
        submitted='2027-01-02T03:04:05.678901+00:00', state=State.DONE, attempts=1,
        outcome=Outcome(verdict=verdict, reason=draw(NAMES), figures=figures, laps=draw(COUNTS),
                        resets=draw(COUNTS), collisions=draw(COUNTS), off_tracks=draw(COUNTS)))


@settings(max_examples=40)
@given(written=st.lists(submissions(), max_size=4))
def test_what_is_written_is_read_to_the_last_digit(written):
    table = write_table(written, (), Ranking())

    read = read_table(table.encode(), Ranking())

    assert [(row.racer, row.division, row.model, row.submitted, row.bundle, row.outcome)
            for row in read] == [
        (each.racer, each.division, each.model, each.submitted, each.bundle, each.outcome)
        for each in written]


@settings(max_examples=40)
@given(written=st.lists(submissions(), min_size=1, max_size=4))
def test_no_field_is_a_formula(written):
    table = list(csv.reader(io.StringIO(write_table(written, (), Ranking()))))

    assert tuple(table[0]) == COLUMNS
    assert not [cell for row in table[1:] for cell in row
                if cell.startswith(('=', '+', '-', '@', '\t', '\r', '\uff1d'))]


def test_a_foreign_table_with_the_original_columns_is_read():
    text = ('\ufeffalias;rankingScore;bestLapTime;completedLapCount;offTrackCount;crew\r\n'
            'Ann;10250.5;9800;3;1;x\r\n'
            'Bob;86000000;;0;0;y\r\n')

    ann, bob = read_table(text.encode(), Ranking(by=Measure.TOTAL))

    assert ann.outcome == Outcome(verdict=Verdict.RANKED, laps=3, off_tracks=1, figures=LapFigures(
        total_s=10.2505, best_s=9.8))
    assert (ann.racer, ann.model, ann.submitted) == ('Ann', 'unknown', '')
    assert bob.outcome.verdict is Verdict.TOO_FEW_LAPS


@pytest.mark.parametrize(('text', 'words'), [
    (b'', 'names nothing'),
    (b'name,time\n', 'names name, time; allowed: each column once, with alias'),
    (b'alias,alias,bestLapTime\n', 'names alias twice'),
    (b'alias,bestLapTime\nAnn\n', 'line 2 of the table has 1 fields; allowed: 2'),
    (b'alias,bestLapTime\nAnn,fast\n', "line 2 of the table: bestLapTime is 'fast'; allowed"),
    (b'alias,bestLapTime\nAnn,nan\n', "bestLapTime is 'nan'"),
    (b'alias,bestLapTime\nAnn,-5\n', "bestLapTime is '-5'"),
    (b'alias,bestLapTime\nAnn,1e3\n', "bestLapTime is '1e3'"),
    (b'alias,bestLapTime\nAnn,.\n', "bestLapTime is '.'"),
    (b'alias,bestLapTime\nAnn,0\n', 'best_s is 0.0; allowed'),
    (b'alias,bestLapTime,resetCount\nAnn,5,1.5\n', "resetCount is '1.5'"),
    (b'alias,bestLapTime\n<b>,5\n', "racer name is '<b>'"),
    (b'alias,bestLapTime,verdict\nAnn,5,great\n', "verdict is 'great'; allowed: ranked"),
    (b'alias,bestLapTime,submittedAt\nAnn,5,today\n', 'submittedAt is'),
    (b'alias,bestLapTime,submittedAt\nAnn,5,2027-01-01\n', 'it has no zone'),
    (b'alias,bestLapTime,bundleSha256\nAnn,5,ff\n', 'bundleSha256 is'),
    (b'alias,bestLapTime\n"Ann,5\n', 'is no CSV'),
    (b'alias,bestLapTime\n\xff,5\n', 'is not UTF-8 (byte 18)'),
    (b'x' * (MOST_BYTES + 1), 'more than 16 MiB'),
])
def test_what_is_wrong_is_said(text, words):
    with pytest.raises(ConfigError) as error:
        read_table(text, Ranking())
    assert words in str(error.value)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: (
    'alias,bestLapTime\n' + text).encode(errors='replace')))
def test_any_bytes_are_a_table_or_an_error(content):
    try:
        read_table(content, Ranking())
    except ConfigError:
        return
