"""`racer drive --simulator gazebo`: a policy of the embedded simulator laps at first try."""

import json

import pytest

pytest.importorskip('rclpy')

from racer_rl.cli.main import run

pytestmark = [pytest.mark.slow, pytest.mark.ros]


@pytest.mark.timeout(900)
@pytest.mark.parametrize('words', [
    ('--mode', 'lockstep'),
    ('--mode', 'realtime', '--factor', '0.5'),  # test machines are slow, and shared
], ids=lambda words: words[1])
def test_a_policy_laps(racer_home, capsys, words):
    assert run(['train', '--track', 'oval', '--name', 'g', '--seed', '1']) == 0
    capsys.readouterr()
    assert run(['drive', 'g', '--simulator', 'gazebo', *words, '--starts', '1', '--laps', '2',
                '--json']) == 0
    record = json.loads(capsys.readouterr().out)
    assert record['simulator'] == 'gazebo'
    assert record['clean_laps'] == record['total_laps'] == 2
