"""What a run over thousands of states finds that reading cannot."""

import textwrap

import numpy as np
import pytest

from racer_rl.reward.library import find_reward, included_rewards
from racer_rl.reward.loading import read_reward
from racer_rl.reward.params import CAR, DictionaryMaker, RewardParams
from racer_rl.reward.validation.sandboxed_run import try_out
from racer_rl.reward.validation.states import CARS, OBJECTS, collect_states
from racer_sim.track_library import find_track


@pytest.fixture(scope='module')
def states():
    return collect_states([find_track('oval')])


@pytest.fixture
def trial(tmp_path, states):
    def run(text):
        path = tmp_path / 'mine.py'
        path.write_text(textwrap.dedent(text), encoding='utf-8')
        return try_out(read_reward(path), states)
    return run


def column(states, name):
    return np.concatenate([numbers.cars[CAR.index(name)] for numbers in states.steps])


def test_states_are_thousands_from_both_directions_and_reach_the_corners(states):
    assert len(column(states, 'x')) > 3000
    for numbers in states.steps:
        assert np.isfinite(numbers.cars).all() and np.isfinite(numbers.objects).all()
    assert set(column(states, 'course')) == {0.0, 1.0}
    assert set(column(states, 'wheels')) >= {0.0, 2.0, 4.0}
    assert set(column(states, 'is_reversed')) == {0.0, 1.0}
    assert set(column(states, 'is_crashed')) == {0.0, 1.0}
    assert column(states, 'progress').min() == 0.0 and column(states, 'progress').max() == 100.0
    assert column(states, 'speed').min() == 0.0 and column(states, 'speed').max() == 4.0
    assert column(states, 'steps').min() == 1.0 and column(states, 'steps').max() > 2000.0
    assert {numbers.objects.shape[1] // CARS for numbers in states.steps} == set(OBJECTS)


def test_states_are_the_same_for_a_seed_and_on_several_tracks(states):
    again = collect_states([find_track('oval')])
    for one, other in zip(states.steps, again.steps, strict=True):
        assert np.array_equal(one.cars, other.cars)
        assert np.array_equal(one.objects, other.objects)
    both = collect_states([find_track('oval'), find_track('pebble')])
    assert len(both.waypoints) == 4
    assert set(column(both, 'course')) == {0.0, 1.0, 2.0, 3.0}


def test_states_become_whole_dictionaries(states):
    maker = DictionaryMaker(states.waypoints)
    for numbers in states.steps[::37]:
        for params in maker.make(numbers):
            assert params.keys() == RewardParams.__required_keys__
            assert params['closest_waypoints'][1] < len(params['waypoints'])


@pytest.mark.parametrize('name', sorted(included_rewards()))
def test_included_rewards_pass_and_are_quick(states, name):
    result = try_out(find_reward(name), states)
    assert result.findings == ()
    assert 0.0 < result.timing_us < 200.0


@pytest.mark.parametrize(('body', 'code', 'line', 'words'), [
    ('return None', 'bad-return', None, 'returned None'),
    ("return 'fast'", 'bad-return', None, "returned 'fast' (str)"),
    ("return 2e5 * params['is_crashed']", 'bad-return', None, 'returned 200000.0'),
    ("return float('inf') if params['progress'] == 100 else 0.0", 'bad-return', None, 'inf'),
    ("return params['objects_speed'][0]", 'raises', 2, 'IndexError'),
    ("return params['objects_distance'][params['closest_objects'][1]]", 'raises', 2, 'IndexError'),
    ("return 1 / len(params['objects_speed'])", 'raises', 2, 'ZeroDivisionError'),
    ("open('new.txt', 'w')", 'not-allowed', 2, 'may not write, move or delete files'),
    ('return bytearray(2 * 1024**3)[0]', 'too-much-memory', 2, 'MemoryError'),
    ('__import__("os")._exit(3)', 'ends-process', None, 'exit code 3'),
    ('while True: pass', 'never-returns', 2, 'did not return within'),
])
def test_what_breaks_is_told_once_with_its_line(trial, body, code, line, words):
    result = trial(f'def reward_function(params):\n    {body}\n')
    finding, = result.findings
    assert (finding.code, finding.line, finding.severity) == (code, line, 'error')
    assert words in finding.message
    assert finding.remedy.endswith(('.', '?'))


def test_several_faults_are_told_at_once(trial):
    result = trial("""\
        def reward_function(params):
            if params['is_offtrack']:
                return 1 / 0
            if params['is_crashed']:
                return params['sped']
            return 1.0
        """)
    assert sorted(finding.line for finding in result.findings) == [3, 5]


def test_a_file_that_does_not_load(trial):
    finding, = trial('import nowhere_to_be_found\n').findings
    assert (finding.line, finding.severity) == (1, 'error')
    assert 'ModuleNotFoundError' in finding.message


@pytest.mark.parametrize('expression', [
    'random.random()', 'np.random.rand()', 'np.random.default_rng().random()',
    "len(next(iter({'a', 'bb', 'ccc', 'dddd', 'eeeee', 'ffffff'})))", 'time.perf_counter()',
])
def test_hidden_randomness(trial, expression):
    result = trial('import random, time\nimport numpy as np\n'
                   f'def reward_function(params):\n    return {expression}\n')
    assert [finding.code for finding in result.findings] == ['hidden-randomness']


def test_memory_that_grows(trial):
    result = trial("""\
        seen = []
        def reward_function(params):
            seen.append((params['x'], params['y']))
            return params['speed']
        """)
    finding, = result.findings
    assert (finding.code, finding.severity) == ('growing-memory', 'error')


@pytest.mark.parametrize(('reset', 'found'), [
    ('False', ['memory-crosses-episodes']), ("params['steps'] <= 1", [])])
def test_memory_of_the_last_step(trial, reset, found):
    result = trial(f"""\
        last = 0.0
        def reward_function(params):
            global last
            if {reset}:
                last = params['steering_angle']
            change, last = abs(params['steering_angle'] - last), params['steering_angle']
            return -change
        """)
    assert [finding.code for finding in result.findings] == found
    assert all(finding.severity == 'warning' for finding in result.findings)


def test_slow_functions(trial):
    result = trial('def reward_function(params):\n    return sum(range(30_000)) * 0.0\n')
    finding, = result.findings
    assert (finding.code, finding.severity) == ('slow', 'warning')
    assert result.timing_us > 200.0
    result = trial('import time\ndef reward_function(params):\n    time.sleep(0.006)\n'
                   '    return 1.0\n')
    finding, = result.findings
    assert (finding.code, finding.severity) == ('slow', 'error')
