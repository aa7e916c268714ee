"""`racer drive --simulator gazebo`: a policy of the embedded simulator laps at first try."""

import json

import pytest

pytest.importorskip('rclpy')

from racer_rl.cli.main import run

pytestmark = [pytest.mark.slow, pytest.mark.ros]


@pytest.fixture
def drive(racer_home, capsys):
    """Trains a policy in the embedded simulator, drives it in Gazebo, and gives the record."""
    def record(*words):
        assert run(['train', '--track', 'oval', '--name', 'g', '--seed', '1']) == 0
        capsys.readouterr()
        assert run(['drive', 'g', '--simulator', 'gazebo', '--starts', '1', '--laps', '2',
                    '--json', *words]) == 0
        return json.loads(capsys.readouterr().out)

    return record


@pytest.mark.timeout(900)
def test_a_policy_laps_in_lock_step(drive):
    record = drive('--mode', 'lockstep')
    assert record['simulator'] == 'gazebo'
    assert record['clean_laps'] == record['total_laps'] == 2


@pytest.mark.timeout(900)
def test_a_policy_laps_in_real_time(drive):
    # Test machines are slow and shared: images may grow older than any that it has learnt with.
    record = drive('--mode', 'realtime', '--factor', '0.5', '--resets', '5')
    assert record['completion'] == 1.0
