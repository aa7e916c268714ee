"""The same seed gives the same weights and the same laps, bit for bit; another seed does not."""

import json
import os
import subprocess
import sys

import pytest
import torch

from racer_rl.cli.main import run
from racer_rl.store.models import model_folder
from racer_rl.training.checkpoint import load_checkpoint

pytestmark = pytest.mark.usefixtures('racer_home')

SETTINGS = {
    'ppo': {'n_envs': 4, 'n_steps': 64, 'batch_size': 64},
    'sac': {'n_envs': 4, 'batch_size': 32, 'learning_starts': 64, 'buffer_size': 1000,
            'train_freq': 4},
}


@pytest.fixture
def words(tmp_path):
    def compose(algorithm, name, seed):
        settings = tmp_path / f'{algorithm}.json'
        settings.write_text(json.dumps(SETTINGS[algorithm]))
        return ['train', '--track', 'oval', '--name', name, '--seed', str(seed), '--steps',
                '512', '--algorithm', algorithm, '--hyperparameters', str(settings)]
    return compose


def tensors(name, which):
    """Weights and optimizers of a checkpoint, flat."""
    flat = {}

    def flatten(prefix, value):
        if isinstance(value, torch.Tensor):
            flat[prefix] = value
        elif isinstance(value, dict):
            for key, part in value.items():
                flatten(f'{prefix}/{key}', part)
    model = load_checkpoint(model_folder(name).checkpoint(which))[0]
    flatten('', model.get_parameters())
    return flat


def same(one, other, which):
    ours, theirs = tensors(one, which), tensors(other, which)
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize('algorithm', ['ppo', 'sac'])
def test_a_seed_decides_everything(words, algorithm):
    for name, seed in (('one', 4), ('again', 4), ('other', 5)):
        assert run(words(algorithm, name, seed)) == 0
    for which in ('last', 'best'):
        assert same('one', 'again', which)
        assert not same('one', 'other', which)
    first, again, other = (model_folder(name).progress for name in ('one', 'again', 'other'))
    assert first == again != other
    assert first['best']['seed'] == other['best']['seed']


@pytest.mark.slow
def test_a_process_of_its_own_gives_the_same_bits(words):
    assert run(words('ppo', 'here', 4)) == 0
    code = 'import sys; from racer_rl.cli.main import run; sys.exit(run(sys.argv[1:]))'
    # Another hash seed, so that an order of sets would show.
    subprocess.run([sys.executable, '-c', code, *words('ppo', 'there', 4)], check=True,
                   env={**os.environ, 'PYTHONHASHSEED': '77'}, timeout=120, capture_output=True)
    assert same('here', 'there', 'last')
    assert model_folder('here').progress == model_folder('there').progress
