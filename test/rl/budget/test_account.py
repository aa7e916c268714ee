"""Accounts as they are: real processes, a real ledger, a real kill -9."""

import contextlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from racer_rl.budget.account import account
from racer_rl.budget.ledger import ledger_path, open_ledger
from racer_rl.budget.processes import sample_family
from racer_rl.cli.budget_runs import state
from racer_vehicle.errors import ConfigError

TIMEOUT_S = 60.0


def until(condition):
    """Wait for something to be true; give back what it gave."""
    end_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end_s:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError('waited too long')


def only_run():
    with open_ledger() as ledger:
        ((run, sums),) = ledger.runs()
    return run, sums


def burn(cpu_s):
    until_s = time.process_time() + cpu_s
    while time.process_time() < until_s:
        pass


def test_a_run_leaves_what_it_took_and_how_it_ended(racer_home):
    began_s = time.monotonic()
    with account('train', 'first', 'an id') as own:
        burn(0.3)
        own.note(400, 0.25)
        own.note(500)
        inside = own.spent
    passed_s = time.monotonic() - began_s
    run, sums = only_run()
    assert (run.id, run.kind, run.model, run.model_id) == (own.run_id, 'train', 'first', 'an id')
    assert (run.outcome, run.steps, run.progress) == ('done', 500, 0.25)
    assert run.pid == os.getpid() and run.ended and run.machine == 'here'
    assert run.peak_memory_bytes > 5e6
    assert 0.3 <= inside.wall_s <= sums.wall_s <= passed_s
    assert 0.25 <= sums.cpu_s <= passed_s * (os.cpu_count() or 1)
    assert sums.money == pytest.approx(own.spent.money.amount) and sums.money > 0.0


@pytest.mark.parametrize(('error', 'outcome'), [
    (KeyboardInterrupt(), 'interrupted'), (ValueError(), 'failed')])
def test_how_the_block_ends_is_the_outcome(racer_home, error, outcome):
    with pytest.raises(type(error)), account('race', 'm'):
        raise error
    assert only_run()[0].outcome == outcome


def test_the_first_outcome_that_is_told_counts(racer_home):
    with account('evaluate', 'm') as own:
        own.finish('the budget was reached')
        took = own.spent
        own.finish('something else')
    assert only_run()[0].outcome == 'the budget was reached'
    assert own.spent == took, 'nothing is added after the end'


def test_an_account_inside_another_one_is_part_of_it(racer_home):
    with account('train', 'm') as outer:
        with account('evaluate', 'm') as inner:
            assert inner is outer
        burn(0.01)
    assert only_run()[0].kind == 'train' and only_run()[0].outcome == 'done'


def test_a_price_table_that_cannot_be_used_is_told_before_anything_begins(racer_home):
    (racer_home / 'prices.yaml').write_text('format: 1\n')
    with pytest.raises(ConfigError, match=r'prices\.yaml: table lacks'), account('train', 'm'):
        raise AssertionError('it must not begin')
    assert not ledger_path().exists()


def test_what_could_not_be_written_is_written_later(racer_home, caplog):
    with open_ledger():
        pass
    other = sqlite3.connect(ledger_path(), isolation_level=None, check_same_thread=False)
    other.execute('BEGIN IMMEDIATE')
    with caplog.at_level(logging.WARNING), account('train', 'm'):
        until(lambda: 'The run goes on' in caplog.text)
        threading.Timer(0.5, lambda: other.execute('ROLLBACK')).start()
        burn(0.05)
    run, sums = only_run()
    assert run.outcome == 'done' and sums.wall_s > 0.5
    assert len(caplog.records) == 1
    other.close()


FULL = """
import resource, sys, time
from racer_rl.budget.account import account
with account('train', 'm', 'before'):
    pass
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
with account('train', 'm', 'meanwhile') as own:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))  # as if the disk were full
    sys.stdin.readline()
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
print(own.spent.wall_s)
"""


def test_a_full_disk_stops_no_run_and_what_it_took_is_written_when_there_is_room(racer_home):
    with subprocess.Popen([sys.executable, '-c', FULL], stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        note = process.stderr.readline()
        told, rest = process.communicate('\n', timeout=TIMEOUT_S)
    assert 'cannot use the ledger' in note and 'The run goes on' in note and rest == ''
    assert process.returncode == 0
    with open_ledger() as ledger:
        ((run, sums),) = ledger.runs(model='meanwhile')
        assert len(ledger.runs()) == 2
    assert run.outcome == 'done' and sums.wall_s == pytest.approx(float(told))


def test_a_ledger_that_was_moved_away_for_its_damage_is_begun_anew(racer_home, caplog):
    ledger_path().write_bytes(b'no database' * 1000)
    with caplog.at_level(logging.WARNING), account('train', 'm'):
        until(lambda: 'is damaged' in caplog.text)
        ledger_path().rename(racer_home / 'damaged.db')
        burn(0.2)
    assert only_run()[0].outcome == 'done' and only_run()[1].cpu_s >= 0.1
    assert (racer_home / 'damaged.db').read_bytes() == b'no database' * 1000


def test_a_ledger_that_stays_damaged_is_told_at_both_ends_and_left_alone(racer_home, caplog):
    ledger_path().write_bytes(b'no database' * 1000)
    before = ledger_path().read_bytes()
    with caplog.at_level(logging.WARNING), account('train', 'm') as own:
        burn(0.6)
        assert own.spent.wall_s > 0.5
    assert [record.message.partition(':')[0] for record in caplog.records][1:] == [
        'the end of this run is not in the ledger']
    assert 'is damaged' in caplog.records[0].message
    assert ledger_path().read_bytes() == before


FAMILY = """
import subprocess, sys, time
from racer_rl.budget.account import account
burning = 'while True: pass'
with account('train', 'killed') as own:
    child = subprocess.Popen([sys.executable, '-c', burning])
    ended = subprocess.run([sys.executable, '-c', 'for _ in range(3_000_000): pass'], check=True)
    print(child.pid, time.monotonic(), flush=True)
    steps = 0
    while True:
        steps += 1
        own.note(steps)
"""


def cpu_s(process_id):
    with open(f'/proc/{process_id}/stat', encoding='ascii') as stream:
        words = stream.read().rpartition(')')[2].split()
    return sum(map(int, words[11:15])) / os.sysconf('SC_CLK_TCK')


def watch_lag(began_s, seconds):
    """The most that the ledger is behind a run, seen over some seconds of its life."""
    until(lambda: only_run()[1].wall_s > 0.0)
    lag_s = 0.0
    while time.monotonic() < began_s + seconds:
        sums = only_run()[1]
        lag_s = max(lag_s, time.monotonic() - began_s - sums.wall_s)
        time.sleep(0.05)
    return lag_s


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='looks into /proc')
def test_a_kill_costs_the_ledger_five_seconds_at_most(racer_home):
    process = subprocess.Popen([sys.executable, '-c', FAMILY], stdout=subprocess.PIPE, text=True)
    try:
        words = process.stdout.readline().split()
        child, began_s = int(words[0]), float(words[1])
        assert watch_lag(began_s, 6.0) <= 5.0
        assert state(only_run()[0]) == 'goes on'
        worked_s = cpu_s(process.pid) + cpu_s(child)
        os.kill(process.pid, signal.SIGKILL)
        lived_s = time.monotonic() - began_s
        assert process.wait(TIMEOUT_S) == -signal.SIGKILL
    finally:
        process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        process.stdout.close()
    run, sums = only_run()
    assert state(run) == 'killed' and run.ended is None and run.steps > 0
    # What came before the line that told us when it began is a short time more.
    assert lived_s - 5.0 <= sums.wall_s
    assert worked_s - 5.0 * (os.cpu_count() or 1) <= sums.cpu_s <= worked_s + 0.5


FORK = """
import os
from racer_rl.budget.account import account
with account('train', 'parent'):
    child = os.fork()
    if not child:
        with account('race', 'child'):
            pass
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_copy_of_a_process_has_runs_of_its_own(racer_home):
    done = subprocess.run([sys.executable, '-c', FORK], capture_output=True, text=True,
                          timeout=TIMEOUT_S, check=True)
    assert done.stdout == '0\n'
    with open_ledger() as ledger:
        found = {run.model: (run.kind, run.outcome) for run, _ in ledger.runs()}
    assert found == {'parent': ('train', 'done'), 'child': ('race', 'done')}


def test_the_work_of_children_counts_while_they_live_and_after(racer_home):
    before_s = sample_family().cpu_s
    code = 'while True: pass'
    with subprocess.Popen([sys.executable, '-c', code]) as child:
        until(lambda: sample_family().cpu_s > before_s + 0.3)
        child.kill()
    assert sample_family().cpu_s > before_s + 0.3


def test_memory_is_that_of_all_of_them(racer_home):
    before = sample_family().memory_bytes
    code = "held = bytearray(range(256)) * 400_000; print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == 'held\n'
        grown = sample_family().memory_bytes - before
        child.communicate('\n', timeout=TIMEOUT_S)
    assert 80e6 < grown < 200e6


def test_two_runs_at_once_are_two_runs(racer_home):
    code = ('from racer_rl.budget.account import account\n'
            "with account('evaluate', 'm') as own:\n    input()\n")
    processes = [subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE, text=True)
                 for _ in range(2)]

    def both():
        with open_ledger() as ledger:
            return len(ledger.runs()) == 2 and ledger.sharing(
                ledger.runs()[0][0].boot, time.monotonic()) == 2
    until(both)
    for process in processes:
        process.communicate('\n', timeout=TIMEOUT_S)
    with open_ledger() as ledger:
        assert [(run.outcome, sums.runs) for run, sums in ledger.runs()] == [('done', 1)] * 2
        (total,) = ledger.by_model(0.0, 1e10)
        assert total.runs == 2
        assert total.wall_s == pytest.approx(sum(sums.wall_s for _, sums in ledger.runs()))
