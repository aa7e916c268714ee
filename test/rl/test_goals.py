"""Goals fill in what was not said, and nothing else."""

from dataclasses import replace

import pytest

from racer_rl.cli.main import run
from racer_rl.cli.train_plan import new_plan, plan_limits
from racer_rl.training.goals import COMPANY_STEPS, GOALS, find_goal
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_sim.race_format import STANDARD_FORMATS, RaceFormat, RaceType
from racer_sim.randomization import DEFAULT, NONE
from racer_vehicle.errors import UnknownNameError
from racer_vehicle.observation import Sensor

NOTHING_SAID = {
    'tracks': None, 'direction': None, 'reward': None, 'compat': False, 'algorithm': 'ppo',
    'network': None, 'metadata': None, 'hyperparameters': None, 'max_speed': None,
    'learning_rate': None, 'randomization': None, 'seed': 0, 'method': 'auto',
    'race': RaceFormat(), 'lidar': None,
}


def limits(goal, time=None, steps=None, until_laps=False, until_robust=None, early_stop=True):
    return plan_limits(find_goal(goal), time, steps, until_laps, until_robust, early_stop)


def plan(goal, **said):
    race, wanted = said.get('race', RaceFormat()), find_goal(goal)
    if race.has_company:
        wanted = wanted.in_company(race.cars)
    return new_plan(wanted, limits(goal), **{**NOTHING_SAID, **said})


def test_finish_is_one_track_until_its_laps_are_clean():
    made = plan('finish', tracks=['oval'])
    assert made.setup.tracks == ('oval',) and made.setup.randomization == NONE
    assert made.limits.until_laps and made.limits.time_s == 600.0
    assert made.held_out is None
    assert made.setup.actions.speed_high_mps == 2.0


def test_generalise_is_many_tracks_both_ways_and_other_cars():
    made = plan('generalise')
    assert len(made.setup.tracks) == 64 and made.setup.direction == 'both'
    assert made.setup.randomization == replace(DEFAULT, latency_s=(0.0, 0.05))
    assert plan('generalise', randomization='default').setup.randomization == DEFAULT
    assert made.limits.time_s == 170.0 and made.limits.early and not made.limits.until_laps
    assert made.held_out is not None
    assert (made.hyperparameters.n_envs, made.setup.stack) == (64, 2)


def test_a_run_that_may_not_stop_early_is_watched_all_the_same():
    def made(**said):
        return new_plan(find_goal('finish'), limits('finish', early_stop=False, **said),
                        **{**NOTHING_SAID, 'tracks': ['oval']})
    long = made(time='10m')
    assert not long.limits.early and long.held_out is not None
    assert made(time='10m', until_laps=True).held_out is None


def test_race_is_fast_and_ends_with_small_steps():
    made = plan('race', tracks=['kidney'])
    assert made.distillation is not None, 'a teacher is the faster way to fast laps'
    assert plan('race', tracks=['kidney'], method='ppo').distillation is None
    assert plan('race', tracks=['kidney'], algorithm='sac').distillation is None
    assert made.setup.actions.speed_high_mps == 4.0
    assert made.hyperparameters.learning_rate_decay == 1.0
    assert not limits('race').early, 'the smallest steps come last'
    assert made.setup.network == 'FINE' and made.hyperparameters.n_envs == 64
    assert made.setup.stack == made.hyperparameters.stack_size == 3


def test_what_is_said_counts(tmp_path):
    settings = tmp_path / 'h.json'
    settings.write_text('{"n_envs": 8, "batch_size": 256}')
    made = plan('generalise', tracks=['oval'], direction='reverse', randomization='none',
                max_speed=3.0, hyperparameters=settings)
    assert made.setup.tracks == ('oval',) and made.setup.direction == 'reverse'
    assert made.setup.randomization == NONE and made.setup.actions.speed_high_mps == 3.0
    assert (made.hyperparameters.n_envs, made.hyperparameters.n_steps) == (8, 32)
    assert limits('generalise', steps=5000).steps == 5000
    assert limits('race', time='20s').time_s == 20.0
    assert limits('race', until_robust=0.9).until_robust == 0.9


def test_another_network_keeps_its_own_settings():
    made = plan('race', tracks=['oval'], network='DEEP_CONVOLUTIONAL_NETWORK_SHALLOW')
    assert isinstance(made.hyperparameters, PPOHyperparameters)
    assert made.hyperparameters.n_envs == 16 and made.setup.stack == 1
    assert made.hyperparameters.gamma == find_goal('race').settings['gamma']


def test_an_unknown_goal_is_refused(racer_home, capsys):
    with pytest.raises(UnknownNameError, match=r"unknown goal 'rase'; did you mean .*race\?"):
        find_goal('rase')
    assert run(['train', '--name', 'm', '--track', 'oval', '--goal', 'rase']) == 2
    assert "unknown goal 'rase'" in capsys.readouterr().err
    assert list(racer_home.iterdir()) == []


def test_every_goal_says_what_it_is_for():
    assert all(goal.summary and name == goal.name for name, goal in GOALS.items())


@pytest.mark.parametrize('kind', list(RaceType))
def test_a_race_in_company_is_taught_with_camera_and_lidar(kind):
    made = plan('finish', tracks=['oval'], race=STANDARD_FORMATS[kind])
    company = kind is not RaceType.TIME_TRIAL
    assert made.setup.race.type is kind
    assert (Sensor.LIDAR in made.setup.sensors) is company
    assert (made.distillation is not None) is company
    assert made.setup.reward == ('clear_objects' if company else 'progress')
    assert made.setup.network == ('FINE' if company else 'FAST')
    assert made.evaluation.laps * made.evaluation.starts == (40 if company else 12)
    alone = plan('finish', tracks=['oval'], race=made.setup.race, lidar=False, reward='smooth',
                 network='FAST', method='ppo')
    assert (alone.setup.sensors, alone.setup.reward, alone.setup.network, alone.distillation) == (
        (Sensor.FRONT_FACING_CAMERA,), 'smooth', 'FAST', None)


def test_in_company_the_last_steps_are_the_smallest_unless_a_limit_is_said():
    goal = find_goal('finish').in_company(1)
    assert plan_limits(goal, None, None, False, None, True).steps == COMPANY_STEPS
    laps = plan_limits(goal, None, None, True, None, True)
    assert (laps.steps, laps.until_laps, laps.time_s) == (None, True, 600.0)
    timed = plan_limits(goal, '60s', None, False, None, True)
    assert (timed.steps, timed.time_s, timed.early) == (None, 60.0, False)
    race = plan_limits(find_goal('race').in_company(1), None, None, False, None, True)
    assert (race.steps, race.time_s) == (None, 288.0)
    made = plan('finish', tracks=['oval'], race=STANDARD_FORMATS[RaceType.OBJECT_AVOIDANCE])
    assert made.hyperparameters.learning_rate_decay == 1.0


@pytest.mark.parametrize('cars', [2, 3, 5, 7, 8])
def test_cars_that_share_a_track_fill_whole_worlds(cars):
    made = plan('race', tracks=['oval'], race=RaceFormat(cars=cars))
    settings = made.hyperparameters
    assert settings.n_envs % cars == 0 and 56 <= settings.n_envs <= 64
    assert settings.n_envs * settings.n_steps % settings.batch_size == 0
    assert made.evaluation.starts % cars == 0 and made.confirmation.starts % cars == 0
    assert made.setup.stack == 3
