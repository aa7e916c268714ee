"""The trace of a training run: files that a kill leaves whole up to the last iteration.

An iteration is what it is to DeepRacer and to the community's tools: so many episodes, in the
order in which they ended, each with all of its steps. Here the policy is updated between any two
steps, but those tools number episodes by a fixed count an iteration; see `docs/traces.md`.
"""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np

from racer_rl.envs.batch import RaceBatch
from racer_rl.evaluation.laps import Evaluation
from racer_rl.traces.driven import driven_steps
from racer_rl.traces.files import TraceFolder
from racer_rl.traces.lap_metrics import episode_row, evaluation_rows
from racer_rl.traces.packing import Pack
from racer_rl.traces.recording import Recorder, Rows, SimulatedClock
from racer_rl.traces.roles import EVALUATION, TRAINING
from racer_rl.traces.sampling import Sampling
from racer_rl.traces.texts import csv_lines, parquet_table
from racer_sim.simulator import Simulator

METRICS_GROWTH: Final = 0.05
"""Metrics are one JSON file: it is written again when it has grown by this share."""


class TrainingTrace:
    """Writes a run's episodes as they end."""

    def __init__(self, folder: TraceFolder, which: Sampling, *, episodes_per_iteration: int,
                 simulator: Simulator, discrete: bool) -> None:
        """Begin with the first episode; nothing is written yet.

        Args:
            folder: Of the model.
            which: Iterations whose steps are written; metrics tell of every episode. With `NONE`
                nobody is watched, and nothing written.
            episodes_per_iteration: As hyperparameters.json says.
            simulator: With the courses that will be driven on.
            discrete: Whether actions are indices.
        """
        self._folder, self._which, self._discrete = folder, which, discrete
        self._per_iteration = episodes_per_iteration
        self._geometry = simulator.geometry
        self._world = simulator.courses[0].track.name
        self._metrics: list[str] = []
        self._written_metrics, self._episodes = 0, 0
        self._pending: list[Rows] = []
        self._earlier = b''
        self._clock = SimulatedClock()
        self._evaluation: Evaluation | None = None
        self._pack = Pack(folder)
        self._is_described = False

    def resume(self) -> None:
        """Go on with numbers and times, and with the iteration that was not full.

        To be called before anybody is watched.
        """
        rows = self._folder.read_metrics()
        self._metrics = [json.dumps(row) for row in rows]
        self._written_metrics = len(rows)
        self._clock = SimulatedClock(max((row['metric_time'] for row in rows), default=0) / 1e3)
        self._episodes = max((row['episode'] for row in rows), default=0)
        if self._folder.last_iteration > self._episodes // self._per_iteration:
            # A kill came between steps and metrics: the numbers of those steps stay taken.
            self._episodes = (self._folder.last_iteration + 1) * self._per_iteration
        if self._episodes % self._per_iteration:
            self._earlier = self._folder.table_lines(self._episodes // self._per_iteration)

    def watch(self, batch: RaceBatch) -> None:
        """Write what the cars of a batch do; of several, only one's drive at a time."""
        if self._which is not Sampling.NONE:
            batch.witnesses.append(Recorder(batch.simulator, self._clock, self._ended))

    def evaluated(self, evaluation: Evaluation | None) -> None:
        """Note in the metrics what the policy showed; once, however often it is told."""
        if evaluation is None or evaluation is self._evaluation or self._which is Sampling.NONE:
            return
        self._evaluation = evaluation
        for number, row in enumerate(evaluation_rows(evaluation, self._clock.time_s)):
            self._note(row, number % self._per_iteration + 1, EVALUATION)

    def close(self) -> None:
        """Write what is left: the last, shorter iteration, and the metrics."""
        self._flush()
        if len(self._metrics) > self._written_metrics:
            self._write_metrics()
        self._pack.close()

    def _ended(self, rows: Rows) -> None:
        """Take an episode."""
        self._pending.append(rows)
        self._episodes += 1
        trial = (self._episodes - 1) % self._per_iteration + 1
        self._note(episode_row(rows, self._geometry), trial, TRAINING)
        if trial == self._per_iteration:
            self._flush()

    def _note(self, row: dict[str, Any], trial: int, phase: str) -> None:
        self._metrics.append(json.dumps(
            {**row, 'episode': max(self._episodes, 1), 'trial': trial, 'phase': phase}))

    def _flush(self) -> None:
        """Write the iteration at hand."""
        if not self._pending:
            return
        if not self._is_described:
            self._folder.copy_descriptions()
            self._is_described = True
        iteration = (self._episodes - 1) // self._per_iteration
        if self._which.keeps(iteration):
            self._write_steps(iteration)
        self._pending.clear()
        self._earlier = b''
        if len(self._metrics) >= (1.0 + METRICS_GROWTH) * self._written_metrics:
            self._write_metrics()

    def _write_steps(self, iteration: int) -> None:
        count = len(self._pending)
        columns = driven_steps(np.concatenate(self._pending), self._geometry)
        columns['episode'] = np.repeat(np.arange(self._episodes - count, self._episodes),
                                       [len(rows) for rows in self._pending])
        lines = csv_lines(columns, discrete=self._discrete)
        self._folder.write_table(self._folder.iteration(iteration), self._earlier + lines)
        self._folder.append_log(self._folder.training_log, lines, self._world)
        if count == self._per_iteration:
            self._pack.add(iteration, parquet_table(columns, iteration, discrete=self._discrete))

    def _write_metrics(self) -> None:
        self._folder.write_metrics(self._folder.training_metrics, self._metrics)
        self._written_metrics = len(self._metrics)
