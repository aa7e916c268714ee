import math

import numpy as np
import pytest

from racer_sim.bodies import BOT_OWNER, Box, body_of, car_body
from racer_sim.driven_guests import DrivenGuests
from racer_sim.race_format import Obstacles, RaceFormat
from racer_sim.race_watch import ASK_AGAIN, RaceState, RaceWatch
from racer_sim.rules import RaceRules, Status
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.starting_grid import Pose, one_course
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

CAR = CarSpec()
COURSE = one_course('oval', 'forward')
TRACK = COURSE.track


class Car:
    """A car that is carried along the course by hand, and seen by race control."""

    def __init__(self, *, leaves=False, **rules):
        self.watch = RaceWatch(COURSE, RaceRules(**rules), CAR, leaves=leaves)
        self.s_m, self.stamp_s, self.lateral_m = 0.0, 100.0, 0.0
        self.see()

    @property
    def pose(self):
        return Pose(*map(float, TRACK.pose_at(self.s_m, self.lateral_m)))

    def see(self, pose=None):
        return self.watch.observe(pose or self.pose, self.stamp_s)

    def go(self, distance_m, *, step_m=0.12, periods=1):
        """Drive; returns the last place that race control asked for."""
        asked = None
        for _ in range(round(distance_m / step_m)):
            self.s_m += step_m
            self.stamp_s += periods * CONTROL_PERIOD_S
            asked = self.see() or asked
        return asked

    def stand(self, periods):
        asked = []
        for _ in range(periods):
            self.stamp_s += CONTROL_PERIOD_S
            asked.append(self.see())
        return asked


def test_a_run_is_prepared_until_the_car_moves():
    car = Car()
    car.stand(50)
    assert car.watch.state.status == 'prepare'
    assert car.watch.state.steps == 0
    car.go(0.12)
    assert car.watch.state.status == 'in_progress'
    assert car.watch.state.steps == 1


def test_laps_are_timed_and_the_run_ends():
    car = Car(laps=2)
    car.go(2 * TRACK.length_m + 0.5)
    state = car.watch.state
    assert state.status == 'lap_complete'
    assert state.progress_percent == 100.0
    expected = TRACK.length_m / 0.12 * CONTROL_PERIOD_S
    assert state.lap_times_s == pytest.approx((expected, expected), rel=0.02)
    assert state.lap_clean == (True, True)
    assert car.watch.line_m.shape[1] == 2


def test_a_bend_that_was_not_seen_is_not_cut():
    car = Car()
    car.go(TRACK.length_m, step_m=4.0, periods=40)
    assert car.watch.state.incidents == 0
    assert car.watch.state.progress_percent > 70.0


def test_lost_ground_truth_changes_neither_laps_nor_time():
    whole, lossy = Car(laps=2), Car(laps=2)
    whole.go(1.5 * TRACK.length_m)
    lossy.go(1.5 * TRACK.length_m, step_m=0.36, periods=3)
    assert lossy.watch.state.laps == whole.watch.state.laps == 1
    assert lossy.watch.state.time_s == pytest.approx(whole.watch.state.time_s, abs=0.2)
    assert lossy.watch.state.lap_times_s == pytest.approx(whole.watch.state.lap_times_s, rel=0.02)


def test_ground_truth_that_comes_more_often_is_judged_once_a_period():
    car = Car()
    for _ in range(100):
        car.s_m += 0.012
        car.stamp_s += CONTROL_PERIOD_S / 10
        car.see()
    assert car.watch.state.steps in {9, 10}


@pytest.mark.parametrize(('misdeed', 'status'), [
    (lambda car: setattr(car, 'lateral_m', 5.0), Status.OFF_TRACK),
    (lambda car: car.stand(20), Status.IMMOBILIZED),
    (lambda car: car.go(-2.4, step_m=-0.12), Status.REVERSED),
])
def test_an_incident_ends_a_run_without_resets(misdeed, status):
    car = Car()
    car.go(1.2)
    for lateral_m in (0.3, 0.6, 0.9):
        misdeed(car)
        car.lateral_m = min(car.lateral_m, lateral_m)
        car.go(0.12)
    assert car.watch.state.status == status.label
    assert car.watch.state.cause == status.label
    assert car.watch.state.incidents == 1


def test_with_resets_the_car_is_held_for_its_penalty_and_then_let_go():
    car = Car(laps=1, resets=3, off_track_penalty_s=1.0)
    car.go(2.4)
    before = car.watch.state.progress_percent
    car.lateral_m = 0.45
    car.go(0.12)
    car.lateral_m = 0.9
    assert car.go(0.12) is None
    state = car.watch.state
    assert (state.status, state.held, state.lifting) == ('pause', True, False)
    penalty = round(1.0 / CONTROL_PERIOD_S)
    assert car.stand(penalty) == [None] * penalty, 'it stays where it is'
    (back,) = car.stand(1)
    assert TRACK.is_on_surface((back.x_m, back.y_m))
    state = car.watch.state
    assert (state.status, state.held, state.lifting) == ('in_progress', True, True)
    car.stand(1)
    assert car.watch.state.lifting, 'it has not been put there yet'
    car.lateral_m = 0.0
    car.stand(1)
    state = car.watch.state
    assert (state.status, state.held, state.lifting) == ('in_progress', False, False)
    assert car.watch.state.progress_percent == pytest.approx(before, abs=3.0)
    car.go(TRACK.length_m - 2.0)
    assert car.watch.state.status == 'lap_complete'
    assert car.watch.state.lap_clean == (False,)
    assert car.watch.state.lap_times_s[0] > TRACK.length_m / 0.12 * CONTROL_PERIOD_S + 0.9


@pytest.mark.parametrize('leaves', [False, True])
def test_a_car_whose_run_is_over_leaves_the_track_where_others_race_on(leaves):
    car = Car(leaves=leaves)
    car.go(TRACK.length_m + 0.2)
    assert car.watch.state.status == 'lap_complete'
    assert car.watch.state.held == leaves
    car.watch.begin(0.0)
    car.s_m = 0.0
    car.stand(1)
    assert not car.watch.state.held


def test_a_reset_begins_a_new_run_where_the_car_is_put():
    car = Car(laps=3)
    car.go(5.0)
    run, start = car.watch.state.run, car.watch.begin(0.5)
    assert (car.watch.state.run, car.watch.state.status) == (run + 1, 'prepare')
    assert len(car.watch.line_m) == 0
    asked = car.stand(ASK_AGAIN)
    assert asked[-1] == start, 'it was not put there, so it is asked for again'
    assert asked[:-1] == [None] * (ASK_AGAIN - 1)
    car.s_m = TRACK.length_m / 2
    assert car.stand(3) == [None] * 3
    car.go(1.2)
    assert car.watch.state.status == 'in_progress'
    assert car.watch.state.progress_percent == pytest.approx(120.0 / TRACK.length_m, abs=0.5)


def test_a_car_that_passes_the_start_as_a_reset_comes_is_not_taken_for_placed():
    car = Car()
    car.go(1.2)
    car.watch.begin(car.s_m / TRACK.length_m)
    car.go(0.12)
    state = car.watch.state
    assert (state.status, state.lifting) == ('prepare', True), 'it is still to be lifted'
    car.s_m -= 0.12
    car.stand(1)
    assert not car.watch.state.lifting
    car.go(0.12)
    assert (car.watch.state.status, car.watch.state.steps) == ('in_progress', 1)


@pytest.mark.parametrize('meanwhile_s', [CONTROL_PERIOD_S, 60.0, -90.0])
def test_a_car_that_others_lifted_begins_a_new_run(meanwhile_s):
    car = Car(laps=3)
    car.go(5.0)
    run = car.watch.state.run
    car.s_m, car.stamp_s = 12.0 % TRACK.length_m, car.stamp_s + meanwhile_s
    car.see()
    assert (car.watch.state.run, car.watch.state.status) == (run + 1, 'prepare')


def test_it_judges_as_the_simulator_that_trains_does():
    simulator = Simulator([COURSE], CAR, SimulatorConfig(cars=1, rules=RaceRules(laps=1)), seed=3)
    simulator.place(np.array([0]), np.array([0]), np.array([0.0]))
    watch = RaceWatch(COURSE, RaceRules(laps=1), CAR)

    def see(step):
        x_m, y_m, yaw_rad = (float(simulator.state[name][0])
                             for name in ('x_m', 'y_m', 'yaw_rad'))
        return watch.observe(Pose(x_m, y_m, yaw_rad), step * CONTROL_PERIOD_S)

    see(0)
    for step in range(1, 600):
        ahead = simulator.places['s_m'][0] + 0.6
        x_m, y_m, _ = TRACK.pose_at(ahead)
        state = simulator.state[0]
        bearing = math.atan2(y_m - state['y_m'], x_m - state['x_m']) - state['yaw_rad']
        steering = math.atan2(2 * 0.164 * math.sin(bearing), 0.6)
        simulator.step(np.array([[np.clip(steering, -0.5, 0.5), 1.5]]))
        see(step)
        race = simulator.control.race[0]
        assert watch.state.status == Status(race['status']).label
        assert watch.state.steps == race['steps']
        if watch.state.status != 'in_progress':
            break
    assert watch.state.status == 'lap_complete'


def test_a_state_survives_its_way_as_text():
    state = RaceState(run=2, status='pause', lap_times_s=(7.5, 8.0), lap_clean=(True, False),
                      held=True)
    assert RaceState.from_json(state.to_json()) == state
    assert 'last 8.00 s  pause' in state.headline


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"lap_times_s": [], "lap_clean": [], "x": 1}'])
def test_text_that_is_no_state_is_refused(text):
    with pytest.raises(ConfigError, match='allowed: a JSON object'):
        RaceState.from_json(text)


BOX_AT_M = 4.0


def box(lateral_m=0.0, s_m=BOX_AT_M):
    x_m, y_m, yaw_rad = map(float, TRACK.pose_at(s_m, lateral_m))
    return np.array([body_of(Box(x_m=x_m, y_m=y_m, yaw_rad=yaw_rad))])


class Company(Car):
    """A car that race control sees together with what is around it."""

    def __init__(self, around, **rules):
        self.around = around
        super().__init__(**rules)

    def see(self, pose=None):
        return self.watch.observe(pose or self.pose, self.stamp_s, self.around)


def test_a_crash_ends_a_run_without_resets():
    car = Company(box())
    car.go(BOX_AT_M)
    assert (car.watch.state.status, car.watch.state.cause) == ('crashed', 'crashed')
    assert car.s_m < BOX_AT_M + 0.2


def test_who_passes_a_box_has_not_crashed():
    car = Company(box(0.35))
    car.go(BOX_AT_M + 1.0)
    assert car.watch.state.incidents == 0


def test_after_a_crash_the_car_is_held_for_its_penalty_behind_what_it_hit():
    car = Company(box(), resets=3, collision_penalty_s=2.0)
    assert car.go(BOX_AT_M) is None
    assert (car.watch.state.status, car.watch.state.cause) == ('pause', 'crashed')
    asked = car.stand(round(2.0 / CONTROL_PERIOD_S) + 1)
    back = next(place for place in asked if place is not None)
    assert asked.index(back) == pytest.approx(2.0 / CONTROL_PERIOD_S, abs=3)
    at = TRACK.project((back.x_m, back.y_m))
    assert BOX_AT_M - 2.2 < float(at.s_m) < BOX_AT_M - 1.0
    assert abs(float(at.lateral_m)) > 0.1, 'amid a lane'
    car.s_m, car.lateral_m = float(at.s_m), float(at.lateral_m)
    assert car.stand(1) == [None]
    assert (car.watch.state.status, car.watch.state.held) == ('in_progress', False)
    assert car.watch.state.incidents == 1


def test_by_mercy_the_car_is_put_past_what_it_hits_time_and_again():
    car = Company(box(), resets=9, collision_penalty_s=0.2, mercy_crashes=2)
    places_m = []
    for _ in range(2):
        while not car.watch.state.held:
            car.go(0.12)
        back = next(place for place in car.stand(6) if place is not None)
        at = TRACK.project((back.x_m, back.y_m))
        places_m.append(float(at.s_m))
        car.s_m, car.lateral_m = places_m[-1], float(at.lateral_m)
        car.stand(1)
        car.lateral_m = 0.0
    assert places_m[0] < BOX_AT_M < places_m[1]


def test_a_bot_that_runs_into_the_car_is_to_blame_and_not_the_car():
    bot = np.array([car_body(CAR, BOT_OWNER, (0, 0, 0))])

    def around(s_m):
        bot['x_m'], bot['y_m'], bot['yaw_rad'] = map(float, TRACK.pose_at(s_m))
        return bot.copy()

    for blame, expected in (('striker', 'in_progress'), ('both', 'crashed')):
        car = Company(around(0.0), blame=blame)
        car.go(1.2, step_m=0.12)
        for s_m in np.arange(0.7, 1.2, 0.05):
            car.around = around(s_m)
            car.go(0.01, step_m=0.01)
        assert car.watch.state.status == expected, blame
    car = Company(around(1.5))
    car.go(1.5)
    assert car.watch.state.status == 'crashed', 'the other way round'


def test_whom_the_car_passes_is_counted_and_who_passes_it_counts_back():
    def around(*places):
        found = np.array([car_body(CAR, owner, (0, 0, 0)) if owner else box()[0]
                          for owner, _, _ in places])
        for body, (_, s_m, lateral_m) in zip(found, places, strict=True):
            body['x_m'], body['y_m'], body['yaw_rad'] = map(float,
                                                            TRACK.pose_at(s_m, lateral_m))
        return found

    car = Company(around((BOT_OWNER, 2.0, 0.3), (1, 3.0, 0.3), (0, 2.5, 0.3)))
    car.lateral_m = -0.3
    car.go(2.4)
    assert car.watch.state.passed == 1
    car.go(1.2)
    assert car.watch.state.passed == 2, 'a box is not passed'
    car.around = around((BOT_OWNER, 2.0, 0.3), (1, 4.4, 0.3), (0, 2.5, 0.3))
    car.stand(1)
    assert car.watch.state.passed == 1
    car.around = car.around[:2]
    car.go(0.12)
    assert car.watch.state.passed == 1, 'whoever leaves the track passes nobody'
    car.watch.begin(0.0)
    assert car.watch.state.passed == 0


def test_it_judges_crashes_as_the_simulator_that_trains_does():
    race = RaceFormat(obstacles=Obstacles(count=1, places=((0.1, 1),)))
    simulator = Simulator([COURSE], CAR, SimulatorConfig(
        cars=1, rules=RaceRules(laps=1), race=race), seed=3)
    half_m = float(TRACK.left_m[0])
    simulator.place(np.array([0]), np.array([0]), np.array([0.0]), 0.5)
    guests = DrivenGuests(race, COURSE, CAR, 0, Pose(0.0, 0.0, 0.0))
    watch = RaceWatch(COURSE, RaceRules(laps=1), CAR)
    for step in range(200):
        state = simulator.state[0]
        watch.observe(Pose(*(float(state[name]) for name in ('x_m', 'y_m', 'yaw_rad'))),
                      step * CONTROL_PERIOD_S, guests.bodies)
        if step:
            assert watch.state.status == Status(simulator.control.race[0]['status']).label
        if watch.state.status == 'crashed':
            break
        x_m, y_m, _ = TRACK.pose_at(simulator.places['s_m'][0] + 0.6, 0.5 * half_m)
        bearing = math.atan2(y_m - state['y_m'], x_m - state['x_m']) - state['yaw_rad']
        steering = math.atan2(2 * 0.164 * math.sin(bearing), 0.6)
        simulator.step(np.array([[np.clip(steering, -0.5, 0.5), 1.5]]))
    assert watch.state.status == 'crashed'
