import dataclasses
import math

import numpy as np
import pytest

from racer_sim import vehicle
from racer_sim.bodies import Box, wall_boxes
from racer_sim.courses import courses_of
from racer_sim.privileged import PRIVILEGED_SIZE
from racer_sim.rules import RaceRules, Status
from racer_sim.simulator import PLACING_GAP_M, Simulator
from racer_sim.simulator_config import SimulatorConfig, StartPolicy
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

OVAL = find_track('oval')
CAR = CarSpec()
LONG = RaceRules(patience_steps=10_000, time_limit_s=1e6)


def simulator(*, seed=0, direction='forward', tracks=(OVAL,), **config):
    config.setdefault('cars', 4)
    return Simulator(courses_of(tracks, direction), CAR, SimulatorConfig(**config), seed)


def commands(sim, steering_rad=0.0, speed_mps=1.0):
    return np.tile((steering_rad, speed_mps), (sim.config.cars, 1))


def follow(sim, speed_mps=1.2):
    """Commands that keep every car near the middle of its course."""
    steering = -1.5 * sim.places['lateral_m'] - 1.5 * sim.places['heading_error_rad']
    return np.column_stack((np.clip(steering, -0.5, 0.5), np.full(sim.config.cars, speed_mps)))


def everything(sim):
    """All that a learner or a judge may read, as bytes."""
    arrays = (sim.state, sim.places, sim.control.race, sim.images(), sim.scans(), sim.privileged())
    return b''.join(array.tobytes() for array in arrays)


def test_the_same_seed_gives_the_same_bits():
    runs = []
    for _ in range(2):
        sim = simulator(seed=3, boxes=(Box(x_m=2.0, y_m=0.0),))
        sim.reset()
        for _ in range(20):
            ended = sim.step(follow(sim)).ended
            sim.reset(np.flatnonzero(ended))
        runs.append(everything(sim))
    assert runs[0] == runs[1]


def test_another_seed_starts_elsewhere():
    sims = [simulator(seed=seed) for seed in (1, 2)]
    for sim in sims:
        sim.reset()
    assert not np.array_equal(sims[0].state['y_m'], sims[1].state['y_m'])


def test_a_restored_simulator_goes_on_bit_for_bit():
    sim = simulator(cars=4, cars_per_world=2, rules=RaceRules(resets=3))
    sim.reset()
    wild = np.random.default_rng(1).uniform((-0.5, 0.5), (0.5, 4.0), (60, 4, 2))
    for step in wild[:30]:
        sim.step(step)
    kept = sim.snapshot()

    def go_on():
        for step in wild[30:]:
            sim.reset(np.flatnonzero(sim.step(step).ended))
        return everything(sim)

    first = go_on()
    sim.restore(kept)
    assert go_on() == first
    other = simulator(cars=4, cars_per_world=2, rules=RaceRules(resets=3), seed=99)
    other.restore(kept)
    sim = other
    assert go_on() == first


def test_a_snapshot_does_not_change_with_the_simulator():
    sim = simulator()
    sim.reset()
    kept = sim.snapshot()
    before = kept['state'].tobytes()
    sim.step(commands(sim))
    assert kept['state'].tobytes() == before


def test_resetting_some_cars_leaves_the_others_untouched():
    sim = simulator()
    sim.reset()
    for _ in range(10):
        sim.step(follow(sim))
    others = np.array([0, 3])
    before = [array[others].tobytes() for array in sim.snapshot().values()
              if isinstance(array, np.ndarray)]
    images = sim.images()
    sim.reset(np.array([1, 2]))
    after = [array[others].tobytes() for array in sim.snapshot().values()
             if isinstance(array, np.ndarray)]
    assert before == after
    assert np.array_equal(sim.images()[others], images[others])
    assert sim.control.race['steps'].tolist() == [10, 0, 0, 10]


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_a_command_that_is_not_finite_is_refused(bad):
    sim = simulator()
    sim.reset()
    wrong = commands(sim)
    wrong[2, 0] = bad
    before = sim.state.tobytes()
    with pytest.raises(ConfigError, match=r'commands have shape \(4, 2\) or a value that is not '
                                          r'finite; allowed: finite \(4, 2\)'):
        sim.step(wrong)
    assert sim.state.tobytes() == before


def test_commands_for_another_number_of_cars_are_refused():
    with pytest.raises(ConfigError, match=r'commands have shape \(3, 2\)'):
        simulator().step(np.zeros((3, 2)))


def test_image_ages_are_drawn_from_their_range():
    low, high = 0.012, 0.048
    sim = simulator(cars=200, image_age_s=(low, high))
    sim.reset()
    age_s = sim.age_substeps * vehicle.SUBSTEP_S
    assert low - vehicle.SUBSTEP_S / 2 <= age_s.min() < low + 0.005
    assert high - 0.005 < age_s.max() <= high + vehicle.SUBSTEP_S / 2


def test_a_command_waits_for_its_image_age():
    for age_s, moved in ((0.0, True), (CONTROL_PERIOD_S, False)):
        sim = simulator(image_age_s=(age_s, age_s))
        sim.reset()
        before = sim.state['steering_rad'].copy()
        sim.step(commands(sim, steering_rad=0.3))
        assert (sim.state['steering_rad'] != before).all() == moved


def test_starts_advance_a_twentieth_of_the_lap():
    sim = simulator(cars=1, start=StartPolicy(lateral=0.0, heading_rad=0.0))
    starts = []
    for _ in range(21):
        sim.reset()
        starts.append(sim.places['s_m'][0] / OVAL.length_m)
    assert np.mod(np.diff(starts), 1.0) == pytest.approx(np.full(20, 0.05), abs=1e-6)


def test_starts_lie_on_the_track_within_the_policy():
    policy = StartPolicy(lateral=0.5, heading_rad=0.3)
    sim = simulator(cars=64, start=policy, tracks=(find_track('meander'),), direction='both')
    sim.reset()
    places = sim.places
    half = np.where(places['lateral_m'] > 0, places['left_m'], places['right_m'])
    assert np.abs(places['lateral_m'] / half).max() < 0.6
    assert np.abs(places['lateral_m'] / half).max() > 0.3
    assert np.abs(places['heading_error_rad']).max() < 0.3 + 0.1
    assert (places['wheels_on_track'] == 4).all()
    assert np.bincount(sim.course_of).tolist() == [32, 32]


def test_a_place_beyond_the_line_is_a_place_on_the_next_lap():
    sim = simulator(cars=2, tracks=(find_track('meander'),))
    length = sim.geometry.length_m[0]
    sim.place(np.arange(2), np.zeros(2, dtype=np.int64), np.array([0.7, 0.7 + length]), 0.5)
    assert sim.state['x_m'][1] == pytest.approx(sim.state['x_m'][0])
    assert sim.state['y_m'][1] == pytest.approx(sim.state['y_m'][0])


@pytest.mark.parametrize('direction', ['forward', 'reverse'])
def test_a_car_that_follows_the_line_completes_a_lap(direction):
    sim = simulator(cars=2, direction=direction)
    sim.reset()
    laps = []
    for _ in range(400):
        verdict = sim.step(follow(sim))
        laps += verdict.laps
        if not (sim.control.race['status'] == Status.IN_PROGRESS).any():
            break
    assert (sim.control.race['status'] == Status.LAP_COMPLETE).all()
    assert [lap.time_s for lap in laps] == pytest.approx([OVAL.length_m / 1.2] * 2, rel=0.15)


def test_only_all_four_wheels_out_is_off_track():
    sim = simulator(cars=1)
    sim.reset()
    here = np.zeros(1, dtype=np.int64)
    for share, ended in ((0.98, False), (1.15, False), (1.6, True)):
        sim.place(here, here, np.array([1.0]), share)
        assert sim.step(commands(sim)).ended[0] == ended
    assert sim.control.race['status'][0] == Status.OFF_TRACK


def test_a_margin_is_for_whoever_judges_and_not_to_be_seen():
    drawn, narrow = simulator(cars=1), simulator(cars=1, border_margin_m=0.05)
    half_m = OVAL.left_m[0]
    reach_m = max(y for _, y in CarSpec().wheel_positions_m)
    for sim, off_track in ((drawn, False), (narrow, True)):
        beyond = (half_m + reach_m - 0.02) / half_m
        sim.place(np.array([0]), np.array([0]), np.array([0.0]), beyond)
        sim.step(commands(sim, speed_mps=0.0))
        assert (sim.control.race['status'][0] == Status.OFF_TRACK) is np.bool_(off_track)
    assert np.array_equal(drawn.images(), narrow.images())
    assert narrow.privileged()[0, 0] > drawn.privileged()[0, 0]


def test_an_ended_car_stays_where_it_is():
    sim = simulator(cars=2)
    sim.reset()
    sim.place(np.array([0]), np.array([0]), np.array([1.0]), 1.6)
    assert sim.step(commands(sim)).ended.tolist() == [True, False]
    before = sim.state[0].tobytes()
    assert not sim.step(commands(sim)).ended[0]
    assert sim.state[0].tobytes() == before


def ahead_of(s_m, ahead_m, lateral_m=0.0):
    """A box on the oval."""
    x, y, yaw = OVAL.pose_at(s_m + ahead_m, lateral_m)
    return Box(x_m=float(x), y_m=float(y), yaw_rad=float(yaw))


def serve(sim):
    """Step until some car is released; periods."""
    for count in range(1, 200):
        if sim.step(commands(sim)).released.any():
            return count
    raise AssertionError('never released')


@pytest.mark.parametrize('side', [1.0, -1.0])
def test_after_leaving_the_track_a_car_goes_on_amid_the_nearer_lane(side):
    sim = simulator(cars=1, rules=RaceRules(resets=1))
    sim.reset()
    here = np.zeros(1, dtype=np.int64)
    sim.place(here, here, np.array([1.0]), side * 1.6)
    sim.step(commands(sim))
    assert sim.control.race['status'][0] == Status.PAUSE
    at_m = sim.control.race['last_s_m'][0]
    serve(sim)
    assert sim.places['s_m'][0] == pytest.approx(at_m, abs=1e-6)
    half = sim.places['left_m' if side > 0.0 else 'right_m'][0]
    assert sim.places['lateral_m'][0] == pytest.approx(side * half / 2.0, rel=0.05)
    assert sim.state['vx_mps'][0] == 0.0
    before = sim.state['x_m'][0]
    sim.step(commands(sim))
    sim.step(commands(sim))
    assert sim.state['x_m'][0] != before


def test_after_a_crash_a_car_goes_on_a_metre_behind():
    sim = simulator(cars=1, boxes=(ahead_of(2.0, 0.3),), rules=RaceRules(resets=1))
    sim.reset()
    here = np.zeros(1, dtype=np.int64)
    sim.place(here, here, np.array([2.0]))
    sim.step(commands(sim))
    assert sim.crashed[0]
    assert sim.control.race['status'][0] == Status.PAUSE
    at_m = sim.control.race['last_s_m'][0]
    assert serve(sim) * CONTROL_PERIOD_S == pytest.approx(5.0, abs=CONTROL_PERIOD_S)
    assert sim.places['s_m'][0] == pytest.approx(at_m - PLACING_GAP_M, abs=1e-6)
    assert sim.control.race['travelled_m'][0] == pytest.approx(-PLACING_GAP_M, abs=0.05)


def test_two_cars_that_hit_each_other_both_stand_and_go_on_behind():
    sim = simulator(cars=2, cars_per_world=2, rules=RaceRules(resets=1, blame='both'))
    sim.reset()
    pair = np.arange(2)
    sim.place(pair, np.zeros(2, dtype=np.int64), np.array([3.0, 3.2]))
    sim.step(commands(sim))
    assert sim.crashed.all()
    sim.step(commands(sim))
    assert not sim.crashed.any()  # neither is in the other's way while they stand
    at_m = sim.control.race['last_s_m'].copy()
    serve(sim)
    behind = at_m - sim.places['s_m']
    assert behind[0] == pytest.approx(PLACING_GAP_M, abs=1e-6)
    assert behind[1] >= PLACING_GAP_M - 1e-6


def test_cars_out_of_the_race_are_not_in_the_way():
    sim = simulator(cars=2, cars_per_world=2)
    sim.reset()
    sim.place(np.arange(2), np.zeros(2, dtype=np.int64), np.array([3.0, 4.0]),
              np.array([0.0, 1.6]))
    assert sim.met()['is_there'].sum() == 2
    sim.step(commands(sim))
    assert sim.control.race['status'][1] == Status.OFF_TRACK
    sim.step(commands(sim))
    assert not sim.met()['is_there'][0].any()
    assert np.isposinf(sim.scans()[0]).all()


def test_cars_of_one_world_meet_and_those_of_another_do_not():
    sim = simulator(cars=4, cars_per_world=2, rules=LONG)
    sim.reset()
    sim.place(np.arange(4), np.zeros(4, dtype=np.int64), np.array([3.0, 4.0, 3.0, 9.0]))
    met = sim.met()
    assert met['is_there'].tolist() == [[False, True], [True, False]] * 2
    assert met['gap_m'][met['is_there']] == pytest.approx([1.0, -1.0, 6.0, -6.0], abs=1e-6)
    assert not met['speed_mps'].any()
    images, scans = sim.images(), sim.scans()
    assert not np.array_equal(images[0], images[2])
    assert scans[0].min() < 1.0 < scans[2].min()


def test_a_start_beside_an_obstacle_is_in_the_other_lane():
    left_lane = float(OVAL.left_m[0]) / 2.0
    sim = simulator(cars=1, boxes=(ahead_of(0.0, 0.3, left_lane), ahead_of(0.0, -0.1, left_lane)),
                    start=StartPolicy(advance=0.0, lateral=0.0))
    sim.reset()
    assert sim.places['lateral_m'][0] == pytest.approx(-float(OVAL.right_m[0]) / 2.0, rel=0.05)
    assert not sim.step(commands(sim)).ended[0]


def test_a_start_on_a_blocked_track_is_further_back():
    boxes = tuple(ahead_of(0.0, 0.3, lateral) for lateral in (-0.3, 0.0, 0.3))
    sim = simulator(cars=1, boxes=boxes, start=StartPolicy(advance=0.0))
    sim.reset()
    assert sim.places['s_m'][0] > OVAL.length_m - 2.0
    assert sim.control.race['last_s_m'][0] == sim.places['s_m'][0]
    verdict = sim.step(commands(sim))
    assert not verdict.ended[0]
    assert abs(sim.control.race['travelled_m'][0]) < 0.1


def test_a_new_episode_forgets_the_crash():
    sim = simulator(cars=1, boxes=(ahead_of(2.0, 0.1),))
    sim.reset()
    here = np.zeros(1, dtype=np.int64)
    sim.place(here, here, np.array([2.0]))
    assert sim.step(commands(sim)).ended[0]
    assert sim.crashed[0]
    sim.place(here, here, np.array([6.0]))
    assert not sim.crashed[0]


def test_walls_are_scanned_and_are_no_objects():
    sim = simulator(cars=1, boxes=wall_boxes(OVAL))
    sim.reset()
    assert np.isfinite(sim.scans()).mean() > 0.9
    assert not sim.met()['is_there'].any()
    assert not sim.has_company

@pytest.mark.parametrize(('config', 'planes'), [
    ({}, 1), ({'stereo': True}, 2), ({'rgb': True}, 3), ({'rgb': True, 'stereo': True}, 6)])
def test_images_have_a_plane_for_every_eye_and_colour(config, planes):
    sim = simulator(cars=2, **config)
    sim.reset()
    assert sim.camera_shape == (planes, 120, 160)
    images = sim.images()
    assert images.shape == (2, planes, 120, 160)
    assert images.std(axis=(2, 3)).min() > 5.0


def test_a_snow_white_sky_is_white():
    sim = simulator(sky=(255, 255, 255))
    sim.reset()
    assert (sim.images()[:, 0, 0] == 255).all()


def test_sensors_hand_out_arrays_of_their_own():
    sim = simulator()
    sim.reset()
    for sense in (sim.images, sim.scans, sim.privileged):
        first = sense()
        kept = first.copy()
        sim.step(follow(sim))
        sense()
        assert np.array_equal(first, kept)


def test_privileged_knowledge_is_of_the_order_of_one():
    sim = simulator(cars=32, tracks=(find_track('gauntlet'),), direction='both')
    sim.reset()
    for _ in range(20):
        sim.step(follow(sim, 2.0))
    known = sim.privileged()
    assert known.shape == (32, PRIVILEGED_SIZE)
    assert known.dtype == np.float32
    assert np.isfinite(known).all()
    assert np.abs(known).max() < 5.0
    half = np.where(sim.places['lateral_m'] > 0, sim.places['left_m'], sim.places['right_m'])
    assert known[:, 0] == pytest.approx(sim.places['lateral_m'] / half, rel=1e-5)


@pytest.mark.parametrize(('config', 'message'), [
    ({'cars': 0}, r'SimulatorConfig\.cars is 0; allowed: 1 to 100000'),
    ({'cars': 5, 'cars_per_world': 2}, r'cars is 5; allowed: a multiple of cars_per_world \(2\)'),
    ({'image_age_s': (0.05, 0.01)}, r'image_age_s is .*; allowed: 0 <= low <= high <= 0\.066'),
    ({'image_age_s': (0.0, 0.1)}, r'one control period'),
])
def test_a_batch_that_makes_no_sense_is_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        SimulatorConfig(**config)


def test_cars_that_share_a_world_share_the_course():
    with pytest.raises(ConfigError, match=r'2 courses for worlds that cars share; allowed: one'):
        simulator(cars=4, cars_per_world=2, direction='both')


def test_another_camera_sees_with_its_own_eyes():
    camera = dataclasses.replace(CAR.camera, width_px=80, height_px=60)
    car = dataclasses.replace(CAR, camera=camera)
    sim = Simulator(courses_of([OVAL]), car, SimulatorConfig(cars=1), 0)
    sim.reset()
    assert sim.images().shape == (1, 1, 60, 80)
