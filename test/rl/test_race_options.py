"""The options that say what kind of race it is, and what training makes of them."""

import json

import pytest

from racer_rl.cli.main import run
from racer_rl.cli.race_options import RaceWords
from racer_rl.store.models import open_model
from racer_rl.training.checkpoint import load_checkpoint
from racer_sim.race_format import STANDARD_FORMATS, Obstacles, RaceFormat, RaceType
from racer_vehicle.errors import ConfigError, UnknownNameError
from racer_vehicle.observation import Sensor

TINY = {'n_envs': 4, 'n_steps': 64, 'batch_size': 64, 'num_epochs': 2}


@pytest.mark.parametrize(('words', 'kind'), [
    ({'race': 'time-trial'}, RaceType.TIME_TRIAL), ({'obstacles': 2}, RaceType.OBJECT_AVOIDANCE),
    ({'place': ['0.3,left']}, RaceType.OBJECT_AVOIDANCE), ({'bots': 1}, RaceType.HEAD_TO_BOT),
    ({'bot_speed': '0.4'}, RaceType.HEAD_TO_BOT), ({'cars': 8}, RaceType.HEAD_TO_HEAD),
    ({'race': 'head-to-head'}, RaceType.HEAD_TO_HEAD)])
def test_the_type_follows_from_what_is_asked_for(words, kind):
    assert RaceWords(**words).format().type is kind


def test_nothing_typed_is_no_race_and_a_type_alone_is_the_usual_one():
    assert RaceWords().format() is None
    assert [RaceWords(race=kind).format() for kind in RaceType] == [
        STANDARD_FORMATS[kind] for kind in RaceType]


def test_figures_replace_the_usual_ones():
    assert RaceWords(place=['0.25,left', '0.6, right']).format().obstacles == Obstacles(
        count=2, places=((0.25, 1), (0.6, -1)))
    bots = RaceWords(bots=2, bot_speed='0.2:1.1').format().bots
    assert (bots.count, bots.slowest_mps, bots.fastest_mps) == (2, 0.2, 1.1)
    assert RaceWords(bot_speed='0.4').format().bots.fastest_mps == 0.4


@pytest.mark.parametrize(('words', 'error'), [
    ({'race': 'drag'}, r"race 'drag'"),
    ({'race': 'time-trial', 'bots': 1}, r'--bots is given for a race of type time-trial'),
    ({'bots': 1, 'obstacles': 1}, r'allowed with .* only'),
    ({'obstacles': 0}, r'--obstacles is 0; without company'), ({'cars': 1}, r'--cars is 1'),
    ({'place': ['0.3']}, r"--place is '0.3'; allowed"),
    ({'place': ['0.3,middle']}, r"--place is '0.3,middle'"),
    ({'place': ['0.3,left'], 'obstacles': 2}, r'places name 1 obstacles and count is 2'),
    ({'bot_speed': 'fast'}, r"--bot-speed is 'fast'"), ({'obstacles': 7}, r'count is 7'),
    ({'bot_speed': '0.9:0.2'}, r'slowest_mps is 0.9')])
def test_what_makes_no_sense_is_refused(words, error):
    with pytest.raises((ConfigError, UnknownNameError), match=error):
        RaceWords(**words).format()


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """A store with a model `alone` and one of its clones `among` boxes, trained for a moment."""
    folder = tmp_path_factory.mktemp('races')
    (folder / 'tiny.json').write_text(json.dumps(TINY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RACER_HOME', str(folder))
        patch.chdir(folder)
        for words in (('--name', 'alone', '--track', 'oval', '--lidar', '--until-laps'),
                      ('--name', 'among', '--from', 'alone', '--obstacles', '2')):
            assert run(['train', *words, '--steps', '1500', '--trace', 'none',
                        '--hyperparameters', 'tiny.json']) == 0
    return folder


@pytest.fixture
def store(home, monkeypatch):
    """The same, for commands."""
    monkeypatch.setenv('RACER_HOME', str(home))
    return home


def critic(model):
    return load_checkpoint(open_model(model).checkpoint('best'))[0].get_parameters()['policy']


def test_a_clone_races_in_company_with_a_critic_that_is_told_of_it(store, capsys):
    folder = open_model('among')
    assert folder.setup.race == RaceFormat(obstacles=Obstacles(count=2))
    assert not folder.lineage.optimizer
    assert run(['clone', 'alone', 'third', '--race', 'object-avoidance']) == 0
    assert 'with a fresh optimiser' in capsys.readouterr().out
    name = 'mlp_extractor.critic.1.weight'
    before, after = critic('alone')[name], critic('third')[name]
    known = before.shape[1]
    assert after.shape[1] > known
    assert after[:, :known].equal(before)
    assert not after[:, known:].any()
    assert run(['clone', 'third', 'fourth', '--race', 'time-trial']) == 0
    assert critic('fourth')[name].equal(before)


def test_an_evaluation_may_be_of_another_race(store, capsys):
    for options, laps in (((), 2), (('--race', 'time-trial'), 2), (('--bots', '1'), 2),
                          (('--cars', '2'), 2)):
        assert run(['evaluate', 'among', '--laps', '1', '--starts', '2', '--no-bound',
                    '--no-trace', '--json', *options]) == 0
        assert json.loads(capsys.readouterr().out)['total_laps'] == laps


def test_training_in_company_reads_the_lidar_and_resumes_as_it_was(store, capsys):
    assert run(['train', '--name', 'new', '--track', 'oval', '--bots', '1', '--method', 'ppo',
                '--network', 'FAST', '--steps', '300', '--until-laps', '--trace', 'none',
                '--hyperparameters', str(store / 'tiny.json')]) == 0
    setup = open_model('new').setup
    assert setup.sensors == (Sensor.FRONT_FACING_CAMERA, Sensor.LIDAR)
    assert setup.race.bots.count == 1
    assert open_model('new').run['reward']['origin'] == 'clear_objects'
    capsys.readouterr()
    assert run(['train', '--name', 'new', '--resume', '--steps', '600', '--bots', '2']) == 2
    assert '--bots is 2, but --resume is given' in capsys.readouterr().err
    assert run(['train', '--name', 'new', '--resume', '--steps', '600', '--until-laps']) == 0
    assert open_model('new').setup == setup


def test_a_clone_of_a_model_that_practised_goes_on_at_that_rate(store, capsys):
    path = open_model('among').path / 'run.json'
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, 'method': 'distill'}))
    for name, options, rate in (('calm', (), 3e-4), ('bold', ('--learning-rate', '0.002'), 2e-3)):
        assert run(['clone', 'among', name, *options]) == 0
        said = 'among practised at a rate of 0.0003' in capsys.readouterr().err
        assert said is not bool(options)
        assert open_model(name).run['hyperparameters']['learning_rate'] == rate
    path.write_text(json.dumps(record))
