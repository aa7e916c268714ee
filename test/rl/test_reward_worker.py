"""Rewards are computed in a process of their own: same numbers, same errors, and no harm done."""

import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from racer_rl.envs.build import RaceSetup, build_batch
from racer_rl.reward.library import find_reward, included_rewards
from racer_rl.reward.loading import read_reward
from racer_rl.reward.log import LINES_PER_S, RewardLog
from racer_rl.reward.params import ParamsBuilder
from racer_rl.reward.paymaster import Paymaster
from racer_rl.reward.sandbox import RewardSandbox, SandboxLimits, _OtherCore
from racer_sim.bodies import Box
from racer_sim.courses import courses_of
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError, RewardError
from racer_vehicle.spec import CarSpec

PATIENT = SandboxLimits(patience_s=20.0, patience_per_car_s=0.0, memory_mib=256)
QUICK = SandboxLimits(patience_s=0.5, patience_per_car_s=0.0, memory_mib=256)
"""For what never returns: even a machine that stalls does not change what is said of it."""


def simulator(direction='both', cars=2, **config):
    sim = Simulator(courses_of([find_track('oval')], direction), CarSpec(),
                    SimulatorConfig(cars=cars, **config), seed=0)
    sim.reset()
    sim.step(np.tile((0.1, 2.0), (cars, 1)))
    return sim


@pytest.fixture
def pay(tmp_path):
    """Text of a file -> what it pays two cars, once or several times."""
    def call(text, times=1, **options):
        path = tmp_path / 'mine.py'
        path.write_text(textwrap.dedent(text), encoding='utf-8')
        options.setdefault('limits', PATIENT)
        with Paymaster(read_reward(path), simulator(), **options) as paymaster:
            return [paymaster.pay().tolist() for _ in range(times)]
    return call


@pytest.mark.parametrize('name', sorted(included_rewards()))
def test_the_same_bits_as_in_this_process(name):
    x, y, _ = find_track('oval').pose_at(3.0)
    sim = simulator(cars=6, boxes=(Box(x_m=float(x), y_m=float(y), yaw_rad=0.3),))
    builder, file = ParamsBuilder(sim), find_reward(name)
    here = [file.load() for _ in range(6)]
    with Paymaster(file, sim) as paymaster:
        for _ in range(20):
            expected = [reward(params)
                        for reward, params in zip(here, builder.build(), strict=True)]
            assert paymaster.pay().tolist() == expected
            sim.step(np.random.default_rng(1).uniform((-0.4, 0.0), (0.4, 3.0), (6, 2)))


def test_the_file_is_never_run_in_this_process(tmp_path, monkeypatch):
    path = tmp_path / 'mine.py'
    path.write_text('import math\nmath.spoilt = True\n'
                    'def reward_function(params):\n    return 1.0\n')
    build_batch(RaceSetup(reward=str(path)), cars=1, seed=0).close()
    assert not hasattr(math, 'spoilt')


@pytest.mark.parametrize(('text', 'words'), [
    ("def reward_function(params):\n    return params['sped']\n",
     r"mine.py:2: `return params\['sped'\]` raised KeyError: 'sped' at steps=1, .*"
     r"Did you mean params\['speed'\]\?"),
    ('def reward_function(params):\n    return None\n', r'mine.py: .*returned None \(NoneType\)'),
    ('1 / 0\n', 'mine.py:1: `1 / 0` raised ZeroDivisionError: .* while the file was loaded'),
    ('def reward_function(params)\n', 'mine.py:1: .* at `def reward_function'),
])
def test_errors_reach_the_person_as_they_are(pay, text, words):
    with pytest.raises(RewardError, match=words):
        pay(text)


@pytest.mark.parametrize('loop', ['while True: pass', 'sum(range(10**12))'])
def test_a_call_that_never_returns_is_ended_with_its_line(pay, loop):
    with pytest.raises(RewardError, match=r'mine.py:2: `.*` did not return within 0.5 s; .*loop'):
        pay(f'def reward_function(params):\n    {loop}\n    return 1.0\n', limits=QUICK)


def test_loading_that_never_ends_is_ended_too(pay):
    with pytest.raises(RewardError, match=r'mine.py:1: `while True: pass` did not return within'):
        pay('while True: pass\n', limits=QUICK)


def test_too_much_memory_is_an_error_of_the_line(pay):
    with pytest.raises(RewardError, match=r'mine.py:2: .* raised MemoryError.*Keep less'):
        pay('def reward_function(params):\n    return len(bytearray(2 * 1024**3))\n')


@pytest.mark.parametrize('line', [
    "open('{there}', 'w')", "open('{old}', 'r+')", "os.open('{there}', os.O_CREAT | os.O_WRONLY)",
    "os.remove('{old}')", "os.rename('{old}', '{there}')", "os.truncate('{old}', 0)",
    "os.mkdir('{there}')", "shutil.rmtree('{folder}')", "np.save('{there}', np.zeros(3))",
    "os.system('touch {there}')", "subprocess.run(['touch', '{there}'])", 'os.fork()',
    'os.kill(os.getppid(), 0)', "socket.create_connection(('127.0.0.1', 9))", 'socket.socket()',
    "ctypes.CDLL('libc.so.6')", 'resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))',
])
def test_what_is_none_of_its_business_is_refused_with_the_line(pay, tmp_path, line):
    old, there = tmp_path / 'old.txt', tmp_path / 'new.txt'
    old.write_text('precious')
    line = line.format(old=old, there=there, folder=tmp_path)
    with pytest.raises(RewardError, match=r'mine.py:4: .* raised Refused: it may not '):
        pay('import ctypes, os, resource, shutil, socket, subprocess\nimport numpy as np\n'
            f'def reward_function(params):\n    {line}\n    return 1.0\n')
    assert old.read_text() == 'precious'
    assert not there.exists()


@pytest.mark.parametrize('ending', ['os._exit(0)', 'os.abort()', 'os.close(3)\n    os.close(4)'])
def test_a_process_that_ends_is_an_error_and_not_a_hang(pay, ending):
    with pytest.raises(RewardError, match=r'mine.py.* (ended the process|did not return)'):
        pay(f'import os\ndef reward_function(params):\n    {ending}\n    return 1.0\n',
            limits=QUICK)


def test_it_sees_nothing_of_this_process(pay, monkeypatch, tmp_path):
    """But its two pipes and the bell."""
    monkeypatch.setenv('SECRET', 'word')
    with open(tmp_path / 'open.txt', 'w') as stream:
        os.set_inheritable(stream.fileno(), True)
        rewards, = pay("""\
            import os, sys
            def reward_function(params):
                others = [fd for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')]
                return float('SECRET' in os.environ) + 10.0 * (len(others) > 3)
            """)
    assert rewards == [0.0, 0.0]


def test_random_numbers_follow_the_seed(pay):
    text = """\
        import random
        import numpy as np
        WORDS = {'a', 'b', 'c', 'd', 'e', 'f'}
        def reward_function(params):
            order = float(''.join(str(ord(word)) for word in WORDS)[:9])
            return random.random() + np.random.rand() + order / 1e9
        """
    first, again, other = (pay(text, times=3, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len({reward for step in first for reward in step}) == 6


def test_prints_go_to_the_log_with_their_moment(pay, tmp_path):
    log = tmp_path / 'run' / 'reward.log'
    pay("""\
        print('loaded')
        def reward_function(params):
            print('speed', params['speed'] > 0, end='')
            return 1.0
        """, log=RewardLog(log))
    lines = log.read_text().splitlines()
    assert lines == ['loading: loaded', 'loading: loaded',
                     'episode 0, step 1, car 0: speed True',
                     'episode 0, step 1, car 1: speed True']


def test_a_log_does_not_grow_without_bound(pay, tmp_path):
    log = tmp_path / 'reward.log'
    pay("""\
        def reward_function(params):
            print('x' * 10_000)
            for _ in range(1000):
                print('again')
            return 1.0
        """, times=3, log=RewardLog(log))
    lines = log.read_text().splitlines()
    assert len(lines) <= 3 * (LINES_PER_S + 1)
    assert max(map(len, lines)) < 400
    left_out = sum(int(line.split()[1]) for line in lines if line.startswith('... '))
    assert left_out + sum(not line.startswith('... ') for line in lines) == 3 * 2 * 1001


def test_what_was_printed_before_an_error_is_kept(pay, tmp_path):
    log = tmp_path / 'reward.log'
    with pytest.raises(RewardError, match='ZeroDivisionError'):
        pay("def reward_function(params):\n    print('before')\n    return 1 / 0\n",
            log=RewardLog(log))
    assert 'car 0: before' in log.read_text()


def test_episodes_are_numbered_in_the_log(tmp_path, capsys):
    path = tmp_path / 'mine.py'
    path.write_text("def reward_function(params):\n    print('here')\n    return 1.0\n")
    batch = build_batch(RaceSetup(reward=str(path)), cars=2, seed=0)
    batch.reset()
    batch.reset(np.array([1]))
    batch.step(np.zeros((2, 2)))
    batch.close()
    err = capsys.readouterr().err
    assert 'episode 1, step 1, car 0: here' in err
    assert 'episode 3, step 1, car 1: here' in err


def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("def reward_function(params):\n    return params['x']\n")
    sim = simulator()
    with Paymaster(read_reward(path), sim) as paymaster:
        paymaster.ask()
        sim.step(np.tile((0.0, 3.0), (2, 1)))
        assert paymaster.pay().tolist() == sim.state['x_m'].tolist()


def test_closing_ends_the_process_and_so_does_forgetting(tmp_path):
    sim = simulator()
    sandbox = RewardSandbox(find_reward('progress'), ParamsBuilder(sim).waypoints, 2)
    process = sandbox._process
    sandbox.close()
    sandbox.close()
    assert process.poll() is not None
    sandbox = RewardSandbox(find_reward('progress'), ParamsBuilder(sim).waypoints, 2)
    process = sandbox._process
    del sandbox
    assert process.poll() is not None


@pytest.mark.parametrize('wrong', [{'memory_mib': 0}, {'patience_s': math.nan}, {'start_s': 0.0}])
def test_limits_are_checked(wrong):
    with pytest.raises(ConfigError, match=r'SandboxLimits\..* allowed: '):
        SandboxLimits(**wrong)


def test_compat_shows_what_the_old_simulator_told():
    sim = simulator(boxes=(Box(x_m=1.0, y_m=1.0, yaw_rad=0.5),))
    sim.step(np.array([(0.2, 3.0), (-0.3, 1.0)]))
    now, old = ParamsBuilder(sim).build(), ParamsBuilder(sim, compat=True).build()
    assert [params['speed'] for params in old] == [3.0, 1.0]
    assert [params['steering_angle'] for params in old] == pytest.approx(np.degrees([0.2, -0.3]))
    assert [params['is_reversed'] for params in old] == [False, True]
    for ours, theirs in zip(now, old, strict=True):
        ahead = math.radians(ours['heading'])
        assert theirs['x'] - ours['x'] == pytest.approx(0.14 * math.cos(ahead))
        assert theirs['y'] - ours['y'] == pytest.approx(0.14 * math.sin(ahead))
        assert theirs['objects_heading'] == [0.0]
        same = ours.keys() - {'x', 'y', 'speed', 'steering_angle', 'is_reversed',
                              'objects_heading'}
        assert all(ours[key] == theirs[key] for key in same)


def test_compat_gives_headings_of_cars_in_radians():
    sim = simulator('forward', cars_per_world=2)
    first, _ = ParamsBuilder(sim, compat=True).build()
    assert first['objects_heading'] == pytest.approx([sim.state['yaw_rad'][1]])


def test_the_process_imports_no_more_than_it_needs():
    code = ('import sys, racer_rl.reward.worker; '
            "print(*{'torch', 'numba', 'gymnasium', 'scipy', 'racer_sim'} & {*sys.modules})")
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, check=True)
    assert done.stdout.strip() == b''


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason='there is but one core')
def test_whoever_asks_and_whoever_computes_are_on_different_cores():
    allowed = os.sched_getaffinity(0)
    with subprocess.Popen(['sleep', '60']) as process:
        try:
            for ours in sorted(allowed):
                os.sched_setaffinity(0, {ours})
                core = _OtherCore(process.pid, allowed)
                core.leave_ours()
                assert os.sched_getaffinity(process.pid) == allowed - {ours}
        finally:
            os.sched_setaffinity(0, allowed)
            process.kill()


def test_a_process_that_has_ended_is_left_alone():
    with subprocess.Popen(['true']) as process:
        process.wait()
        _OtherCore(process.pid, {0, 1}).leave_ours()
