"""Settings: three spellings of a name, ranges, and nothing silently dropped."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_rl.training.hyperparameters import (
    STEPS_PER_EPISODE,
    PPOHyperparameters,
    SACHyperparameters,
    load_hyperparameters,
)
from racer_vehicle.errors import ConfigError, UnknownNameError

# What the DeepRacer console wrote for a real model in 2022.
CONSOLE = {
    'batch_size': 64, 'beta_entropy': 0.01, 'discount_factor': 0.95, 'e_greedy_value': 1.0,
    'epsilon_steps': 10000, 'exploration_type': 'categorical', 'loss_type': 'huber', 'lr': 0.0003,
    'num_episodes_between_training': 20, 'num_epochs': 3, 'stack_size': 1,
    'term_cond_avg_score': 100000.0, 'term_cond_max_episodes': 100000,
}


@pytest.fixture
def load(tmp_path):
    """Write settings to a file and read them."""
    def write_and_read(content, algorithm='ppo', network='FAST'):
        path = tmp_path / 'hyperparameters.json'
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return load_hyperparameters(path, algorithm, network)
    return write_and_read


def test_without_a_file_the_network_decides():
    fast, notes = load_hyperparameters(None, 'clipped_ppo', 'FAST')
    large, _ = load_hyperparameters(None, 'ppo', 'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW')
    assert isinstance(fast, PPOHyperparameters)
    assert notes == ()
    assert large.learning_rate < fast.learning_rate
    assert isinstance(load_hyperparameters(None, 'sac', 'FAST')[0], SACHyperparameters)


def test_a_file_of_the_console_loads_and_says_what_it_could_not_use(load):
    settings, notes = load(CONSOLE)
    assert (settings.batch_size, settings.ent_coef, settings.gamma) == (64, 0.01, 0.95)
    assert (settings.learning_rate, settings.n_epochs, settings.value_loss) == (3e-4, 3, 'huber')
    assert settings.rollout_steps == 20 * STEPS_PER_EPISODE
    assert [note.split(' = ')[0] for note in notes] == [
        'e_greedy_value', 'epsilon_steps', 'exploration_type', 'num_episodes_between_training']
    assert 'n_steps = 100 for each of 16 cars' in notes[-1]


def test_our_names_change_the_recommended_settings(load):
    settings, notes = load({'learning_rate': 1e-3, 'n_envs': 8, 'value_loss': 'huber'})
    assert (settings.learning_rate, settings.n_envs, settings.value_loss) == (1e-3, 8, 'huber')
    assert settings.gamma == load_hyperparameters(None, 'ppo', 'FAST')[0].gamma
    assert notes == ()


@pytest.mark.parametrize('algorithm', ['ppo', 'sac'])
def test_what_is_written_for_deepracer_reads_back_the_same(load, algorithm):
    settings, _ = load({'lr': 7e-4, 'stack_size': 2}, algorithm)
    again, _ = load(settings.to_deepracer_json(), algorithm)
    assert again.learning_rate == 7e-4
    assert again.stack_size == 2
    assert json.loads(again.to_deepracer_json()) == json.loads(settings.to_deepracer_json())


def test_what_the_console_wrote_is_written_again(load):
    settings, _ = load(CONSOLE)
    written = json.loads(settings.to_deepracer_json())
    assert written == {**CONSOLE, 'e_greedy_value': 0.05}


def test_sac_reads_its_own_names_and_refuses_no_deepracer_name(load):
    settings, notes = load({**CONSOLE, 'sac_alpha': 0.3}, 'sac')
    assert settings.ent_coef == 0.3
    assert {note.split(' = ')[0] for note in notes} == {
        'e_greedy_value', 'epsilon_steps', 'exploration_type', 'beta_entropy', 'loss_type',
        'num_epochs', 'num_episodes_between_training'}


def test_sac_may_learn_its_entropy_weight(load):
    settings, _ = load({'ent_coef': 'auto'}, 'sac')
    assert settings.ent_coef == 'auto'
    assert 'sac_alpha' not in json.loads(settings.to_deepracer_json())


@given(episodes=st.integers(1, 1000), n_envs=st.integers(1, 64),
       batch_size=st.sampled_from([32, 64, 128, 256, 512]))
def test_a_rollout_covers_the_episodes_in_whole_minibatches(tmp_path_factory, episodes, n_envs,
                                                            batch_size):
    path = tmp_path_factory.mktemp('settings') / 'h.json'
    path.write_text(json.dumps({'num_episodes_between_training': episodes, 'n_envs': n_envs,
                                'batch_size': batch_size}))
    settings, _ = load_hyperparameters(path, 'ppo', 'FAST')
    assert abs(settings.rollout_steps - episodes * STEPS_PER_EPISODE) <= n_envs * batch_size
    assert settings.rollout_steps % batch_size == 0
    path.write_text(json.dumps({**json.loads(settings.to_deepracer_json()), 'n_envs': n_envs}))
    assert load_hyperparameters(path, 'ppo', 'FAST')[0].rollout_steps == settings.rollout_steps


@pytest.mark.parametrize(('content', 'message'), [
    ({'lr': 5}, r'learning_rate \(lr\) is 5; allowed: a number, 1e-08 to 0.1; change it'),
    ({'gamma': float('nan')}, r'gamma \(discount_factor\) is nan; allowed: a number, 0 to 1'),
    ({'gamma': '0.9'}, r"gamma .* is '0.9'; allowed: a number"),
    ({'num_epochs': 2.5}, r'n_epochs \(num_epochs\) is 2.5; allowed: a whole number, 1 to 100'),
    ({'n_epochs': True}, 'is True; allowed: a whole number'),
    ({'gamma': None}, 'is None; allowed: a number'),
    ({'loss_type': 'hinge'}, r"\(loss_type\) is 'hinge'; allowed: mean squared error or huber"),
    ({'loss_type': ['huber']}, 'allowed: mean squared error or huber'),
    ({'lr': 1e-3, 'learning_rate': 1e-3}, 'lr and learning_rate are both given.*remove one'),
    ({'n_steps': 64, 'num_episodes_between_training': 5}, 'are both given.*remove one'),
    ({'num_episodes_between_training': 0}, 'is 0; allowed: a whole number, 1 to 10000'),
    ({'num_episodes_between_training': '20'}, "is '20'; allowed: a whole number"),
    ({'batch_size': 100}, 'not split into minibatches of 100; .* n_steps to a multiple of 25'),
    ('[1]', 'holds a list; allowed: one object'),
    ('{', 'is not JSON'),
])
def test_what_cannot_be_used_is_refused_in_one_line(load, content, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load(content)
    assert '\n' not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'cannot read .*absent\.json: No such file'):
        load_hyperparameters(tmp_path / 'absent.json', 'ppo', 'FAST')


def test_unknown_names_are_refused_with_the_nearest(load):
    with pytest.raises(UnknownNameError, match=r"'learning_rte'; did you mean .*learning_rate"):
        load({'learning_rte': 1e-3})
    with pytest.raises(UnknownNameError, match="unknown algorithm 'pppo'; did you mean"):
        load_hyperparameters(None, 'pppo', 'FAST')
    with pytest.raises(UnknownNameError, match="unknown network 'FASTER'"):
        load_hyperparameters(None, 'ppo', 'FASTER')


def test_the_range_of_a_field_holds_in_code_too():
    with pytest.raises(ConfigError, match=r'init_std is 0; allowed: a number, 0.001 to 3'):
        PPOHyperparameters(init_std=0)
