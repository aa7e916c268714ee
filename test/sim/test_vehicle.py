import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_sim import vehicle
from racer_sim.vehicle import GRAVITY_MPS2, SUBSTEP_S, SUBSTEPS
from racer_vehicle.spec import CarSpec

CAR = CarSpec()
GRIP_MPS2 = CAR.tyre.friction * GRAVITY_MPS2


class Cars:
    """A few cars under commands, with everything that `advance` needs."""

    def __init__(self, count=1, car=CAR, delay=0):
        self.state = np.zeros(count, dtype=vehicle.STATE)
        self.parameters = vehicle.vehicle_parameters(car, count)
        self.held = np.zeros((count, 2))
        self.delay = np.full(count, delay, dtype=np.int64)
        self.queued = vehicle.nothing_queued(count)
        self.frozen = np.zeros(count, dtype=np.bool_)

    def drive(self, steering_rad, speed_mps, periods=1):
        """Advance under one command; states after each period, (periods, cars)."""
        commands = np.zeros_like(self.held)
        commands[:, 0], commands[:, 1] = steering_rad, speed_mps
        history = []
        for _ in range(periods):
            vehicle.advance(self.state, self.parameters, self.held, commands, self.delay,
                            self.queued, self.frozen)
            history.append(self.state.copy())
        return np.array(history)


def lateral_acceleration(state):
    """In a steady turn, m/s^2."""
    return abs(state['yaw_rate_radps']) * np.hypot(state['vx_mps'], state['vy_mps'])


@pytest.mark.parametrize(('speed_mps', 'steering_deg'), [(2.0, 5.0), (1.0, 25.0), (1.0, -25.0)])
def test_slow_turns_follow_the_wheels(speed_mps, steering_deg):
    cars = Cars()
    state = cars.drive(math.radians(steering_deg), speed_mps, 60)[-1, 0]
    kinematic = state['vx_mps'] * math.tan(math.radians(steering_deg)) / CAR.wheelbase_m
    assert lateral_acceleration(state) < 0.6 * GRIP_MPS2
    assert state['yaw_rate_radps'] == pytest.approx(kinematic, rel=0.05)


@pytest.mark.parametrize('steering_deg', [2, 5, 10, 20, 30])
@pytest.mark.parametrize('speed_mps', [1.0, 2.0, 3.0, 4.0])
def test_no_turn_needs_more_than_the_tyres_give(speed_mps, steering_deg):
    cars = Cars()
    cars.drive(0.0, speed_mps, 45)
    history = cars.drive(math.radians(steering_deg), speed_mps, 60)
    sine, cosine = np.sin(history['yaw_rad']), np.cos(history['yaw_rad'])
    vx, vy = history['vx_mps'], history['vy_mps']
    velocity = np.stack((cosine * vx - sine * vy, sine * vx + cosine * vy))
    change = np.diff(velocity, axis=1) / (SUBSTEPS * SUBSTEP_S)
    assert np.hypot(*change).max() < 1.04 * GRIP_MPS2


def test_a_fast_car_ploughs_and_loses_speed():
    cars = Cars()
    straight = cars.drive(0.0, 4.0, 60)[-1, 0]
    slow_wheel = cars.drive(math.radians(15.0), 4.0, 45)[-1, 0]
    full_wheel = cars.drive(math.radians(30.0), 4.0, 45)[-1, 0]
    kinematic = full_wheel['vx_mps'] * math.tan(math.radians(30.0)) / CAR.wheelbase_m
    assert full_wheel['yaw_rate_radps'] < 0.7 * kinematic
    assert full_wheel['yaw_rate_radps'] < 2.0 * slow_wheel['yaw_rate_radps']
    assert np.hypot(full_wheel['vx_mps'], full_wheel['vy_mps']) < 0.95 * straight['vx_mps']


@pytest.mark.parametrize('speed_mps', [-2.0, 0.3, 1.0, 4.0])
@pytest.mark.parametrize('steering_deg', [0.0, 20.0])
def test_a_car_told_to_stop_stops_and_stays(speed_mps, steering_deg):
    cars = Cars()
    cars.drive(math.radians(steering_deg), speed_mps, 40)
    cars.drive(math.radians(steering_deg), 0.0, 45)
    history = cars.drive(math.radians(steering_deg), 0.0, 30)[:, 0]
    places = np.stack((history['x_m'], history['y_m'], history['yaw_rad']))
    assert np.ptp(places, axis=1).max() < 1e-3
    assert abs(history['vx_mps'][-1]) < 1e-4


def test_resistance_costs_speed():
    reached = Cars().drive(0.0, 4.0, 100)[-1, 0]['vx_mps']
    assert 3.5 < reached < 4.0


def test_no_command_brings_more_than_the_motor_has():
    reached = Cars().drive(0.0, 100.0, 200)[-1, 0]['vx_mps']
    assert 4.5 < reached < CAR.motor.no_load_speed_mps


def test_the_servo_turns_no_faster_than_its_rate():
    angle = Cars().drive(math.radians(30.0), 0.0, 1)[-1, 0]['steering_rad']
    elapsed_s = SUBSTEPS * SUBSTEP_S
    assert 0.5 * CAR.servo.rate_limit_radps * elapsed_s < angle
    assert angle <= CAR.servo.rate_limit_radps * elapsed_s


def test_a_small_turn_of_the_servo_takes_its_time_constant():
    servo = dataclasses.replace(CAR.servo, lag_s=SUBSTEPS * SUBSTEP_S)
    car = dataclasses.replace(CAR, servo=servo)
    angle = Cars(car=car).drive(0.1, 0.0, 1)[-1, 0]['steering_rad']
    assert angle == pytest.approx(0.1 * (1.0 - math.exp(-1.0)), rel=0.03)


def test_the_wheels_stop_at_their_limit():
    assert Cars().drive(1.5, 0.0, 20)[-1, 0]['steering_rad'] == pytest.approx(
        CAR.max_steering_rad, rel=1e-3)


def test_left_and_right_mirror_each_other():
    cars = Cars(2)
    signs = np.array([1.0, -1.0])
    for steering, speed in ((0.1, 2.0), (0.5, 4.0), (-0.3, 1.0)):
        history = cars.drive(signs * steering, speed, 20)
    left, right = history[-1]
    for name in ('x_m', 'vx_mps', 'ax_mps2', 'drive_mps2'):
        assert left[name] == right[name]
    for name in ('y_m', 'yaw_rad', 'vy_mps', 'yaw_rate_radps', 'steering_rad'):
        assert left[name] == -right[name]


def test_the_same_commands_give_the_same_bits():
    runs = [Cars().drive(0.4, 3.0, 60).tobytes() for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_car_does_not_feel_the_others_of_its_batch():
    alone = Cars().drive(0.3, 3.0, 40)[:, 0]
    batch = Cars(5)
    batch.frozen[1] = True
    steering = np.array([-0.5, 0.2, 0.3, 0.0, 0.5])
    speed = np.array([4.0, 1.0, 3.0, 0.0, -2.0])
    assert batch.drive(steering, speed, 40)[:, 2].tobytes() == alone.tobytes()


def test_a_frozen_car_keeps_every_bit():
    cars = Cars(2)
    cars.drive(0.5, 3.0, 33)
    cars.frozen[0] = True
    before = cars.state[0].tobytes()
    cars.drive(-0.5, 4.0, 5)
    assert cars.state[0].tobytes() == before


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False),
                          st.floats(allow_nan=False, allow_infinity=False)),
                min_size=1, max_size=12))
def test_any_finite_command_leaves_the_car_finite(commands):
    cars = Cars()
    for steering, speed in commands:
        cars.drive(steering, speed, 3)
    values = np.array(cars.state[0].tolist())
    assert np.isfinite(values).all()
    assert np.abs(values).max() < 100.0


@pytest.mark.parametrize('yaw_rate_radps', [0.0, 5.0, 20.0])
@pytest.mark.parametrize('steering_deg', [0.0, 10.0, 30.0])
def test_coasting_never_gains_energy(yaw_rate_radps, steering_deg):
    cars = Cars()
    for limit in ('stall_accel_mps2', 'brake_accel_mps2'):
        cars.parameters[limit] = 0.0
    cars.state['vx_mps'], cars.state['vy_mps'] = 3.0, 0.5
    cars.state['yaw_rate_radps'] = yaw_rate_radps
    cars.state['steering_rad'] = math.radians(steering_deg)
    history = cars.drive(math.radians(steering_deg), 0.0, 40)[:, 0]
    inertia_ratio = CAR.yaw_inertia_kgm2 / CAR.mass_kg
    energy = (history['vx_mps']**2 + history['vy_mps']**2
              + inertia_ratio * history['yaw_rate_radps']**2)
    assert np.all(np.diff(energy) < 0.0)


def test_a_car_in_the_air_turns_without_gaining_speed():
    """Nothing touches it: no grip, no resistance; only its axes turn."""
    cars = Cars()
    for name in ('friction', 'rolling_accel_mps2', 'drag_per_m'):
        cars.parameters[name] = 0.0
    cars.state['vx_mps'], cars.state['yaw_rate_radps'] = 2.0, 15.0
    history = cars.drive(0.0, 0.0, 60)[:, 0]
    assert np.hypot(history['vx_mps'], history['vy_mps']) == pytest.approx(2.0, rel=1e-9)
    assert history['y_m'][-1] == pytest.approx(0.0, abs=1e-3)
    assert history['x_m'][-1] == pytest.approx(2.0 * 60 * SUBSTEPS * SUBSTEP_S, rel=1e-4)


@pytest.mark.parametrize('delay', [0, 1, 7, 21])
def test_a_command_waits_exactly_as_long_as_its_image_is_old(delay):
    prompt, late = Cars(), Cars(delay=delay)
    prompt.drive(0.3, 2.0, 1)
    late.drive(0.3, 2.0, 1)
    expected = np.zeros(1, dtype=vehicle.STATE)[0]
    for _ in range(SUBSTEPS - delay):
        vehicle._substep(expected, prompt.parameters[0], 0.3, 2.0, SUBSTEP_S)
    for name in ('steering_rad', 'drive_mps2', 'vx_mps', 'x_m'):
        assert late.state[0][name] == pytest.approx(expected[name], rel=1e-12)
    assert delay == 0 or late.state[0]['steering_rad'] < prompt.state[0]['steering_rad']


def test_an_image_as_old_as_the_period_moves_the_command_to_the_next_one():
    prompt, late = Cars(), Cars(delay=SUBSTEPS)
    prompt.drive(0.3, 2.0, 1)
    late.drive(0.3, 2.0, 1)
    assert late.state['steering_rad'][0] == 0.0
    late.drive(-0.3, 0.0, 1)
    for name in ('steering_rad', 'drive_mps2', 'vx_mps', 'yaw_rate_radps', 'x_m', 'y_m'):
        assert late.state[0][name] == prompt.state[0][name]
