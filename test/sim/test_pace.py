import numpy as np
import pytest

from racer_sim.pace import LockStep, RealTime
from racer_vehicle.errors import ConfigError
from racer_vehicle.signals import DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S

LEFT = DriveCommand(steering_rad=0.2, speed_mps=1.5)
RIGHT = DriveCommand(steering_rad=-0.1, speed_mps=1.0)
PERIOD_NS = 66_000_000


@pytest.fixture
def pace():
    """Two cars whose first images are out."""
    pace = LockStep(2)
    pace.offer(0, 0, now_s=100.0)
    pace.offer(1, 0, now_s=100.0)
    return pace


def test_a_period_needs_a_command_for_every_car(pace):
    assert not pace.accept(0, LEFT, 0, 100.1)
    assert pace.accept(1, RIGHT, 0, 100.1)
    commands, after_s = pace.commands()
    assert commands.tolist() == [[0.2, 1.5], [-0.1, 1.0]]
    assert after_s is None, 'the simulator draws the image age, as in training'
    assert pace.ignored == 0


def test_nothing_is_driven_before_the_first_image_or_by_the_clock():
    pace = LockStep(1)
    assert not pace.accept(0, LEFT, 0, 1.0)
    assert not pace.tick(1e9)


def test_commands_on_older_images_and_second_ones_are_ignored_and_counted(pace):
    pace.accept(0, LEFT, 0, 100.1)
    pace.accept(0, RIGHT, 0, 100.1)
    pace.offer(0, PERIOD_NS, now_s=100.1)
    pace.accept(0, LEFT, 0, 100.1)
    assert pace.ignored == 2
    pace.accept(0, RIGHT, PERIOD_NS, 100.2)
    assert pace.accept(1, LEFT, 0, 100.2)
    assert pace.commands()[0].tolist() == [[-0.1, 1.0], [0.2, 1.5]]


def test_a_stamp_survives_its_way_through_seconds():
    pace, stamp_ns = LockStep(1), 123_456 * PERIOD_NS
    pace.offer(0, stamp_ns, now_s=100.1)
    assert pace.accept(0, LEFT, round(np.float64(stamp_ns / 1e9) * 1e9) + 1, 100.2)


def test_offering_the_same_image_again_keeps_a_command_that_came(pace):
    pace.accept(0, LEFT, 0, 100.1)
    pace.offer(0, 0, now_s=100.5)
    assert pace.accept(1, RIGHT, 0, 100.5)


def test_a_lifted_car_must_be_commanded_on_what_it_sees_now(pace):
    pace.accept(0, LEFT, 0, 100.1)
    assert pace.forget(0), 'it must be shown where it is, or nothing goes on'
    pace.offer(0, 1_000_000, now_s=100.1)
    assert not pace.accept(1, RIGHT, 0, 100.1)
    assert pace.accept(0, LEFT, 1_000_000, 100.1)


def test_lost_messages_are_noticed_for_the_car_that_is_waited_for(pace):
    pace.accept(0, LEFT, 0, 100.1)
    assert pace.overdue(100.4) == ()
    assert pace.overdue(100.6) == (1,)
    assert LockStep(1).overdue(1e9) == (), 'nothing was offered yet'


def test_a_period_waits_for_race_control_once_that_has_spoken(pace):
    assert not pace.judge(0, 0, settled=True)
    pace.accept(0, LEFT, 0, 100.1)
    assert pace.accept(1, RIGHT, 0, 100.1), 'the other car has none'
    for car in (0, 1):
        pace.offer(car, PERIOD_NS, now_s=100.2)
    pace.accept(1, RIGHT, PERIOD_NS, 100.2)
    assert not pace.accept(0, LEFT, PERIOD_NS, 100.2)
    assert not pace.judge(0, 0, settled=True), 'it has said so before'
    assert pace.overdue(100.8) == (0,), 'ground truth that was lost is sent again'
    assert pace.judge(0, PERIOD_NS, settled=True)


def test_a_period_waits_for_the_place_that_race_control_announces():
    pace = LockStep(1)
    pace.offer(0, 0, now_s=100.0)
    pace.accept(0, LEFT, 0, 100.1)
    assert not pace.judge(0, 0, settled=False)
    pace.forget(0)
    pace.offer(0, PERIOD_NS, now_s=100.2)
    assert not pace.judge(0, PERIOD_NS, settled=True)
    assert pace.accept(0, LEFT, PERIOD_NS, 100.2)


def real_time(cars=1, factor=1.0):
    """Real time whose current period began at 10.0 s."""
    pace = RealTime(cars, factor)
    pace.tick(10.0)
    return pace


def test_real_time_applies_commands_when_they_come():
    pace = real_time(cars=2, factor=2.0)
    assert not pace.accept(0, LEFT, 0, 10.01)
    assert pace.tick(10.033)
    commands, after_s = pace.commands()
    assert commands.tolist() == [[0.2, 1.5], [0.0, 0.0]]
    assert after_s[0] == pytest.approx(0.02), 'twice as much on the simulated clock'
    assert pace.tick_s == pytest.approx(CONTROL_PERIOD_S / 2)
    assert pace.overdue(1e9) == ()
    assert not pace.judge(0, 0, settled=True), 'nothing waits for it'


def test_real_time_goes_on_with_a_command_until_it_is_stale():
    pace = real_time()
    pace.accept(0, LEFT, 0, 10.03)
    pace.tick(10.2)
    pace.tick(10.26)
    commands, after_s = pace.commands()
    assert (commands.tolist(), after_s.tolist()) == ([[0.2, 1.5]], [0.0])
    pace.tick(10.33)
    assert pace.commands()[0].tolist() == [[0.0, 0.0]]


def test_a_late_tick_does_not_stretch_the_period():
    pace = real_time()
    pace.accept(0, LEFT, 0, 10.5)
    pace.tick(10.6)
    assert pace.commands()[1].tolist() == [CONTROL_PERIOD_S]


def test_a_lifted_car_stands_until_it_is_told_again():
    pace = real_time()
    pace.accept(0, LEFT, 0, 10.01)
    assert not pace.forget(0)
    pace.tick(10.066)
    assert pace.commands()[0].tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize('factor', [0.0, -1.0, 1000.0, float('nan')])
def test_factors_that_make_no_sense_are_refused(factor):
    with pytest.raises(ConfigError, match=r'allowed: 0\.01 to 100'):
        RealTime(1, factor)
