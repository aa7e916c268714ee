"""What a store holds that might go, and what of it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.cleaning.jobs import job_things, unfinished_jobs
from racer_rl.cleaning.kernels import kernel_things
from racer_rl.cleaning.protection import protected_models
from racer_rl.cleaning.things import FileFact, Kind, Survey, Thing, facts_of
from racer_rl.store.lineage import file_sha256
from racer_rl.store.locks import HIDDEN_PREFIXES, WRITER, BusyError, alone_with
from racer_rl.store.models import NAME_RULE, ModelFolder
from racer_vehicle.errors import RacerError

UNFINISHED_S: Final = 3600.0
"""Nobody writes one file for longer, outside of models, where locks tell."""

_RECORDS: Final = ('run.json', 'progress.json', 'sessions.json', 'robustness.json')
"""Files that tell when a model was of use, and never go without it."""


@dataclass(frozen=True, slots=True)
class _Model:
    """A folder among the models, and what is known of it."""

    folder: ModelFolder
    files: tuple[FileFact, ...]
    needed: str
    run_id: str = ''
    parent: tuple[str, str, str] = ('', '', '')  # id, name and SHA-256 of where it comes from

    @property
    def path(self) -> Path:
        return self.folder.path

    def thing(self, kind: Kind, name: str, *paths: Path, **more: object) -> Thing:
        """Something of this model; `more` as of `Thing`."""
        files = facts_of(paths)
        told: dict[str, object] = {
            'needed': self.needed, 'used_s': _newest_s(files), 'model': self.path, **more}
        return Thing(kind=kind, name=f'{self.path.name}: {name}', paths=paths, files=files,
                     **told)  # type: ignore[arg-type]

    @property
    def used_s(self) -> float:
        """When it was trained or evaluated last."""
        kept = [self.path / name for name in _RECORDS]
        return _newest_s(facts_of([*kept, self.path / 'evaluations']))


def survey_of(home: Path, now_s: float, *, kernels: bool = False) -> Survey:
    """Look at a store; changes nothing.

    Args:
        home: `$RACER_HOME`, there or not.
        now_s: Seconds since 1970.
        kernels: Whether to look for compiled ones, too, which lie elsewhere.

    Raises:
        ConfigError: It cannot be known which models are needed.
    """
    protected, unfinished = protected_models(home), unfinished_jobs(home)
    models = [_look(path, protected) for path in sorted((home / 'models').glob('*'))
              if path.is_dir()]
    things = [*job_things(home), *_unfinished_files(home, now_s),
              *(kernel_things() if kernels else ())]
    bounds = facts_of([home / 'bounds'])
    things += [Thing(kind=Kind.CACHE, name=f'lap bound {file.path.name}', paths=(file.path,),
                     files=(file,), used_s=file.changed_ns / 1e9) for file in bounds]
    for model in models:
        things += _things_of(model, models, unfinished)
    return Survey(home=home, things=tuple(thing for thing in things if thing.paths),
                  files=facts_of([home]), models={model.path: model.files for model in models})


def in_use(path: Path) -> str:
    """Who uses a model's folder at this moment; empty if nobody does."""
    try:
        with alone_with(path):
            return ''
    except BusyError as error:
        return str(error).partition(';')[0]


def _look(path: Path, protected: frozenset[str]) -> _Model:
    folder, needed = ModelFolder(path), in_use(path)
    files = facts_of([path])
    if _is_leftover(folder):
        return _Model(folder, files, needed)
    try:
        run, lineage = folder.run, folder.lineage
    except RacerError as error:
        return _Model(folder, files, f'it is damaged: {error}')
    run_id = str(run.get('id', ''))
    if not needed and protected & {path.name, run_id}:
        needed = 'a race names it'
    parent = ('', '', '') if lineage is None else (lineage.id, lineage.model, lineage.sha256)
    return _Model(folder, files, needed, run_id, parent)


def _is_leftover(folder: ModelFolder) -> bool:
    return folder.name.startswith(HIDDEN_PREFIXES) or not folder.exists


def _things_of(model: _Model, models: list[_Model],
               unfinished: Mapping[str, str]) -> Iterator[Thing]:
    """All of a model that might go."""
    path = model.path
    if _is_leftover(model.folder):
        if path.name.startswith(HIDDEN_PREFIXES) or (path / WRITER).exists():
            yield model.thing(Kind.LEFTOVER, 'never became a model, or no longer is one', path,
                              used_s=0.0)
        return
    if not NAME_RULE.fullmatch(path.name):
        return
    parts = tuple(path.rglob('.*.part'))
    if parts:
        yield model.thing(Kind.LEFTOVER, 'half-written files', *parts, used_s=0.0)
    yield from _traces(model)
    heirs = [other for other in models if other is not model and _comes_from(other, model)]
    yield from _checkpoints(model, heirs, unfinished)
    needed = model.needed or _only_best(model) or unfinished.get(path.name, '')
    yield model.thing(Kind.MODEL, 'the whole model', path, used_s=model.used_s, needed=needed,
                      named_by=tuple(heir.path for heir in heirs))


def _traces(model: _Model) -> Iterator[Thing]:
    path, used_s = model.path, model.used_s
    for folder in sorted(path.glob('evaluation-*')):
        stamp = folder.name.removeprefix('evaluation-')
        beside = (path / 'logs' / 'evaluation' / f'{stamp}-simulation.log',
                  path / 'metrics' / f'EvaluationMetrics-{stamp}.json')
        yield model.thing(Kind.EVALUATION, f'steps of the evaluation {stamp}', folder,
                          *(file for file in beside if file.exists()))
    for kind, name, places in (
            (Kind.TENSORBOARD, 'scalars for TensorBoard', ('tensorboard',)),
            (Kind.TRACE, 'steps of training', ('training-simtrace', 'logs/training'))):
        there = tuple(path / place for place in places if (path / place).is_dir())
        if facts_of(there):
            yield model.thing(kind, name, *there, used_s=used_s)


def _checkpoints(model: _Model, heirs: list[_Model],
                 unfinished: Mapping[str, str]) -> Iterator[Thing]:
    """Earlier checkpoints and the last one; the best never goes by itself."""
    folder = model.folder
    only = '' if folder.checkpoint('best').is_file() else 'there is no best checkpoint'
    for rank, steps in enumerate(reversed(folder.earlier)):
        yield _checkpoint(model, str(steps), heirs, only, rank)
    if folder.checkpoint('last').is_file():
        yield _checkpoint(model, 'last', heirs, only or unfinished.get(model.path.name, ''), 0)


def _checkpoint(model: _Model, which: str, heirs: list[_Model], needed: str, rank: int) -> Thing:
    file = model.folder.checkpoint(which)
    digest = file_sha256(file) if heirs else ''
    return model.thing(
        Kind.LAST if which == 'last' else Kind.EARLIER, f'checkpoint {which}', file, rank=rank,
        needed=model.needed or needed,
        named_by=tuple(heir.path for heir in heirs if heir.parent[2] == digest))


def _comes_from(other: _Model, model: _Model) -> bool:
    run_id, name, _ = other.parent
    return run_id == model.run_id if run_id and model.run_id else bool(name) and (
        name == model.path.name)


def _only_best(model: _Model) -> str:
    """Whether the only copy of a best checkpoint would go with the model, in words."""
    file = model.folder.checkpoint('best')
    inside = [fact for fact in model.files if fact.path == file]
    if not inside:
        return ''
    names = sum(fact.inode == inside[0].inode for fact in model.files)
    return '' if inside[0].names > names else (
        'it holds the only copy of its best checkpoint; if you mean it: racer models delete '
        f'{model.path.name}')


def _unfinished_files(home: Path, now_s: float) -> Iterator[Thing]:
    """Half-written files outside of models, so old that nobody writes them any more."""
    places = [home.glob('.*.part'), *(folder.rglob('.*.part') for folder in home.glob('*')
                                      if folder.is_dir() and folder.name != 'models')]
    for file in facts_of(path for place in places for path in place):
        if now_s - file.changed_ns / 1e9 >= UNFINISHED_S:
            yield Thing(kind=Kind.LEFTOVER, name=f'half-written {file.path.name}',
                        paths=(file.path,), files=(file,), used_s=0.0)


def _newest_s(files: tuple[FileFact, ...]) -> float:
    return max((file.changed_ns for file in files), default=0) / 1e9
