"""What `racer models diff` finds, and that it says nothing of what is equal."""

import json
from dataclasses import replace

import pytest

from racer_rl.cli.main import run
from racer_rl.envs.build import RaceSetup
from racer_rl.reward.library import find_reward
from racer_rl.store.difference import compare
from racer_rl.store.evaluations import keep_evaluation
from racer_rl.store.lineage import Kinship, Lineage
from racer_rl.store.models import model_folder
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_sim.randomization import find_randomization
from racer_sim.track_files import save_npy
from racer_sim.track_generator import generate_track
from racer_vehicle.action import DiscreteActions
from racer_vehicle.spec import CarSpec

pytestmark = pytest.mark.usefixtures('racer_home')


def create(name, setup, settings, reward='progress', seed=0, lineage=None):
    folder = model_folder(name)
    folder.create(replace(setup, reward=reward), settings, find_reward(reward), seed, 'ppo',
                  lineage)
    return folder


def differing(first, second):
    return {(row.group, row.name): (row.first, row.second) for row in compare(first, second).rows}


def test_every_setting_that_differs_is_told_and_no_other():
    base = RaceSetup()
    first = create('a', base, PPOHyperparameters())
    second = create(
        'b', replace(base, track=('oval', 'pebble'), direction='both', compat=True,
                     car=CarSpec(mass_kg=2.0), randomization=find_randomization('default'),
                     actions=DiscreteActions(steering_rad=(0.0, 0.5235987755982988),
                                             speed_mps=(1.0, 1.5))),
        PPOHyperparameters(gamma=0.9), seed=3,
        lineage=Lineage(kind=Kinship.DISTILLED, model='elsewhere'))
    found = differing(first, second)
    randomization = [key for key in found if key[0] == 'randomization']
    assert len(randomization) > 3
    for key in [*randomization, ('cost', 'size_bytes')]:
        found.pop(key)
    assert found == {
        ('setup', 'track'): (['oval'], ['oval', 'pebble']),
        ('setup', 'direction'): ('forward', 'both'),
        ('setup', 'compat'): (False, True),
        ('setup', 'car.mass_kg'): (1.5, 2.0),
        ('setup', 'actions.table'): (None, ['0° 1 m/s', '30° 1.5 m/s']),
        ('setup', 'actions.steering_deg'): ([-30.0, 30.0], None),
        ('setup', 'actions.speed_mps'): ([0.5, 2.0], None),
        ('hyperparameters', 'gamma'): (0.99, 0.9),
        ('run', 'seed'): (0, 3),
        ('run', 'from'): ('nothing', 'learnt from what elsewhere did'),
    }


def test_a_model_differs_from_itself_in_nothing():
    folder = create('a', RaceSetup(), PPOHyperparameters())
    difference = compare(folder, folder)
    assert (difference.rows, difference.reward) == ((), ())
    assert difference.same > 60


def test_the_same_track_file_elsewhere_is_the_same_track(tmp_path):
    for number, seed in enumerate((1, 1, 2)):
        save_npy(generate_track(seed, length_m=14.0), tmp_path / str(number) / 'garden.npy')
    first, second, third = (
        create(f'm{number}', RaceSetup(track=str(tmp_path / str(number) / 'garden.npy')),
               PPOHyperparameters()) for number in range(3))
    assert ('setup', 'track') not in differing(first, second)
    ours, theirs = differing(first, third)['setup', 'track']
    assert ours[0].startswith('garden (SHA-256 ')
    assert ours != theirs


def test_results_stand_side_by_side():
    first, second = (create(name, RaceSetup(), PPOHyperparameters()) for name in 'ab')
    first.write_progress({'steps': 10, 'episodes': 1, 'best_steps': 10, 'best': {
        'clean_laps': 11, 'total_laps': 12, 'completion': 0.99, 'mean_lap_s': 9.5}})
    for laps in (3, 4):
        keep_evaluation(second.path, 'laps', {'clean_laps': laps, 'total_laps': 12}, {})
    found = differing(first, second)
    assert found['results', 'best.clean_laps'] == (11, None)
    assert found['results', 'best.mean_lap_s'] == (9.5, None)
    assert found['results', 'newest laps.clean_laps'] == (None, 4)


def test_the_command_prints_lines_of_the_reward(capsys):
    create('a', RaceSetup(), PPOHyperparameters())
    create('b', RaceSetup(), PPOHyperparameters(), reward='stay_on_track')
    assert run(['models', 'diff', 'a', 'b']) == 0
    text = capsys.readouterr().out
    assert '--- a\n+++ b\n@@ ' in text
    assert '-POINTS_PER_METRE = 10.0' in text
    assert 'the reward functions are different.' in text
    assert 'gamma' not in text
    assert run(['models', 'diff', 'a', 'b', '--json']) == 0
    told = json.loads(capsys.readouterr().out)
    assert told['models'] == ['a', 'b']
    assert told['reward'][:2] == ['--- a', '+++ b']
    assert set(told['differs']) <= {'cost'}
    assert run(['models', 'diff', 'a', 'c']) == 2
    assert "unknown model 'c'" in capsys.readouterr().err
