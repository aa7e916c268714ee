"""SQLite files as all of racer uses them: shared, interrupted, old, new, damaged and locked."""

import contextlib
import sqlite3
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_rl.database import NOWHERE, Database, DatabaseDamageError, DatabaseError, Schema

TIMEOUT_S = 60.0
VERSIONS = (
    ('CREATE TABLE pair (key INTEGER PRIMARY KEY, value TEXT NOT NULL)',),
    ("ALTER TABLE pair ADD COLUMN note TEXT NOT NULL DEFAULT 'none'",
     'CREATE INDEX pair_by_note ON pair (note)'),
    ('CREATE TABLE more (key INTEGER REFERENCES pair)',),
)


def pairs(version=1):
    return Schema(name='the pairs', versions=VERSIONS[:version], if_damaged='draw new ones')


@contextlib.contextmanager
def opened(path, version=1, **options):
    with contextlib.closing(Database(path, pairs(version), patience_s=0.1, **options)) as database:
        yield database


def found(database):
    return dict(database.rows('SELECT key, value FROM pair'))


class Interrupted(Exception):
    pass


def put(database, batch, *, fails):
    with database.transaction() as rows:
        rows.executemany('INSERT OR REPLACE INTO pair VALUES (?, ?)', batch.items())
        if fails:
            raise Interrupted


BATCHES = st.lists(st.tuples(st.dictionaries(st.integers(0, 9), st.text(max_size=5)),
                             st.booleans(), st.booleans()), max_size=8)


@given(BATCHES)
@settings(max_examples=50)
def test_a_transaction_is_there_as_a_whole_or_not_at_all(tmp_path_factory, batches):
    path = tmp_path_factory.mktemp('database') / 'pairs.sqlite'
    expected = {}
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(opened(path))
        for batch, fails, reopens in batches:
            with contextlib.suppress(Interrupted):
                put(database, batch, fails=fails)
            expected |= {} if fails else batch
            if reopens:
                stack.close()
                database = stack.enter_context(opened(path))
            assert found(database) == expected


@given(st.lists(st.integers(1, len(VERSIONS)), min_size=1, max_size=5), st.data())
@settings(max_examples=50)
def test_any_racer_brings_an_older_file_up_to_date_and_leaves_a_newer_one_alone(
        tmp_path_factory, versions, data):
    path, newest, expected = tmp_path_factory.mktemp('database') / 'pairs.sqlite', 0, {}
    for version in versions:
        if version < newest:
            with pytest.raises(DatabaseError, match=(
                    rf'the pairs .*pairs\.sqlite has format {newest}; allowed: up to {version}; a '
                    'newer racer wrote it')), opened(path, version):
                raise AssertionError('it must not open')
            continue
        newest = version
        with opened(path, version) as database:
            assert found(database) == expected
            batch = data.draw(st.dictionaries(st.integers(0, 9), st.text(max_size=5)))
            with database.transaction() as rows:
                rows.executemany('INSERT OR REPLACE INTO pair (key, value) VALUES (?, ?)',
                                 batch.items())
            expected |= batch
            assert database.rows('PRAGMA user_version') == [(version,)]


@given(data=st.data())
@settings(max_examples=50)
def test_any_bytes_changed_are_told_in_our_words_or_harmless(tmp_path_factory, data):
    path = tmp_path_factory.mktemp('database') / 'pairs.sqlite'
    with opened(path) as database:
        put(database, {key: 'v' * key for key in range(10)}, fails=False)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)):]
    for place in data.draw(st.lists(st.integers(0, max(len(content) - 1, 0)), max_size=20)):
        content[place:place + 1] = bytes([data.draw(st.integers(0, 255))])
    path.write_bytes(content)
    try:
        with opened(path) as database:
            found(database)
            put(database, {3: 'new'}, fails=False)
    except DatabaseError as error:
        assert str(path) in str(error) and '\n' not in str(error)


def test_damage_says_what_to_do(tmp_path):
    (tmp_path / 'pairs.sqlite').write_bytes(b'no database' * 1000)
    with pytest.raises(DatabaseDamageError, match=r'pairs\.sqlite is damaged \(file is not a data'
                                                  r'base\); draw new ones\.$'), \
            opened(tmp_path / 'pairs.sqlite'):
        raise AssertionError('it must not open')
    assert (tmp_path / 'pairs.sqlite').read_bytes() == b'no database' * 1000


def test_who_writes_is_waited_for_and_then_told_and_readers_do_not_wait(tmp_path):
    with opened(tmp_path / 'pairs.sqlite') as database, opened(tmp_path / 'pairs.sqlite') as other:
        with other.transaction() as rows:
            rows.execute("INSERT INTO pair VALUES (1, 'a')")
            assert found(database) == {}
            with pytest.raises(DatabaseError, match='wait for whoever holds it') as caught:
                put(database, {1: 'b'}, fails=False)
            assert not isinstance(caught.value, DatabaseDamageError)
        assert found(database) == {1: 'a'}


def test_a_file_that_is_not_there_is_made_or_refused(tmp_path):
    path = tmp_path / 'a?b #%41' / 'pairs.sqlite'
    with pytest.raises(DatabaseError, match='cannot use the pairs'), opened(path, make=False):
        raise AssertionError('it must not open')
    assert not path.parent.exists()
    with opened(path) as database:
        put(database, {1: 'a'}, fails=False)
    with opened(path, make=False) as database:
        assert found(database) == {1: 'a'}
    assert path.is_file()


def test_a_place_where_no_folder_can_be_is_told(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DatabaseError, match='set RACER_HOME to a folder that you may write'), \
            opened(tmp_path / 'file' / 'pairs.sqlite'):
        raise AssertionError('it must not open')


def test_nowhere_leaves_no_file_and_is_empty_each_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        with opened(NOWHERE) as database:
            assert found(database) == {}
            put(database, {1: 'a'}, fails=False)
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_of_ours_is_no_damage(tmp_path):
    with opened(tmp_path / 'pairs.sqlite') as database, pytest.raises(sqlite3.ProgrammingError):
        database.rows('SELECT ?', ())


WRITER = """
import pathlib, sys
from racer_rl.database import Database, Schema
schema = Schema(name='the pairs', if_damaged='', versions=((
    'CREATE TABLE pair (key INTEGER PRIMARY KEY, value TEXT NOT NULL)',),))
sys.stdin.readline()
database = Database(pathlib.Path(sys.argv[1]), schema, patience_s=60.0)
for index in range(int(sys.argv[3])):
    key = 2 * (int(sys.argv[2]) + index)
    with database.transaction() as rows:
        rows.execute('INSERT INTO pair VALUES (?, ?)', (key, 'a'))
        rows.execute('INSERT INTO pair VALUES (?, ?)', (key + 1, 'b'))
    print(index, flush=True)
"""


def writer(path, first, count):
    return subprocess.Popen([sys.executable, '-c', WRITER, path, str(first), str(count)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_several_processes_make_and_write_one_file(tmp_path):
    path = tmp_path / 'pairs.sqlite'
    writers = [writer(path, 100 * number, 30) for number in range(3)]
    for each in writers:  # all have begun before the first may go on
        each.stdin.write('\n')
        each.stdin.flush()
    for each in writers:
        each.communicate(timeout=TIMEOUT_S)
    assert [each.returncode for each in writers] == [0, 0, 0]
    with opened(path) as database:
        assert len(found(database)) == 2 * 3 * 30


@pytest.mark.parametrize('lines', [1, 7, 40])
def test_what_a_killed_process_had_committed_is_there_and_nothing_by_halves(tmp_path, lines):
    path = tmp_path / 'pairs.sqlite'
    with writer(path, 0, 10**6) as process:
        process.stdin.write('\n')
        process.stdin.flush()
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
        told = lines + len(process.stdout.readlines())
    with opened(path) as database:
        keys = set(found(database))
    assert len(keys) >= 2 * told and keys == set(range(len(keys))) and len(keys) % 2 == 0
