"""When going on is no longer worth it, and when a reward rises for nothing."""

import json
from dataclasses import replace

import cv2
import pytest

from racer_rl.training.curve import draw_training
from racer_rl.training.history import History, RewardWatch, Row, Verdict


def row(steps, held_out, reward=10.0, lap_s=12.0, clean=1.0):
    return Row(steps=steps, reward=reward, clean_share=clean, held_out=held_out, mean_lap_s=lap_s)


def history(*rows):
    kept = History()
    for one in rows:
        kept.add(one)
    return kept


def test_what_still_gets_better_goes_on():
    rising = [row(1000 * (n + 1), 0.1 + 0.02 * n) for n in range(40)]
    assert history(*rising).verdict is Verdict.GO_ON
    assert history(*rising).improved_at >= 38_000


def test_what_gets_faster_goes_on():
    faster = [row(1000 * (n + 1), 0.9, lap_s=20.0 - 0.2 * n) for n in range(40)]
    assert history(*faster).verdict is Verdict.GO_ON


def test_what_no_longer_improves_stops_after_its_patience():
    rows = [row(2000 * (n + 1), min(0.1 * n, 0.6)) for n in range(30)]
    ended = next(n for n in range(30) if history(*rows[:n + 1]).verdict is not Verdict.GO_ON)
    assert history(*rows[:ended + 1]).verdict is Verdict.PLATEAU
    assert history(*rows[:ended + 1]).improved_at == 14_000, 'the first of those as good'
    assert rows[ended].steps == pytest.approx(1.5 * 14_000 + 15_000, abs=2000)


def swinging(begin, count, held_out, reward):
    """Evaluations 2,000 steps apart that scatter as real ones do."""
    return [row(begin + 2000 * n, held_out + 0.05 * (n % 3 - 1), reward=reward)
            for n in range(count)]


@pytest.mark.parametrize(('reward', 'verdict'), [
    (20.0, Verdict.OVERTRAINED), (9.6, Verdict.OVERTRAINED), (5.0, Verdict.PLATEAU)])
def test_getting_worse_while_the_reward_does_not_is_overtraining(reward, verdict):
    rows = swinging(2000, 8, 0.8, 10.0) + swinging(18_000, 12, 0.7, reward)
    assert history(*rows).verdict is verdict
    assert history(*rows).most_held_out == pytest.approx(0.85)
    said = ('held-out driving fell from 80% at 10,000 steps to 70% at 40,000 while the reward '
            'did not: overtraining. The better checkpoint is kept')
    assert history(*rows).warning == (said if verdict is Verdict.OVERTRAINED else None)


def test_overtraining_ends_a_run_that_still_gets_faster():
    rows = swinging(2000, 8, 0.8, 10.0)
    rows += [replace(one, mean_lap_s=11.0 - 0.2 * n)
             for n, one in enumerate(swinging(18_000, 6, 0.72, 12.0))]
    assert history(*rows).verdict is Verdict.OVERTRAINED


@pytest.mark.parametrize('reward', [10.0, -10.0])
def test_evaluations_that_scatter_are_no_overtraining(reward):
    rows = swinging(2000, 60, 0.8, reward)
    assert all(history(*rows[:n]).verdict is not Verdict.OVERTRAINED for n in range(60))


def test_a_reward_below_zero_that_falls_is_told_from_one_that_does_not():
    rows = swinging(2000, 8, 0.8, -10.0)
    assert history(*rows, *swinging(18_000, 8, 0.7, -10.2)).verdict is Verdict.OVERTRAINED
    assert history(*rows, *swinging(18_000, 8, 0.7, -12.0)).fall is None


def test_two_unlucky_evaluations_are_no_overtraining():
    rows = [row(2000 * (n + 1), 0.8) for n in range(14)]
    rows += [row(40_000, 0.3, reward=11.0), row(42_000, 0.3, reward=11.0)]
    assert history(*rows).verdict is not Verdict.OVERTRAINED


def test_a_run_that_has_not_begun_to_drive_is_given_time():
    rows = [row(1000 * (n + 1), 0.0, lap_s=None, clean=0.0) for n in range(12)]
    assert history(*rows).verdict is Verdict.GO_ON


def test_faster_laps_of_a_policy_that_forgot_the_rest_are_no_improvement():
    rows = [row(2000, 0.8)] + [row(4000 + 2000 * n, 0.3, lap_s=11.0 - 0.1 * n) for n in range(12)]
    assert history(*rows).improved_at == 2000


def test_without_held_out_driving_nothing_is_said():
    rows = [row(1000 * (n + 1), None) for n in range(60)]
    assert history(*rows).verdict is Verdict.GO_ON
    assert History().verdict is Verdict.GO_ON and History().most_held_out is None


def test_plain_data_brings_it_back():
    kept = history(row(1000, 0.5), row(2000, None, reward=None, lap_s=None))
    assert History(json.loads(json.dumps(kept.as_plain()))).rows == kept.rows


def watched(rewards, completions):
    watch = RewardWatch()
    for reward, completion in zip(rewards, completions, strict=True):
        watch.note(reward, completion)
    return watch.warning


def test_a_reward_that_rises_without_progress_is_told():
    warning = watched([1.0 + n for n in range(20)], [0.05] * 20)
    assert 'the reward rose from' in warning and 'still completes 5% of the lap' in warning
    assert 'racer validate' in warning


@pytest.mark.parametrize(('rewards', 'completions'), [
    ([1.0 + n for n in range(20)], [0.01 * n for n in range(20)]),
    ([5.0] * 20, [0.05] * 20),
    ([1.0 + n for n in range(20)], [0.6] * 20),
    ([1.0 + n for n in range(9)], [0.05] * 9),
    ([None] * 20, [None] * 20),
])
def test_progress_no_rise_or_too_little_to_judge_is_not(rewards, completions):
    assert watched(rewards, completions) is None


def test_the_picture_shows_reward_laps_and_both_ways_of_driving(tmp_path):
    rows = [row(2000 * (n + 1), 0.05 * n, reward=float(n), lap_s=None if n < 3 else 20.0 - n)
            for n in range(10)]
    path = tmp_path / 'training.png'
    draw_training(history(*rows), path, delivered_steps=16_000, reason='because')
    picture = cv2.imread(str(path))
    assert picture.shape[0] > 400 and picture.shape[1] > 600
    drawn = {tuple(colour) for colour in picture.reshape(-1, 3)[:, ::-1]}
    for colour in ('1f77b4', 'd62728', '7f7f7f', '2ca02c'):
        assert tuple(bytes.fromhex(colour)) in drawn
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_without_held_out_driving_has_a_picture_too(tmp_path):
    path = tmp_path / 'training.png'
    draw_training(history(row(1000, None, reward=None, lap_s=None)), path, delivered_steps=None,
                  reason='because')
    assert path.stat().st_size > 1000
