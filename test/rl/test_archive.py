"""Archives of models: whole and equal on the other side, and nothing that is broken comes in."""

import contextlib
import hashlib
import io
import json
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import EvaluationPlan, evaluate
from racer_rl.store.archive import MANIFEST, SEAL_BYTES, SEAL_WORDS, SUFFIX
from racer_rl.store.archive_reading import add_model, open_archive, open_folder
from racer_rl.store.archive_writing import write_archive
from racer_rl.store.locks import BusyError, TakenError, alone_with
from racer_rl.store.models import model_folder, model_names, open_model
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.plan import Limits, TrainingPlan
from racer_rl.training.train import train
from racer_sim.track_files import save_npy
from racer_sim.track_generator import generate_track
from racer_vehicle.errors import ConfigError, ModelMismatchError

STEPS = 1024
SHORT = EvaluationPlan(laps=1, starts=2, lap_time_limit_s=4.0)


def plan(track, steps):
    return TrainingPlan(setup=RaceSetup(track=track), limits=Limits(steps=steps), evaluation=SHORT,
                        hyperparameters=PPOHyperparameters(n_envs=4, n_steps=64), confirmed=False)


@pytest.fixture(scope='module')
def homes(tmp_path_factory):
    """A computer with a model on a track of its own, its archive, and a computer with nothing."""
    with pytest.MonkeyPatch.context() as patch:
        here, there = tmp_path_factory.mktemp('here'), tmp_path_factory.mktemp('there')
        patch.setenv('RACER_HOME', str(here))
        track = here / 'elsewhere' / 'garden.npy'
        save_npy(generate_track(3, length_m=14.0), track)
        model = model_folder('m')
        train(model, plan(str(track), STEPS), lambda standing: None)
        archive = here / f'm{SUFFIX}'
        write_archive(model, archive)
        yield here, there, archive


@pytest.fixture
def there(homes, monkeypatch):
    """The other computer, empty."""
    home = homes[1]
    shutil.rmtree(home / 'models', ignore_errors=True)
    monkeypatch.setenv('RACER_HOME', str(home))
    return home


def bring(archive, name=None):
    with open_archive(archive) as source:
        return add_model(source, name or source.name)


def store(home):
    """Every file of a store, hidden ones too, but locks."""
    return {path.relative_to(home).as_posix(): path.read_bytes()
            for path in sorted((home / 'models').rglob('*'))
            if path.is_file() and path.name != '.writer'}


def test_a_model_is_the_same_on_another_computer(homes, there, monkeypatch):
    here, _, archive = homes
    moved, notes = bring(archive)
    assert notes == ()
    assert moved.name == 'm'
    original = store(here)
    for path, content in store(there).items():
        if path not in {'models/m/run.json', 'models/m/tracks/garden.npy'}:
            assert content == original[path], path
    assert moved.run == {**json.loads(original['models/m/run.json']),
                         'track': ['tracks/garden.npy']}
    monkeypatch.setenv('RACER_HOME', str(here))
    before = evaluate(open_model('m').policy(), open_model('m').setup, SHORT).as_dict()
    shutil.move(here / 'elsewhere', here / 'gone')
    monkeypatch.setenv('RACER_HOME', str(there))
    try:
        assert evaluate(moved.policy(), moved.setup, SHORT).as_dict() == before
        # And it goes on where it stood.
        _, standing = train(moved, plan(moved.setup.track, 2 * STEPS), lambda standing: None,
                            resume=True)
        assert standing.steps == 2 * STEPS
    finally:
        shutil.move(here / 'gone', here / 'elsewhere')


def test_the_same_model_gives_the_same_bytes(homes, tmp_path, monkeypatch):
    here, _, archive = homes
    monkeypatch.setenv('RACER_HOME', str(here))
    write_archive(open_model('m'), tmp_path / 'again')
    assert (tmp_path / 'again').read_bytes() == archive.read_bytes()
    assert not list((here / 'models').glob('.*'))


def test_an_imported_model_can_be_exported_again(homes, there, tmp_path):
    moved, _ = bring(homes[2])
    write_archive(moved, tmp_path / 'again')
    assert (tmp_path / 'again').read_bytes() == homes[2].read_bytes()


def test_without_traces_it_is_smaller_and_trains_on(homes, there, tmp_path, monkeypatch):
    monkeypatch.setenv('RACER_HOME', str(homes[0]))
    manifest = write_archive(open_model('m'), tmp_path / 'light', traces=False)
    assert not [member.path for member in manifest.members if 'simtrace' in member.path]
    monkeypatch.setenv('RACER_HOME', str(there))
    moved, _ = bring(tmp_path / 'light', 'light')
    _, standing = train(moved, plan(moved.setup.track, 2 * STEPS), lambda standing: None,
                        resume=True)
    assert standing.steps == 2 * STEPS


def test_tracks_of_the_same_file_name_stay_apart(homes, there, tmp_path):
    moved, _ = bring(homes[2])
    paths = []
    for seed in (1, 2):
        paths.append(str(tmp_path / str(seed) / 'garden.npy'))
        save_npy(generate_track(seed, length_m=14.0), Path(paths[-1]))
    run = {**moved.run, 'track': [*paths, 'oval', 'practice-3']}
    (moved.path / 'run.json').write_text(json.dumps(run))
    write_archive(moved, tmp_path / 'a')
    second, _ = bring(tmp_path / 'a', 'second')
    tracks = second.setup.tracks
    assert tracks[2:] == ('oval', 'practice-3')
    assert [Path(track).name for track in tracks[:2]] == ['garden.npy', 'garden.npy']
    for original, carried in zip(paths, tracks[:2], strict=True):
        assert Path(original).read_bytes() == Path(carried).read_bytes()


def test_a_track_that_is_nowhere_is_told_of(homes, there, tmp_path):
    moved, _ = bring(homes[2])
    (moved.path / 'run.json').write_text(json.dumps({**moved.run, 'track': ['lost']}))
    write_archive(moved, tmp_path / 'a')
    _, notes = bring(tmp_path / 'a', 'second')
    assert len(notes) == 1
    assert notes[0].startswith("its track is not here (unknown track 'lost'")


def test_an_export_is_of_one_moment(homes, there, tmp_path):
    """Files that grow or are replaced while they are packed come as they were at first."""
    moved, _ = bring(homes[2])
    log, progress = moved.path / 'logs/training/training-simulation.log', moved.progress
    length = log.stat().st_size

    def meddle(done, total):
        with log.open('ab') as stream:
            stream.write(b'more\n' * 1000)
        moved.write_progress({**progress, 'steps': 5})
        (moved.path / 'training.png').unlink(missing_ok=True)

    write_archive(moved, tmp_path / 'a', watch=meddle)
    second, _ = bring(tmp_path / 'a', 'second')
    assert (second.path / 'logs/training/training-simulation.log').stat().st_size == length
    assert second.progress == progress
    assert (second.path / 'training.png').is_file()


def test_what_is_being_deleted_is_not_exported(homes, there, tmp_path):
    moved, _ = bring(homes[2])
    with alone_with(moved.path), pytest.raises(BusyError, match='is being deleted or renamed'):
        write_archive(moved, tmp_path / 'a')
    assert not list(tmp_path.iterdir())


def test_an_unpacked_archive_and_a_copied_folder_come_in_too(homes, there, tmp_path):
    with zipfile.ZipFile(homes[2]) as archive:
        archive.extractall(tmp_path / 'unpacked')
    first, _ = add_model(open_folder(tmp_path / 'unpacked'), 'first')
    second, _ = add_model(open_folder(first.path), 'second')
    assert store(first.path.parents[1]).keys() >= {'models/second/checkpoints/best.zip'}
    assert not (first.path / MANIFEST).exists()
    assert second.run == first.run
    (tmp_path / 'unpacked' / 'progress.json').unlink()
    with pytest.raises(ConfigError, match=r'does not hold what its .* lists: progress\.json'):
        open_folder(tmp_path / 'unpacked')


def test_a_taken_name_is_refused(homes, there):
    bring(homes[2])
    before = store(there)
    with pytest.raises(TakenError, match="model 'm' exists already; choose another name"):
        bring(homes[2])
    assert store(there) == before


@contextlib.contextmanager
def refused(home, words='cannot import'):
    """One line, and a store as it was."""
    before = store(home)
    with pytest.raises(ConfigError, match=words) as caught:
        yield
    assert '\n' not in str(caught.value)
    assert store(home) == before
    assert not [path for path in (home / 'models').glob('.new-*')]


many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(data=st.data())
def test_a_changed_byte_is_refused(homes, there, tmp_path, data):
    content = bytearray(homes[2].read_bytes())
    # Most bytes are inside files; the directory and the seal are at the end.
    place = data.draw(st.one_of(st.integers(0, len(content) - 1),
                                st.integers(len(content) - 4000, len(content) - 1)))
    content[place] ^= data.draw(st.integers(1, 255))
    (tmp_path / 'a').write_bytes(content)
    with refused(there):
        bring(tmp_path / 'a')


@many
@given(data=st.data())
def test_a_cut_archive_is_refused(homes, there, tmp_path, data):
    content = homes[2].read_bytes()
    (tmp_path / 'a').write_bytes(content[:data.draw(st.integers(0, len(content) - 1))])
    with refused(there):
        bring(tmp_path / 'a')


def sealed(content):
    """With the seal that these bytes would have."""
    body = content[:-SEAL_BYTES]
    return body + hashlib.sha256(body).hexdigest().encode()


@many
@given(data=st.data())
def test_with_a_forged_seal_it_is_refused_or_the_same(homes, there, tmp_path, data):
    content = bytearray(homes[2].read_bytes())
    place = data.draw(st.integers(len(content) - 6000, len(content) - SEAL_BYTES - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    (tmp_path / 'a').write_bytes(sealed(bytes(content)))
    shutil.rmtree(there / 'models', ignore_errors=True)
    try:
        bring(tmp_path / 'a', 'x')
    except ConfigError as error:
        assert '\n' not in str(error)
        assert store(there) == {}
    else:
        came = {path.replace('models/x/', 'models/m/'): content
                for path, content in store(there).items()}
        bring(homes[2])
        assert came == {path: content for path, content in store(there).items()
                        if path.startswith('models/m/')}


def crafted(archive, change, path):
    """An archive with a right seal and manifest, but for what `change` does to its entries."""
    with zipfile.ZipFile(archive) as original:
        entries = [(info, original.read(info)) for info in original.infolist()]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as new:
        for info, content in change(entries):
            new.writestr(info, content)
        new.comment = SEAL_WORDS + b'0' * SEAL_BYTES
    path.write_bytes(sealed(buffer.getvalue()))


def listed(entries, **files):
    """The entries and more files, all in the manifest."""
    manifest = json.loads(entries[-1][1])
    more = [(zipfile.ZipInfo(name), content) for name, content in files.items()]
    manifest['members'] += [{'path': info.filename, 'size': len(content),
                             'sha256': hashlib.sha256(content).hexdigest()}
                            for info, content in more]
    return [*entries[:-1], *more, (zipfile.ZipInfo(MANIFEST), json.dumps(manifest))]


def as_kind(entries, kind):
    info = zipfile.ZipInfo('odd')
    info.external_attr = (kind | 0o777) << 16
    return [(info, b'/etc/passwd'), *entries]


def replaced(entries, name, content):
    return [(info, content if info.filename == name else old) for info, old in entries]


def in_manifest(entries, **changes):
    return replaced(entries, MANIFEST,
                    json.dumps({**json.loads(entries[-1][1]), **changes}).encode())


def without(entries, name):
    return [entry for entry in entries if entry[0].filename != name]


CRAFTED = {
    'leads out': (lambda e: listed(e, **{'../../out': b'x'}), r"named '../../out'; allowed: rel"),
    'absolute': (lambda e: listed(e, **{'/tmp/out': b'x'}), "named '/tmp/out'"),
    'another drive': (lambda e: listed(e, **{'C:out': b'x'}), "named 'C:out'"),
    'backslash': (lambda e: listed(e, **{'a\\b': b'x'}), 'holds a file named'),
    'hidden': (lambda e: listed(e, **{'.writer': b'x'}), "named '.writer'"),
    'a folder': (lambda e: listed(e, **{'a/': b''}), "named 'a/'"),
    'twice but for case': (lambda e: listed(e, **{'RUN.json': b'{}'}), "'RUN.json' twice"),
    'file and folder': (lambda e: listed(e, **{'a': b'', 'a/b': b''}), "'a' is a file and a fol"),
    'link': (lambda e: as_kind(e, stat.S_IFLNK), "'odd' is a link, a folder or a device"),
    'device': (lambda e: as_kind(e, stat.S_IFCHR), "'odd' is a link, a folder or a device"),
    'a file more': (lambda e: [(zipfile.ZipInfo('more'), b'x'), *e], 'more has 1 bytes; manif'),
    'a file less': (lambda e: without(e, 'progress.json'), 'progress.json has None bytes'),
    'another file': (lambda e: replaced(e, 'reward_function.py', b'#' * len(dict(
        (info.filename, content) for info, content in e)['reward_function.py'])),
        'reward_function.py is not what manifest.json says'),
    'no manifest': (lambda e: e[:-1], 'it has no manifest.json'),
    'a manifest of another format': (lambda e: in_manifest(e, format=2), 'has format 2; allowed'),
    'a manifest with more': (lambda e: in_manifest(e, more=1), 'manifest has unknown more|unkno'),
    'a manifest that is none': (lambda e: replaced(e, MANIFEST, b'['), 'is not JSON'),
    'a name that is none': (lambda e: in_manifest(e, model='../m'), "model name is '../m'"),
}


@pytest.mark.parametrize(('change', 'words'), CRAFTED.values(), ids=CRAFTED)
def test_what_no_export_writes_is_refused(homes, there, tmp_path, change, words):
    crafted(homes[2], change, tmp_path / 'a')
    before = store(there)
    with pytest.raises(ConfigError, match=words) as caught:
        bring(tmp_path / 'a')
    assert '\n' not in str(caught.value)
    assert store(there) == before
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(('content', 'words'), [
    (b'{"format": 1}', r'run\.json lacks car'),
    (b'[]', r'run\.json is damaged'),
])
def test_a_model_that_is_none_is_refused(homes, there, tmp_path, content, words):
    def change(entries):
        kept = without(without(entries, 'run.json'), MANIFEST)
        manifest = json.loads(entries[-1][1])
        manifest['members'] = [member for member in manifest['members']
                               if member['path'] != 'run.json']
        return listed([*kept, (zipfile.ZipInfo(MANIFEST), json.dumps(manifest))],
                      **{'run.json': content})

    crafted(homes[2], change, tmp_path / 'a')
    with refused(there, words):
        bring(tmp_path / 'a')


def test_a_bomb_is_refused(there, tmp_path):
    """Entries that claim to be large, or share their bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('zeros', b'0' * 100_000)
        archive.comment = SEAL_WORDS + b'0' * SEAL_BYTES
    content = buffer.getvalue()
    size = (100_000).to_bytes(4, 'little')
    huge = content.replace(size, (3 << 30).to_bytes(4, 'little'))
    assert huge != content
    (tmp_path / 'a').write_bytes(sealed(huge))
    with refused(there):
        bring(tmp_path / 'a')


def test_pickles_in_a_checkpoint_are_not_run(homes, there, tmp_path):
    """An import loads no checkpoint; whoever loads it refuses."""
    moved, _ = bring(homes[2])
    planted = tmp_path / 'was_run'
    with zipfile.ZipFile(moved.checkpoint('best'), 'a') as checkpoint:
        data = json.loads(checkpoint.read('data'))
        data['extra'] = {':type:': 'x', ':serialized:': f"cos\nsystem\n(S'touch {planted}'\ntR."}
        with pytest.warns(UserWarning, match='Duplicate name'):
            checkpoint.writestr('data', json.dumps(data))
    write_archive(moved, tmp_path / 'a')
    second, _ = bring(tmp_path / 'a', 'second')
    with pytest.raises(ModelMismatchError, match='holds pickled extra, which could run any'):
        second.policy()
    assert not planted.exists()
    assert 'second' in model_names()


@settings(max_examples=100)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused(content):
    from racer_rl.store.archive import require_seal
    with pytest.raises(ConfigError, match=r'does not end as an archive|its bytes have changed'):
        require_seal(io.BytesIO(content))
