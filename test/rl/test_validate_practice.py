"""Rewards known to be exploitable are called out with the driver that wins; good ones are not."""

import textwrap

import numpy as np
import pytest

from racer_rl.reward.library import find_reward, included_rewards
from racer_rl.reward.loading import read_reward
from racer_rl.reward.validation.drivers import CENTRE_LINE, DRIVERS, QUICK_RACER, RACING_LINE
from racer_rl.reward.validation.exploits import exploits_on, find_exploits
from racer_rl.reward.validation.practice import (
    MIRRORED,
    PRACTICE_TRACKS,
    PracticePlan,
    practise,
)
from racer_sim.courses import courses_of
from racer_sim.rules import Status
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError, RewardError
from racer_vehicle.spec import CONTROL_PERIOD_S

GAIN = """\
    last = {'progress': 0.0}

    def reward_function(params):
        if params['steps'] <= 1:
            last['progress'] = 0.0
        gained = params['progress'] - last['progress']
        last['progress'] = params['progress']
        return RETURNED
    """

AIM = """\
    import math

    def reward_function(params):
        points = params['waypoints']
        aim = points[(params['closest_waypoints'][1] + 4) % len(points)]
        wanted = math.degrees(math.atan2(aim[1] - params['y'], aim[0] - params['x']))
        pointing = params['heading'] SIGN params['steering_angle']
        error = abs((wanted - pointing + 180) % 360 - 180)
        return max(0.001, params['speed'] * (1 - error / 60))
    """


def returning(expression):
    return f'def reward_function(params):\n    return {expression}\n'


@pytest.fixture
def reward(tmp_path):
    def write(text):
        path = tmp_path / 'mine.py'
        path.write_text(textwrap.dedent(text), encoding='utf-8')
        return read_reward(path)
    return write


def courses(*tracks, direction='both'):
    return courses_of([find_track(name) for name in tracks], direction)


def exploits_of(file, *tracks):
    return find_exploits(practise(file, courses(*(tracks or ('oval', 'boomerang')))))


def stint_of(practice, driver):
    return next(stint for stint in practice.stints if stint.driver is driver)


def named(name):
    return next(driver for driver in DRIVERS if driver.name == name)


def test_pay_for_every_step_on_the_track_is_won_by_the_crawler(reward):
    first, *others = exploits_of(reward(returning("float(params['all_wheels_on_track'])")))
    assert (first.driver, first.measure) == ('slow crawl', 'per lap')
    assert first.paid > 2 * first.against_paid > 0
    assert first.against in {CENTRE_LINE.name, RACING_LINE.name}
    assert 'nearly every step is paid the same 1' in first.reason
    assert {exploit.driver for exploit in others} == {'zigzag', 'circling on the spot'}


def test_absolute_progress_is_won_by_circling(reward):
    exploit, = exploits_of(reward(GAIN.replace('RETURNED', 'abs(gained)')))
    assert (exploit.driver, exploit.measure) == ('circling on the spot', 'per second')
    assert exploit.paid > exploit.against_paid > 0
    assert 'forward or backward alike' in exploit.reason
    assert 'no absolute value' in exploit.reason
    assert 'of the lap' in exploit.reason


def test_speed_alone_is_won_by_circling(reward):
    first, *others = exploits_of(reward(returning("params['speed']")))
    assert (first.driver, first.measure) == ('circling on the spot', 'per second')
    assert first.paid > 1.5 * first.against_paid
    assert 'follows speed' in first.reason
    assert [exploit.driver for exploit in others] == ['zigzag']


def test_punishment_alone_is_won_by_ending_the_run(reward):
    exploits = exploits_of(reward(returning("-0.1 - params['distance_from_center']")))
    assert 'standing still' in {exploit.driver for exploit in exploits}
    assert all(0 > exploit.paid > exploit.against_paid for exploit in exploits)
    assert 'spared the negative rewards' in exploits[0].reason


@pytest.mark.parametrize(('sign', 'winners'), [('+', []), ('-', [MIRRORED.name])])
def test_the_sign_of_steering_is_told_by_the_mirror(reward, sign, winners):
    exploits = exploits_of(reward(AIM.replace('SIGN', sign)))
    assert [exploit.driver for exploit in exploits] == winners
    assert all('Positive is left' in exploit.reason for exploit in exploits)


def test_good_progress_is_not_called_out(reward):
    assert exploits_of(reward(GAIN.replace('RETURNED', 'gained')), *PRACTICE_TRACKS) == ()


@pytest.mark.parametrize('name', sorted(included_rewards()))
def test_included_rewards_are_not_exploitable(name):
    assert exploits_of(find_reward(name), *PRACTICE_TRACKS) == ()


@pytest.mark.parametrize('track', ['oval', 'boomerang', 'meander', 'needle'])
def test_the_racing_line_that_a_reward_works_out_is_paid_most_on_the_racing_line(track):
    plan = PracticePlan(starts=4)
    practice = practise(find_reward('racing_line'), courses(track, direction='forward'), plan)
    racing, centre = (stint_of(practice, driver) for driver in (RACING_LINE, CENTRE_LINE))
    assert racing.mean_per_second > 1.02 * centre.mean_per_second


def test_a_threshold_of_speed_is_judged_by_the_quick_driver(reward):
    text = GAIN.replace('RETURNED', "gained * (params['speed'] > 1.0)")
    practice = practise(reward(text), courses('oval'))
    assert stint_of(practice, CENTRE_LINE).per_second < 0.1
    assert stint_of(practice, QUICK_RACER).per_second > 1.0
    assert find_exploits(practice) == ()


@pytest.fixture(scope='module')
def steady(tmp_path_factory):
    """What everybody is paid for 2 a step on the oval."""
    path = tmp_path_factory.mktemp('steady') / 'two.py'
    path.write_text('def reward_function(params):\n    return 2.0\n', encoding='utf-8')
    return practise(read_reward(path), courses('oval', direction='forward'))


def test_steady_pay_is_counted_by_the_second_and_by_the_lap(steady):
    centre = stint_of(steady, CENTRE_LINE)
    assert centre.ending is None
    assert centre.per_second == pytest.approx(2.0 / CONTROL_PERIOD_S)
    assert centre.mean_per_second == pytest.approx(2.0 / CONTROL_PERIOD_S)
    seconds_a_lap = centre.course.track.length_m / 0.68
    assert centre.per_lap == pytest.approx(2.0 / CONTROL_PERIOD_S * seconds_a_lap, rel=0.03)


def test_an_ended_run_is_paid_for_what_it_drove_as_a_learner_discounts_it(steady):
    standing = stint_of(steady, named('standing still'))
    assert standing.ending is Status.IMMOBILIZED
    assert standing.driven_s == pytest.approx(15 * CONTROL_PERIOD_S)
    steps = len(steady.plan.weights)
    share = (1 - 0.99**15) / (1 - 0.99**steps)
    assert standing.per_second == pytest.approx(share * 2.0 / CONTROL_PERIOD_S)
    assert standing.per_lap is None


def test_who_gets_nowhere_has_no_lap(steady):
    assert stint_of(steady, named('circling on the spot')).per_lap is None


def test_the_mirrored_driver_is_the_centre_line_follower(steady):
    ours, theirs = (stint_of(steady, driver).samples for driver in (MIRRORED, CENTRE_LINE))
    assert (ours == theirs).all()


def test_stints_are_course_by_course_and_hold_every_step(reward):
    plan = PracticePlan(seconds=3.0, starts=3)
    practice = practise(reward(returning('params["speed"]')), courses('oval', 'pebble'), plan)
    assert len(practice.courses) == 4
    for course in practice.courses:
        stints = practice.on(course)
        assert [stint.driver for stint in stints] == [*DRIVERS, MIRRORED]
        assert all(stint.samples.shape == (45, 3) for stint in stints)
        for exploit in exploits_on(practice, course):
            assert exploit.track == course.track.name
            assert exploit.direction == ('reverse' if course.reverse else 'forward')
    samples = practice.stints[0].samples
    assert samples['reward'] == pytest.approx(samples['speed_mps'])


def test_the_same_reward_is_paid_the_same_again(reward):
    file, plan = reward(GAIN.replace('RETURNED', 'gained')), PracticePlan(seconds=5.0, starts=1)
    first, second = (practise(file, courses('pebble'), plan) for _ in range(2))
    for one, other in zip(first.stints, second.stints, strict=True):
        assert np.array_equal(one.samples, other.samples)


def test_a_failing_reward_names_its_line(reward):
    with pytest.raises(RewardError, match=r'mine\.py:2: .*ZeroDivisionError.*correct this line'):
        practise(reward(returning("1.0 / (params['steps'] - 20)")), courses('oval'),
                 PracticePlan(seconds=3.0))


def test_plans_are_checked():
    with pytest.raises(ConfigError, match=r'PracticePlan.gamma is 1.5; allowed: 0 to 1'):
        PracticePlan(gamma=1.5)
