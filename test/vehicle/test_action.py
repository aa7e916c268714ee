"""Policy outputs become commands inside the limits, and back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from racer_vehicle.action import ContinuousActions, DiscreteActions
from racer_vehicle.errors import ConfigError

TABLE = DiscreteActions(steering_rad=(-0.5, -0.5, 0.0, 0.5), speed_mps=(1.0, 2.0, 3.0, 1.0))
BOX = ContinuousActions(steering_low_rad=-0.5, steering_high_rad=0.3,
                        speed_low_mps=0.5, speed_high_mps=3.5)


def test_discrete_indices_look_commands_up():
    commands = TABLE.decode(np.array([2, 0, 2]))
    assert commands.dtype == np.float64
    assert commands.tolist() == [[0.0, 3.0], [-0.5, 1.0], [0.0, 3.0]]


def test_the_top_speed_is_the_fastest_that_can_be_asked_for():
    assert (TABLE.top_speed_mps, BOX.top_speed_mps) == (3.0, 3.5)


def test_discrete_encode_inverts_decode_and_finds_the_nearest():
    every = np.arange(len(TABLE))
    assert TABLE.encode(TABLE.decode(every)).tolist() == every.tolist()
    assert TABLE.encode(np.array([[-0.4, 1.9], [0.1, 4.0]])).tolist() == [1, 2]


@pytest.mark.parametrize(('indices', 'row', 'given_index'),
                         [([0, 4], 1, 4), ([-1], 0, -1), ([1, 2, 99], 2, 99)])
def test_discrete_refuses_an_index_outside_the_table(indices, row, given_index):
    with pytest.raises(ConfigError, match=f'row {row} .* action {given_index}; allowed: 0 to 3'):
        TABLE.decode(np.array(indices))


@pytest.mark.parametrize('output', [np.array([0.0]), np.array([[0]]), np.array(1)])
def test_discrete_refuses_what_is_not_a_row_of_integers(output):
    with pytest.raises(ConfigError, match=r'allowed: integers of shape \(N,\)'):
        TABLE.decode(output)


@pytest.mark.parametrize(('steering_rad', 'speed_mps', 'message'), [
    ((0.1,), (1.0,), '1 steering angles and 1 speeds'),
    ((0.1, 0.2), (1.0,), '2 steering angles and 1 speeds'),
    ((0.1, 0.6), (1.0, 1.0), r'steering_rad\[1\] is 0.6; allowed: -0.523599 to 0.523599'),
    ((0.1, 0.2), (0.05, 1.0), r'speed_mps\[0\] is 0.05; allowed: 0.1 to 4'),
    ((0.1, math.nan), (1.0, 1.0), r'steering_rad\[1\] is nan'),
])
def test_discrete_refuses_a_table_outside_the_limits(steering_rad, speed_mps, message):
    with pytest.raises(ConfigError, match=message):
        DiscreteActions(steering_rad=steering_rad, speed_mps=speed_mps)


def test_continuous_ends_and_middle():
    commands = BOX.decode(np.array([[-1, -1], [1, 1], [0, 0]], dtype=np.float32))
    assert commands.dtype == np.float64
    assert commands[:2].tolist() == [[-0.5, 0.5], [0.3, 3.5]]
    assert commands[2] == pytest.approx([-0.1, 2.0])


@given(npst.arrays(np.float64, st.tuples(st.integers(1, 5), st.just(2)),
                   elements=st.floats(-1e6, 1e6)))
def test_continuous_stays_in_its_box_and_inverts_up_to_clipping(output):
    commands = BOX.decode(output)
    low, high = np.array([-0.5, 0.5]), np.array([0.3, 3.5])
    assert (commands >= low - 1e-12).all()
    assert (commands <= high + 1e-12).all()
    np.testing.assert_allclose(BOX.encode(commands), np.clip(output, -1, 1), atol=1e-12)


@given(st.tuples(st.floats(-2.0, 2.0, width=32), st.floats(-2.0, 2.0, width=32)))
def test_one_car_gets_the_command_of_the_batch_to_the_last_bit(output):
    assert list(BOX.decode_one(output)) == BOX.decode(np.array([output]))[0].tolist()


@given(st.lists(st.sampled_from((-1.0, 0.0, 0.5, 7.0)), min_size=len(TABLE), max_size=len(TABLE)))
def test_one_car_does_what_its_policy_prefers(output):
    assert list(TABLE.decode_one(output)) == TABLE.decode(np.array([output]).argmax(1))[0].tolist()


def test_continuous_encode_clips_commands_outside_the_box():
    assert BOX.encode(np.array([[1.0, 0.0]])).tolist() == [[1.0, -1.0]]


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_continuous_names_the_row_that_is_not_finite(bad):
    with pytest.raises(ConfigError, match=r'row 1 of .* output is \[0.2, .*finite numbers'):
        BOX.decode(np.array([[0.0, 0.0], [0.2, bad]]))


@pytest.mark.parametrize('shape', [(2,), (1, 3), (1, 2, 2)])
def test_continuous_refuses_another_shape(shape):
    with pytest.raises(ConfigError, match=r'allowed: \(N, 2\)'):
        BOX.decode(np.zeros(shape))


@pytest.mark.parametrize(('limits', 'message'), [
    ({'speed_high_mps': 4.1}, 'speed_high_mps is 4.1; allowed: 0.1 to 4'),
    ({'steering_low_rad': -0.6}, 'steering_low_rad is -0.6; allowed: -0.5235'),
    ({'speed_low_mps': 2.0}, 'speed_low_mps is 2; allowed: less than speed_high_mps, 2'),
    ({'steering_low_rad': 0.2, 'steering_high_rad': 0.1}, 'less than steering_high_rad, 0.1'),
])
def test_continuous_refuses_limits_out_of_range_or_order(limits, message):
    with pytest.raises(ConfigError, match=message):
        ContinuousActions(**limits)
