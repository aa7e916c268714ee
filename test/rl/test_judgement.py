"""Clean laps count once they are no luck, and the best is the most reliable, then the fastest."""

import json
from dataclasses import replace

import pytest

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import Evaluation, EvaluationPlan, Run, few_tracks
from racer_rl.evaluation.suite import SuitePlan
from racer_rl.training import judgement
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.judgement import Judgement, Merit, Podium, judge
from racer_rl.training.plan import Limits, TrainingPlan
from racer_sim.race_format import STANDARD_FORMATS, RaceType
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
    podium = Podium()
    assert podium.take(judged(could_be_best=podium.would_take).merit)
    starts.clear()
    shown[2] = lambda plan: clean(plan, lap_s=9.5)
    slower = judged(could_be_best=podium.would_take)
    assert slower.confirmation is not None, 'more of its laps might be confirmed'
    shown[2] = dirty
    starts.clear()
    judged(could_be_best=podium.would_take)
    assert starts == [2]


def of_two(first, second):
    """Shows the one in the first run of an evaluation, and the other in the rest."""
    def show(plan):
        one, others = first(plan), second(plan)
        return replace(one, runs=(*one.runs[:1], *others.runs[1:]))
    return show


IN_COMPANY = replace(
    PLAN, setup=RaceSetup(race=STANDARD_FORMATS[RaceType.OBJECT_AVOIDANCE]),
    evaluation=EvaluationPlan(laps=10, starts=2))


@pytest.mark.parametrize(('clean_laps', 'asked'), [(8, [2]), (9, [2, 8]), (10, [2, 8])])
def test_in_company_who_is_nearly_clean_drives_more_laps(drive, clean_laps, asked):
    shown, starts = drive
    shown.update({2: lambda plan: driven(plan, clean_laps, 10 - clean_laps), 8: clean})
    judged(IN_COMPANY)
    assert starts == asked


def test_in_company_all_laps_count_alike(drive):
    shown, starts = drive
    podium = Podium()
    shown.update({2: clean, 8: of_two(dirty, clean)})
    lucky = judged(IN_COMPANY, could_be_best=podium.would_take)
    assert not lucky.drives_clean_laps
    assert lucky.merit.reliability[0] == pytest.approx(20 * (20 + 70) / 100)
    assert podium.take(lucky.merit)
    shown.update({2: lambda plan: driven(plan, 9, 1), 8: clean})
    steady = judged(IN_COMPANY, could_be_best=podium.would_take)
    assert steady.merit.reliability[0] == pytest.approx(20 * (18 + 80) / 100)
    assert podium.take(steady.merit), '98 of 100 beat 90 of 100'
    shown.update({2: clean, 8: clean})
    assert podium.take(judged(IN_COMPANY, could_be_best=podium.would_take).merit)
    shown[2] = lambda plan: driven(plan, 9, 1)
    starts.clear()
    judged(IN_COMPANY, could_be_best=podium.would_take)
    assert starts == [2], 'it could not become the best any more'


def test_among_others_who_is_faster_wins_if_about_as_many_laps_are_clean(drive):
    shown, _ = drive
    plan = replace(IN_COMPANY, setup=RaceSetup(race=STANDARD_FORMATS[RaceType.HEAD_TO_BOT]))
    podium = Podium()

    def take(clean_laps, lap_s):
        def show(plan):
            return driven(plan, clean_laps, 10 - clean_laps, lap_s=lap_s)
        shown.update({2: show, 8: show})
        return podium.take(judged(plan, could_be_best=podium.would_take).merit)
    assert take(8, 12.0)
    assert take(10, 15.0)
    assert not take(9, 11.0)
    shown.update({2: clean, 8: of_two(lambda plan: driven(plan, 9, 1), clean)})
    assert not podium.take(judged(plan).merit._replace(pace=-16.0))
    assert podium.take(judged(plan).merit._replace(pace=-14.0)), '99 of 100, but faster'
    assert not take(10, 14.5), 'as clean as the first'


def merit(clean=12.0, confirmed=48.0, held_out=None, lap_s=9.0):
    return Merit((clean, clean / 12.0), (confirmed, confirmed / 48.0), held_out, -lap_s)


def test_the_best_has_clean_laps_then_confirmed_ones_then_pace():
    from_worst = [merit(0.0, 0.0), merit(3.0, 0.0), merit(12.0, 0.0, lap_s=7.0),
                  merit(12.0, 30.0, lap_s=7.0), merit(), merit(lap_s=8.0)]
    podium = Podium()
    assert all(podium.take(one) for one in from_worst)
    for one in from_worst[:-1]:
        assert not podium.would_take(one)
    assert podium.take(merit(lap_s=8.0)), 'ties take the newer'


def test_a_faster_policy_wins_if_it_drives_elsewhere_about_as_well():
    podium = Podium()
    assert podium.take(merit(held_out=0.6))
    assert podium.take(merit(held_out=0.55, lap_s=8.5))
    assert not podium.take(merit(held_out=0.4, lap_s=7.0)), 'it has forgotten the rest'
    assert podium.take(merit(held_out=0.9, lap_s=12.0)), 'the best so far now falls short'
    assert not podium.take(merit(held_out=0.6, lap_s=8.0))
    assert podium.most_held_out == 0.9


def test_after_overtraining_only_what_drives_elsewhere_better_wins():
    podium = Podium()
    podium.take(merit(held_out=0.6))
    podium.overtrained = True
    podium = Podium(json.loads(json.dumps(podium.as_plain())))
    assert not podium.take(merit(held_out=0.58, lap_s=7.0)), 'faster is not enough any more'
    assert podium.take(merit(held_out=0.62, lap_s=9.0))


def test_a_podium_goes_on_where_it_was():
    podium = Podium()
    podium.take(merit(held_out=0.7))
    again = Podium(json.loads(json.dumps(podium.as_plain())))
    assert (again.best, again.most_held_out) == (podium.best, 0.7)
    assert Podium(None).would_take(merit(0.0, 0.0)) and Podium({}).best is None


def test_a_policy_that_does_not_drive_at_home_is_not_asked_elsewhere(drive, monkeypatch):
    shown, _ = drive
    asked = []
    monkeypatch.setattr(judgement, 'run_suite', lambda *_: asked.append(1))
    plan = replace(PLAN, held_out=SuitePlan())
    shown.update({2: lambda plan: dirty(plan, completion=0.2), 8: clean})
    assert judged(plan).held_out is None and asked == []
    shown[2] = dirty
    judged(plan)
    assert asked == [1]


def test_a_pool_of_tracks_is_judged_on_a_few(drive):
    shown, _ = drive
    shown.update({2: clean, 8: clean, 3: clean})
    many = replace(PLAN, setup=RaceSetup(track=tuple(f'practice-{n}' for n in range(30))))
    assert few_tracks(many.setup).tracks == tuple(f'practice-{n}' for n in range(6))
    assert many.confirmation.starts == 3


def test_the_models_folder_tells_what_confirmed_it():
    kept = Judgement(clean(NARROW), clean(WIDE)).as_dict()
    assert kept['clean_laps'] == 2
    assert kept['confirmation'] == {'clean_laps': 8, 'total_laps': 8}
    nothing = Judgement(dirty(NARROW)).as_dict()
    assert nothing['confirmation'] is None and nothing['robust_score'] is None
    assert Judgement(dirty(NARROW)).figures == {'clean_laps': 0, 'completion': 0.5,
                                                'mean_lap_s': 9.0}
