"""Figures of how training went: rewards, distances, lap times, endings and timing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from racer_rl.analysis.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PAPER,
    RED,
    SERIES,
    new_axes,
    new_figure,
    styled,
)

STATUS_COLOURS: Final = {
    'lap_complete': GREEN, 'off_track': RED, 'crashed': ORANGE, 'reversed': '#7b3fa0',
    'immobilized': '#8c6d31', 'time_up': GREY, 'in_progress': '#b8c0cc'}
"""Of endings; any other is grey."""


@styled
def progress_chart(iterations: pd.DataFrame, trials: pd.DataFrame | None = None, *,
                   best: int | None = None) -> Figure:
    """Reward, completion and lap times over iterations, with the spread of the episodes.

    Args:
        iterations: By `iteration_table`.
        trials: The same of evaluations, whose completion is drawn beside.
        best: Iteration to be marked.
    """
    figure = new_figure(7.6)
    reward, progress, laps = figure.subplots(3, 1, sharex=True)
    _bands(reward, iterations, 'reward', BLUE)
    reward.set(title='Reward of an episode')
    _bands(progress, iterations, 'progress', BLUE)
    progress.set(title='Completion', ylim=(-3, 103))
    progress.yaxis.set_major_formatter(PercentFormatter())
    if trials is not None and len(trials):
        progress.plot(trials.index, trials['progress'], color=ORANGE, marker='o', markersize=4,
                      label='evaluation, mean')
    figure.legend(*progress.get_legend_handles_labels(), loc='outside upper center', ncols=2)
    laps.set(title='Lap time, s', xlabel='iteration')
    laps.plot(iterations.index, iterations['median_s'], color=BLUE, marker='o', markersize=4,
              label='median')
    laps.plot(iterations.index, iterations['best_s'], color=GREEN, marker='o', markersize=4,
              label='best')
    if iterations['best_s'].notna().any():
        laps.legend(loc='best')
    else:
        laps.text(0.5, 0.5, 'no complete lap', transform=laps.transAxes, ha='center', color=GREY)
        laps.set_yticks([])
    laps.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (reward, progress, laps):
        axes.axvline(iterations.index[-1], color=GREY, linestyle=':', linewidth=1.5)
    reward.annotate('stopped ', (iterations.index[-1], 0.0), xycoords=('data', 'axes fraction'),
                    va='bottom', ha='right', color=GREY)
    if best is not None:
        for axes in (reward, progress, laps):
            axes.axvline(best, color=INK, linestyle='--', linewidth=1.2)
        reward.annotate(' best model ', (best, 1.0), xycoords=('data', 'axes fraction'), va='top',
                        ha='right' if best > iterations.index.to_numpy().mean() else 'left',
                        bbox={'facecolor': PAPER, 'alpha': 0.8, 'pad': 1.0, 'linewidth': 0.0})
    return figure


def _bands(axes: Axes, table: pd.DataFrame, column: str, colour: str) -> None:
    for low, high, alpha in ((10, 90, 0.15), (25, 75, 0.3)):
        axes.fill_between(table.index, table[f'{column}_{low}'], table[f'{column}_{high}'],
                          color=colour, alpha=alpha, linewidth=0,
                          label='middle 80 %' if low == 10 else 'middle 50 %')
    axes.plot(table.index, table[column], color=colour, label='mean',
              marker='o' if len(table) < 12 else None, markersize=4)


@styled
def reward_against_time(laps: pd.DataFrame) -> Figure:
    """Reward of complete laps over their time: does the reward want what you want?

    Args:
        laps: Complete episodes of `episode_table`, at least one.
    """
    figure, axes = new_axes(3.4)
    dots = axes.scatter(laps['time_s'], laps['reward'], c=laps['iteration'], s=18, cmap='viridis')
    figure.colorbar(dots, ax=axes, label='iteration')
    axes.set(xlabel='lap time, s', ylabel='reward of the lap')
    return figure


@styled
def endings_chart(episodes: pd.DataFrame, groups: int = 20) -> Figure:
    """How episodes ended, over iterations, as shares.

    Args:
        episodes: By `episode_table`.
        groups: Most bars; iterations are taken together.
    """
    figure, axes = new_axes(3.6)
    first, last = int(episodes['iteration'].min()), int(episodes['iteration'].max())
    width = max(1, -(-(last - first + 1) // groups))
    bar = first + width * ((episodes['iteration'] - first) // width)
    shares = pd.crosstab(bar, episodes['end_status'], normalize='index')
    bottom = np.zeros(len(shares))
    for status in sorted(shares, key=lambda name: (name != 'lap_complete', name)):
        axes.bar(shares.index, shares[status], width=0.92 * width, bottom=bottom, align='edge',
                 color=STATUS_COLOURS.get(str(status), GREY), label=str(status).replace('_', ' '))
        bottom += shares[status].to_numpy()
    axes.set(xlabel='iteration', ylim=(0, 1), xlim=(first, last + 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False)
    figure.legend(loc='outside upper center', ncols=3)
    return figure


@styled
def timing_chart(steps: pd.DataFrame, table: pd.DataFrame, nominal_ms: float) -> Figure:
    """Lengths of control periods, and the real-time factor if it is known.

    Args:
        steps: Rows by `prepared`.
        table: By `timing_table`.
        nominal_ms: What a period should take.
    """
    factor = table['real_time_factor'].dropna()
    figure = new_figure(5.2 if len(factor) else 2.9)
    panels = figure.subplots(2 if len(factor) else 1, 1, squeeze=False)[:, 0]
    times = 1000.0 * steps['dt_s'].dropna().to_numpy(np.float64)
    panels[0].hist(np.clip(times, 0.0, 150.0), bins=np.arange(0.0, 152.0, 2.0), color=BLUE)
    panels[0].axvline(nominal_ms, color=ORANGE, label=f'nominal {nominal_ms:.0f} ms')
    panels[0].set(xlabel='time between steps, ms (150 and more in the last bar)', ylabel='steps')
    panels[0].legend()
    if len(factor):
        panels[1].plot(factor.index, factor, color=BLUE, marker='o', markersize=4)
        panels[1].set(xlabel='iteration', ylabel='real-time factor', ylim=(0, None))
        panels[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@styled
def waypoint_chart(table: pd.DataFrame, column: str, label: str) -> Figure:
    """A bar for every waypoint.

    Args:
        table: By `waypoint_table`.
        column: Of it.
        label: Of the axis.
    """
    figure, axes = new_axes(2.9)
    axes.bar(table.index, table[column].fillna(0.0), width=1.0,
             color=RED if column == 'incidents' else BLUE)
    axes.set(xlabel='waypoint', ylabel=label, xlim=(-1, len(table)))
    if column == 'incidents':
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@styled
def section_chart(table: pd.DataFrame, best: pd.DataFrame | None = None) -> Figure:
    """Speed through every section, what was asked for, and what is possible.

    Args:
        table: By `section_table`, of typical driving.
        best: The same of the best laps.
    """
    figure, axes = new_axes(3.6)
    series = [('driven', table['speed_mps'], BLUE)]
    if best is not None:
        series.append(('best laps', best['speed_mps'], GREEN))
    at, width = np.arange(len(table)), 0.8 / len(series)
    for row, (name, values, colour) in enumerate(series):
        axes.bar(at + (row - (len(series) - 1) / 2) * width, values, width=width, color=colour,
                 label=name)
    for name, column, colour, style in (('commanded', 'asked_mps', INK, ':'),
                                        ('possible', 'possible_mps', ORANGE, '-')):
        known = table[column].notna().to_numpy()
        if known.any():
            axes.hlines(table[column][known], at[known] - 0.45, at[known] + 0.45, color=colour,
                        linestyle=style, linewidth=2.5, label=name)
    axes.set(xlabel='section', ylabel='speed, m/s', xticks=at, xticklabels=table.index)
    axes.grid(visible=False, axis='x')
    figure.legend(loc='outside upper center', ncols=2)
    return figure


@styled
def compared_progress(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Mean reward, completion and best lap of runs side by side.

    Over the steps where every table tells them, else over iterations.

    Args:
        tables: By `iteration_table`, of every run's name.
    """
    figure = new_figure(7.6)
    panels = figure.subplots(3, 1, sharex=True)
    counted = all((table['steps'] > 0).all() for table in tables.values())
    for (name, table), colour in zip(tables.items(), SERIES, strict=False):
        steps = table['steps'].cumsum() / 1000.0 if counted else table.index
        for axes, column in zip(panels, ('reward', 'progress', 'best_s'), strict=True):
            axes.plot(steps, table[column], color=colour, label=name, marker='o', markersize=3)
    for axes, title in zip(panels, ('Reward of an episode, mean', 'Completion, mean, %',
                                    'Best lap, s'), strict=True):
        axes.set_title(title)
    panels[2].set_xlabel('thousand steps in the log' if counted else 'iteration')
    figure.legend(*panels[0].get_legend_handles_labels(), loc='outside upper center',
                  ncols=1 if max(map(len, tables)) > 20 else 2)
    return figure


@styled
def compared_sections(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Speed through the sections of one road, run beside run.

    Args:
        tables: By `section_table`, of every run's name.
    """
    figure, axes = new_axes(3.6)
    width = 0.8 / len(tables)
    for row, ((name, table), colour) in enumerate(zip(tables.items(), SERIES, strict=False)):
        axes.bar(np.arange(len(table)) + (row - (len(tables) - 1) / 2) * width,
                 table['speed_mps'], width=width, color=colour, label=name)
    table = next(iter(tables.values()))
    axes.set(xlabel='section', ylabel='speed, m/s', xticks=np.arange(len(table)),
             xticklabels=table.index)
    axes.grid(visible=False, axis='x')
    figure.legend(loc='outside upper center', ncols=2)
    return figure


@styled
def robustness_chart(cells: Sequence[Mapping[str, object]]) -> Figure:
    """Share of clean laps under every condition, as a matrix.

    Args:
        cells: The `conditions` of a `SuiteResult`'s plain data.
    """
    table = pd.DataFrame(cells).pivot_table(index='condition', columns='strength', sort=False,
                                            values='clean_share')
    table = table.reindex(columns=[name for name in ('', 'mild', 'hard') if name in table])
    figure, axes = new_axes(1.2 + 0.36 * len(table))
    axes.imshow(table, cmap='RdYlGn', vmin=0.0, vmax=1.0, aspect='auto', alpha=0.6)
    for (row, column), share in np.ndenumerate(table.to_numpy()):
        if not np.isnan(share):
            axes.text(column, row, f'{share:.0%}', ha='center', va='center')
    axes.set(xticks=range(table.shape[1]), yticks=range(len(table)),
             xticklabels=[name or 'as is' for name in table.columns], yticklabels=table.index)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return figure
