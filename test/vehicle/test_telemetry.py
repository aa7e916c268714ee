"""Rates show a silence, and spreads the worst of late."""

import pytest

from racer_vehicle.telemetry import WINDOW, Flow, Rate, Spread


def test_a_steady_rate_is_told():
    rate = Rate()
    for tick in range(20):
        rate.note(tick * 0.1)
    assert rate.hz(1.95) == pytest.approx(10.0)


def test_a_rate_falls_in_silence():
    rate = Rate()
    for tick in range(11):
        rate.note(tick * 0.1)
    assert rate.hz(21.1) == pytest.approx(10 / 21.0)


@pytest.mark.parametrize('events', [0, 1])
def test_there_is_no_rate_of_less_than_two_events(events):
    rate = Rate()
    for tick in range(events):
        rate.note(float(tick))
    assert rate.hz(5.0) == 0.0


def test_events_at_the_same_moment_have_no_rate_yet():
    rate = Rate()
    rate.note(1.0)
    rate.note(1.0)
    assert rate.hz(1.0) == 0.0


def test_a_quantile_is_a_value_that_occurred():
    spread = Spread()
    assert spread.quantile(0.5) == 0.0
    for value in range(1, 101):
        spread.note(float(value))
    assert spread.quantile(0.5) == 51.0
    assert spread.quantile(0.99) == 100.0


def test_old_values_are_forgotten():
    spread = Spread()
    spread.note(1000.0)
    for _ in range(WINDOW):
        spread.note(1.0)
    assert spread.quantile(1.0) == 1.0


def test_a_flow_tells_how_often_and_how_old():
    flow = Flow()
    for tick in range(101):
        flow.note(tick * 0.1, 0.001 * tick)
    assert flow.figures(10.0) == pytest.approx({'hz': 10.0, 'age_p50_s': 0.05, 'age_p99_s': 0.099})
