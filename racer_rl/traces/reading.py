"""First reader: CSV traces and metrics of a folder."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from racer_rl.traces.columns import EPISODE_COLUMNS, STEP_COLUMNS, STEP_NAMES, empty_frame
from racer_rl.traces.log import Log
from racer_vehicle.errors import ConfigError, RacerError
from racer_vehicle.metadata import ModelMetadata


def read_source(source: Path) -> Log:
    """See `read_log`."""
    traces: dict[str, list[pd.DataFrame]] = {'training': [], 'evaluation': []}
    for file in sorted(source.rglob('*-iteration.csv')):
        phase = file.parent.name.removesuffix('-simtrace')
        frame = pd.read_csv(file).rename(columns=STEP_NAMES)
        match = re.match(r'(\d+)', file.name)
        frame['iteration'] = int(match[1]) if match else 0
        traces[phase].append(frame)
    if not any(traces.values()):
        raise ConfigError(f'{source} holds no traces; give a folder of logs.')
    frames = {phase: _typed(parts) for phase, parts in traces.items()}
    metadata = None
    with suppress(StopIteration, RacerError):
        metadata = ModelMetadata.from_json(next(source.rglob('model_metadata.json')).read_text())
    hyper = next(iter(source.rglob('hyperparameters.json')), None)
    return Log(source.name, source, 'console', frames['training'], frames['evaluation'],
               _metrics(source), metadata, json.loads(hyper.read_text()) if hyper else None, None,
               pd.DataFrame({'text': [], 'count': [], 'first_episode': []}), (), (),
               'reinvent_base')


def _typed(parts: list[pd.DataFrame]) -> pd.DataFrame:
    if not parts:
        return empty_frame(STEP_COLUMNS)
    frame = pd.concat(sorted(parts, key=lambda part: part['iteration'].iloc[0]))
    for name, neutral in (('worker', 0), ('pause_duration', 0.0), ('obstacle_crash_counter', 0),
                          ('wall_clock', np.nan)):
        if name not in frame:
            frame[name] = neutral
    frame['unique_episode'] = frame['episode']
    return frame[list(STEP_COLUMNS)].astype(STEP_COLUMNS).reset_index(drop=True)


def _metrics(source: Path) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for file in sorted((source / 'metrics').rglob('*.json')):
        rows.extend({'phase': file.parent.name, 'stream': file.stem, 'worker': 0, **row}
                    for row in json.loads(file.read_text())['metrics'])
    frame = pd.DataFrame(rows)
    for name, kind in EPISODE_COLUMNS.items():
        if name not in frame:
            frame[name] = np.nan if kind == 'float64' else 0
        frame[name] = frame[name].fillna(0) if kind.startswith('int') else frame[name]
    return frame[list(EPISODE_COLUMNS)].astype(EPISODE_COLUMNS)
