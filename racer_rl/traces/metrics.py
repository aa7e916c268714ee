"""Metrics files: what the simulator itself says of each episode."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from racer_rl.traces.assembly import empty_frame
from racer_rl.traces.columns import EPISODE_COLUMNS
from racer_rl.traces.roles import EVALUATION, TRAINING, Role

MOST_BYTES: Final = 256 << 20
"""Of a metrics file; one of a million episodes is about as large."""

_INT_LIMIT: Final = 2**31 - 1


def read_metrics(content: bytes, role: Role) -> list[dict[str, Any]]:
    """Rows of one file, by `EPISODE_COLUMNS`.

    Raises:
        ValueError: It is not JSON, or holds no list of metrics.
    """
    try:
        data = json.loads(content)
    except RecursionError:
        raise ValueError('it is nested too deep') from None
    listed = data.get('metrics') if isinstance(data, dict) else None
    if not isinstance(listed, list):
        raise ValueError('it holds no list "metrics"')
    return [_row(given, role) for given in listed if isinstance(given, dict)]


def _row(given: Mapping[str, Any], role: Role) -> dict[str, Any]:
    phase = given.get('phase')
    row: dict[str, Any] = {
        'phase': phase if phase in (TRAINING, EVALUATION) else role.phase,
        'stream': role.stream, 'worker': role.worker,
    }
    for name, kind in EPISODE_COLUMNS.items():
        if name in row:
            continue
        value = given.get(name)
        if kind == 'str':
            row[name] = value[:64] if isinstance(value, str) else ''
        else:
            number = float(value) if isinstance(value, int | float) and abs(value) < 1e300 else (
                math.nan)
            row[name] = number if kind == 'float64' else (
                int(number) if abs(number) <= _INT_LIMIT else 0)
    return row


def metrics_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Of all files' rows."""
    if not rows:
        return empty_frame(EPISODE_COLUMNS)
    return pd.DataFrame(rows)[list(EPISODE_COLUMNS)].astype(EPISODE_COLUMNS)
