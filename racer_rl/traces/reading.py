"""Reading a log: one walk over its files, each by its role, then one frame a phase."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from racer_rl.traces.assembly import Part, assemble
from racer_rl.traces.descriptions import WORLD, Descriptions, json_object
from racer_rl.traces.entries import Entry, entries, is_archive, refused_if_broken
from racer_rl.traces.log import Damage, Log
from racer_rl.traces.metrics import MOST_BYTES, metrics_frame, read_metrics
from racer_rl.traces.printed import Printed
from racer_rl.traces.roles import (
    EVALUATION,
    TRAINING,
    Kind,
    Role,
    iteration_of,
    layout_of,
    role_of,
)
from racer_rl.traces.rows import Columns
from racer_rl.traces.sampling import EPISODES_KEY, EPISODES_PER_ITERATION
from racer_rl.traces.step_files import chunks, read_lines, read_parquet, read_table
from racer_vehicle.errors import ConfigError
from racer_vehicle.metadata import ModelMetadata

ALONE: Final = {'.csv': Kind.TABLE, '.parquet': Kind.PARQUET, '.log': Kind.LINES,
                '.txt': Kind.LINES}
"""What a file that is given alone is, by its suffix."""

_HYPERPARAMETERS: Final = re.compile(rb'hyper-parameters[^{]{0,200}(\{[^{}]{1,4000}\})')
_NODE: Final = re.compile(rb'^\s*(?:\[[^\]\n]*\]\s+)+', re.MULTILINE)


def read_source(source: Path) -> Log:
    """See `read_log`."""
    walk = _Walk(source)
    with refused_if_broken(source):
        for entry in entries(source):
            walk.take(entry)
    return walk.log()


@dataclass(slots=True)
class _FileReader:
    """Where one file's steps go; see `Reader`."""

    part: Part
    refused: Callable[[int, int, str], None]
    text: Callable[[bytes], None]

    def rows(self, columns: Columns) -> None:
        """Keep them."""
        self.part.add(columns)


class _Walk:
    """Collects what a source holds."""

    def __init__(self, source: Path) -> None:
        self._source, self._paths = source, list[str]()
        self._packed: set[int] = set()
        is_ours = (source / 'run.json').is_file()
        self._ours = {phase for phase, tables in (
            (TRAINING, 'training-simtrace'), (EVALUATION, 'evaluation-*/evaluation-simtrace'))
            if is_ours and next(source.glob(tables), None) is not None}
        self._parts: dict[tuple[Kind, str, str], Part] = {}
        self._metrics: list[dict[str, Any]] = []
        self._damage: dict[str, Damage] = {}
        self._descriptions = Descriptions()
        self._printed = Printed()
        self._world: str | None = None
        self._episodes_per_iteration: int | None = None
        self._remarks: list[str] = []

    def take(self, entry: Entry) -> None:
        """Read what is of use."""
        role = role_of(entry.path)
        if role is None and entry.path == self._source.name:
            role = _alone(entry.path)
        self._paths.append(entry.path)
        if role is None or self._is_known(role):
            return
        if role.kind in (Kind.TABLE, Kind.PARQUET, Kind.LINES):
            self._read_steps(entry, role)
        elif role.kind is Kind.METRICS:
            self._read_metrics(entry, role)
        elif role.kind is Kind.PRINTED:
            with entry.open() as stream:
                for _, chunk in chunks(stream):
                    self._printed.own(chunk)
        else:
            self._read_text(entry, role.kind)

    def _is_known(self, role: Role) -> bool:
        """Whether other files tell the same; an archive's Parquet comes too late for that."""
        if role.kind is Kind.PARQUET:
            return is_archive(self._source)
        if role.kind is Kind.TABLE and role.phase == TRAINING:
            return role.iteration in self._packed
        # Our own log holds no more than our tables.
        return role.kind is Kind.LINES and role.phase in self._ours

    def _read_steps(self, entry: Entry, role: Role) -> None:
        name = role.stream if role.kind is Kind.LINES else f'{role.stream}/{role.worker}'
        key = (role.kind, role.phase, name if role.kind is Kind.LINES else
               f'{name}/{role.iteration:09}')
        part = self._parts.setdefault(key, Part(role.iteration, role.worker))

        def refused(lines: int, first_line: int, why: str) -> None:
            self._note(entry.path, lines, first_line, why)

        def text(chunk: bytes) -> None:
            self._printed.log(chunk)
            if not part.columns:
                self._look_at_head(chunk[:chunk.find(b'SIM_TRACE_LOG:')])

        reader = _FileReader(part, refused, text)
        read = {Kind.TABLE: read_table, Kind.LINES: read_lines}.get(role.kind, read_parquet)
        with entry.open() as stream:
            read(stream, reader)
        if role.kind is Kind.PARQUET and role.phase == TRAINING:
            self._packed.update(*(np.unique(columns['iteration']).tolist()
                                  for columns in part.columns))

    def _note(self, path: str, lines: int, first_line: int, why: str) -> None:
        known = self._damage.get(path)
        if known is None:
            self._damage[path] = Damage(path, lines, first_line, why)
        else:
            self._damage[path] = Damage(path, known.lines + lines, known.first_line, known.why)

    def _look_at_head(self, chunk: bytes) -> None:
        """What a log tells before the first step."""
        if self._world is None and (match := WORLD.search(chunk)):
            self._world = match[1].decode()
        if self._episodes_per_iteration is None and (
                match := _HYPERPARAMETERS.search(_NODE.sub(b'', chunk))):
            self._episodes_per_iteration = _episodes_in(match[1].decode('utf-8', 'replace'))

    def _read_metrics(self, entry: Entry, role: Role) -> None:
        with entry.open() as stream:
            content = stream.read(MOST_BYTES + 1)
        try:
            if len(content) > MOST_BYTES:
                raise ValueError(f'it is larger than {MOST_BYTES >> 20} MiB')
            self._metrics += read_metrics(content, role)
        except ValueError as error:
            self._note(entry.path, 0, 0, f'it is damaged ({error})')

    def _read_text(self, entry: Entry, kind: Kind) -> None:
        try:
            self._descriptions.take(entry, kind)
        except ValueError as error:
            self._note(entry.path, 0, 0, str(error))

    def log(self) -> Log:
        """What was found.

        Raises:
            ConfigError: No steps and no metrics.
        """
        layout = layout_of(self._paths, is_ours=self._run is not None)
        hyperparameters, metadata = self._hyperparameters(), self._metadata()
        training, evaluation = self._training(hyperparameters), self._evaluation()
        episodes = metrics_frame(self._metrics)
        if not (len(training) or len(evaluation) or len(episodes)):
            raise ConfigError(self._nothing())
        return Log(
            name=self._name(), source=self._source, layout=layout, training=training,
            evaluation=evaluation, episodes=episodes, metadata=metadata,
            hyperparameters=hyperparameters, reward_source=self._descriptions.text(Kind.REWARD),
            printed=self._printed.frame(), damage=tuple(self._damage.values()),
            track=self._track(), remarks=tuple(self._remarks))

    def _nothing(self) -> str:
        what = 'holds no steps and no metrics of a DeepRacer or racer run'
        if self._damage:
            worst = next(iter(self._damage.values()))
            what = f'holds nothing that can be read: {worst.file}: {worst.why}'
        return (f'{self._source} {what}; allowed: a folder or .tar.gz with training-simtrace or '
                'evaluation-simtrace, a .log with SIM_TRACE_LOG lines, or a .csv of steps.')

    def _name(self) -> str:
        name = self._source.resolve().name
        for suffix in ('.tar.gz', '.tgz', '.tar', '.log', '.txt', '.csv', '.parquet'):
            name = name.removesuffix(suffix)
        return name or str(self._source)

    @property
    def _run(self) -> Mapping[str, Any] | None:
        """Description of a run of ours."""
        run = self._descriptions.object(Kind.RUN)
        return run if run is not None and 'format' in run and 'track' in run else None

    def _hyperparameters(self) -> Mapping[str, Any] | None:
        found = self._descriptions.object(Kind.HYPERPARAMETERS)
        if found is None and self._descriptions.text(Kind.HYPERPARAMETERS) is not None:
            self._remarks.append('hyperparameters.json is damaged and was left out.')
        return found

    def _metadata(self) -> ModelMetadata | None:
        text = self._descriptions.text(Kind.METADATA)
        if text is None:
            return None
        try:
            return ModelMetadata.from_json(text)
        except ConfigError as error:
            self._remarks.append(f'model_metadata.json was left out: {error}')
            return None

    def _track(self) -> str | None:
        run = self._run
        if run is not None:
            tracks = run['track'] if isinstance(run['track'], list) else [run['track']]
            if len(tracks) > 1:
                self._remarks.append(f'It was trained on {len(tracks)} tracks; positions of '
                                     'different tracks lie over one another.')
                return None
            return Path(str(tracks[0])).stem if tracks else None
        return self._descriptions.world or self._world

    def _of(self, kind: Kind, phase: str) -> dict[str, Part]:
        return {name: part for (of, when, name), part in sorted(
            self._parts.items(), key=lambda item: item[0][2]) if (of, when) == (kind, phase)}

    def _training(self, hyperparameters: Mapping[str, Any] | None) -> Any:
        """From tables or logs, whichever know more episodes: the console's tables are a sample."""
        tables = [*self._of(Kind.PARQUET, TRAINING).values(),
                  *self._of(Kind.TABLE, TRAINING).values()]
        logs = list(self._of(Kind.LINES, TRAINING).values())
        in_logs = sum(part.episodes for part in logs)
        if in_logs <= sum(part.episodes for part in tables):
            return self._remarked(tables, None)
        if tables:
            self._remarks.append('Training steps are those of the simulation log, which holds '
                                 'more episodes than the CSV files.')
        for worker, part in enumerate(logs):
            part.renumber('worker', worker)
        per_iteration = (hyperparameters or {}).get(EPISODES_KEY) or self._episodes_per_iteration
        if not isinstance(per_iteration, int) or per_iteration < 1:
            per_iteration = EPISODES_PER_ITERATION
            self._remarks.append(f'How many episodes an iteration had is not known; '
                                 f'{per_iteration} are taken.')
        return self._remarked(logs, per_iteration)

    def _evaluation(self) -> Any:
        """Each evaluation once, from its table or its log, whichever has more steps."""
        tables, logs = self._of(Kind.TABLE, EVALUATION), self._of(Kind.LINES, EVALUATION)
        began = {part.first for part in tables.values()}
        for stream, part in logs.items():
            same = [name for name in tables if stream and name.startswith(f'{stream}/')]
            if part.rows > sum(tables[name].rows for name in same) and (
                    same or part.first not in began):
                for name in same:
                    del tables[name]
                tables[f'{stream}/log'] = part
        parts = [*self._of(Kind.PARQUET, EVALUATION).values(), *tables.values()]
        for number, part in enumerate(parts):
            part.renumber('iteration', number)
        return self._remarked(parts, None)

    def _remarked(self, parts: list[Part], per_iteration: int | None) -> Any:
        """The frame, and what old logs lack."""
        if any((columns['episode_status'] == 0).any() for part in parts
               for columns in part.columns):
            self._remarks.append('Steps without a status (logs of 2019) are taken for '
                                 'in_progress, and last ones for lap_complete or unknown.')
        return assemble(parts, per_iteration)


def _alone(name: str) -> Role | None:
    """What a file is that was given by itself."""
    kind = ALONE.get(Path(name).suffix.lower())
    return Role(kind, iteration=iteration_of(name) or 0) if kind else None


def _episodes_in(text: str) -> int | None:
    """What a log's hyperparameters say."""
    found = (json_object(text) or {}).get(EPISODES_KEY)
    return found if isinstance(found, int) and found > 0 else None
