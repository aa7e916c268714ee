"""What reading a reward file finds, and the innocent code that it lets pass."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_rl.reward.library import find_reward, included_rewards
from racer_rl.reward.loading import read_reward
from racer_rl.reward.validation.static import ALLOWED_IMPORTS, KEYS, check


@pytest.fixture
def findings(tmp_path):
    def read(text):
        path = tmp_path / 'mine.py'
        path.write_text(textwrap.dedent(text), encoding='utf-8')
        return check(read_reward(path))
    return read


@pytest.fixture
def body(findings):
    """Findings in the lines of a reward function that ends with `return 1.0`."""
    def read(lines, before=''):
        text = ''.join(f'    {line}\n' for line in textwrap.dedent(lines).splitlines())
        return findings(f'{before}def reward_function(params):\n{text}    return 1.0\n')
    return read


def codes(found):
    return [(finding.code, finding.line, finding.severity) for finding in found]


@pytest.mark.parametrize('name', sorted(included_rewards()))
def test_included_rewards_have_no_findings(name):
    assert check(find_reward(name)) == ()


@pytest.mark.parametrize(('text', 'code', 'line', 'words'), [
    ('def reward_function(params)\n    return 1\n', 'syntax', 1, 'Python cannot read this line'),
    ('x = "\0"\n', 'syntax', 1, 'null byte'),
    ('def reward(params):\n    return 1\n', 'entry-point', 1, 'Rename reward to reward_function'),
    ('import math\n', 'entry-point', None, r'Define reward_function(params)'),
    ('def reward_function():\n    return 1\n', 'signature', 1, 'one argument'),
    ('def reward_function(a, b):\n    return 1\n', 'signature', 1, 'one argument'),
    ('def reward_function(a, *, b):\n    return 1\n', 'signature', 1, 'one argument'),
    ('async def reward_function(p):\n    return 1\n', 'signature', 1, 'async'),
    ('def reward_function(p):\n    p\n', 'returns-none', 1, 'never returns a number'),
])
def test_files_that_have_no_usable_function(findings, text, code, line, words):
    finding, = findings(text)
    assert (finding.code, finding.line, finding.severity) == (code, line, 'error')
    assert words in f'{finding.message} {finding.remedy}'


def test_an_argument_with_a_default_and_a_variable_one_are_one_argument(findings):
    assert findings('def reward_function(p, more=2):\n    return 1\n') == ()
    assert findings('def reward_function(*p):\n    return 1\n') == ()


@pytest.mark.parametrize('line', ['import os', 'import numpy, subprocess', 'from sys import exit',
                                  'import socket as math', 'from . import friend',
                                  'from scipy.io import savemat', 'import time', 'import torch'])
def test_imports_beyond_computing(body, line):
    finding, = [each for each in body(line) if each.code == 'import-not-allowed']
    assert finding.line == 2


@pytest.mark.parametrize('name', sorted(ALLOWED_IMPORTS - {'__future__'}))
def test_imports_that_compute(body, name):
    assert body('', before=f'import {name}\nfrom {name} import *\n') == ()


@pytest.mark.parametrize('call', [
    "open('f')", "eval('1')", "exec('1')", "compile('1', '', 'eval')", 'input()',
    "__import__('os')", 'exit()', 'np.save("f", x)', 'np.load("f")', 'numpy.memmap("f")',
    'savetxt("f", x)', 'np.zeros(3).tofile("f")', 'breakpoint()',
])
def test_banned_calls(body, call):
    before = 'import numpy\nimport numpy as np\nfrom numpy import savetxt\nx = [1.0]\n'
    finding, = body(call, before=before)
    assert (finding.code, finding.line) == ('banned-call', 6)


def test_innocent_names_pass(findings):
    assert findings("""\
        import numpy as np
        class Wheel:
            def load(self):
                return 1.0
            def open(self):
                return 2.0
        def save(value):
            return value
        def load(value):
            return value
        def reward_function(params):
            workload = load(save(Wheel().load())) + Wheel().open()
            payload_savez = evaluate = np.array([workload])
            return float(payload_savez[0]) + float(evaluate[0])
        """) == ()


@pytest.mark.parametrize(('read', 'remedy'), [
    ("params['sped']", "Did you mean 'speed'?"),
    ("params.get('is_left_of_centre')", "Did you mean 'is_left_of_center'?"),
    ("params['zzz']", 'The keys are: all_wheels_on_track, '),
])
def test_unknown_keys(body, read, remedy):
    finding, = body(f'a = {read}')
    assert (finding.code, finding.line) == ('unknown-key', 2)
    assert finding.remedy.startswith(remedy)


def test_keys_are_followed_under_other_names(findings):
    found = findings("""\
        def curve(given, index):
            return bend(given)
        def bend(p):
            return p['waypoint']
        def reward_function(state):
            return curve(state, 1) + state['stpes']
        """)
    assert codes(found) == [('unknown-key', 4, 'error'), ('unknown-key', 6, 'error')]


def test_other_dictionaries_and_keys_that_the_file_writes_are_its_own(body):
    assert body("""\
        params['mine'] = 1.0
        memory = {'last': params['mine']}
        memory['sped'] = memory['last']
        """) == ()


@given(st.sampled_from(KEYS))
def test_every_real_key_passes(key):
    from pathlib import Path

    from racer_rl.reward.loading import RewardFile
    source = f"def reward_function(p):\n    return float(len(str(p['{key}'])))\n"
    assert check(RewardFile(path=Path('mine.py'), source=source, sha256='')) == ()


@pytest.mark.parametrize(('lines', 'when'), [
    ("a = 1 / params['speed']", 'while the car stands'),
    ("a = 1 / params.get('progress', 0)", 'at the start line'),
    ("v = params['speed']\na = 1 / v", 'while the car stands'),
    ("a = 5 / abs(params['steering_angle'])", 'straight ahead'),
    ("a = 5 / (2 * params['distance_from_center'])", 'on the centre line'),
    ("a = 5 / (params['steps'] - 1)", 'at step 1'),
    ("a = 5 // len(params['objects_distance'])", 'no objects'),
    ("a = 5 % (params['speed'] + params['progress'])", 'while the car stands'),
    ("a = 5\na /= params['speed']", 'while the car stands'),
])
def test_divisions_by_what_can_be_zero(body, lines, when):
    finding, = body(lines)
    assert (finding.code, finding.severity) == ('division-by-zero', 'warning')
    assert when in finding.message
    assert 'max(' in finding.remedy


@pytest.mark.parametrize('lines', [
    "a = 1 / params['steps']", "a = 1 / params['track_width']", "a = 1 / (params['speed'] + 1)",
    "a = 1 / max(params['speed'], 0.1)", "a = 1 / params['speed'] if params['speed'] else 0",
    "v = params['speed']\nif v > 0:\n    a = 1 / v",
    "if params['progress'] > 0:\n    a = params['steps'] / params['progress']",
    "print('%d' % params['x'])", "a = 1 / (params['steps'] + 0)",
])
def test_divisions_that_are_safe(body, lines):
    assert body(lines) == ()


@pytest.mark.parametrize(('lines', 'line'), [
    ('return 2.0\nreturn 1.0', 3), ('raise ValueError\na = 1', 3),
    ('while True:\n    pass\na = 1', 4),
    ('for i in (1, 2):\n    continue\n    a = 1', 4),
    ("if params['speed'] > 1:\n    return 1.0\nelse:\n    return 2.0\na = 1", 6),
])
def test_lines_that_never_run(body, lines, line):
    assert ('unreachable', line, 'warning') in codes(body(lines))


@pytest.mark.parametrize(('ending', 'is_found'), [
    ("if params['speed'] > 1:\n        return 1.0", True),
    ('for _ in (1, 2):\n        return 1.0', True),
    ("while params['speed'] > 1:\n        return 1.0", True),
    ('try:\n        return 1.0\n    except KeyError:\n        pass', True),
    ("if params['speed'] > 1:\n        return 1.0\n    else:\n        return 2.0", False),
    ('try:\n        return 1.0\n    finally:\n        print(1)', False),
    ("match params['steps']:\n        case 1:\n            return 1.0\n        case _:\n"
     "            return 2.0", False),
    ('while True:\n        return 1.0', False),
])
def test_ways_without_a_number(findings, ending, is_found):
    found = findings(f'def reward_function(params):\n    {ending}\n')
    assert codes(found) == ([('returns-none', 1, 'warning')] if is_found else [])


def test_returns_of_nothing_count_but_not_those_of_inner_functions(findings):
    found = findings("""\
        def reward_function(params):
            def inner():
                return
            if inner() is None:
                return
            if params['speed'] > 1:
                return None
            return 1.0
        """)
    assert codes(found) == [('returns-none', 5, 'error'), ('returns-none', 7, 'error')]


@pytest.mark.parametrize('expression', [
    "math.cos(params['heading'])", 'math.sin(heading)', "np.tan(params['steering_angle'])",
    'math.atan2(1, 2) - heading', 'heading - way',
])
def test_degrees_taken_for_radians(body, expression):
    before = 'import math\nimport numpy as np\n'
    found = body(f"heading = params['heading']\nway = math.atan2(1, 2)\na = {expression}", before)
    assert codes(found) == [('degrees-for-radians', 6, 'error')]


@pytest.mark.parametrize('expression', [
    "math.cos(math.radians(params['heading']))", 'math.degrees(math.atan2(1, 2)) - heading',
    'np.tan(np.deg2rad(heading))', 'math.atan2(1, 2) - math.radians(heading)',
])
def test_angles_that_agree(body, expression):
    before = 'import math\nimport numpy as np\n'
    assert body(f"heading = params['heading']\na = {expression}", before) == ()


def test_memory_that_no_episode_clears_is_a_hint(body):
    before = 'best = 0.0\n'
    finding, = body('global best\nbest = 1.0', before)
    assert (finding.code, finding.severity) == ('module-state', 'warning')
    assert 'steps' in finding.remedy
    assert body("global best\nif params['steps'] <= 1:\n    best = 1.0", before) == ()


def test_findings_come_in_order_of_lines(body):
    found = body("a = params['b']\nimport os\na = 1 / params['speed']\nopen('f')")
    assert [finding.line for finding in found] == [2, 3, 4, 5]
