"""Policies are judged in a process of their own while they learn on, with the same result."""

import os
import signal
import time
from dataclasses import replace

import pytest

from racer_rl.envs.build import RaceSetup, build_batch
from racer_rl.envs.vector import RaceVecEnv
from racer_rl.evaluation.laps import EvaluationPlan, evaluate
from racer_rl.evaluation.suite import SuitePlan
from racer_rl.store.models import ModelFolder
from racer_rl.training.acting import deterministic_policy
from racer_rl.training.algorithms import build_model
from racer_rl.training.checkpoint import load_checkpoint
from racer_rl.training.examiner import Examiner, Question
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.judgement import Podium
from racer_rl.training.plan import Limits, StopReason, TrainingPlan
from racer_rl.training.train import train

PPO = PPOHyperparameters(n_envs=4, n_steps=32, batch_size=64, n_epochs=2)
PLAN = TrainingPlan(
    setup=RaceSetup(), hyperparameters=PPO, limits=Limits(steps=2048),
    evaluation=EvaluationPlan(laps=1, starts=2),
    held_out=SuitePlan(single=False, starts=1, tracks=1), seed=3)


@pytest.fixture(scope='module')
def question():
    env = RaceVecEnv(build_batch(PLAN.setup, cars=PPO.n_envs, seed=1))
    model = build_model(PPO, 'FAST', env, seed=1)
    env.close()
    return Question(deterministic_policy(model), PLAN, Podium().as_plain())


@pytest.fixture
def examiner():
    examiner = Examiner()
    yield examiner
    examiner.close()


def test_the_answer_is_what_would_have_been_found_here(examiner, question):
    assert not examiner.is_asked
    examiner.ask(question)
    assert examiner.is_asked
    assert examiner.answer() == question.answer()
    assert not examiner.is_asked


def test_an_examiner_that_died_costs_time_and_nothing_else(examiner, question):
    examiner.ask(question)
    os.kill(examiner.process_id, signal.SIGKILL)
    assert examiner.answer() == question.answer()
    examiner.ask(question)
    assert examiner.answer() == question.answer(), 'and so does one that was dead before'


def test_an_examiner_leaves_with_whoever_asks(question):
    examiner = Examiner()
    examiner.ask(question)
    examiner.close()
    examiner.close()
    with pytest.raises(ProcessLookupError):
        os.kill(examiner.process_id, 0)


def test_what_is_delivered_is_what_was_judged(tmp_path):
    folder = ModelFolder(tmp_path / 'model')
    seen = []
    assert train(folder, PLAN, seen.append)[0] is StopReason.STEPS
    assert seen[0].evaluation is None, 'asked, and not yet told'
    kept = load_checkpoint(folder.checkpoint('last'))[1]
    steps = [row['steps'] for row in kept['history']]
    assert steps == sorted(set(steps)) and all(step % 128 == 0 for step in steps)
    best = folder.progress['best']
    shown = evaluate(folder.policy('best'), folder.setup, PLAN.evaluation).as_dict()
    assert {key: best[key] for key in shown} == shown
    model, _ = load_checkpoint(folder.checkpoint('best'))
    assert model.num_timesteps == folder.progress['best_steps'] in steps


def test_judged_aside_or_not_a_seed_learns_the_same(tmp_path):
    plans = PLAN, replace(PLAN, held_out=None)
    weights = []
    for number, plan in enumerate(plans):
        folder = ModelFolder(tmp_path / str(number))
        train(folder, plan, lambda standing: None)
        weights.append(load_checkpoint(folder.checkpoint('last'))[0].policy.state_dict())
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


def test_ctrl_c_does_not_wait_for_a_judgement(tmp_path):
    folder, seen = ModelFolder(tmp_path / 'model'), []

    def interrupt(standing):
        seen.append(standing)
        os.kill(os.getpid(), signal.SIGINT)
    began_s = time.monotonic()
    reason, _ = train(folder, replace(PLAN, limits=Limits(steps=10**6)), interrupt)
    assert reason is StopReason.INTERRUPTED
    assert len(seen) == 1 and time.monotonic() - began_s < 60.0
    assert load_checkpoint(folder.checkpoint('last'))[0].num_timesteps == 128
