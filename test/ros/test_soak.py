"""A short soak: lost messages, killed nodes; the ten minutes are in docs/soak.md."""

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('rclpy')

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture(scope='module')
def soaking():
    path = Path(__file__).resolve().parents[2] / 'benchmarks' / 'soak.py'
    spec = importlib.util.spec_from_file_location('soak', path)
    module = importlib.util.module_from_spec(spec)
    sys.modules['soak'] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules['soak']


def test_kills_and_lost_messages_leave_no_motion_without_a_command(soaking, trained, tmp_path):
    path = tmp_path / 'laps.racer'
    trained.write(path)
    log, drive = soaking.soak(0.4, path, kills=2)
    assert log.violations == []
    assert len(log.kills) == 2
    # Each ended in neutral; one in which this machine kept up did so in time.
    allowed_s = soaking.NEUTRAL_WITHIN_S + soaking.SCHEDULING_S
    assert min(kill.neutral_after_s for kill in log.kills) <= allowed_s
    assert len(log.moved_s) > 20 and len(log.rolled_s) > 20
    assert drive.timing.figures.dropped > 0, 'messages were lost'
    text, _ = soaking.report(log, drive, 0.4)
    assert '| uncontrolled motion, commands beyond the limits | none | 0 |' in text


PERIOD_S = 0.066


@given(st.data())
def test_motion_that_nothing_accounts_for_is_found_in_whatever_order_it_is_heard(soaking, data):
    shuffled = st.permutations(range(40))

    def log(decided, moved, rolled):
        return soaking.Log(begin_s=100.0, decided_s=[100.0 + PERIOD_S * n for n in decided],
                           moved_s=[100.01 + PERIOD_S * n for n in moved],
                           truth_s=[100.02 + PERIOD_S * n for n in rolled],
                           rolled_s=[100.02 + PERIOD_S * n for n in rolled])

    every = [data.draw(shuffled) for _ in range(3)]
    assert soaking.motion_without_cause(log(*every)) == []
    silent = data.draw(st.integers(1, 35))
    undecided = [n for n in every[0] if not silent <= n < silent + 5]
    (found,) = soaking.motion_without_cause(log(undecided, *every[1:]))[-1:]
    assert found.startswith('the motor drove 0.')
    unmoved = [n for n in every[1] if n < 10]
    assert all(said.startswith('the car rolled') for said in soaking.motion_without_cause(
        log(every[0], unmoved, every[2])))
    assert soaking.motion_without_cause(log(every[0], unmoved, every[2]))
