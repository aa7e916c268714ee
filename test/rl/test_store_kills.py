"""Four processes in one store, killed at random: two train, one exports, one imports and deletes.

Nothing may be lost or half-written: whatever is there at any moment is whole.
"""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from racer_rl.cli.main import run
from racer_rl.store import locks
from racer_rl.store.archive_reading import add_model, open_archive
from racer_rl.store.models import model_folder, model_names, models_folder, open_model
from racer_rl.training.checkpoint import load_checkpoint

KILLS, IMPORT_EVERY = 200, 25
TRAINED = ('m0', 'm1')
LONGEST_CPU_S = {'m0': 0.8, 'm1': 0.8, 'exporter': 0.2, 'deleter': 0.2}
"""How long each computes at most before its time has come; a training has begun after 0.4 s. On
a busy machine, too, the kills then strike work and not only beginnings."""
GRACE_S = 0.01
"""At most so much later it is killed: while it waits for the disk, too."""
TICKS_PER_S = os.sysconf('SC_CLK_TCK')
CONTEXT = multiprocessing.get_context('fork')
"""Forked, so that a new one does not import torch."""


def train(name):
    words = ['--resume'] if model_folder(name).exists else [
        '--track', 'oval', '--hyperparameters', 'tiny.json']
    run(['train', '--name', name, '--steps', str(10**9), '--until-laps', '--trace', 'every',
         *words])


def export(_):
    while True:
        for name in TRAINED:
            run(['models', 'export', name, '--archive', '--out', f'{name}.zip', '--force'])


def come_and_go(_):
    while True:
        if 'victim' in model_names():
            run(['models', 'delete', 'victim', '--yes'])
        with contextlib.suppress(OSError):
            run(['models', 'import', 'm0.zip', '--name', 'victim'])


ACTORS = {'m0': train, 'm1': train, 'exporter': export, 'deleter': come_and_go}


def actor(name):
    """Starts one, in silence, and behind whoever looks at what it left."""
    def silently():
        os.nice(5)
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        ACTORS[name](name)

    process = CONTEXT.Process(target=silently)
    process.start()
    return process


def cpu_s(process):
    """CPU time that a process has had."""
    fields = Path(f'/proc/{process.pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def kill_those_whose_time_has_come(running, ends, chance):
    """Names of those that were killed; at least one."""
    while not (due := [name for name, process in running.items()
                       if cpu_s(process) >= ends[name]]):
        assert all(process.is_alive() for process in running.values()), 'one ended by itself'
        time.sleep(chance.uniform(0.0, GRACE_S))
    for name in due:
        running[name].kill()
    for name in due:
        running[name].join()
        assert running[name].exitcode == -signal.SIGKILL, f'{name} ended by itself'
    return due


def steps_of(folder):
    """Steps of the last checkpoint, after a look at all that belongs to it."""
    assert folder.setup.tracks == ('oval',)
    assert folder.metadata.neural_network == 'FAST'
    folder.sessions  # noqa: B018 (raises if damaged)
    if folder.progress.get('best'):
        load_checkpoint(folder.checkpoint('best'))
    return load_checkpoint(folder.checkpoint('last'))[0].num_timesteps


def look_at(archive, is_imported):
    """An archive is whole at any moment; now and then it is imported, too."""
    with open_archive(archive) as source:
        assert {'run.json', 'checkpoints/last.zip'} <= source.files.keys()
        if is_imported:
            whole, _ = add_model(source, f'check-{archive.stem}')
            assert steps_of(whole) >= 0
            locks.discard(whole.path)


def look_at_victim():
    """Whether it is there; then it is whole."""
    folder = model_folder('victim')
    with contextlib.suppress(locks.BusyError), locks.present(folder.path):
        return folder.exists and steps_of(folder) >= 0
    return False


@pytest.fixture
def store(racer_home, tmp_path, monkeypatch):
    """An empty store, in a process that has imported and compiled all that training needs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tiny.json').write_text(json.dumps(
        {'n_envs': 4, 'n_steps': 32, 'batch_size': 64, 'num_epochs': 1, 'learning_rate': 1e-8}))
    assert run(['train', '--track', 'oval', '--name', 'imports', '--steps', '1', '--until-laps',
                '--hyperparameters', 'tiny.json']) == 0
    locks.discard(model_folder('imports').path)
    return tmp_path


@pytest.fixture
def running(store):
    """One process of each kind, ended at the end."""
    processes = {name: actor(name) for name in ACTORS}
    yield processes
    for process in processes.values():
        process.kill()
        process.join()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kills_at_random_lose_nothing(store, running):
    chance, steps = random.Random(8), dict.fromkeys(TRAINED, 0)
    ends = {name: chance.uniform(0.0, longest_s) for name, longest_s in LONGEST_CPU_S.items()}
    kills = looks = exports = victims = 0
    while kills < KILLS:
        killed = kill_those_whose_time_has_come(running, ends, chance)
        before, kills, looks = kills, kills + len(killed), looks + 1
        for trained in TRAINED:
            if steps[trained] or model_folder(trained).exists:
                earlier, steps[trained] = steps[trained], steps_of(open_model(trained))
                assert steps[trained] >= earlier
        is_imported = before // IMPORT_EVERY < kills // IMPORT_EVERY
        for archive in store.glob('m?.zip'):
            look_at(archive, is_imported)
            exports += 1
        victims += look_at_victim()
        assert set(model_names()) <= {*TRAINED, 'victim'}
        for name in killed:
            running[name] = actor(name)
            ends[name] = chance.uniform(0.0, LONGEST_CPU_S[name])
    assert min(steps.values()) > 0
    assert exports > looks / 2 and victims > 0


@pytest.mark.slow
def test_what_kills_left_is_swept_and_trains_on(store, running):
    begun = [store / 'm0.zip', *(model_folder(name).path / 'run.json' for name in TRAINED)]
    while not all(path.exists() for path in begun):
        time.sleep(0.1)
    for process in running.values():
        process.kill()
        process.join()
    locks.sweep(models_folder())
    assert {path.name for path in models_folder().iterdir()} <= {*TRAINED, 'victim'}
    for trained in TRAINED:
        more = steps_of(open_model(trained)) + 1000
        assert run(['train', '--name', trained, '--resume', '--until-laps', '--steps',
                    str(more)]) == 0
        assert not list(open_model(trained).path.rglob('*.part'))
