"""Runs of our own: what a model's folder adds to its log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from racer_rl.analysis.blocks import Chapter, picture
from racer_rl.analysis.charts import robustness_chart
from racer_rl.analysis.run import Run
from racer_rl.store.models import ModelFolder, open_model
from racer_rl.traces.log import read_log
from racer_sim.courses import Course, courses_of
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError, RacerError


def folder_of(source: str) -> ModelFolder | None:
    """The model that a source names: by its path, or else by its name in the store.

    Returns:
        None for a path that is no model of ours.

    Raises:
        ConfigError: There is neither such a path nor such a model.
    """
    path = Path(source)
    if path.exists():
        folder = ModelFolder(path.resolve())
        return folder if folder.exists else None
    if '/' in source or path.suffix in ('.gz', '.tgz', '.log', '.txt', '.csv', '.parquet'):
        raise ConfigError(f'there is no {source!r}; give a folder or file of logs, or the name '
                          'of a model.')
    return open_model(source)


def open_run(source: str, track: str | None = None) -> tuple[Run, ModelFolder | None]:
    """Read and prepare a log.

    Args:
        source: A path, or the name of a model in the store.
        track: Name or file of the track, if it is not to be looked for.

    Raises:
        ConfigError: There is nothing to be read, or the track is another one.
    """
    folder = folder_of(source)
    if folder is not None and not any(folder.path.glob('*-simtrace/*')):
        raise ConfigError(f'model {folder.name!r} kept no steps of its training or evaluations; '
                          'allowed: one trained or evaluated with --trace every or sample.')
    log = read_log(source if folder is None else folder.path)
    run = Run.of(log, courses=() if folder is None else courses_of_model(folder), track=track)
    return (run, None) if folder is None else (_with_history(run, folder), folder)


def courses_of_model(folder: ModelFolder) -> tuple[Course, ...]:
    """What a model was trained on, as far as the tracks are still there."""
    try:
        setup = folder.setup
        return courses_of([find_track(name) for name in setup.tracks], setup.direction)
    except RacerError:
        return ()


def _with_history(run: Run, folder: ModelFolder) -> Run:
    """The same with the iteration of the best checkpoint, if the log tells of every step."""
    progress = folder.progress
    best, done = progress.get('best_steps'), progress.get('steps')
    steps = run.training.groupby('iteration').size().cumsum()
    if not best or not done or not len(steps) or abs(steps.iloc[-1] / done - 1.0) > 0.02:
        return run
    row = min(int(np.searchsorted(steps.to_numpy(), best)), len(steps) - 1)
    return replace(run, best_iteration=int(steps.index[row]))


def chapters_of(folder: ModelFolder) -> tuple[Chapter, ...]:
    """What a log does not have: the robustness matrix and what the camera sees."""
    return tuple(chapter for chapter in (_robustness(folder), _camera(folder))
                 if chapter is not None)


def _robustness(folder: ModelFolder) -> Chapter | None:
    result = folder.robustness
    if not result.get('conditions'):
        return None
    return Chapter(
        key='robustness', title='Robustness', blocks=(picture(
            'Clean laps under other conditions', robustness_chart(result['conditions']),
            f'Matrix of {len(result["conditions"])} shares of clean laps; the score is '
            f'{result["score"]:.2f}.'),),
        intro=f'Score {result["score"]:.2f}: the mean share of clean laps over all fields, from '
              f'racer evaluate --suite robust.')


def _camera(folder: ModelFolder) -> Chapter | None:
    checkpoint = next((name for name in ('best', 'last') if folder.checkpoint(name).is_file()),
                      None)
    if checkpoint is None:
        return None
    from racer_rl.analysis.camera import camera_figure, look

    try:
        glances = look(folder, checkpoint)
    except RacerError:
        return None
    if not glances:
        return None
    return Chapter(
        key='camera', title='What the camera sees', blocks=(picture(
            'Moments of a lap', camera_figure(glances),
            f'{len(glances)} camera pictures of a lap, each with the pixels coloured that its '
            'action depends on.', 'Above each picture: what the policy chose there.'),),
        intro=f'A lap with the {checkpoint} checkpoint. Coloured: the pixels on which the chosen '
              'action depends most (its gradient by the picture). A policy that looks at the '
              'lines of the track is easier to trust than one that looks at the horizon.')
