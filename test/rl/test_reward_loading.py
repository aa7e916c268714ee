"""A reward file loads, runs, and fails with its own file, line and reason in one line."""

import hashlib
import math
import re
import textwrap

import pytest

from racer_rl.reward.library import DEFAULT_REWARD, find_reward, included_rewards
from racer_rl.reward.loading import load_reward
from racer_vehicle.errors import RewardError, UnknownNameError

SQUARE = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0)]


def params(**changes):
    """A car half a metre along the first side of a square track, on the centre line."""
    return {
        'all_wheels_on_track': True, 'x': 0.5, 'y': 0.0, 'heading': 0.0,
        'distance_from_center': 0.0, 'is_left_of_center': True, 'is_offtrack': False,
        'is_crashed': False, 'is_reversed': False, 'progress': 3.125, 'steps': 5, 'speed': 2.0,
        'steering_angle': 0.0, 'track_width': 1.0, 'track_length': 16.0, 'waypoints': SQUARE,
        'closest_waypoints': [0, 1], 'closest_objects': [0, 0], 'objects_distance': [],
        'objects_heading': [], 'objects_left_of_center': [], 'objects_location': [],
        'objects_speed': [], 'projection_distance': 0.5, 'object_in_camera': False,
        'objects_distance_from_center': [], 'sim_time': 0.33, **changes,
    }


@pytest.fixture
def write(tmp_path):
    def write_file(text, name='mine.py'):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding='utf-8')
        return path
    return write_file


def returning(write, expression):
    return load_reward(write(f"""\
        import math
        import numpy as np
        def reward_function(params):
            return {expression}
        """))


def test_a_file_loads_with_its_identity_and_runs(write):
    path = write('def reward_function(params):\n    return params["speed"] * 2.0  # ½ö\n')
    reward = load_reward(str(path))
    assert reward.reward_of(params()) == 4.0
    assert reward(params(speed=1.5)) == 3.0
    assert reward.path == path.resolve()
    assert reward.source == path.read_text(encoding='utf-8')
    assert reward.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_state_lives_in_module_globals_and_each_load_has_its_own(write):
    path = write("""\
        calls = 0
        def reward_function(params):
            global calls
            calls += 1
            return calls
        """)
    first, second = load_reward(path), load_reward(path)
    assert [first(params()), first(params()), second(params())] == [1.0, 2.0, 1.0]
    path.unlink()
    assert first.fresh()(params()) == 1.0, 'fresh needs the source, not the file'
    assert first(params()) == 3.0
    assert first.fresh() == first


def test_a_file_may_use_dataclasses_with_postponed_annotations(write):
    reward = load_reward(write("""\
        from __future__ import annotations
        from dataclasses import dataclass
        @dataclass
        class Weights:
            speed: float = 3.0
        def reward_function(params):
            return Weights().speed
        """))
    assert reward(params()) == 3.0


@pytest.mark.parametrize(('expression', 'value'), [
    ('1', 1.0), ('True', 1.0), ('np.float32(0.5)', 0.5), ('np.int64(-3)', -3.0),
    ('np.bool_(True)', 1.0), ('-1e5', -1e5), ('np.float64(1e5)', 1e5),
])
def test_numbers_of_every_kind_are_rewards(write, expression, value):
    reward = returning(write, expression)(params())
    assert reward == value
    assert type(reward) is float


@pytest.mark.parametrize(('expression', 'named'), [
    ('None', r'None \(NoneType\)'), ("'1'", r"'1' \(str\)"), ('math.nan', r'nan \(float\)'),
    ('math.inf', r'inf \(float\)'), ('-1.1e5', r'-110000.0 \(float\)'), ('10**400', r'\(int\)'),
    ('np.float32("nan")', r'nan\) \(float32\)'), ('[1.0]', r'\[1.0\] \(list\)'),
    ('np.zeros(2)', r'\(ndarray\)'), ('1j', r'1j \(complex\)'),
])
def test_what_is_not_a_finite_number_in_range_is_named(write, expression, named):
    with pytest.raises(RewardError, match=f'mine.py: reward_function returned .*{named} at '
                       'steps=5, progress=3.125, x=0.5, y=0.0; allowed: a finite number '
                       'from -100000 to 100000') as failure:
        returning(write, expression)(params())
    assert '\n' not in str(failure.value)


def test_an_exception_names_line_text_and_moment(write):
    path = write("""\
        def helper(value):
            raise ValueError(f'{value} is\\ntoo slow')
        def reward_function(params):
            return helper(params['speed'])
        """)
    with pytest.raises(RewardError) as failure:
        load_reward(path)(params())
    assert str(failure.value) == (
        f"{path.resolve()}:2: `raise ValueError(f'{{value}} is\\ntoo slow')` raised ValueError: "
        '2.0 is too slow at steps=5, progress=3.125, x=0.5, y=0.0; correct this line.'
    )


def test_an_exception_inside_a_library_names_the_users_line(write):
    reward = load_reward(write("""\
        import json
        def reward_function(params):
            return json.loads('{')
        """))
    with pytest.raises(RewardError, match=r"mine.py:3: `return json.loads\('{'\)` raised JSONDec"):
        reward(params())


def test_a_misspelt_key_offers_the_right_one(write):
    reward = load_reward(write('def reward_function(params):\n    return params["sped"]\n'))
    with pytest.raises(RewardError, match=r"KeyError: 'sped'.*Did you mean params\['speed'\]\?"):
        reward(params())


def test_leaving_the_program_is_an_error_of_the_file(write):
    reward = load_reward(write('import sys\ndef reward_function(params):\n    sys.exit(3)\n'))
    with pytest.raises(RewardError, match=r'mine.py:3: `sys.exit\(3\)` raised SystemExit: 3'):
        reward({'steps': 1})


@pytest.mark.parametrize(('text', 'message'), [
    ('x = 1\ndef reward_function(params)\n    return 1\n',
     r'mine.py:2: .* at `def reward_function\(params\)`; correct the syntax'),
    ('def reward_function(params):\nreturn 1\n', r'mine.py:2: .*indented block'),
    ('x = 1\nimport nowhere_to_be_found\n',
     'mine.py:2: `import nowhere_to_be_found` raised ModuleNotFoundError: .* while the file was '
     'loaded'),
    ('raise SystemExit\n', 'mine.py:1: `raise SystemExit` raised SystemExit while'),
    ('\n\n1 / 0\n', 'mine.py:3: `1 / 0` raised ZeroDivisionError: division by zero while'),
    ('x = 1\ndef reward_func(params):\n    return 1\n',
     r'mine.py:2: no function reward_function; define reward_function\(params\). '
     r'Rename reward_func\?'),
    ('import math\n', r'mine.py: no function reward_function; define reward_function\(params\).$'),
    ('reward_function = 3\n', 'mine.py: no function reward_function'),
    ('\ndef reward_function():\n    return 1\n',
     r'mine.py:2: reward_function\(\) cannot be called with one argument'),
    ('def reward_function(params, more):\n    return 1\n',
     r'mine.py:1: reward_function\(params, more\) cannot be called with one argument'),
    ('x = "\0"\n', r'mine.py:1: .*null bytes'),
])
def test_a_file_that_cannot_be_loaded_says_where_and_why(write, text, message):
    with pytest.raises(RewardError, match=message) as failure:
        load_reward(write(text))
    assert '\n' not in str(failure.value)


def test_a_missing_file_a_folder_and_bad_bytes_are_refused(tmp_path):
    with pytest.raises(RewardError, match=r'absent.py: No such file.*; give the path of a Python'):
        load_reward(tmp_path / 'absent.py')
    with pytest.raises(RewardError, match='Is a directory'):
        load_reward(tmp_path)
    (tmp_path / 'latin.py').write_bytes(b'name = "\xe9"\n')
    with pytest.raises(RewardError, match=r'latin.py:1: .*; save the file as UTF-8'):
        load_reward(tmp_path / 'latin.py')


@pytest.mark.parametrize('name', sorted(included_rewards()))
def test_included_rewards_take_the_full_dictionary_and_prefer_driving_well(name):
    reward = find_reward(name).load()
    assert '"""' in reward.source.splitlines()[0]
    assert 'Weakness' in reward.source
    reward(params(steps=1, progress=2.0))
    good = reward(params(steps=2, progress=3.0))
    reward(params(steps=1, progress=2.0))
    bad = reward(params(steps=2, progress=1.9, heading=180.0, distance_from_center=0.8,
                        all_wheels_on_track=False, is_offtrack=True, steering_angle=-30.0))
    assert math.isfinite(bad)
    assert good > bad


def test_progress_pays_metres_and_survives_the_start_line_and_the_next_episode():
    reward = find_reward('progress').load()
    assert reward(params(steps=1, progress=1.0)) == pytest.approx(1.6)
    assert reward(params(steps=2, progress=99.0)) == pytest.approx(10 * 0.98 * 16)
    assert reward(params(steps=3, progress=1.0)) == pytest.approx(10 * 0.02 * 16)
    assert reward(params(steps=4, progress=0.5)) == pytest.approx(-0.8)
    assert reward(params(steps=1, progress=1.0, steering_angle=30.0)) == pytest.approx(1.6)
    swerved = reward(params(steps=2, progress=2.0, steering_angle=-30.0))
    assert swerved == pytest.approx(1.6 - 0.3)


def test_aim_ahead_prefers_steering_towards_the_corner():
    reward = find_reward('aim_ahead').load()
    at_the_corner = params(x=3.8, closest_waypoints=[0, 1])
    left = reward({**at_the_corner, 'heading': 60.0, 'steering_angle': 20.0})
    straight = reward({**at_the_corner, 'heading': 60.0, 'steering_angle': -20.0})
    assert left > straight


def test_avoid_objects_pays_less_the_nearer_an_object_in_the_same_lane():
    reward = find_reward('avoid_objects').load()

    def meeting(distance_m, *, is_left):
        return reward(params(objects_distance=[14.0, distance_m], objects_speed=[0.0, 0.0],
                             objects_left_of_center=[True, is_left]))

    near, far = meeting(1.0, is_left=True), meeting(1.5, is_left=True)
    assert 0 < near < far < reward(params())
    assert meeting(1.0, is_left=False) == meeting(8.0, is_left=True) == reward(params())


def test_rewards_resolve_by_name_and_by_path(write, tmp_path, monkeypatch):
    assert DEFAULT_REWARD in included_rewards()
    assert len(included_rewards()) == 8
    path = write('def reward_function(params):\n    return 7\n')
    assert find_reward(path).load()(params()) == 7.0
    monkeypatch.chdir(tmp_path)
    assert find_reward('mine.py').load()(params()) == 7.0


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(UnknownNameError, match=re.escape(
            "unknown reward function 'progres'; did you mean progress? A file of your own is "
            'given by its path')):
        find_reward('progres')
