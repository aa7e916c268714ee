"""Who may do what with a model's folder at the same time, between real processes."""

import contextlib
import multiprocessing
import os
import signal

import pytest

from racer_rl.store import locks
from racer_rl.store.locks import BusyError, TakenError

CONTEXT = multiprocessing.get_context('fork')
"""Forked, so that the others need no imports; they open the folders anew."""


@pytest.fixture
def model(tmp_path):
    """A folder that counts as a model."""
    path = tmp_path / 'models' / 'm'
    with locks.staged(path) as hidden:
        (hidden / 'run.json').write_text('{}')
    return path


@contextlib.contextmanager
def elsewhere(hold, path):
    """Another process that holds a folder; killed at the end, as a crash would."""
    ours, theirs = CONTEXT.Pipe()

    def run():
        with getattr(locks, hold)(path):
            theirs.send('held')
            theirs.recv()

    process = CONTEXT.Process(target=run, daemon=True)
    process.start()
    assert ours.poll(20) and ours.recv() == 'held'
    try:
        yield process
    finally:
        process.kill()
        process.join()


def holds(hold, path):
    """Whether this process gets it now."""
    try:
        with getattr(locks, hold)(path):
            return True
    except BusyError:
        return False


TOGETHER = {
    ('present', 'present'): True, ('present', 'training_in'): True,
    ('training_in', 'training_in'): False, ('present', 'alone_with'): False,
    ('training_in', 'alone_with'): False, ('alone_with', 'alone_with'): False,
    ('committing', 'present'): True, ('committing', 'alone_with'): True,
}


@pytest.mark.parametrize('one', ['present', 'training_in', 'alone_with', 'committing'])
@pytest.mark.parametrize('other', ['present', 'training_in', 'alone_with'])
def test_what_goes_together(model, one, other):
    expected = TOGETHER.get((one, other), TOGETHER.get((other, one), True))
    with elsewhere(one, model):
        assert holds(other, model) is expected
    assert holds(other, model), 'a killed process must hold nothing'


def test_who_is_in_the_way_is_named(model):
    with elsewhere('training_in', model) as process:
        with pytest.raises(BusyError, match=f"'m' is being trained by process {process.pid} "):
            holds_or_raises('training_in', model)
        with pytest.raises(BusyError, match=f"'m' is in use by process {process.pid} "):
            holds_or_raises('alone_with', model)
        assert locks.is_trained(model)
    assert not locks.is_trained(model)


def holds_or_raises(hold, path):
    with getattr(locks, hold)(path):
        pass


def test_files_are_not_copied_while_they_are_replaced(model):
    with elsewhere('committing', model) as process:
        ours, theirs = CONTEXT.Pipe()

        def copy():
            with locks.at_rest(model):
                theirs.send('copied')

        copier = CONTEXT.Process(target=copy, daemon=True)
        copier.start()
        assert not ours.poll(0.3), 'it has to wait'
        os.kill(process.pid, signal.SIGKILL)
        assert ours.poll(20) and ours.recv() == 'copied'
        copier.join()


def test_a_model_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'models' / 'm'
    with pytest.raises(ZeroDivisionError), locks.staged(path) as hidden:
        (hidden / 'half').touch()
        assert not path.exists()
        raise ZeroDivisionError
    assert list(path.parent.iterdir()) == []
    with locks.staged(path) as hidden:
        (hidden / 'run.json').touch()
        assert not path.exists()
    assert sorted(file.name for file in path.iterdir()) == ['.writer', 'run.json']


def test_a_name_is_taken_once(model):
    with pytest.raises(TakenError, match="model 'm' exists already; choose another name"), (
            locks.staged(model)):
        pytest.fail('not reached')
    with locks.staged(model.with_name('n')) as hidden:
        (hidden / 'run.json').write_text('other')
    with pytest.raises(TakenError):
        locks.move(model, model.with_name('n'))
    assert (model / 'run.json').read_text() == '{}'
    assert (model.with_name('n') / 'run.json').read_text() == 'other'


def test_two_that_build_the_same_name_do_not_mix(tmp_path):
    path = tmp_path / 'models' / 'm'
    with pytest.raises(TakenError), locks.staged(path) as one:
        (one / 'run.json').write_text('one')
        with locks.staged(path) as two:
            (two / 'run.json').write_text('two')
    assert (path / 'run.json').read_text() == 'two'
    assert [each.name for each in path.parent.iterdir()] == ['m']


def test_what_never_became_a_model_frees_its_name(tmp_path):
    path = tmp_path / 'models' / 'm'
    (path / 'checkpoints').mkdir(parents=True)
    (path / 'checkpoints' / 'last.zip').touch()
    with locks.staged(path) as hidden:
        (hidden / 'run.json').touch()
    assert not (path / 'checkpoints').exists()


def test_training_that_leaves_nothing_leaves_no_folder(tmp_path):
    path = tmp_path / 'models' / 'm'
    with locks.training_in(path):
        assert path.is_dir()
    assert not path.exists()
    with locks.training_in(path):
        (path / 'run.json').touch()
    assert (path / 'run.json').exists()


def test_a_moved_model_is_whole(model):
    other = model.with_name('other')
    locks.move(model, other)
    assert not model.exists()
    assert (other / 'run.json').read_text() == '{}'
    with pytest.raises(BusyError, match="'m' was just deleted or renamed"):
        holds_or_raises('present', model)


def test_leftovers_of_killed_processes_are_swept_and_others_stay(model):
    models = model.parent
    for name in ('.new-0123', '.trash-4567'):
        (models / name).mkdir()
        (models / name / 'file').touch()
    (models / '.new-used').mkdir()
    with elsewhere('alone_with', models / '.new-used'):
        assert sorted(path.name for path in locks.sweep(models)) == ['.new-0123', '.trash-4567']
        assert (models / '.new-used').is_dir()
    assert model.is_dir()
