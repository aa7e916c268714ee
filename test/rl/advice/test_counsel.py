"""What is advised, and in which order, by evidence made for it; every command can be typed."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_rl.advice.counsel import Action, counsel
from racer_rl.advice.evidence import Evidence, Laps
from racer_rl.advice.trend import gains, unsteadiness
from racer_rl.analysis.findings import Finding, Severity
from racer_rl.budget.money import Money
from racer_rl.budget.prices import Rate
from racer_rl.cli.main import run
from racer_rl.reward.validation.findings import Exploit
from racer_rl.training.history import History, Verdict
from racer_rl.training.plan import StopReason

RATE = Rate(machine='here', currency='EUR', per_wall_s=0.01, per_cpu_s=0.0, idle_w=None,
            busy_core_w=None, date='2026-01-01', why='a test')
GOOD = Laps(where='oval', clean=12, total=12)
BAD = Laps(where='oval', clean=2, total=12)
EXPLOIT = Exploit(driver='slow crawl', track='oval', direction='forward', paid=2.0,
                  against='centre-line follower', against_paid=1.0, measure='per lap',
                  reason='it creeps.')


def history(clean, held_out=None, lap_s=None, reward=None, spacing=10_000):
    """Evaluations, one every 10,000 steps."""
    count = len(clean)
    return History({'steps': spacing * (index + 1), 'clean_share': clean[index],
                    'held_out': held_out[index] if held_out else None,
                    'mean_lap_s': lap_s[index] if lap_s else None,
                    'reward': reward[index] if reward else 1.0} for index in range(count))


def known(**more):
    told = {'name': 'm', 'tracks': ('oval',), 'is_varied': False, 'learning_rate': 0.002,
            'top_speed_mps': 2.0, 'reward': 'progress', 'reward_path': Path('/r/my reward.py'),
            'history': History(), 'steps': 100_000, 'wall_s': 100.0, 'cpu_s': 100.0,
            'rate': RATE}
    return Evidence(**{**told, **more})


def actions(evidence):
    return [advice.action for advice in counsel(evidence)]


def test_of_a_new_model_nothing_is_known_and_looking_comes_first():
    advice = counsel(known(steps=0, wall_s=0.0))
    assert [each.action for each in advice] == [Action.EVALUATE, Action.TRAIN_ON]
    assert advice[0].command == 'racer evaluate m --checkpoint last'


OVERTRAINED = history([1.0] * 12, [0.5] * 6 + [0.3] * 6)


def test_an_overtrained_model_is_to_be_delivered_as_it_was_at_its_best():
    assert OVERTRAINED.verdict is Verdict.OVERTRAINED
    first = counsel(known(best=GOOD, best_steps=40_000, history=OVERTRAINED))[0]
    assert first.action is Action.STOP and first.worth == 0.9
    assert any('fell from 50% at' in line for line in first.evidence)
    # 60,000 of 100,000 steps, which took 100 s, at a cent a second.
    assert 'spent since then: 60 s, 0.600 EUR' in first.evidence
    assert Action.TRAIN_ON not in actions(known(best=GOOD, best_steps=40_000,
                                                history=OVERTRAINED))


def test_a_run_that_reached_its_goal_is_done():
    found = counsel(known(best=GOOD, best_steps=100_000, stopped=StopReason.LAPS.value))
    assert [each.action for each in found] == [Action.STOP, Action.EVALUATE]
    assert found[0].why == 'its goal is reached'


def test_what_gets_better_is_to_go_on_with_its_gain_and_price():
    rising = history([0.0, 0.1, 0.1, 0.5, 0.6, 0.7])
    first = counsel(known(best=BAD, best_steps=60_000, history=rising))[0]
    assert first.action is Action.TRAIN_ON
    assert first.command == 'racer train --name m --resume --time 50s'
    assert first.cost == '50 s, 0.500 EUR'
    # From 7 to 60 % in 30,000 steps, 30 s: 107 points a minute, of which 40 are left.
    assert first.gain == ('40 points of clean laps a minute, if it goes on so, for 0.600 EUR a '
                          'minute')


def test_without_its_last_checkpoint_a_clone_goes_on():
    rising = history([0.0, 0.1, 0.1, 0.5, 0.6, 0.7])
    first = counsel(known(best=BAD, best_steps=60_000, history=rising, can_resume=False))[0]
    assert first.command == 'racer train --from m --name m-on --time 50s'


def test_a_budget_that_is_too_small_is_told_with_the_price():
    rising = history([0.0, 0.1, 0.1, 0.5, 0.6, 0.7])
    left = Money(0.2, 'EUR')
    first = counsel(known(best=BAD, best_steps=60_000, history=rising, left=left))[0]
    assert first.cost.endswith('(the budget has 0.200 EUR left)')


def test_a_reward_that_is_abused_comes_before_all_else():
    found = counsel(known(best=BAD, best_steps=1000, exploits=(EXPLOIT,)))
    assert found[0].action is Action.FIX_REWARD
    assert shlex.split(found[0].command)[2] == '/r/my reward.py'
    assert 'slow crawl is paid 2' in found[0].evidence[0]


def test_a_reward_that_could_be_abused_and_was_not_comes_last():
    found = actions(known(best=GOOD, best_steps=1000, exploits=(EXPLOIT,), mean_mps=1.9,
                          stopped=StopReason.LAPS.value))
    assert found[-1] is Action.FIX_REWARD


def test_slow_laps_that_are_paid_more_are_evidence():
    slower = Finding(severity=Severity.ALARM, title='The reward pays slower laps more',
                     evidence='rank correlation +0.92')
    first = counsel(known(best=GOOD, best_steps=1, findings=(slower,), mean_mps=1.0))[0]
    assert first.action is Action.FIX_REWARD
    assert first.evidence[0].endswith('+0.92')
    assert '1.00 m/s of a possible 2.00' in first.evidence[1]


def test_good_but_unsteady_wants_smaller_steps():
    jumpy = history([1.0, 0.4, 1.0, 0.5, 1.0, 0.3, 1.0, 0.5, 1.0])
    clone = next(each for each in counsel(known(best=GOOD, best_steps=10_000, history=jumpy))
                 if each.action is Action.CLONE)
    assert '--learning-rate 0.0005' in clone.command
    assert 'fell from 100% to 30% clean laps' in clone.evidence[0]


@pytest.mark.parametrize(('more', 'is_bad'), [
    ({'held_out': 0.4}, True), ({'held_out': 0.55}, False), ({'robust': 0.4}, True),
    ({'held_out': 0.4, 'robust': 0.75}, False), ({}, False),
    ({'robust': 0.8, 'unknown_tracks': 0.25}, True),
    ({'robust': 0.5, 'unknown_tracks': 0.9}, False),
    ({'other_tracks': (Laps(where='kidney', clean=1, total=12),)}, True),
    ({'held_out': 0.4, 'is_varied': True}, False)])
def test_good_at_home_and_bad_elsewhere_wants_more_tracks(more, is_bad):
    assert (Action.WIDEN in actions(known(best=GOOD, best_steps=1, **more))) is is_bad
    assert Action.WIDEN not in actions(known(best=BAD, best_steps=1, **more))


@pytest.mark.parametrize(('mean_mps', 'top_mps', 'held_back'), [
    (1.9, 2.0, True), (1.2, 2.0, False), (3.9, 4.0, False), (None, 2.0, False)])
def test_laps_near_the_fastest_action_want_faster_ones(mean_mps, top_mps, held_back):
    found = actions(known(best=GOOD, best_steps=1, mean_mps=mean_mps, top_speed_mps=top_mps))
    assert (Action.FASTER in found) is held_back


def test_a_new_model_is_paid_as_the_old_one():
    found = counsel(known(best=GOOD, best_steps=1, held_out=0.2, mean_mps=1.9, reward='my r.py'))
    for advice in found:
        if advice.action in (Action.WIDEN, Action.FASTER):
            assert shlex.split(advice.command)[-2:] == ['--reward', 'my r.py']


SHARES = st.floats(0.0, 1.0)
EVIDENCE = st.builds(
    known, best=st.sampled_from([None, GOOD, BAD]), best_steps=st.just(5000),
    held_out=st.none() | SHARES, robust=st.none() | SHARES, is_varied=st.booleans(),
    is_taught=st.booleans(), exploits=st.sampled_from([None, (), (EXPLOIT,)]),
    mean_mps=st.none() | st.floats(0.1, 4.0), wall_s=st.sampled_from([0.0, 3.0, 5000.0]),
    rate=st.sampled_from([None, RATE]), left=st.sampled_from([None, Money(0.01, 'EUR')]),
    stopped=st.sampled_from(['', *(reason.value for reason in StopReason)]),
    history=st.lists(st.tuples(SHARES, st.none() | SHARES, st.none() | st.floats(5.0, 60.0)),
                     max_size=15).map(lambda rows: history(*zip(*rows, strict=True))
                                      if rows else History()))


@given(EVIDENCE)
def test_advice_is_in_order_of_worth_and_does_not_contradict_itself(evidence):
    found = counsel(evidence)
    worths = [advice.worth for advice in found]
    assert worths == sorted(worths, reverse=True) and all(0.0 < worth <= 1.0 for worth in worths)
    told = [advice.action for advice in found]
    assert len(set(told)) == len(told)
    assert not {Action.STOP, Action.TRAIN_ON} <= set(told)
    assert all(advice.evidence and all(advice.evidence) and advice.cost for advice in found)


def test_every_command_can_be_typed(capsys):
    jumpy = history([1.0, 0.4, 1.0, 0.5, 1.0, 0.3, 1.0, 0.5, 1.0])
    rising = history([0.0, 0.1, 0.1, 0.5, 0.6, 0.7])
    commands = {advice.action: advice.command for evidence in (
        known(), known(best=BAD, best_steps=1, history=rising, exploits=(EXPLOIT,)),
        known(best=GOOD, best_steps=1, mean_mps=2.0, held_out=0.1, history=jumpy,
              reward='my r.py'),
        known(best=GOOD, best_steps=1, history=OVERTRAINED)) for advice in counsel(evidence)}
    assert set(commands) == set(Action)
    for command in commands.values():
        assert run([*shlex.split(command)[1:], '--help']) == 0, command


def test_noise_is_no_gain():
    assert gains(history([0.4, 0.6, 0.5, 0.6, 0.4, 0.5])) == ()
    assert gains(history([0.0, 0.0, 0.0, 1.0, 1.0])) == (), 'too few'
    assert unsteadiness(history([1.0, 0.0])) is None


@given(st.lists(SHARES, min_size=6, max_size=20))
def test_gains_are_gains(shares):
    for gain in gains(History([
            {'steps': 1000 * (index + 1), 'reward': None, 'clean_share': share,
             'held_out': share, 'mean_lap_s': 20.0 - share} for index, share in
            enumerate(shares)])):
        assert gain.size > 0.0 and gain.steps > 0
        assert (gain.now < gain.before) is (gain.what == 'pace')


def test_what_is_all_clean_already_gets_no_better():
    """Rising to all laps is neither a promise of more, nor unsteady."""
    risen = history([0.0, 0.0, 0.0, 0.2, 0.6, 0.9, 1.0, 1.0, 1.0])
    assert not [gain for gain in gains(risen) if gain.what == 'clean laps']
    least, most = unsteadiness(risen)
    assert least == most
