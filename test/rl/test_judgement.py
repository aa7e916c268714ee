"""Clean laps count once they are no luck, and the best is the most reliable, then the fastest."""

from dataclasses import replace

import pytest

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import Evaluation, EvaluationPlan, Run
from racer_rl.training import judgement
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.judgement import Judgement, judge
from racer_rl.training.plan import Limits, TrainingPlan
from racer_sim.rules import Lap, Status

NARROW, WIDE = EvaluationPlan(laps=1, starts=2), EvaluationPlan(laps=1, starts=8, seed=1)
PLAN = TrainingPlan(setup=RaceSetup(), hyperparameters=PPOHyperparameters(), limits=Limits(),
                    evaluation=NARROW)


def driven(plan, clean, dirty=0, completion=0.5, lap_s=9.0):
    laps = tuple(Lap(0, number, lap_s, number < clean) for number in range(clean + dirty))
    run = Run(track='oval', direction='forward', start=0.0, status=Status.OFF_TRACK, incidents=0,
              completion=completion, time_s=1.0, laps=laps)
    return Evaluation(plan, (run,) * plan.starts)


def clean(plan, **how):
    return driven(plan, plan.laps, completion=1.0, **how)


def dirty(plan, **how):
    return driven(plan, 0, plan.laps, **how)


@pytest.fixture
def drive(monkeypatch):
    """What the policy shows when it drives a plan, by the plan's number of starts."""
    shown, asked = {}, []

    def evaluate(policy, setup, plan, simulator=None, *, blind=False):
        asked.append(plan.starts)
        return shown[plan.starts](plan)

    monkeypatch.setattr(judgement, 'evaluate', evaluate)
    return shown, asked


def judged(plan=PLAN, **how):
    return judge(None, plan, None, **how)


@pytest.mark.parametrize(('narrow', 'wide', 'asked', 'verdict'), [
    (dirty, None, [2], False), (clean, dirty, [2, 8], False), (clean, clean, [2, 8], True),
])
def test_clean_laps_count_once_they_are_confirmed(drive, narrow, wide, asked, verdict):
    shown, starts = drive
    shown.update({2: narrow, 8: wide})
    assert judged().drives_clean_laps is verdict
    assert starts == asked


def test_more_starts_confirm_one_course_and_a_few_more_each_of_many():
    assert PLAN.confirmation == WIDE
    many = replace(PLAN, setup=RaceSetup(track=('oval', 'pebble'), direction='both'))
    assert many.confirmation.starts == 3


def test_without_a_confirmation_its_word_is_taken(drive):
    shown, starts = drive
    shown[2] = clean
    assert judged(replace(PLAN, confirmed=False)).drives_clean_laps
    assert starts == [2]


def test_what_could_not_become_the_best_is_not_confirmed(drive):
    shown, starts = drive
    shown.update({2: clean, 8: clean})
    best = judged().rank
    shown[2] = lambda plan: clean(plan, lap_s=9.5)
    assert judged(to_beat=best).confirmation is not None, 'more of its laps might be confirmed'
    unconfirmed = Judgement(clean(NARROW), driven(WIDE, 1, completion=0.9)).rank
    assert judged(to_beat=unconfirmed).drives_clean_laps
    starts.clear()
    shown[2] = dirty
    judged(to_beat=best)
    assert starts == [2]


def test_rank_prefers_clean_laps_then_distance_then_confirmation_then_pace():
    from_worst = [
        Judgement(driven(NARROW, 0, completion=0.1)), Judgement(driven(NARROW, 0, completion=0.2)),
        Judgement(driven(NARROW, 1, completion=0.1)), Judgement(driven(NARROW, 1, lap_s=9.0)),
        Judgement(driven(NARROW, 1, lap_s=8.0)), Judgement(clean(NARROW, lap_s=7.0)),
        Judgement(clean(NARROW, lap_s=7.0), dirty(WIDE, completion=0.3)),
        Judgement(clean(NARROW, lap_s=7.0), dirty(WIDE, completion=0.9)),
        Judgement(clean(NARROW, lap_s=9.0), clean(WIDE)),
        Judgement(clean(NARROW, lap_s=8.0), clean(WIDE)),
    ]
    ranks = [one.rank for one in from_worst]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_the_models_folder_tells_what_confirmed_it():
    kept = Judgement(clean(NARROW), clean(WIDE)).as_dict()
    assert kept['clean_laps'] == 2
    assert kept['confirmation'] == {'clean_laps': 8, 'total_laps': 8}
    nothing = Judgement(dirty(NARROW)).as_dict()
    assert nothing['confirmation'] is None and nothing['robust_score'] is None
    assert Judgement(dirty(NARROW)).figures == {'clean_laps': 0, 'completion': 0.5,
                                                'mean_lap_s': 9.0}
