"""Boxes, bots and other cars: where they are, what they do, and who is to blame."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_sim.bots import ROOM_M, STOP_M, BotFleet
from racer_sim.courses import CourseGeometry, courses_of
from racer_sim.encounters import TOLD, TOLD_SIZE
from racer_sim.obstacle_places import CLEAR_M, draw_places, obstacle_boxes, require_room
from racer_sim.privileged import PRIVILEGED_SIZE
from racer_sim.race_format import Bots, Obstacles, RaceFormat, RaceType
from racer_sim.rules import RaceRules, Status
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

OVAL, NEEDLE = find_track('oval'), find_track('needle')
COURSE = courses_of([OVAL])[0]
LONG = RaceRules(patience_steps=10_000, time_limit_s=1e6)
BOXES = RaceFormat(obstacles=Obstacles(count=3))


def race_of(race, *, cars=1, seed=0, tracks=(OVAL,), **config):
    config.setdefault('rules', LONG)
    return Simulator(courses_of(tracks), CarSpec(), SimulatorConfig(
        cars=cars, cars_per_world=race.cars, race=race, **config), seed)


def put(sim, car, s_m, lateral=0.0, speed_mps=0.0):
    one = np.array([car])
    sim.place(one, np.zeros(1, dtype=np.int64), np.array([s_m]), lateral)
    sim.state['vx_mps'][car] = speed_mps


def cruise(sim, speed_mps, offset_m=0.0):
    """Commands that keep every car beside the centre line, `offset_m` to the left of it."""
    steering = (1.5 * (offset_m - sim.places['lateral_m'])
                - 1.5 * sim.places['heading_error_rad'])
    return np.column_stack((np.clip(steering, -0.5, 0.5), np.broadcast_to(speed_mps,
                                                                          len(steering))))


def box_places(sim):
    """Arc lengths and offsets of the boxes of the first car's world."""
    met = sim.met()[0]
    return met['s_m'], met['lateral_m']


def gaps(s_m, length_m):
    """Between neighbours, all the way round."""
    ordered = np.sort(s_m)
    return np.diff(ordered, append=ordered[0] + length_m)


@given(count=st.integers(1, 6), gap_m=st.floats(0.5, 3.0), spare_m=st.floats(0.0, 40.0),
       car=st.floats(0.0, 1.0, exclude_max=True), seed=st.integers(0, 2**32))
def test_drawn_places_keep_their_distances_whatever_the_lap(count, gap_m, spare_m, car, seed):
    length_m = 2.0 * max(CLEAR_M, gap_m / 2.0) + (count - 1) * gap_m + spare_m
    s_m, lanes = draw_places(count, gap_m, length_m, car * length_m,
                             np.random.default_rng(seed))
    assert ((s_m >= 0.0) & (s_m < length_m)).all()
    assert set(lanes.tolist()) <= {-1, 1}
    if count > 1:
        assert gaps(s_m, length_m).min() >= gap_m - 1e-6
    away_m = np.abs((s_m - car * length_m + length_m / 2.0) % length_m - length_m / 2.0)
    assert away_m.min() >= CLEAR_M - 1e-6


def test_drawn_places_use_all_of_the_lap_and_both_lanes():
    random = np.random.default_rng(5)
    drawn = [draw_places(3, 2.0, OVAL.length_m, 0.0, random) for _ in range(400)]
    s_m = np.concatenate([each for each, _ in drawn])
    share = np.histogram(s_m, bins=5, range=(CLEAR_M, OVAL.length_m - CLEAR_M))[0] / len(s_m)
    assert share == pytest.approx(np.full(5, 0.2), abs=0.05)
    assert np.mean(np.concatenate([lanes for _, lanes in drawn])) == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(('what', 'words'), [
    (Obstacles(count=6, min_gap_m=4.0), r'6 obstacles or bots 4 m apart need 24.0 m'),
    (Bots(count=4, min_gap_m=5.0), r'4 obstacles or bots 5 m apart need 20.0 m'),
    (Obstacles(count=2, places=((0.98, 1), (0.02, 1))), r'would stand 0.69 m apart'),
])
def test_what_does_not_fit_is_refused_with_the_figures(what, words):
    with pytest.raises(ConfigError, match=words):
        require_room(what, OVAL.length_m, OVAL.name)


def test_the_least_distance_is_in_metres_on_every_track():
    sim = race_of(RaceFormat(obstacles=Obstacles(count=6, min_gap_m=2.5)), cars=2,
                  tracks=(OVAL, NEEDLE))
    for _ in range(30):
        sim.reset()
        for car in range(2):
            assert gaps(sim.met()[car]['s_m'], sim.length_m[car]).min() >= 2.5 - 0.05


@pytest.mark.parametrize('reverse', [False, True])
def test_boxes_stand_amid_their_lanes_along_the_course(reverse):
    course = courses_of([NEEDLE], 'reverse' if reverse else 'forward')[0]
    boxes = obstacle_boxes(course, np.array([5.0, 12.0]), np.array([1, -1]))
    at = course.track.project([(box.x_m, box.y_m) for box in boxes])
    assert at.s_m == pytest.approx([5.0, 12.0], abs=0.05)
    half_m = course.track.left_m[at.segment[0]], course.track.right_m[at.segment[1]]
    assert at.lateral_m == pytest.approx([half_m[0] / 2.0, -half_m[1] / 2.0], abs=0.02)
    assert [box.yaw_rad for box in boxes] == pytest.approx(at.heading_rad, abs=1e-9)


def test_boxes_at_named_places_stay_and_others_move_from_lap_to_lap():
    for places, moves in (((), True), (((0.3, 1), (0.6, -1), (0.8, 1)), False)):
        sim = race_of(RaceFormat(obstacles=Obstacles(count=3, places=places)),
                      rules=dataclasses.replace(LONG, laps=3, resets=100))
        sim.reset()
        before = box_places(sim)[0]
        sim.move_obstacles(np.array([0]))
        assert (not np.allclose(before, box_places(sim)[0])) is moves
    assert before == pytest.approx([0.3 * OVAL.length_m, 0.6 * OVAL.length_m,
                                    0.8 * OVAL.length_m], abs=0.05)


def test_a_completed_lap_moves_the_boxes_away_from_the_car():
    sim = race_of(BOXES, rules=dataclasses.replace(LONG, laps=2, resets=100,
                                                   collision_penalty_s=0.0))
    put(sim, 0, 1.0)
    before = box_places(sim)[0]
    sim.control.race['travelled_m'] = OVAL.length_m - 0.2
    for _ in range(12):
        verdict = sim.step(cruise(sim, 1.0))
        if verdict.laps:
            break
        assert np.array_equal(before, box_places(sim)[0])
    assert verdict.laps
    after = sim.met()[0]
    assert not np.allclose(np.sort(before), np.sort(after['s_m']))
    assert np.abs(after['gap_m']).min() >= CLEAR_M - 0.05


def test_boxes_are_seen_scanned_and_hit():
    sim = race_of(RaceFormat(obstacles=Obstacles(count=1, places=((0.1, 1),))),
                  rules=dataclasses.replace(LONG, resets=5))
    clear = race_of(RaceFormat())
    at_m = 0.1 * OVAL.length_m
    for each in (sim, clear):
        put(each, 0, at_m - 1.0)
    assert not np.array_equal(sim.images(), clear.images())
    assert sim.scans()[0].min() < 1.1 < clear.scans()[0].min()
    for _ in range(30):
        verdict = sim.step(cruise(sim, 1.0, float(OVAL.left_m[0]) / 2.0))
        if sim.crashed[0]:
            break
    assert sim.control.race['cause'][0] == Status.CRASHED
    assert not verdict.ended[0]


def test_mercy_puts_a_car_past_what_it_hits_time_and_again():
    sim = race_of(RaceFormat(obstacles=Obstacles(count=1, places=((0.5, -1),))),
                  rules=dataclasses.replace(LONG, resets=50, mercy_crashes=3))
    box_m = 0.5 * OVAL.length_m
    put(sim, 0, box_m - 1.0, -0.5)
    for _ in range(1500):
        sim.step(cruise(sim, 1.0, -float(OVAL.right_m[0]) / 2.0))
        if sim.places['s_m'][0] > box_m + 0.4:
            break
    assert sim.control.race['incidents'][0] == 3
    assert sim.control.race['crashes_here'][0] == 3
    assert sim.places['s_m'][0] > box_m + 0.4


def bots_of(**changes):
    return RaceFormat(bots=Bots(**{'count': 1, 'slowest_mps': 0.5, 'fastest_mps': 0.5, **changes}))


def test_a_bot_keeps_its_lane_and_its_speed():
    sim = race_of(bots_of())
    sim.reset()
    begin = sim.met()[0, 0]
    steps = 200
    for _ in range(steps):
        sim.move(np.zeros((1, 2)))
    end = sim.met()[0, 0]
    driven_m = (end['s_m'] - begin['s_m']) % OVAL.length_m
    assert driven_m == pytest.approx(0.5 * steps * CONTROL_PERIOD_S, rel=0.02)
    assert end['lateral_m'] == pytest.approx(begin['lateral_m'], abs=0.03)
    assert end['speed_mps'] == 0.5
    assert end['moves']


def test_a_speed_is_drawn_for_a_run_and_bots_never_meet_each_other():
    sim = race_of(bots_of(count=4, slowest_mps=0.2, fastest_mps=1.5, changes_lanes=True), cars=3)
    sim.reset()
    put(sim, 0, 2.0)
    speeds = sim.met()['speed_mps']
    assert ((speeds >= 0.2) & (speeds <= 1.5)).all()
    assert [len(set(world.tolist())) for world in speeds] == [1, 1, 1]
    assert len(set(speeds.ravel().tolist())) == 3
    lanes = set()
    for _ in range(900):
        sim.move(np.zeros((3, 2)))
        met = sim.met()
        lanes |= set(np.sign(met['lateral_m'][0]).tolist())
        for world in met:
            places = np.column_stack((world['x_m'], world['y_m']))
            apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
            assert apart[~np.eye(4, dtype=bool)].min() > CarSpec().width_m
    assert lanes == {-1.0, 1.0}


def test_steady_bots_keep_their_lane_where_others_change():
    sim = race_of(bots_of(changes_lanes=True, steady_share=0.5, change_after_s=(0.1, 0.2)),
                  cars=40)
    sim.reset()
    before = np.sign(sim.met()['lateral_m'][:, 0])
    kept = np.ones(40, dtype=bool)
    for _ in range(80):
        sim.move(np.zeros((40, 2)))
        kept &= np.sign(sim.met()['lateral_m'][:, 0]) == before
    assert 8 < kept.sum() < 32


def test_a_bot_stops_behind_a_car_in_its_lane_and_goes_on_when_it_has_gone():
    sim = race_of(bots_of())
    sim.reset()
    bot = sim.met()[0, 0]
    put(sim, 0, bot['s_m'] + 2.0, 0.5 * math.copysign(1.0, bot['lateral_m']))
    # A new run: the bot has another place.
    bot = sim.met()[0, 0]
    ahead_m = (bot['s_m'] + 1.0) % OVAL.length_m
    lateral = 0.5 * math.copysign(1.0, bot['lateral_m'])
    sim._set_down(np.array([0]), np.array([ahead_m]), lateral, 0.0)
    for _ in range(60):
        sim.move(np.zeros((1, 2)))
    assert sim.met()[0, 0]['speed_mps'] == 0.0
    assert sim.met()[0, 0]['gap_m'] == pytest.approx(-STOP_M, abs=0.05)
    sim._set_down(np.array([0]), np.array([ahead_m + 5.0]), lateral, 0.0)
    sim.move(np.zeros((1, 2)))
    assert sim.met()[0, 0]['speed_mps'] == 0.5


def test_a_bot_changes_lanes_only_where_there_is_room():
    geometry = CourseGeometry.of([COURSE])
    random = np.random.default_rng(0)
    fleet = BotFleet(Bots(count=1, changes_lanes=True, change_after_s=(0.1, 0.1)), 1, geometry)
    fleet.start(0, 0, 0.0, random)
    lane = fleet.state['lane'][0, 0]
    sim = race_of(RaceFormat())
    sim.reset()
    everyone = np.ones(1, dtype=np.bool_)
    for beside in (True, False):
        for _ in range(40):
            # A car beside it, in the other lane, for as long as it likes.
            here = sim.places.copy()
            here['s_m'] = fleet.state['s_m'][0, 0] + (0.0 if beside else 2.0 * ROOM_M)
            here['lateral_m'] = -fleet.state['lateral'][0, 0] * here['left_m']
            fleet.step(np.zeros(1, dtype=np.int64), here, everyone, random)
            if beside:
                assert fleet.state['lane'][0, 0] == lane
        changed = fleet.state['lane'][0, 0] != lane or fleet.state['changed_m'][0, 0] < 1.0
        assert changed is not beside


def test_overtaking_counts_and_being_overtaken_counts_back():
    sim = race_of(bots_of(slowest_mps=0.3, fastest_mps=0.3))
    sim.reset()
    bot = sim.met()[0, 0]
    side = -0.25 * math.copysign(1.0, bot['lateral_m'])
    sim._set_down(np.array([0]), np.array([bot['s_m'] - 1.0]), side, 0.0)
    for _ in range(60):
        sim.step(cruise(sim, 1.2, side))
    assert sim.overtakes.count.tolist() == [1]
    for _ in range(150):
        sim.move(np.zeros((1, 2)))
    assert sim.overtakes.count.tolist() == [0]
    sim.reset()
    assert sim.overtakes.count.tolist() == [0]


def pair(blame='striker', resets=3):
    return race_of(RaceFormat(cars=2), cars=2, rules=dataclasses.replace(
        LONG, resets=resets, blame=blame))


def drive_until_hit(sim, speeds, offsets=(0.0, 0.0), steps=40):
    for _ in range(steps):
        sim.step(cruise(sim, np.array(speeds), np.array(offsets)))
        if sim.crashed.any():
            return sim.crashed.tolist()
    raise AssertionError('they never met')


def test_who_drives_into_a_car_from_behind_is_to_blame():
    sim = pair()
    sim.reset()
    put(sim, 0, 3.0)
    put(sim, 1, 4.0)
    assert drive_until_hit(sim, (1.5, 0.5)) == [True, False]
    assert sim.control.race['status'].tolist() == [Status.PAUSE, Status.IN_PROGRESS]
    assert sim.control.race['clean'].tolist() == [False, True]


def test_both_are_to_blame_where_the_rules_say_so_and_where_they_meet_halfway():
    sim = pair('both')
    sim.reset()
    put(sim, 0, 3.0)
    put(sim, 1, 4.0)
    assert drive_until_hit(sim, (1.5, 0.5)) == [True, True]
    sim = pair()
    sim.reset()
    put(sim, 0, 3.0)
    sim.set_pose(np.array([1]), *(float(v) for v in OVAL.pose_at(4.5, 0.0)[:2]),
                 float(OVAL.pose_at(4.5)[2]) + math.pi)
    for _ in range(40):
        sim.step(np.tile((0.0, 1.0), (2, 1)))
        if sim.crashed.any():
            break
    assert sim.crashed.tolist() == [True, True]


def test_who_turns_into_a_car_beside_it_is_to_blame():
    sim = pair()
    sim.reset()
    put(sim, 0, 3.0, 0.5)
    put(sim, 1, 3.05, -0.5)
    assert drive_until_hit(sim, (1.0, 1.0), (0.25, 0.3)) == [False, True]


def test_a_car_that_hits_a_bot_is_to_blame():
    sim = race_of(bots_of(), rules=dataclasses.replace(LONG, resets=3))
    sim.reset()
    bot = sim.met()[0, 0]
    lateral = 0.5 * math.copysign(1.0, bot['lateral_m'])
    sim._set_down(np.array([0]), np.array([bot['s_m'] - 0.8]), lateral, 0.0)
    for _ in range(40):
        sim.step(cruise(sim, 1.5, bot['lateral_m']))
        if sim.crashed[0]:
            break
    assert sim.control.race['cause'][0] == Status.CRASHED


def test_the_privileged_observation_tells_of_what_is_near():
    sim = race_of(RaceFormat(obstacles=Obstacles(count=3, places=(
        (0.2, 1), (0.35, -1), (0.5, 1)))))
    put(sim, 0, 0.2 * OVAL.length_m - 2.0)
    known = sim.privileged()
    assert known.shape == (1, sim.privileged_size) == (1, PRIVILEGED_SIZE + TOLD_SIZE)
    near, beside, closing = known[0, PRIVILEGED_SIZE:PRIVILEGED_SIZE + 3]
    assert (near, beside, closing) == pytest.approx((0.5, 0.5, 0.0), abs=0.03)
    assert known[0, PRIVILEGED_SIZE + 3:].tolist() == [0.0] * (TOLD_SIZE - 3)
    sim._set_down(np.array([0]), np.array([0.2 * OVAL.length_m + 0.6]), 0.0, 0.0)
    sim.move(np.zeros((1, 2)))
    told = sim.privileged()[0, PRIVILEGED_SIZE:].reshape(TOLD + 1, 3)
    assert told[0, 0] == pytest.approx(1.0 - (0.15 * OVAL.length_m - 0.6) / 4.0, abs=0.02)
    assert told[0, 1] < 0.0 < told[2, 1]
    assert told[2, 0] == pytest.approx(1.0 - 0.6 / 4.0, abs=0.02)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), kind=st.sampled_from([
    BOXES, bots_of(count=3, changes_lanes=True, slowest_mps=0.2), RaceFormat(cars=4)]))
def test_a_race_continues_from_a_snapshot_bit_for_bit(seed, kind):
    rules = dataclasses.replace(LONG, laps=2, resets=50, collision_penalty_s=1.0)
    sim, other = (race_of(kind, cars=4, seed=number, rules=rules) for number in (seed, seed + 1))
    sim.reset()
    other.reset()
    for _ in range(20):
        sim.step(cruise(sim, 1.5))
    other.restore(sim.snapshot())
    for _ in range(60):
        for each in (sim, other):
            each.step(cruise(each, 1.5))
    for array, same in zip(sim.snapshot().values(), other.snapshot().values(), strict=True):
        if isinstance(array, np.ndarray):
            assert array.tobytes() == same.tobytes()
    assert np.array_equal(sim.images(), other.images())


@pytest.mark.parametrize(('race', 'kind'), [
    (RaceFormat(), RaceType.TIME_TRIAL), (BOXES, RaceType.OBJECT_AVOIDANCE),
    (bots_of(), RaceType.HEAD_TO_BOT), (RaceFormat(cars=8), RaceType.HEAD_TO_HEAD)])
def test_a_format_is_called_by_what_is_in_it(race, kind):
    assert race.type is kind
    assert race.has_company is (kind is not RaceType.TIME_TRIAL)


@pytest.mark.parametrize(('make', 'words'), [
    (lambda: RaceFormat(cars=2, bots=Bots(count=1)), 'several cars, or one with either'),
    (lambda: RaceFormat(cars=9), r'RaceFormat.cars is 9; allowed: 1'),
    (lambda: Obstacles(count=2, places=((0.1, 1),)), 'places name 1 obstacles and count is 2'),
    (lambda: Obstacles(count=1, places=((1.0, 1),)), 'share of the lap from 0 to below 1'),
    (lambda: Bots(count=1, slowest_mps=0.6), 'slowest_mps is 0.6'),
    (lambda: Bots(count=1, change_after_s=(3.0, 1.0)), 'change_after_s'),
    (lambda: race_of(RaceFormat(cars=2), cars=3), r'cars is 3; allowed: a multiple'),
    (lambda: SimulatorConfig(cars=2, race=RaceFormat(cars=2)), 'cars_per_world is 1'),
    (lambda: RaceRules(blame='nobody'), 'blame is .nobody.; allowed: striker, both'),
])
def test_formats_that_make_no_sense_are_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
