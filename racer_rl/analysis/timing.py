"""How evenly time passed: length of control periods, and simulated against real seconds."""

from __future__ import annotations

import pandas as pd

from racer_vehicle.spec import CONTROL_PERIOD_S


def timing_table(steps: pd.DataFrame) -> pd.DataFrame:
    """Lengths of control periods, one row an iteration.

    Args:
        steps: Rows by `prepared`.

    Returns:
        Index `iteration`; columns `steps`, `mean_ms`, `p95_ms`, `longest_ms` of what lies between
        rows of an episode, `real_time_factor` (simulated over real seconds of its median episode;
        NaN where a log does not tell real time).
    """
    groups = steps.groupby('iteration')['dt_s']
    table = 1000.0 * pd.DataFrame({'mean_ms': groups.mean(), 'p95_ms': groups.quantile(0.95),
                                   'longest_ms': groups.max()}).astype('float64')
    table.insert(0, 'steps', groups.size())
    return table.assign(real_time_factor=_real_time_factor(steps))


def timing_summary(steps: pd.DataFrame) -> dict[str, float]:
    """Mean, 50th, 95th and 99th percentile of a control period, and what it should be; ms."""
    times = 1000.0 * steps['dt_s'].dropna().astype('float64')
    return {'mean_ms': float(times.mean()), 'nominal_ms': 1000.0 * CONTROL_PERIOD_S,
            **{f'p{percent}_ms': float(times.quantile(percent / 100))
               for percent in (50, 95, 99)}}


def _real_time_factor(steps: pd.DataFrame) -> pd.Series[float]:
    groups = steps.groupby(['iteration', 'unique_episode'])
    span = groups[['tstamp', 'wall_clock']].last() - groups[['tstamp', 'wall_clock']].first()
    factor = span['tstamp'] / span['wall_clock'].where(span['wall_clock'] > 0.0)
    return factor.groupby('iteration').median()
