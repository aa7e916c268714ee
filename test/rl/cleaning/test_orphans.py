"""Processes of ours whose owner was killed: found by their mark, ended by number, nobody else."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from racer_rl.cleaning.orphans import Orphan, end, find_orphans
from racer_rl.cleaning.shared_memory import YOUNG_S, dead_segments, remove_segment
from racer_rl.reward.library import find_reward
from racer_rl.reward.sandbox import RewardSandbox
from racer_rl.training.examiner import Examiner
from racer_vehicle.children import OWNER, independent, owned, start_ticks
from racer_vehicle.supervise import Program, Supervisor

LINUX = pytest.mark.skipif(sys.platform != 'linux', reason='there is no /proc')

STUBBORN = ('import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); '
            'print("up", flush=True); time.sleep(600)')
OBEDIENT = 'import time; print("up", flush=True); time.sleep(600)'


@contextmanager
def child_of_a_dead_process(code=OBEDIENT, mark='owned'):
    """A process whose starter has been killed; its number and start time."""
    starter = subprocess.Popen(
        [sys.executable, '-c', 'import os, subprocess, sys, time\n'
         f'from racer_vehicle.children import {mark}\n'
         'child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], env='
         f'{mark}(os.environ), start_new_session=True, stdout=subprocess.PIPE)\n'
         'child.stdout.readline()\n'
         'print(child.pid, flush=True)\ntime.sleep(600)', code], stdout=subprocess.PIPE)
    number = int(starter.stdout.readline())
    began = start_ticks(number)
    starter.kill()
    starter.wait()
    starter.stdout.close()
    try:
        yield number, began
    finally:
        if start_ticks(number) == began:
            os.kill(number, signal.SIGKILL)


def orphan_of(number):
    return next((orphan for orphan in find_orphans() if orphan.process_id == number), None)


@LINUX
@pytest.mark.parametrize('code', [OBEDIENT, STUBBORN], ids=['obedient', 'stubborn'])
def test_an_orphan_is_found_and_ended(code):
    with child_of_a_dead_process(code) as (number, began):
        orphan = orphan_of(number)
        assert orphan is not None and orphan.began == began
        assert 'import' in orphan.command
        assert end(orphan, (0.3, 60.0))
        assert start_ticks(number) != began
        assert orphan_of(number) is None
        assert end(orphan), 'a second time there is nobody'


@LINUX
def test_who_has_no_mark_is_left_alone():
    with child_of_a_dead_process(mark='independent') as (number, began):
        assert orphan_of(number) is None
        assert start_ticks(number) == began


@LINUX
def test_whose_owner_lives_is_no_orphan():
    with subprocess.Popen([sys.executable, '-c', OBEDIENT], env=owned(os.environ),
                          stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert orphan_of(child.pid) is None
        child.kill()


@LINUX
def test_an_owner_number_that_is_given_away_again_is_another_process():
    environment = {**os.environ, OWNER: f'{os.getpid()}:{start_ticks(os.getpid()) - 1}'}
    with subprocess.Popen([sys.executable, '-c', OBEDIENT], env=environment,
                          stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert orphan_of(child.pid) is not None
        child.kill()


@LINUX
def test_a_number_that_is_given_away_again_is_not_ended():
    with subprocess.Popen([sys.executable, '-c', OBEDIENT], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        was = Orphan(process_id=child.pid, began=start_ticks(child.pid) - 1, owner='1:1',
                     command='something else')
        assert end(was)
        assert child.poll() is None
        child.kill()


@LINUX
@pytest.mark.parametrize('mark', ['', 'x', '4711', ':', '4711:x', '-1:2'])
def test_odd_marks_mean_nothing(mark):
    with subprocess.Popen([sys.executable, '-c', OBEDIENT], env={**os.environ, OWNER: mark},
                          stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert orphan_of(child.pid) is None
        child.kill()


@LINUX
def test_programs_examiners_and_reward_workers_carry_the_mark(tmp_path):
    mark = f'{OWNER}={os.getpid()}:{start_ticks(os.getpid())}'.encode()
    reward = tmp_path / 'reward.py'
    reward.write_text('def reward_function(params):\n    return 1.0\n')
    with (Supervisor(tmp_path, os.environ) as supervisor, closing(Examiner()) as examiner,
          closing(RewardSandbox(find_reward(str(reward)), [[(0.0, 0.0), (1.0, 0.0)]], 1))):
        supervisor.start(Program(name='web', module='http.server', arguments=('0',)))
        ours = [number for number in children_of(os.getpid())
                if mark in (Path('/proc') / str(number) / 'environ').read_bytes().split(b'\0')]
        assert {supervisor.process_id('web'), examiner.process_id} <= set(ours)
        assert len(ours) == 3, 'the reward worker, which knows nothing else of this process'
        assert not set(ours) & {orphan.process_id for orphan in find_orphans()}


def children_of(number):
    return [int(word) for task in Path(f'/proc/{number}/task').iterdir()
            for word in (task / 'children').read_text().split()]


def test_what_must_outlive_carries_no_mark():
    assert OWNER not in independent({OWNER: '1:2', 'PATH': '/bin'})
    assert owned({'PATH': '/bin'})['PATH'] == '/bin'


NOW_S = time.mktime((2030, 1, 1, 0, 0, 0, 0, 0, 0))


def segment(folder, name, age_s=2 * YOUNG_S, endings=('', '_el')):
    for ending in endings:
        path = folder / f'{name}{ending}'
        path.write_bytes(b'x' * 100)
        os.utime(path, (NOW_S - age_s,) * 2)
    return folder / name


def test_memory_in_which_nobody_is_goes(tmp_path):
    names = ['fastdds_0123456789abcdef', 'fastdds_port7411']
    for name in names:
        segment(tmp_path, name)
    segment(tmp_path, 'sem.fastdds_port7411_mutex', endings=('',))
    found = dead_segments(NOW_S, tmp_path)
    assert [each.name for each in found] == names
    whole = sum(path.stat().st_blocks * 512 for path in tmp_path.iterdir())
    assert sum(remove_segment(each, NOW_S) for each in found) == whole
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('kind', [fcntl.LOCK_EX, fcntl.LOCK_SH])
@pytest.mark.parametrize('ending', ['_el', '_sl'])
def test_memory_that_somebody_holds_stays(tmp_path, kind, ending):
    segment(tmp_path, 'fastdds_port7411', endings=('', ending))
    (found,) = dead_segments(NOW_S, tmp_path)
    with (tmp_path / f'fastdds_port7411{ending}').open('rb') as lock:
        fcntl.flock(lock, kind)
        assert not dead_segments(NOW_S, tmp_path)
        assert remove_segment(found, NOW_S) == 0
    assert (tmp_path / 'fastdds_port7411').exists()


@pytest.mark.parametrize(('name', 'age_s'), [
    ('fastdds_0123456789abcdef', 1.0), ('fastdds_mine', 1e6), ('psm_0123', 1e6),
    ('fastdds_0123456789abcdef.txt', 1e6)])
def test_young_and_foreign_memory_stays(tmp_path, name, age_s):
    path = segment(tmp_path, name, age_s)
    assert not dead_segments(NOW_S, tmp_path)
    assert path.exists()
