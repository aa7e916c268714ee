"""A curriculum holds cars back at first, and lets go as they succeed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_rl.envs.build import RaceSetup, build_batch
from racer_rl.evaluation.laps import EvaluationPlan
from racer_rl.store.models import ModelFolder
from racer_rl.training.curriculum import (
    GROWTH_M,
    NARROWEST_M,
    PASSES,
    RISE,
    SUCCESS,
    ClearanceCurriculum,
    SpeedCurriculum,
)
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.plan import Limits, TrainingPlan
from racer_rl.training.train import Training, train
from racer_sim.race_format import Obstacles, RaceFormat
from racer_vehicle.action import ContinuousActions, DiscreteActions
from racer_vehicle.errors import ConfigError

TOP_MPS = 4.0
FAST_CAR = ContinuousActions(speed_high_mps=TOP_MPS)
THREE = DiscreteActions(steering_rad=(-0.5, 0.0, 0.5), speed_mps=(1.0, 3.0, 1.0))


def batch(actions=FAST_CAR, cars=3):
    return build_batch(RaceSetup(actions=actions), cars=cars, seed=0)


@pytest.fixture
def cars():
    made = batch()
    yield made
    made.close()


def test_nobody_drives_faster_than_the_limit(cars):
    SpeedCurriculum(cars, 1.2)
    cars.reset()
    cars.observe(np.ones(3, dtype=np.bool_))
    for _ in range(12):
        cars.step(np.array([[0.0, -1.0], [0.0, 0.0], [0.0, 1.0]]))
    speeds = cars.simulator.commands[:, 1]
    assert speeds[0] == FAST_CAR.speed_low_mps  # slower ones drive as they want
    assert speeds[1:].tolist() == [1.2, 1.2]


def test_single_actions_are_held_back_too():
    made = batch(THREE)
    SpeedCurriculum(made, 1.5)
    made.reset()
    made.observe(np.ones(3, dtype=np.bool_))
    made.step(np.array([0, 1, 2]))
    assert made.simulator.commands[:, 1].tolist() == [1.0, 1.5, 1.0]
    made.close()


@pytest.fixture(scope='module')
def one_car():
    made = batch(cars=1)
    yield made
    made.close()


@given(shares=st.lists(st.none() | st.floats(0.0, 1.0), max_size=80),
       start_mps=st.floats(0.1, 4.0))
def test_the_limit_rises_with_success_only_and_ends_at_the_top(one_car, shares, start_mps):
    curriculum = SpeedCurriculum(one_car, start_mps)
    before = curriculum.limit_mps
    for share in shares:
        curriculum.advance(share)
        succeeds = share is not None and share >= SUCCESS
        assert curriculum.limit_mps == (min(RISE * before, TOP_MPS) if succeeds else before)
        before = curriculum.limit_mps


def test_cars_grow_with_success_only_until_they_keep_their_distance():
    made = build_batch(RaceSetup(race=RaceFormat(obstacles=Obstacles(count=1))), cars=1, seed=0)
    curriculum = ClearanceCurriculum(made, 0.1)
    simulator = made.simulator
    assert simulator.body_margin_m == NARROWEST_M
    for share in (None, 0.0, PASSES - 0.01):
        curriculum.advance(share)
        assert simulator.body_margin_m == NARROWEST_M
    rounds = 0
    while not curriculum.is_over:
        curriculum.advance(PASSES)
        rounds += 1
    assert rounds == math.ceil((0.1 - NARROWEST_M) / GROWTH_M)
    assert simulator.body_margin_m == 0.1
    curriculum.advance(1.0)
    assert simulator.body_margin_m == 0.1
    made.close()


def test_who_drives_alone_need_not_grow(cars):
    curriculum = ClearanceCurriculum(cars, 0.1)
    assert curriculum.is_over
    curriculum.advance(1.0)
    assert cars.simulator.body_margin_m == 0.0


def test_without_one_every_action_is_allowed_at_once(cars):
    curriculum = SpeedCurriculum(cars, 0.0)
    assert curriculum.limit_mps == TOP_MPS
    curriculum.advance(1.0)
    assert curriculum.limit_mps == TOP_MPS


def plan(steps, start_mps):
    settings = PPOHyperparameters(n_envs=4, n_steps=32, batch_size=64, n_epochs=2,
                                  start_speed_mps=start_mps)
    return TrainingPlan(setup=RaceSetup(actions=FAST_CAR), hyperparameters=settings, seed=3,
                        evaluation=EvaluationPlan(laps=1, starts=2), limits=Limits(steps=steps))


def test_a_resumed_run_goes_on_where_the_limit_was(tmp_path):
    folder = ModelFolder(tmp_path / 'models' / 'held-back')
    train(folder, plan(128, 1.0), lambda standing: None)
    first = Training(folder, plan(256, 1.0), resume=True)
    first._curriculum.limit_mps = 2.5
    first.save('last')
    first.close()
    second = Training(folder, plan(256, 1.0), resume=True)
    assert second._curriculum.limit_mps == 2.5
    second.close()


def test_a_limit_is_a_speed():
    with pytest.raises(ConfigError, match=r'start_speed_mps is -1.*allowed'):
        PPOHyperparameters(start_speed_mps=-1.0)
