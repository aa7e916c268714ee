"""`racer validate`: planted faults are caught with their line, and good rewards pass."""

import json
import textwrap

import pytest

from racer_rl.cli.main import run

PLANTED = {
    'wrong key': ("""\
        def reward_function(params):
            return params['distance']
        """, 'unknown-key', 2, "no key 'distance'"),
    'typo': ("""\
        def reward_function(params):
            reward = params['speed']
            return rewrad
        """, 'raises', 3, "name 'rewrad' is not defined"),
    'zero division at the start line': ("""\
        def reward_function(params):
            return params['speed'] / params['progress']
        """, 'raises', 2, 'ZeroDivisionError'),
    'nan off track': ("""\
        def reward_function(params):
            if params['is_offtrack']:
                return float('nan')
            return params['speed']
        """, 'bad-return', None, 'returned nan'),
    'infinite loop': ("""\
        def reward_function(params):
            i = 0
            while params['steps'] > 0:
                i = 1
            return 1.0
        """, 'never-returns', (3, 4), 'did not return within'),
    'two gigabytes': ("""\
        def reward_function(params):
            room = bytearray(2 * 1024**3)
            return float(len(room))
        """, 'too-much-memory', 2, 'MemoryError'),
    'file write': ("""\
        def reward_function(params):
            with open('trace.csv', 'a') as trace:
                trace.write('step')
            return params['speed']
        """, 'banned-call', 2, 'may not call open()'),
    'import os': ("""\
        import os
        def reward_function(params):
            return 1.0
        """, 'import-not-allowed', 1, 'may not import os'),
    'global counter': ("""\
        calls = 0
        def reward_function(params):
            global calls
            calls += 1
            return params['speed'] + 0.001 * calls
        """, 'drifting-state', None, 'keeps changing'),
}

REVERSED_STEERING = """\
    import math
    def reward_function(params):
        if not params['all_wheels_on_track']:
            return 0.001
        waypoints, ahead = params['waypoints'], params['closest_waypoints'][1]
        x, y = waypoints[(ahead + 5) % len(waypoints)]
        wanted = math.degrees(math.atan2(y - params['y'], x - params['x']))
        turn = (wanted - params['heading'] + 180) % 360 - 180
        error = abs(turn + params['steering_angle'])
        return params['speed'] * max(0.001, 1 - error / 40)
    """

GOOD = """\
    last = 0.0
    def reward_function(params):
        global last
        if params['steps'] <= 1:
            last = 0.0
        gained = params['progress'] - last
        last = params['progress']
        if params['is_offtrack'] or params['is_crashed']:
            return -1.0
        return gained * params['track_length'] / 10.0
    """


@pytest.fixture
def validate(tmp_path, capsys):
    def call(text, *options):
        path = tmp_path / 'mine.py'
        path.write_text(textwrap.dedent(text), encoding='utf-8')
        code = run(['validate', str(path), '--track', 'oval', *options])
        captured = capsys.readouterr()
        return code, captured.out, captured.err
    return call


@pytest.mark.parametrize(('text', 'fault', 'line', 'words'), PLANTED.values(), ids=PLANTED)
def test_planted_faults_are_caught(validate, tmp_path, text, fault, line, words):
    code, out, _ = validate(text, '--json')
    verdict = json.loads(out)
    assert (code, verdict['ok']) == (1, False)
    findings = [each for each in verdict['findings'] if each['code'] == fault]
    assert len(findings) == 1, verdict['findings']
    finding, = findings
    assert finding['severity'] == 'error'
    assert finding['line'] in (line if isinstance(line, tuple) else (line,))
    assert words in finding['message']
    assert finding['remedy']
    assert sorted(path.name for path in tmp_path.iterdir()) == ['mine.py']


def test_a_reversed_sign_of_steering_is_called_out(validate):
    code, out, _ = validate(REVERSED_STEERING, '--json')
    verdict = json.loads(out)
    assert (code, verdict['findings']) == (1, [])
    assert any('steering' in exploit['driver'] for exploit in verdict['exploits'])


def test_a_good_reward_passes(validate):
    code, out, _ = validate(GOOD, '--json')
    verdict = json.loads(out)
    assert (code, verdict['ok'], verdict['findings'], verdict['exploits']) == (0, True, [], [])
    assert verdict['timing_us'] > 0.0
    assert len(verdict['sha256']) == 64


def test_text_is_a_line_a_finding_and_a_verdict(validate, tmp_path):
    code, out, _ = validate("def reward_function(params):\n    return params['sped']\n")
    first, last = out.splitlines()
    assert code == 1
    assert first == (f"{tmp_path}/mine.py:2: error: The dictionary has no key 'sped'. "
                     "Did you mean 'speed'? [unknown-key]")
    assert last.startswith(f'{tmp_path}/mine.py: 1 to put right.')


@pytest.mark.parametrize(('words', 'message'), [
    (['validate'], "Missing argument 'FILE'"),
    (['validate', 'absent.py'], 'No such file'),
    (['validate', 'progres'], "unknown reward function 'progres'; did you mean progress?"),
    (['validate', 'progress', '--track', 'ovla'], "unknown track 'ovla'; did you mean oval?"),
])
def test_what_cannot_be_validated_is_refused(capsys, words, message):
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == ''
    assert message in err


def test_a_report_where_nobody_may_write_is_refused(validate, tmp_path):
    (tmp_path / 'file').write_text('')
    code, _, err = validate('x = (\n', '--report', str(tmp_path / 'file' / 'report.html'))
    assert code == 2
    assert 'give a path in a folder that you may write to' in err
