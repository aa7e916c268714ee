"""The trace of an evaluation: a lap is an episode, and cars drive one after another.

They do not, they drive side by side; but the community's tools know only one car, and time that
goes on. So each car's clock begins where the one before it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from racer_rl.traces.driven import driven_steps
from racer_rl.traces.files import TraceFolder
from racer_rl.traces.lap_metrics import episode_row, incident_counts
from racer_rl.traces.recording import Recorder, Rows, SimulatedClock
from racer_rl.traces.texts import csv_lines
from racer_sim.rules import Status
from racer_sim.simulator import Simulator
from racer_vehicle.action import ActionSpec, DiscreteActions

_MANY_LAPS = 2**31


class EvaluationTrace:
    """Watches an evaluation; a `watch` of `evaluate`."""

    def __init__(self, actions: ActionSpec) -> None:
        """Take what the policy's outputs mean."""
        self._actions = actions
        self._recorder: Recorder | None = None
        self._simulator: Simulator | None = None

    def __call__(self, simulator: Simulator) -> None:
        """Take note of the beginning, then of each step."""
        cars = simulator.config.cars
        if self._recorder is None:
            self._simulator, self._recorder = simulator, Recorder(simulator, SimulatedClock())
            self._recorder.began(np.arange(cars))
            return
        self._recorder.stepped(self._actions.encode(simulator.commands),
                               np.zeros(cars, dtype=np.float32), np.zeros(cars, dtype=np.bool_))

    def write(self, folder: TraceFolder) -> str:
        """Write steps, log and metrics into a model's folder.

        Returns:
            The stamp by which they go.

        Raises:
            OSError: The disk refused.
        """
        assert self._simulator is not None
        laps = list(self._laps())
        geometry, stamp = self._simulator.geometry, folder.new_stamp()
        columns = driven_steps(np.concatenate(laps), geometry, _MANY_LAPS)
        columns['episode'] = np.repeat(np.arange(len(laps)), [len(rows) for rows in laps])
        lines = csv_lines(columns, discrete=isinstance(self._actions, DiscreteActions))
        folder.copy_descriptions()
        folder.write_table(folder.evaluation(stamp), lines)
        folder.append_log(folder.evaluation_log(stamp), lines,
                          self._simulator.courses[0].track.name)
        folder.write_metrics(folder.evaluation_metrics(stamp), [
            json.dumps({**episode_row(rows, geometry), **incident_counts(rows), 'trial': trial})
            for trial, rows in enumerate(laps, 1)])
        return stamp

    def _laps(self) -> Iterator[Rows]:
        """Of all cars, one after another, each with where it begins."""
        assert self._recorder is not None and self._simulator is not None
        now_s = 0.0
        for car in range(self._simulator.config.cars):
            rows = _until_end(self._recorder.episode(car))
            rows['time_s'] += now_s
            now_s = float(rows['time_s'][-1])
            yield from _split(rows)


def _until_end(rows: Rows) -> Rows:
    """A run up to the step with which it ended."""
    status = rows['race']['status']
    ended: NDArray[np.bool_] = (status != Status.IN_PROGRESS) & (status != Status.PAUSE)
    ended[0] = False
    return rows[:int(ended.argmax()) + 1] if ended.any() else rows


def _split(rows: Rows) -> Iterator[Rows]:
    """A run's laps; where one ends the next begins."""
    crossed = np.flatnonzero(np.diff(rows['race']['laps'], prepend=0) > 0)
    begin = 0
    for end in (*crossed, len(rows) - 1):
        if end > begin:
            lap = rows[begin:end + 1].copy()
            lap['begins'] = False
            lap['begins'][0] = True
            lap['command'][0], lap['output'][0] = lap['command'][1], lap['output'][1]
            if end in crossed:
                # The line was crossed within this step: it still belongs to this lap.
                lap['race']['laps'][-1] -= 1
                lap['race']['status'][-1] = Status.LAP_COMPLETE
            yield lap
        begin = end
