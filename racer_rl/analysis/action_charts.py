"""Figures of the action space: how often each action is taken."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import PercentFormatter

from racer_rl.analysis.style import BLUE, RED, new_axes, new_figure, styled


@styled
def action_histogram(table: pd.DataFrame) -> Figure:
    """A bar for every action of a table.

    Args:
        table: By `action_table`.
    """
    figure, axes = new_axes(1.2 + 0.3 * len(table))
    names = [f'{steer:+.0f}°  {speed:.1f} m/s' for steer, speed in zip(
        table['steering_deg'], table['speed_mps'], strict=True)]
    at = np.arange(len(table))
    axes.barh(at, table['share'], color=np.where(table['count'] > 0, BLUE, RED))
    axes.set(yticks=at, yticklabels=names, xlabel='share of steps')
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(visible=False, axis='y')
    return figure


@styled
def action_polar(table: pd.DataFrame) -> Figure:
    """Actions as directions: angle the steering, distance the speed, size how often.

    Args:
        table: By `action_table`.
    """
    figure = new_figure(3.6)
    axes = cast(PolarAxes, figure.add_subplot(projection='polar'))
    angles = np.radians(table['steering_deg'].to_numpy(np.float64))
    axes.scatter(angles, table['speed_mps'], s=30 + 2500 * table['share'], color=BLUE, alpha=0.7)
    never = (table['count'] == 0).to_numpy()
    axes.scatter(angles[never], table['speed_mps'][never], marker='x', color=RED, zorder=3)
    wide = max(35.0, float(np.abs(table['steering_deg']).max()) + 5.0)
    axes.set_theta_zero_location('N')
    axes.set_thetalim(np.radians(-wide), np.radians(wide))
    axes.set_ylim(0.0, 1.15 * float(table['speed_mps'].max()))
    return figure


@styled
def command_chart(shares: np.ndarray, steering_deg: np.ndarray, speed_mps: np.ndarray) -> Figure:
    """Commands of a continuous policy as a map.

    Args:
        shares: By `command_grid`, as are the others.
        steering_deg: Edges of the columns.
        speed_mps: Edges of the rows.
    """
    figure, axes = new_axes(3.6)
    taken = np.ma.masked_equal(shares, 0.0)
    mesh = axes.pcolormesh(steering_deg, speed_mps, taken, cmap='viridis')
    bar = figure.colorbar(mesh, ax=axes, label='share of steps')
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set(xlabel='steering, degrees (left +)', ylabel='speed, m/s')
    axes.invert_xaxis()
    return figure
