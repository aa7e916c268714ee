"""The picture of a run: reward, laps and held-out driving over steps, best and end marked."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

from racer_rl.training.history import History
from racer_vehicle.storage import write_atomically

OWN, HELD_OUT, REWARD, LAP = '#1f77b4', '#d62728', '#7f7f7f', '#2ca02c'
SIZE_INCHES: Final = (7.2, 5.4)
MARGINS: Final = {'left': 0.1, 'right': 0.89, 'bottom': 0.09, 'top': 0.94, 'hspace': 0.08}
"""Shares of the picture; to have them found means to draw it twice."""


def draw_training(history: History, path: Path, *, delivered_steps: int | None,
                  reason: str) -> None:
    """Write the curve of a run.

    Args:
        history: At least one evaluation.
        path: A .png file, written in one step.
        delivered_steps: Steps of the best checkpoint; None without one.
        reason: Why training ended.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES)
    figure.subplots_adjust(**MARGINS)
    shares, rewards = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    rows = history.rows
    steps = [row.steps for row in rows]
    shares.plot(steps, [100.0 * row.clean_share for row in rows], color=OWN,
                label='clean laps on its own tracks')
    held = [(row.steps, 100.0 * row.held_out) for row in rows if row.held_out is not None]
    if held:
        shares.plot(*zip(*held, strict=True), color=HELD_OUT, label='held-out driving')
    shares.set(ylabel='%', ylim=(-3, 103), title=f'stopped: {reason}')
    shares.title.set_fontsize('medium')
    _mark(shares, delivered_steps)
    known = [(row.steps, row.reward) for row in rows if row.reward is not None]
    if known:
        rewards.plot(*zip(*known, strict=True), color=REWARD, label='reward of an episode')
    rewards.set(xlabel='steps', ylabel='reward')
    laps = [(row.steps, row.mean_lap_s) for row in rows if row.mean_lap_s is not None]
    handles = list(rewards.get_lines())
    if laps:
        times = rewards.twinx()
        handles += times.plot(*zip(*laps, strict=True), color=LAP, label='mean lap')
        times.set_ylabel('lap, s', color=LAP)
    _mark(rewards, delivered_steps)
    shares.legend(loc='lower right', fontsize='small', framealpha=0.8)
    rewards.legend(handles=handles, loc='lower right', fontsize='small', framealpha=0.8)
    for axes in (shares, rewards):
        axes.grid(alpha=0.3)
    stream = io.BytesIO()
    figure.savefig(stream, format='png', dpi=110)
    write_atomically(path, stream.getvalue())


def _mark(axes: Any, delivered_steps: int | None) -> None:
    """A line where the delivered checkpoint was made."""
    if delivered_steps is not None:
        axes.axvline(delivered_steps, color='black', linestyle='--', linewidth=1.0,
                     label=f'best: {delivered_steps:,} steps')
