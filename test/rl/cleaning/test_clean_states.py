"""Random stores of real files: nothing needed is lost, and the plan tells the truth."""

import hashlib
import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from racer_rl.cleaning.carry_out import carry_out
from racer_rl.cleaning.plan import Wishes, plan_of
from racer_rl.cleaning.survey import survey_of
from racer_rl.jobs.processes import ProcessName
from racer_rl.jobs.records import JobFolder, JobRecord, State
from racer_rl.store import locks
from racer_vehicle.children import boot_id

NOW_S = 1_800_000_000.0
DAY_S = 86_400.0

MODELS = st.fixed_dictionaries({
    'best': st.sampled_from(['', 'own', 'own', 'linked outside', 'linked to 10']),
    'last': st.booleans(),
    'earlier': st.sets(st.sampled_from([10, 20, 30])),
    'traces': st.booleans(),
    'evaluations': st.integers(0, 2),
    'days': st.sampled_from([0, 40]),
    'state': st.sampled_from(['', '', '', 'busy', 'trained', 'raced', 'raced by id', 'damaged',
                              'unfinished job', 'no run', 'hidden']),
    'part': st.booleans(),
    'parent': st.sampled_from([None, None, 'best', 'last', '10', '20']),
    'size': st.integers(1, 9000),
})
WISHES = st.builds(
    dict, earlier=st.sampled_from([None, 0, 1, 2]), last=st.booleans(), parents=st.booleans(),
    older_than_s=st.sampled_from([None, 30 * DAY_S]), traces=st.booleans(),
    models=st.booleans(), max_bytes=st.sampled_from([None, 0, 40_000, 200_000]),
).filter(lambda wishes: not wishes['models'] or wishes['older_than_s'] is not None
         or wishes['max_bytes'] is not None)


def put(path, size=20, days=0, text=None):
    """A file of its own content and age."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode() if text is not None else (str(path).encode() * size)[:size]
    path.write_bytes(content)
    os.utime(path, (NOW_S - days * DAY_S,) * 2)


def build(home, number, spec, parents):
    """One model as `spec` says; returns its folder."""
    hidden = spec['state'] == 'hidden'
    path = home / 'models' / (f'.new-{number}' if hidden else f'm{number}')
    days, size, checkpoints = spec['days'], spec['size'], path / 'checkpoints'
    path.mkdir(parents=True)
    put(path / '.writer', 0)
    for steps in spec['earlier']:
        put(checkpoints / f'{steps}.zip', size + steps, days)
    if spec['best'] == 'linked to 10' and 10 in spec['earlier']:
        os.link(checkpoints / '10.zip', checkpoints / 'best.zip')
    elif spec['best']:
        put(checkpoints / 'best.zip', size, days)
    if spec['best'] == 'linked outside':
        os.link(checkpoints / 'best.zip', home.parent / f'best{number}')
    if spec['last']:
        put(checkpoints / 'last.zip', size + 1, days)
    if spec['traces']:
        put(path / 'training-simtrace' / '0-iteration.csv', 3 * size, days)
        put(path / 'logs' / 'training' / 'training-simulation.log', size, days)
        put(path / 'tensorboard' / 'events', size, days)
    for stamp in range(spec['evaluations']):
        put(path / f'evaluation-{stamp}' / 'evaluation-simtrace' / '0-iteration.csv', size, days)
        put(path / 'logs' / 'evaluation' / f'{stamp}-simulation.log', size, days)
        put(path / 'evaluations' / f'{stamp}.json', 9, days)
    if spec['part']:
        put(checkpoints / '.last.zip.77.part', size, days)
    put(path / 'reward_function.py', 30, days)
    put(path / 'notes.txt', 10, days)
    if spec['state'] != 'no run':
        put(path / 'run.json', days=days, text=run_json(number, spec, parents))
    return path


def run_json(number, spec, parents):
    if spec['state'] == 'damaged':
        return '{"format"'
    keys = ('format', 'seed', 'track', 'direction', 'colour', 'stack', 'image_age_s', 'car',
            'reward', 'hyperparameters')
    lineage = None
    if spec['parent'] is not None and parents:
        file = parents[-1] / 'checkpoints' / f'{spec["parent"]}.zip'
        digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ''
        lineage = {'kind': 'clone', 'model': parents[-1].name, 'id': f'id{len(parents) - 1}',
                   'checkpoint': spec['parent'], 'steps': 5, 'sha256': digest,
                   'optimizer': True}
    return json.dumps({**dict.fromkeys(keys, 1), 'id': f'id{number}', 'lineage': lineage})


def job(home, name, number, *, ended):
    """A job of a process that is long gone."""
    folder = JobFolder(home / 'jobs' / name)
    folder.begin(JobRecord(
        model=f'm{number}', command=('train',), folder='/', began='', detached=True, resumes='',
        process=ProcessName(pid=2**22 + 1, start_ticks=1, boot=boot_id()), time_s=0.0, limits=()))
    put(folder.log, 300, 40)
    if ended:
        folder.write_end(State.DONE, 'the time limit was reached')
    for path in folder.path.iterdir():
        os.utime(path, (NOW_S - 40 * DAY_S,) * 2)


def files_of(home):
    return [Path(folder, name) for folder, _, names in os.walk(home) for name in names]


def contents(home):
    return {path: path.read_bytes() for path in files_of(home)}


def on_disk(home):
    """Bytes of the disk, by a measure of its own."""
    stats = [path.stat() for path in files_of(home)]
    return sum({stat.st_ino: stat.st_blocks * 512 for stat in stats}.values())


def check_nothing_needed_is_lost(paths, specs, before, after, wishes):
    """Against the specifications themselves, not against what the survey made of them."""
    for number, (path, spec) in enumerate(zip(paths, specs, strict=True)):
        had = {file for file in before if path in file.parents}
        lost = {str(file.relative_to(path)) for file in had if file not in after}
        if spec['state'] in ('busy', 'trained', 'raced', 'raced by id', 'damaged'):
            assert not lost
            continue
        if spec['state'] in ('no run', 'hidden'):
            continue
        may = {name for name in lost if name.startswith((
            'training-simtrace/', 'logs/', 'tensorboard/', 'evaluation-'))
            or name.endswith('.part')}
        heirs = [other for other, its in enumerate(specs) if other == number + 1
                 and its['parent'] is not None and its['state'] not in ('no run', 'damaged',
                                                                       'hidden')
                 and (paths[other] / 'run.json') in after]
        if 'run.json' in lost:
            assert wishes['models'] and spec['state'] != 'unfinished job'
            assert spec['best'] in ('', 'linked outside')
            assert not heirs or wishes['parents']
            continue
        checkpoints = {name for name in lost if name.startswith('checkpoints/')} - may
        assert not lost - may - checkpoints, 'a file that no rule names'
        assert 'checkpoints/best.zip' not in lost
        if not spec['best']:
            assert not checkpoints, 'without a best one, each may be the one that counts'
        if wishes['last'] or spec['state'] == 'unfinished job':
            assert 'checkpoints/last.zip' not in lost
        for heir in heirs:
            named = f'checkpoints/{specs[heir]["parent"]}.zip'
            assert wishes['parents'] or named not in lost
        if wishes['earlier'] is None and wishes['max_bytes'] is None:
            assert checkpoints <= {'checkpoints/last.zip'}
        newest = sorted(spec['earlier'], reverse=True)[:wishes['earlier'] or 0]
        assert not checkpoints & {f'checkpoints/{steps}.zip' for steps in newest}


@pytest.fixture(autouse=True)
def no_patience(monkeypatch):
    monkeypatch.setattr(locks, 'PATIENCE_S', 0.0)


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(specs=st.lists(MODELS, min_size=1, max_size=3), asked=WISHES, clutter=st.booleans())
def test_nothing_needed_is_lost_and_the_plan_is_true(specs, asked, clutter):
    with tempfile.TemporaryDirectory() as name, ExitStack() as holds:
        home = Path(name).resolve() / 'home'
        paths = []
        for number, spec in enumerate(specs):
            paths.append(build(home, number, spec, paths))
            if spec['state'] == 'unfinished job':
                job(home, f'm{number}-1', number, ended=False)
        raced = [path.name if spec['state'] == 'raced' else f'id{number}' for number, (path, spec)
                 in enumerate(zip(paths, specs, strict=True)) if 'raced' in spec['state']]
        put(home / 'leagues' / 'protected.json', text=json.dumps(raced))
        if clutter:
            put(home / 'bounds' / '.b.npz.1.part', 50, 2)
            put(home / 'budgets.json', 50, 400)
            job(home, 'm0-7', 0, ended=True)
        for path, spec in zip(paths, specs, strict=True):
            if spec['state'] in ('busy', 'trained'):
                hold = locks.present if spec['state'] == 'busy' else locks.training_in
                holds.enter_context(hold(path))
        wishes, before = Wishes(**asked), contents(home)
        used, whole = on_disk(home), on_disk(home.parent)

        survey = survey_of(home, NOW_S)
        plan = plan_of(survey, wishes, NOW_S)
        assert contents(home) == before, 'looking changes nothing'
        assert plan.store_bytes == used
        outcome = carry_out(plan, survey)

        assert not outcome.skipped
        assert outcome.freed_bytes == plan.frees_bytes == whole - on_disk(home.parent)
        assert plan.left_bytes == on_disk(home)
        after = contents(home)
        assert all(path in after for path in before if path.name in ('budgets.json',
                                                                     'protected.json'))
        assert after.items() <= before.items()
        check_nothing_needed_is_lost(paths, specs, before, after, asked)

        second = plan_of(survey_of(home, NOW_S), wishes, NOW_S)
        assert not second.removals and second.frees_bytes == 0
        if not plan.fits:
            assert not second.fits
