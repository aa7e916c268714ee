"""Where a model's folder keeps its traces: as DeepRacer-for-Cloud does, so that tools find them.

training-simtrace/N-iteration.csv      steps of iteration N
training-simtrace/A-B.parquet          the same of iterations A to B, of one session
evaluation-TIME/evaluation-simtrace/0-iteration.csv
metrics/TrainingMetrics.json           all episodes of training, and its evaluations
metrics/EvaluationMetrics-TIME.json
logs/training/training-simulation.log  SIM_TRACE_LOG lines
logs/evaluation/TIME-simulation.log
model/model_metadata.json              copies, where the community's tools look for them
ip/hyperparameters.json
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from racer_rl.traces.roles import iteration_of
from racer_rl.traces.texts import HEADER, log_lines
from racer_vehicle.storage import write_atomically

METRICS_VERSION: Final = 1.0


@dataclass(frozen=True, slots=True)
class TraceFolder:
    """A model's folder, as far as traces go."""

    path: Path

    def iteration(self, number: int) -> Path:
        """Steps of an iteration of training."""
        return self.path / 'training-simtrace' / f'{number}-iteration.csv'

    def packed(self, first: int, last: int) -> Path:
        """Steps of several iterations."""
        return self.path / 'training-simtrace' / f'{first}-{last}.parquet'

    @property
    def training_log(self) -> Path:
        """The simulation log of training."""
        return self.path / 'logs' / 'training' / 'training-simulation.log'

    @property
    def training_metrics(self) -> Path:
        """Metrics of training."""
        return self.path / 'metrics' / 'TrainingMetrics.json'

    def evaluation(self, stamp: str) -> Path:
        """Steps of an evaluation."""
        return self.path / f'evaluation-{stamp}' / 'evaluation-simtrace' / '0-iteration.csv'

    def evaluation_log(self, stamp: str) -> Path:
        """The simulation log of an evaluation."""
        return self.path / 'logs' / 'evaluation' / f'{stamp}-simulation.log'

    def evaluation_metrics(self, stamp: str) -> Path:
        """Metrics of an evaluation."""
        return self.path / 'metrics' / f'EvaluationMetrics-{stamp}.json'

    def new_stamp(self) -> str:
        """A time by which no evaluation goes yet: fourteen digits, as the community has it."""
        time = datetime.datetime.now(datetime.UTC)
        while (self.path / f'evaluation-{time:%Y%m%d%H%M%S}').exists():
            time += datetime.timedelta(seconds=1)
        return f'{time:%Y%m%d%H%M%S}'

    @property
    def last_iteration(self) -> int:
        """Highest number of an iteration that is there; -1 if there is none."""
        folder = self.iteration(0).parent
        found = (iteration_of(path.name) for path in folder.glob('*-iteration.csv'))
        return max((number for number in found if number is not None), default=-1)

    def copy_descriptions(self) -> None:
        """Put metadata and hyperparameters where the community's tools look for them."""
        for name, place in (('model_metadata.json', 'model'), ('hyperparameters.json', 'ip')):
            with contextlib.suppress(FileNotFoundError):
                content, copy = (self.path / name).read_bytes(), self.path / place / name
                if not copy.is_file() or copy.read_bytes() != content:
                    write_atomically(copy, content)

    def write_table(self, path: Path, lines: bytes) -> None:
        """Replace a CSV file in one step."""
        write_atomically(path, HEADER + lines)

    def table_lines(self, number: int) -> bytes:
        """Lines of an iteration that is there, without their header; none if it is not."""
        path = self.iteration(number)
        return path.read_bytes().removeprefix(HEADER) if path.is_file() else b''

    def read_metrics(self) -> list[dict[str, Any]]:
        """Rows of the metrics of training; none if there are none, or they are damaged."""
        try:
            listed = json.loads(self.training_metrics.read_bytes())['metrics']
        except (OSError, ValueError, KeyError, TypeError):
            return []
        return [row for row in listed if isinstance(row, dict)
                and all(isinstance(row.get(name), int) for name in ('episode', 'metric_time'))]

    def write_metrics(self, path: Path, rows: Sequence[str]) -> None:
        """Replace a metrics file in one step; rows are JSON objects already."""
        listed = ', '.join(rows)
        write_atomically(path, f'{{"metrics": [{listed}], "version": {METRICS_VERSION}}}'.encode())

    def append_log(self, path: Path, lines: bytes, world: str) -> None:
        """Add steps to a simulation log, which begins with what the community's tools look for.

        A log that was cut in the middle of a line, by a kill, goes on in the next.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        with os.fdopen(handle, 'r+b') as log:
            size = log.seek(0, os.SEEK_END)
            start = b'' if size else self._log_header(world)
            if size:
                log.seek(size - 1)
                start = b'' if log.read(1) == b'\n' else b'\n'
            log.write(start + log_lines(lines))

    def _log_header(self, world: str) -> bytes:
        hyperparameters = self._json('hyperparameters.json')
        metadata = self._json('model_metadata.json')
        network = str(metadata.get('neural_network', ''))
        return '\n'.join((
            f' * /WORLD_NAME: {world}',
            'Using the following hyper-parameters', json.dumps(hyperparameters, indent=2),
            f'Loaded action space from file: {json.dumps(metadata.get("action_space"))}',
            f'Sensor list {metadata.get("sensor", [])}, network {network}, simapp_version '
            f'{metadata.get("version", "")}', '')).encode()

    def _json(self, name: str) -> Mapping[str, Any]:
        """A description of the model; empty where there is none."""
        try:
            found = json.loads((self.path / name).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
