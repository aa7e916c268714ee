import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_sim.rules import RaceControl, RaceRules, Status
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_S

LENGTH_M = 10.0


class Race:
    """One car on a course of ten metres, moved by hand."""

    def __init__(self, start_m=0.0, **rules):
        self.control = RaceControl(1, RaceRules(**rules))
        self.control.start(np.array([0]), np.array([start_m]))
        self.s_m = start_m
        self.laps = []

    def move(self, along_m, *, off_track=False, crashed=False, moved_m=None):
        """One control period; returns the verdict."""
        self.s_m = (self.s_m + along_m) % LENGTH_M
        verdict = self.control.update(
            np.array([self.s_m]), np.array([LENGTH_M]),
            np.array([abs(along_m) if moved_m is None else moved_m]),
            np.array([off_track]), np.array([crashed]))
        self.laps += verdict.laps
        return verdict

    @property
    def status(self):
        return Status(self.control.race['status'][0])

    @property
    def progress(self):
        return self.control.progress_percent(np.array([LENGTH_M]))[0]


def test_statuses_are_named_as_in_the_logs():
    assert [status.label for status in Status] == [
        'prepare', 'in_progress', 'lap_complete', 'crashed', 'off_track', 'immobilized',
        'reversed', 'time_up', 'pause', 'park']


def test_a_car_drives_only_while_its_race_runs():
    control = RaceControl(2, RaceRules())
    assert control.frozen.tolist() == [True, True]
    control.start(np.array([1]), np.array([0.0]))
    assert control.frozen.tolist() == [True, False]


def test_standing_for_fifteen_steps_immobilizes():
    race = Race()
    for _ in range(14):
        assert not race.move(0.0003).ended[0]
    assert race.move(0.0003).ended[0]
    assert race.status is Status.IMMOBILIZED


def test_a_hair_more_is_motion():
    race = Race()
    for _ in range(40):
        assert not race.move(0.000301).ended[0]


def test_one_moving_step_restarts_patience():
    race = Race()
    for _ in range(14):
        race.move(0.0)
    race.move(0.1)
    for _ in range(14):
        assert not race.move(0.0).ended[0]
    assert race.move(0.0).ended[0]


def test_falling_progress_for_fifteen_steps_is_reversed():
    race = Race(start_m=5.0)
    for _ in range(14):
        assert not race.move(-0.1).ended[0]
    assert race.move(-0.1).ended[0]
    assert race.status is Status.REVERSED


def test_one_forward_step_restarts_the_count_of_backward_ones():
    race = Race(start_m=5.0)
    for _ in range(14):
        race.move(-0.1)
    race.move(0.1)
    for _ in range(14):
        assert not race.move(-0.1).ended[0]
    assert race.move(-0.1).ended[0]


def test_off_track_and_crashed_end_the_run_at_once():
    for given_, status in (({'off_track': True}, Status.OFF_TRACK),
                           ({'crashed': True}, Status.CRASHED),
                           ({'off_track': True, 'crashed': True}, Status.CRASHED)):
        race = Race()
        assert race.move(0.1, **given_).ended[0]
        assert race.status is status


def test_the_clock_ends_the_run_in_its_last_step():
    race = Race(time_limit_s=10 * CONTROL_PERIOD_S)
    for _ in range(9):
        assert not race.move(0.1).ended[0]
    assert race.move(0.1).ended[0]
    assert race.status is Status.TIME_UP


def test_an_incident_in_the_last_step_is_not_excused_by_the_clock():
    race = Race(time_limit_s=2 * CONTROL_PERIOD_S)
    race.move(0.1)
    race.move(0.1, off_track=True)
    assert race.status is Status.OFF_TRACK


def test_an_ended_run_is_judged_no_more():
    race = Race()
    race.move(0.1, off_track=True)
    before = race.control.race.copy()
    verdict = race.move(3.0, crashed=True)
    assert not verdict.ended[0]
    assert race.control.race['status'][0] == Status.OFF_TRACK
    assert race.control.race['steps'][0] == before['steps'][0]
    assert race.control.race['travelled_m'][0] == before['travelled_m'][0]


@pytest.mark.parametrize('start_m', [0.0, 3.0, 9.9])
def test_a_lap_is_timed_between_the_steps(start_m):
    race = Race(start_m=start_m)
    for _ in range(24):
        assert not race.move(0.4).ended[0]
    assert race.move(0.8).ended[0]  # from 9.6 to 10.4: half of the period
    assert race.status is Status.LAP_COMPLETE
    lap, = race.laps
    assert (lap.car, lap.number, lap.clean) == (0, 1, True)
    assert lap.time_s == pytest.approx(24.5 * CONTROL_PERIOD_S)
    assert race.progress == 100.0


def test_lap_times_of_a_race_add_up():
    race = Race(laps=3)
    while not race.move(0.37).ended[0]:
        assert race.progress < 100.0
    assert [lap.number for lap in race.laps] == [1, 2, 3]
    for lap in race.laps:
        assert lap.time_s == pytest.approx(LENGTH_M / 0.37 * CONTROL_PERIOD_S)


def test_progress_is_the_share_since_the_start():
    race = Race(start_m=8.0)
    for expected in (10.0, 20.0, 30.0, 40.0):  # across the line at 20
        race.move(1.0)
        assert race.progress == pytest.approx(expected)
    for expected in (30.0, 20.0, 10.0, 0.0, 0.0, 0.0):
        race.move(-1.0)
        assert race.progress == pytest.approx(expected)


def test_the_line_backwards_and_again_forwards_is_no_lap():
    race = Race(start_m=0.5)
    for step in (-0.4, -0.4, -0.4, 0.4, 0.4, 0.4, 0.4):
        assert not race.move(step).ended[0]
    assert race.laps == []
    assert race.progress == pytest.approx(4.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1.0, 0.0), min_size=1, max_size=14), st.floats(0.0, 9.99))
def test_driving_backwards_earns_nothing(steps, start_m):
    race = Race(start_m=start_m)
    for step in steps:
        race.move(step)
        assert race.progress == 0.0
    assert race.laps == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=30))
def test_progress_is_the_net_distance(steps):
    race = Race(laps=100, patience_steps=1000)
    for step in steps:
        race.move(step)
    assert race.control.race['travelled_m'][0] == pytest.approx(sum(steps), abs=1e-9)


def test_backward_is_remembered_while_standing():
    race = Race(start_m=5.0)
    race.move(-0.1)
    race.move(0.0)
    assert race.control.race['backward'][0]
    race.move(0.1)
    assert not race.control.race['backward'][0]


def serve(race):
    """Periods of standing until the car is released."""
    for count in range(1, 200):
        if race.move(0.0).released[0]:
            return count
    raise AssertionError('never released')


@pytest.mark.parametrize(('incident', 'penalty_s'), [('off_track', 2.0), ('crashed', 5.0)])
def test_a_penalty_stands_its_time_and_the_clock_runs(incident, penalty_s):
    race = Race(resets=1)
    race.move(0.1)
    verdict = race.move(0.1, **{incident: True})
    assert not verdict.ended[0]
    assert race.status is Status.PAUSE
    assert race.control.frozen[0]
    periods = serve(race)
    assert (periods - 1) * CONTROL_PERIOD_S < penalty_s <= periods * CONTROL_PERIOD_S + 1e-9
    assert race.control.race['time_s'][0] == pytest.approx((2 + periods) * CONTROL_PERIOD_S)
    assert race.status is Status.IN_PROGRESS
    assert race.control.race['incidents'][0] == 1


def test_only_so_many_incidents_are_forgiven():
    race = Race(resets=2)
    for _ in range(2):
        assert not race.move(0.1, off_track=True).ended[0]
        serve(race)
    assert race.move(0.1, off_track=True).ended[0]
    assert race.status is Status.OFF_TRACK


def test_patience_starts_afresh_after_a_penalty():
    race = Race(resets=5)
    for _ in range(15):
        race.move(0.0)
    assert race.status is Status.PAUSE
    serve(race)
    for _ in range(14):
        race.move(0.0)
        assert race.status is Status.IN_PROGRESS


def test_the_clock_may_run_out_during_a_penalty():
    race = Race(resets=1, time_limit_s=1.0)
    race.move(0.1, crashed=True)
    while not race.move(0.0).ended[0]:
        pass
    assert race.status is Status.TIME_UP
    assert race.control.race['time_s'][0] == pytest.approx(1.0, abs=CONTROL_PERIOD_S)


def test_a_lap_with_an_incident_is_not_clean_and_the_next_one_is():
    race = Race(laps=2, resets=1)
    race.move(0.4, off_track=True)
    serve(race)
    while not race.move(0.4).ended[0]:
        pass
    assert [lap.clean for lap in race.laps] == [False, True]
    assert race.laps[0].time_s > race.laps[1].time_s + 2.0


def test_being_put_back_costs_the_distance_also_across_the_line():
    race = Race(start_m=9.5)
    race.move(1.0)
    race.control.put_back(np.array([0]), np.array([9.5]), np.array([LENGTH_M]))
    assert race.progress == pytest.approx(0.0)
    race.s_m = 9.5
    race.move(1.0)
    assert race.progress == pytest.approx(10.0)


@pytest.mark.parametrize(('field', 'value'), [
    ('laps', 0), ('time_limit_s', 0.0), ('resets', -1), ('collision_penalty_s', float('nan')),
    ('patience_steps', 0), ('still_m', -0.1),
])
def test_rules_that_make_no_sense_are_refused(field, value):
    with pytest.raises(ConfigError, match=rf'RaceRules\.{field} is .*; allowed: '):
        RaceRules(**{field: value})
