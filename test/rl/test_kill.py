"""`kill -9` at any moment of a real training run leaves a model that drives and trains on."""

import json
import multiprocessing
import os
import random
import signal
import sys

import pytest

from racer_rl.cli.main import run
from racer_rl.evaluation.laps import EvaluationPlan, evaluate
from racer_rl.store.models import model_folder
from racer_rl.training.checkpoint import load_checkpoint

KILLS, EARLY_KILLS = 10, 4
SHORT = EvaluationPlan(laps=1, starts=1, lap_time_limit_s=5.0)


def _train(words, progress):
    """The whole command, what it prints into a pipe."""
    sys.stdout = sys.stderr = os.fdopen(progress, 'w', buffering=1)
    run(words)


def _start(words):
    """A training process, and the end of the pipe from which its progress is read."""
    # Forked, so that ten processes do not import torch ten times.
    context = multiprocessing.get_context('fork')
    shown, progress = os.pipe()
    process = context.Process(target=_train, args=(words, progress), daemon=True)
    process.start()
    os.close(progress)
    return process, shown


def _shows_steps(shown):
    """Reads up to the first line of progress; whether there is one."""
    said = b''
    while b'steps ' not in said and (part := os.read(shown, 3000)):
        said += part
    return b'steps ' in said


@pytest.mark.slow
def test_a_kill_at_any_moment_costs_a_few_updates(racer_home, tmp_path):
    settings = tmp_path / 'settings.json'
    settings.write_text(json.dumps({'n_envs': 4, 'n_steps': 32, 'batch_size': 64}))
    begin = ['--track', 'oval', '--hyperparameters', str(settings)]
    assert run(['train', '--name', 'imports', '--steps', '1', *begin]) == 0
    folder, moments = model_folder('m'), random.Random(8)
    steps = []
    for kill in range(KILLS):
        more = ['--resume'] if folder.exists else begin
        process, shown = _start(['train', '--name', 'm', '--steps', str(10**9), *more])
        # The first ones fall into the beginning of a run, the others after its first update.
        if kill >= EARLY_KILLS:
            assert _shows_steps(shown), 'training ended by itself'
        process.join(timeout=moments.uniform(0.01, 0.3))
        process.kill()
        process.join()
        os.close(shown)
        assert process.exitcode == -signal.SIGKILL
        if folder.exists:
            steps.append(load_checkpoint(folder.checkpoint('last'))[0].num_timesteps)
            assert evaluate(folder.policy('last'), folder.setup, SHORT).runs
            if folder.checkpoint('best').exists():
                assert evaluate(folder.policy('best'), folder.setup, SHORT).runs
    assert steps == sorted(steps)
    assert len(set(steps)) >= KILLS - EARLY_KILLS
    assert run(['train', '--name', 'm', '--resume', '--steps', str(steps[-1] + 1)]) == 0
    assert folder.progress['steps'] > steps[-1]
    assert not list(racer_home.rglob('*.part'))
