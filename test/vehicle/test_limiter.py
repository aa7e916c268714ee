"""The limiter: whatever comes in, what goes out is finite and inside the range."""

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from racer_vehicle.contract import TOPICS, topic
from racer_vehicle.errors import ConfigError
from racer_vehicle.limiter import DriveLimiter, Limiting
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CarSpec
from racer_vehicle.staleness import Freshness

LIMITER = DriveLimiter.for_car(CarSpec())
ANY = st.floats(allow_nan=True, allow_infinity=True)


@given(ANY, ANY, st.sampled_from([0.0, 0.5, 4.0]))
def test_only_finite_commands_inside_the_range_come_out(steering, speed, cap):
    given_command = DriveCommand(steering, speed)
    applied, limiting = DriveLimiter.for_car(CarSpec(), cap).limit(given_command)
    assert abs(applied.steering_rad) <= math.radians(30.0)
    assert abs(applied.speed_mps) <= cap
    assert (limiting == Limiting.NONE) == (applied == given_command)
    assert (limiting == Limiting.NOT_FINITE) == (
        not (math.isfinite(steering) and math.isfinite(speed)))


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_one_bad_number_makes_all_neutral(bad):
    assert LIMITER.limit(DriveCommand(0.1, bad)) == (NEUTRAL, Limiting.NOT_FINITE)
    assert LIMITER.limit(DriveCommand(bad, 1.0)) == (NEUTRAL, Limiting.NOT_FINITE)


def test_commands_are_cut_to_the_nearest_end():
    assert LIMITER.limit(DriveCommand(-9.0, 9.0)) == (
        DriveCommand(-math.radians(30.0), 4.0), Limiting.RANGE)
    assert LIMITER.limit(DriveCommand(0.1, -9.0)) == (DriveCommand(0.1, -4.0), Limiting.RANGE)


def test_an_operators_cap_only_lowers():
    assert DriveLimiter.for_car(CarSpec(), 1.0).max_speed_mps == 1.0
    assert DriveLimiter.for_car(CarSpec(), 99.0).max_speed_mps == 4.0


@pytest.mark.parametrize('cap', [-1.0, math.nan])
def test_a_senseless_cap_is_refused(cap):
    with pytest.raises(ConfigError, match=r'DriveLimiter\.max_speed_mps is .*; allowed: 0 or mo'):
        DriveLimiter.for_car(CarSpec(), cap)


@pytest.mark.parametrize('row', [row for row in TOPICS if row.stale_after_s], ids=lambda r: r.name)
def test_a_message_is_fresh_up_to_its_topics_limit(row):
    watch = Freshness(row)
    assert watch.age_s(0.0) == math.inf and not watch.is_fresh(0.0)
    watch.note(100.0)
    assert watch.is_fresh(100.0) and watch.is_fresh(100.0 + 0.99 * row.stale_after_s)
    assert not watch.is_fresh(100.0 + 1.01 * row.stale_after_s)
    assert not watch.is_fresh(100.0 - 1.01 * row.stale_after_s), 'a clock was set back'
    watch.note(50.0)
    assert watch.is_fresh(50.0)


def test_a_topic_that_does_not_age_has_no_freshness():
    with pytest.raises(ConfigError, match=r'policy/bundle has no stale_after_s; allowed: topics'):
        Freshness(topic('policy/bundle'))
