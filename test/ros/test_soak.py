"""A short soak: lost messages, killed nodes; the ten minutes are in docs/soak.md."""

import importlib.util
import sys

import pytest

pytest.importorskip('rclpy')

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture
def soaking(repository, monkeypatch):
    spec = importlib.util.spec_from_file_location('soak', repository / 'benchmarks' / 'soak.py')
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'soak', module)
    spec.loader.exec_module(module)
    return module


def test_kills_and_lost_messages_leave_no_motion_without_a_command(soaking, trained, tmp_path):
    path = tmp_path / 'laps.racer'
    trained.write(path)
    log, drive = soaking.soak(0.7, path, kills=3)
    assert log.violations == []
    assert len(log.kills) == 3
    allowed_s = soaking.NEUTRAL_WITHIN_S + soaking.SCHEDULING_S
    assert max(kill.neutral_after_s for kill in log.kills) <= allowed_s
    assert drive.timing.figures.dropped > 0, 'messages were lost'
    text, _ = soaking.report(log, drive, 0.7)
    assert '| uncontrolled motion, commands beyond the limits | none | 0 |' in text
