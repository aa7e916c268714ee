"""Nothing but a fresh, finite command of the pilot in charge, on an enabled car, moves the car."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_vehicle.gate import STALE_AFTER_S, Driving, MotorGate, Pilot
from racer_vehicle.limiter import DriveLimiter
from racer_vehicle.signals import NEUTRAL, DriveCommand

COMMAND = DriveCommand(steering_rad=0.2, speed_mps=1.0)
LIMIT_S = STALE_AFTER_S[Pilot.POLICY]


def gate(enabled=True, pilot=Pilot.POLICY):
    return MotorGate(DriveLimiter(max_steering_rad=0.5, max_speed_mps=2.0), enabled=enabled,
                     pilot=pilot)


def offered(the_gate, command=COMMAND, pilot=Pilot.POLICY, age_s=0.0, now_s=100.0):
    return the_gate.offer(pilot, command, 42.0, age_s, now_s)


def decided(the_gate, now_s=100.0):
    decision = the_gate.decide(now_s)
    return decision.command, decision.driving


def test_a_fresh_command_is_passed_on_with_its_stamp():
    the_gate = gate()
    assert offered(the_gate)
    assert decided(the_gate) == (COMMAND, Driving.COMMANDED)
    assert the_gate.decide(100.0).stamp_s == 42.0


def test_begins_neutral():
    assert decided(gate()) == (NEUTRAL, Driving.STALE)
    assert decided(gate(enabled=False)) == (NEUTRAL, Driving.DISABLED)


def test_a_command_out_of_range_is_cut():
    the_gate = gate()
    offered(the_gate, DriveCommand(steering_rad=-3.0, speed_mps=9.0))
    assert decided(the_gate) == (DriveCommand(-0.5, 2.0), Driving.CUT)


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_neutral(bad):
    for command in (DriveCommand(bad, 1.0), DriveCommand(0.1, bad)):
        the_gate = gate()
        offered(the_gate, command)
        assert decided(the_gate) == (NEUTRAL, Driving.NOT_FINITE)


@given(age_s=st.floats(0.0, LIMIT_S), wait_s=st.floats(0.0, 1.0))
def test_a_command_counts_until_its_image_is_too_old(age_s, wait_s):
    the_gate = gate()
    assert offered(the_gate, age_s=age_s)
    command, driving = decided(the_gate, 100.0 + wait_s)
    if age_s + wait_s < LIMIT_S - 1e-9:
        assert command == COMMAND
    elif age_s + wait_s > LIMIT_S + 1e-9:
        assert (command, driving) == (NEUTRAL, Driving.STALE)


@pytest.mark.parametrize('age_s', [LIMIT_S + 0.01, -LIMIT_S - 0.01, 1e9, math.inf, math.nan])
def test_a_command_that_comes_too_old_or_from_the_future_does_not_count(age_s):
    the_gate = gate()
    assert not offered(the_gate, age_s=age_s)
    assert decided(the_gate) == (NEUTRAL, Driving.STALE)


def test_a_command_from_a_little_ahead_gets_no_more_time():
    the_gate = gate()
    assert offered(the_gate, age_s=-LIMIT_S / 2.0)
    assert decided(the_gate, 100.0 + LIMIT_S * 1.01) == (NEUTRAL, Driving.STALE)


def test_a_clock_that_begins_anew_ends_the_command_of_the_old_time():
    the_gate = gate()
    offered(the_gate, now_s=100.0)
    assert decided(the_gate, 1.0) == (NEUTRAL, Driving.STALE)


def test_only_the_pilot_in_charge_counts():
    the_gate = gate(pilot=Pilot.of(autonomous=False))
    assert not offered(the_gate)
    assert offered(the_gate, pilot=Pilot.OPERATOR)
    the_gate.give_to(Pilot.POLICY)
    assert decided(the_gate) == (NEUTRAL, Driving.STALE)
    assert offered(the_gate)
    the_gate.give_to(Pilot.POLICY)
    assert decided(the_gate) == (COMMAND, Driving.COMMANDED)


def test_the_emergency_stop_latches_and_leaves_the_car_disabled():
    the_gate = gate()
    offered(the_gate)
    the_gate.emergency_stop(True)
    assert decided(the_gate) == (NEUTRAL, Driving.EMERGENCY_STOP)
    assert 'clear it' in the_gate.enable(True)
    offered(the_gate)
    assert decided(the_gate) == (NEUTRAL, Driving.EMERGENCY_STOP)
    the_gate.emergency_stop(False)
    offered(the_gate)
    assert decided(the_gate) == (NEUTRAL, Driving.DISABLED)
    assert the_gate.enable(True) == ''
    assert decided(the_gate) == (NEUTRAL, Driving.STALE)
    offered(the_gate)
    assert decided(the_gate) == (COMMAND, Driving.COMMANDED)


def test_clearing_a_stop_that_was_not_latched_disables_too():
    the_gate = gate()
    the_gate.emergency_stop(False)
    assert decided(the_gate) == (NEUTRAL, Driving.DISABLED)


def test_a_failed_device_holds_neutral_until_somebody_enables_again():
    the_gate = gate()
    the_gate.fail('the servo board is gone')
    offered(the_gate)
    assert decided(the_gate) == (NEUTRAL, Driving.FAULT)
    the_gate.enable(True)
    offered(the_gate)
    assert decided(the_gate) == (COMMAND, Driving.COMMANDED)


def test_a_car_that_is_looked_after_is_disabled_when_that_ends():
    the_gate = gate()
    the_gate.attend(100.0)
    assert offered(the_gate, now_s=100.9)
    assert decided(the_gate, 101.0) == (COMMAND, Driving.COMMANDED)
    assert decided(the_gate, 101.1) == (NEUTRAL, Driving.UNATTENDED)
    the_gate.attend(101.2)  # whoever comes back has to enable it
    assert offered(the_gate, now_s=101.2)
    assert decided(the_gate, 101.2) == (NEUTRAL, Driving.UNATTENDED)
    assert the_gate.enable(True) == '' and offered(the_gate, now_s=101.3)
    assert decided(the_gate, 101.3) == (COMMAND, Driving.COMMANDED)


def test_looking_after_a_car_and_leaving_in_order_ties_nobody_else():
    the_gate = gate()
    the_gate.attend(100.0)
    the_gate.enable(False)
    assert decided(the_gate, 102.0) == (NEUTRAL, Driving.DISABLED)
    the_gate.enable(True)
    assert offered(the_gate, now_s=102.1)
    assert decided(the_gate, 102.1) == (COMMAND, Driving.COMMANDED)


def test_enabling_does_not_end_being_looked_after():
    the_gate = gate(enabled=False)
    the_gate.attend(100.0)
    the_gate.enable(True)
    assert decided(the_gate, 101.1)[1] is Driving.UNATTENDED


def test_time_that_begins_anew_ends_being_looked_after():
    the_gate = gate()
    the_gate.attend(100.0)
    assert decided(the_gate, 1.0)[1] is Driving.UNATTENDED
