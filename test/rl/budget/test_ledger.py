"""The ledger as a file: several at once, old, new, damaged and locked."""

import sqlite3
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_rl.budget.ledger import ALIVE_S, Ledger, ledger_path, open_ledger
from racer_rl.budget.usage import QUARTER_S, Usage
from racer_rl.database import DatabaseError


def usage(wall_s=1.0, money=0.5):
    return Usage(wall_s=wall_s, cpu_s=2.0 * wall_s, energy_j=3.0 * wall_s, money=money)


def test_a_run_is_read_as_it_was_written(racer_home, run_of):
    run = run_of('a', ended='2026-11-27T01:00:00.000+00:00', steps=77, progress=0.5)
    with open_ledger() as ledger:
        ledger.write(run, {10: usage(), 12: usage(2.0, 0.25)})
    with open_ledger() as ledger:
        ((found, sums),) = ledger.runs()
    assert found == run
    assert (sums.runs, sums.wall_s, sums.cpu_s, sums.energy_j, sums.money) == (1, 3.0, 6.0, 9.0,
                                                                               0.75)


def test_a_run_that_has_taken_nothing_is_there(racer_home, run_of):
    with open_ledger() as ledger:
        ledger.write(run_of('a'), {})
        assert [(run.id, sums.wall_s) for run, sums in ledger.runs()] == [('a', 0.0)]
        assert ledger.first_quarter() is None


def test_the_sums_of_a_stretch_are_those_of_its_quarters(racer_home, run_of):
    with open_ledger() as ledger:
        ledger.write(run_of('a'), {10: usage(money=1.0), 11: usage(money=2.0)})
        ledger.write(run_of('b', currency='USD'), {11: usage(money=4.0)})
        assert ledger.spent(11 * QUARTER_S, 12 * QUARTER_S, 'EUR') == 2.0
        assert ledger.spent(10 * QUARTER_S, 12 * QUARTER_S, 'EUR') == 3.0
        assert ledger.spent(10 * QUARTER_S, 11 * QUARTER_S, 'USD') == 0.0
        assert ledger.first_quarter() == 10


def test_a_renamed_model_is_one_model_by_its_latest_name(racer_home, run_of):
    with open_ledger() as ledger:
        ledger.write(run_of('z', model='old', model_id='1', began='2026-01-01'), {10: usage()})
        ledger.write(run_of('a', model='new', model_id='1', began='2026-01-02'), {10: usage()})
        ledger.write(run_of('b', model='other', model_id='2'), {10: usage(money=9.0)})
        ledger.write(run_of('c', model='old'), {10: usage(money=0.1)})
        found = [(sums.model, sums.runs, sums.money) for sums in ledger.by_model(0.0, 1e6)]
    assert found == [('other', 1, 9.0), ('new', 2, 1.0), ('old', 1, 0.1)]


def test_runs_are_chosen_by_model_kind_and_number(racer_home, run_of):
    with open_ledger() as ledger:
        for name, others in (('a', {'model': 'x'}), ('b', {'model_id': 'x', 'kind': 'race'}),
                             ('c', {})):
            ledger.write(run_of(name, began=f'2026-01-0{ord(name) - 96}', **others), {})
        assert [run.id for run, _ in ledger.runs()] == ['c', 'b', 'a']
        assert [run.id for run, _ in ledger.runs(model='x')] == ['b', 'a']
        assert [run.id for run, _ in ledger.runs(model='x', kind='train')] == ['a']
        assert [run.id for run, _ in ledger.runs(at_most=1)] == ['c']


def test_who_has_ended_was_killed_or_is_elsewhere_does_not_share_the_machine(racer_home, run_of):
    with open_ledger() as ledger:
        ledger.write(run_of('here', beat_s=100.0), {})
        ledger.write(run_of('ended', beat_s=100.0, ended='then'), {})
        ledger.write(run_of('killed', beat_s=100.0 - ALIVE_S), {})
        ledger.write(run_of('elsewhere', beat_s=100.0, boot='other'), {})
        assert ledger.sharing('b', 100.0) == 1


def test_what_a_newer_racer_wrote_is_refused_and_left_alone(racer_home):
    with sqlite3.connect(ledger_path()) as connection:
        connection.execute('PRAGMA user_version = 99')
    before = ledger_path().read_bytes()
    with pytest.raises(DatabaseError, match=r'has format 99; allowed: up to 1; a newer racer'):
        Ledger()
    assert ledger_path().read_bytes() == before


@pytest.mark.parametrize('damage', [
    lambda content: b'no database at all' * 100,
    lambda content: content[:5000],
    lambda content: content[:4096] + b'\xff' * (len(content) - 4096),
])
def test_damage_is_told_in_one_line_and_nothing_is_deleted(racer_home, run_of, damage):
    with open_ledger() as ledger:
        ledger.write(run_of('a'), {10: usage()})
    damaged = damage(ledger_path().read_bytes())
    ledger_path().write_bytes(damaged)
    with pytest.raises(DatabaseError, match=r'is damaged .* nothing of it was') as caught, \
            open_ledger() as ledger:
        ledger.runs()
    assert '\n' not in str(caught.value)
    assert ledger_path().read_bytes()[100:] == damaged[100:]


@given(data=st.data())
@settings(max_examples=100)
def test_any_bytes_changed_are_told_in_our_words_or_harmless(tmp_path_factory, run_of, data):
    path = tmp_path_factory.mktemp('ledger') / 'ledger.db'
    with open_ledger(path) as ledger:
        for name in 'ab':
            ledger.write(run_of(name), {10: usage(), 11: usage()})
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        with open_ledger(path, patience_s=0.1) as ledger:
            ledger.runs()
            ledger.by_model(0.0, 1e6)
            ledger.write(run_of('c'), {10: usage()})
    except DatabaseError as error:
        assert str(path) in str(error)
        assert path.stat().st_size == len(content)


def test_a_locked_ledger_is_waited_for_and_then_told(racer_home, run_of):
    with open_ledger(patience_s=0.1) as ledger:
        other = sqlite3.connect(ledger_path(), isolation_level=None)
        other.execute('BEGIN IMMEDIATE')
        with pytest.raises(DatabaseError, match='locked'):
            ledger.write(run_of('a'), {10: usage()})
        assert ledger.runs() == []  # readers do not wait
        other.execute('ROLLBACK')
        other.close()
        ledger.write(run_of('a'), {10: usage()})
        assert len(ledger.runs()) == 1


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DatabaseError, match='set RACER_HOME to a folder that you may write'):
        Ledger(tmp_path / 'file' / 'ledger.db')


WRITER = """
import sys
from racer_rl.budget.ledger import Run, open_ledger
from racer_rl.budget.usage import Usage
with open_ledger(patience_s=60.0) as ledger:
    for index in range(50):
        run = Run(id=f'{sys.argv[1]}-{index % 5}', kind='train', model='m', model_id='',
                  machine='here', processor='', host='', boot='b', pid=1, pid_start=1, began='',
                  written='', ended=None, outcome='', beat_s=0.0, steps=index, progress=None,
                  peak_memory_bytes=0, energy='', currency='EUR', price='', price_date='')
        ledger.write(run, {index: Usage(1.0, 1.0, 1.0, 1.0)})
"""


def test_several_processes_make_and_write_one_ledger(racer_home):
    processes = [subprocess.Popen([sys.executable, '-c', WRITER, str(number)])
                 for number in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    with open_ledger() as ledger:
        assert ledger.spent(0.0, 1e6, 'EUR') == 150.0
        assert len(ledger.runs()) == 15
