"""Conditions of an episode: each changes what it should and nothing else, by the seed alone."""

import math
from dataclasses import replace

import numpy as np
import pytest

from racer_sim.courses import courses_of
from racer_sim.randomization import DEFAULT, NAMES, NONE, STRONG, Randomization
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.track_library import find_track
from racer_sim.vehicle import SUBSTEP_S, SUBSTEPS
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

COURSES = courses_of([find_track('oval')])
CAR = CarSpec()
APPEARANCE = ('asphalt', 'lines', 'surroundings', 'sky', 'light', 'exposure', 'shadow', 'blur',
              'noise', 'smudge', 'scratch', 'camera_x_m', 'camera_y_m', 'camera_z_m',
              'camera_pitch_rad', 'camera_yaw_rad', 'camera_hfov')
DRIVING = tuple(name for name in NAMES if name not in APPEARANCE)


def simulator(*randomization, cars=1, seed=0, age_s=(0.0, 0.0), **config):
    sim = Simulator(COURSES, CAR, SimulatorConfig(
        cars=cars, randomization=randomization or (NONE,), image_age_s=age_s, **config), seed)
    sim.place(np.arange(cars), np.zeros(cars, dtype=np.int64), np.zeros(cars))
    return sim


def strongest(name):
    """Only this, fixed to the end of the strong profile that is further from neutral."""
    neutral, (low, high) = getattr(NONE, name)[0], getattr(STRONG, name)
    end = high if high - neutral >= neutral - low else low
    if name == 'frame_drop':
        end = 0.5
    return Randomization(**{name: (end, end)})


def driven(sim, periods=30, commands=None):
    """State of all cars after a slalom, (periods, N)."""
    history = []
    for period in range(periods):
        turn = 0.3 * math.sin(0.9 * period)
        sim.move(np.tile((turn, 2.0), (sim.config.cars, 1)) if commands is None else commands)
        history.append(sim.state.copy())
    return np.array(history)


def test_neutral_conditions_are_no_conditions():
    plain, neutral = simulator(), simulator(Randomization())
    assert np.array_equal(driven(plain), driven(neutral))
    assert np.array_equal(plain.images(), neutral.images())
    assert plain.random.bit_generator.state == neutral.random.bit_generator.state


@pytest.mark.parametrize('name', APPEARANCE)
def test_each_change_of_appearance_changes_the_image_and_not_the_drive(name):
    plain, changed = simulator(), simulator(strongest(name))
    assert (plain.images() != changed.images()).mean() > 0.001, name
    assert np.array_equal(driven(plain), driven(changed))


@pytest.mark.parametrize('name', DRIVING)
def test_each_change_of_the_car_changes_the_drive_and_not_the_image(name):
    plain, changed = simulator(), simulator(strongest(name))
    assert np.array_equal(plain.images(), changed.images())
    assert not np.array_equal(driven(plain, 40), driven(changed, 40)), name


@pytest.mark.parametrize('randomization', [DEFAULT, STRONG])
def test_the_seed_decides_everything(randomization):
    one, same, other = (simulator(randomization, cars=3, seed=seed) for seed in (5, 5, 6))
    for sim in (one, same, other):
        driven(sim, 5)
    assert np.array_equal(one.state, same.state)
    assert np.array_equal(one.images(), same.images())
    assert not np.array_equal(one.conditions.rows, other.conditions.rows)


def test_every_episode_draws_anew_and_inside_the_ranges():
    sim = simulator(STRONG, cars=40)
    before = sim.conditions.rows.copy()
    sim.reset()
    for name in NAMES:
        low, high = getattr(STRONG, name)
        values = np.concatenate((before[name], sim.conditions.rows[name]))
        assert ((low <= values) & (values <= high)).all(), name
        if high > low:
            assert len(np.unique(values)) == len(values), name
            assert np.ptp(values) > 0.6 * (high - low), name


def test_cars_take_the_randomisations_in_rotation():
    sim = simulator(NONE, Randomization(friction=(0.5, 0.5)), cars=4)
    assert sim.conditions.rows['friction'].tolist() == [1.0, 0.5, 1.0, 0.5]
    assert sim.conditions.parameters['friction'] == pytest.approx(
        np.array([1.0, 0.5, 1.0, 0.5]) * CAR.tyre.friction)


def test_a_snapshot_holds_the_conditions():
    sim = simulator(STRONG, cars=2)
    driven(sim, 3)
    kept = sim.snapshot()
    expected, image = driven(sim, 5), sim.images()
    sim.reset()
    sim.restore(kept)
    assert np.array_equal(driven(sim, 5), expected)
    assert np.array_equal(sim.images(), image)


def test_a_trim_is_what_the_wheels_stand_at():
    sim = simulator(Randomization(steering_trim_rad=(0.05, 0.05)))
    assert driven(sim, 20, np.array([[0.1, 0.0]]))[-1, 0]['steering_rad'] == pytest.approx(0.15)


def test_play_lets_the_wheels_hang_behind_the_servo():
    sim = simulator(Randomization(steering_play_rad=(0.03, 0.03)))
    left = driven(sim, 20, np.array([[0.2, 0.0]]))[-1, 0]
    back = driven(sim, 20, np.array([[0.0, 0.0]]))[-1, 0]
    assert left['steering_rad'] == pytest.approx(0.17, abs=1e-3)
    assert back['steering_rad'] == pytest.approx(0.03, abs=1e-3)
    assert back['servo_rad'] == pytest.approx(0.0, abs=1e-3)


def test_larger_wheels_are_faster():
    plain, large = (driven(simulator(one), 60, np.array([[0.0, 1.0]]))[-1, 0]['vx_mps']
                    for one in (NONE, Randomization(wheel_radius=(1.1, 1.1))))
    assert large == pytest.approx(1.1 * plain, rel=0.02)


def test_a_battery_sags_and_a_new_episode_has_a_full_one():
    sim = simulator(Randomization(battery_sag=(0.6, 0.6)))
    fresh = driven(sim, 60, np.array([[0.0, 4.0]]))[-1, 0]['vx_mps']
    tired = driven(sim, 900, np.array([[0.0, 4.0]]))[-1, 0]['vx_mps']
    assert tired < 0.9 * fresh
    sim.place(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros(1))
    again = driven(sim, 60, np.array([[0.0, 4.0]]))[-1, 0]['vx_mps']
    assert again == pytest.approx(fresh, rel=1e-3)


def test_a_standing_car_rolls_down_a_slope_as_hard_as_it_pulls():
    sim = simulator(Randomization(slope=(0.1, 0.1)), cars=8)
    start = sim.state.copy()
    end = driven(sim, 5, np.zeros((8, 2)))[-1]
    away = np.stack((end['x_m'] - start['x_m'], end['y_m'] - start['y_m']))
    to_rad = math.tau * sim.conditions.rows['slope_to']
    along = away[0] * np.cos(to_rad) + away[1] * np.sin(to_rad)
    assert (along > 0.0).all()
    assert np.hypot(*away).max() < 0.5 * 0.1 * 9.81 * (5 * CONTROL_PERIOD_S) ** 2


@pytest.mark.parametrize('late', [0, 7, 22, 30, 42])
def test_a_command_takes_effect_as_late_as_its_image_is_old(late):
    """Whole periods and parts of them: the wheels begin to turn at that sub-step."""
    first_s, second_s = min(late, SUBSTEPS) * SUBSTEP_S, max(late - SUBSTEPS, 0) * SUBSTEP_S
    sim = simulator(Randomization(latency_s=(second_s, second_s)), age_s=(first_s, first_s))
    turned = driven(sim, 3, np.array([[0.5, 0.0]]))[:, 0]['servo_rad']
    began = next(period for period, angle in enumerate(turned) if angle > 0.0)
    assert began == late // SUBSTEPS
    first = min(CAR.servo.rate_limit_radps * SUBSTEP_S * (SUBSTEPS - late % SUBSTEPS), 0.5)
    assert turned[began] == pytest.approx(first, rel=0.25)


def test_a_newer_command_overtakes_an_older_one_that_still_waits():
    sim = simulator(cars=1)
    sim.age_substeps[:] = 40
    sim.move(np.array([[0.5, 0.0]]))
    sim.age_substeps[:] = 2
    sim.move(np.array([[-0.5, 0.0]]))
    sim.move(np.array([[-0.5, 0.0]]))
    assert sim.state['servo_rad'][0] < 0.0


def test_a_lost_frame_leaves_the_car_with_what_it_was_told():
    sim = simulator(Randomization(frame_drop=(0.5, 0.5)), cars=200)
    sim.move(np.tile((0.1, 1.0), (200, 1)))
    heard = (sim.commands[:, 1] == 1.0).mean()
    assert 0.35 < heard < 0.65
    for _ in range(20):
        sim.move(np.tile((0.1, 1.0), (200, 1)))
    assert (sim.commands[:, 1] == 1.0).mean() > 0.99


@pytest.mark.parametrize('rgb', [False, True])
def test_paint_light_and_exposure_become_other_greys(rgb):
    brighter = replace(NONE, asphalt=(40.0, 40.0), light=(1.2, 1.2))
    plain, changed = (simulator(one, rgb=rgb).images()[0] for one in (NONE, brighter))
    asphalt = plain[0, 100:110, 60:64]
    assert changed[0, 100:110, 60:64] == pytest.approx(
        np.minimum((asphalt.astype(float) + 40.0) * 1.2, 255.0), abs=3.0)


def test_noise_has_the_deviation_that_was_asked_for():
    grey = Randomization(noise=(10.0, 10.0))
    plain, noisy = simulator().images()[0, 0], simulator(grey).images()[0, 0]
    middling = (plain > 40) & (plain < 215)
    difference = noisy.astype(float)[middling] - plain.astype(float)[middling]
    assert difference.std() == pytest.approx(10.0, rel=0.05)
    assert abs(difference.mean()) < 0.5
    sim = simulator(grey)
    assert not np.array_equal(sim.images(), sim.images()), 'every frame has noise of its own'


def test_shadows_lie_on_the_map_and_not_on_the_lens():
    """A place on the ground is in the shadow or not, from wherever it is seen."""
    shaded = Randomization(shadow=(0.5, 0.5))
    plain, sim = simulator(), simulator(shaded)
    share = []
    for ahead_m in (0.0, 0.4):
        for one in (plain, sim):
            one.set_pose(np.array([0]), 3.0 + ahead_m, 1.0, 0.0)
        sim.conditions.rows['shadow_to'], sim.conditions.rows['shadow_at'] = 0.0, 0.25
        sim.conditions.rows['shadow_period'] = 0.0
        sim._senses.change(sim.conditions.rows, np.array([0]))
        ratio = sim.images()[0, 0].astype(float) / np.maximum(plain.images()[0, 0], 1)
        share.append((ratio[60:] < 0.75).mean())
        focal, camera = CAR.camera.focal_px, CAR.camera
        row = 100
        ray = (row + 0.5 - 60.0) / focal
        down = ray * math.cos(camera.pitch_rad) + math.sin(camera.pitch_rad)
        depth = camera.z_m / down
        reach_m = camera.x_m + depth * (math.cos(camera.pitch_rad)
                                        - ray * math.sin(camera.pitch_rad))
        phase = (0.25 + 3.0 + ahead_m + reach_m) % 1.0
        assert (ratio[row, 80] < 0.75) == (phase < 0.35)
    assert 0.1 < max(share) < 0.9, share
