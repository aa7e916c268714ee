"""`kill -9` at any moment of a real training run leaves a model that drives and trains on."""

import json
import multiprocessing
import os
import random

import pytest

from racer_rl.cli.main import run
from racer_rl.evaluation.laps import EvaluationPlan, evaluate
from racer_rl.store.models import model_folder
from racer_rl.training.checkpoint import load_checkpoint

KILLS = 10
SHORT = EvaluationPlan(laps=1, starts=1)


def _train(words):
    """The whole command, silent."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(quiet, stream)
    run(words)


@pytest.mark.slow
def test_a_kill_at_any_moment_costs_a_few_updates(racer_home, tmp_path):
    settings = tmp_path / 'settings.json'
    settings.write_text(json.dumps({'n_envs': 4, 'n_steps': 32, 'batch_size': 64}))
    begin = ['--track', 'oval', '--hyperparameters', str(settings)]
    folder, moments = model_folder('m'), random.Random(8)
    # Forked, so that ten processes do not import torch ten times.
    context = multiprocessing.get_context('fork')
    steps = []
    for kill in range(KILLS):
        more = ['--resume'] if folder.exists else begin
        words = ['train', '--name', 'm', '--steps', str(10**9), *more]
        process = context.Process(target=_train, args=(words,), daemon=True)
        process.start()
        # The first ones fall into its beginning, the others anywhere.
        process.join(timeout=moments.uniform(0.02, 0.3 if kill < 3 else 1.5))
        assert process.is_alive(), 'training ended by itself'
        process.kill()
        process.join()
        if folder.exists:
            steps.append(load_checkpoint(folder.checkpoint('last'))[0].num_timesteps)
            assert evaluate(folder.policy('last'), folder.setup, SHORT).runs
            if folder.checkpoint('best').exists():
                assert evaluate(folder.policy('best'), folder.setup, SHORT).runs
    assert steps == sorted(steps)
    assert len(set(steps)) > KILLS // 2
    assert run(['train', '--name', 'm', '--resume', '--steps', str(steps[-1] + 1)]) == 0
    assert folder.progress['steps'] > steps[-1]
    assert not list(racer_home.rglob('*.part'))
