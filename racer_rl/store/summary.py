"""A model in a few facts, for lists and for one page."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racer_rl.store.locks import is_trained
from racer_rl.store.models import CHECKPOINTS, ModelFolder, model_names, open_model
from racer_vehicle.errors import RacerError
from racer_vehicle.spec import spec_as_dict


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """What a person wants to see of a model among others.

    Attributes:
        name: Its name.
        id: That outlives its name; empty of the first runs.
        created: UTC, ISO 8601; empty of the first runs.
        tracks: Names or paths that it was trained on.
        direction: Way round.
        network: In the catalogue.
        method: How it came about: `ppo`, `sac`, `distill`.
        reward: Name or path of the function as it was given.
        seed: Of the training.
        parent: What it comes from, in words; empty if from nothing.
        parent_name: The name of that.
        steps: Of training, so far.
        best_steps: Of the best checkpoint; None before the first evaluation.
        clean_laps: Of its evaluation.
        total_laps: Of its evaluation.
        mean_lap_s: Of its complete laps; None without one.
        held_out: Share of clean laps elsewhere, 0 to 1; None if not asked.
        checkpoints: Their names, `best`, `last` and steps.
        wall_s: Seconds of training, all sessions.
        cpu_s: Seconds of a core, all sessions.
        size_bytes: Of the folder; a file with several names counts once.
        is_training: Whether somebody trains it at this moment.
        damage: What is wrong with it; empty if nothing was found.
    """

    name: str
    id: str = ''
    created: str = ''
    tracks: tuple[str, ...] = ()
    direction: str = ''
    network: str = ''
    method: str = ''
    reward: str = ''
    seed: int = 0
    parent: str = ''
    parent_name: str = ''
    steps: int = 0
    best_steps: int | None = None
    clean_laps: int | None = None
    total_laps: int | None = None
    mean_lap_s: float | None = None
    held_out: float | None = None
    checkpoints: tuple[str, ...] = ()
    wall_s: float = 0.0
    cpu_s: float = 0.0
    size_bytes: int = 0
    is_training: bool = False
    damage: str = ''

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return spec_as_dict(self)


def summarise(folder: ModelFolder) -> ModelSummary:
    """The facts of one model; a damaged one says so in `damage`, and keeps its place."""
    size = folder_bytes(folder.path)
    try:
        return _summary(folder, size)
    except RacerError as error:
        return ModelSummary(name=folder.name, size_bytes=size, damage=str(error))


def summaries() -> list[ModelSummary]:
    """All models, by name; one that is deleted meanwhile is left out."""
    found = []
    for name in model_names():
        try:
            found.append(summarise(open_model(name)))
        except RacerError:
            continue
    return found


def folder_bytes(path: Path) -> int:
    """Bytes of all files below a folder; several names of one file count once."""
    files = {}
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                found = os.lstat(os.path.join(folder, name))
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode):
                files[found.st_ino] = found.st_size
    return sum(files.values())


def _summary(folder: ModelFolder, size: int) -> ModelSummary:
    run, metadata, progress = folder.run, folder.metadata, folder.progress
    best: Mapping[str, Any] = progress.get('best') or {}
    lineage, sessions = folder.lineage, folder.sessions
    return ModelSummary(
        name=folder.name, id=run.get('id', ''), created=run.get('created', ''),
        tracks=tuple(run['track']), direction=run['direction'], network=metadata.neural_network,
        method=run.get('method', ''), reward=run['reward']['origin'], seed=run['seed'],
        parent='' if lineage is None else str(lineage),
        parent_name='' if lineage is None else lineage.model, steps=progress.get('steps', 0),
        best_steps=progress.get('best_steps'), clean_laps=best.get('clean_laps'),
        total_laps=best.get('total_laps'), mean_lap_s=best.get('mean_lap_s'),
        held_out=best.get('robust_score'),
        checkpoints=tuple(name for name in (*CHECKPOINTS, *map(str, folder.earlier))
                          if folder.checkpoint(name).is_file()),
        wall_s=round(sum(session.wall_s for session in sessions), 3),
        cpu_s=round(sum(session.cpu_s for session in sessions), 3),
        size_bytes=size, is_training=is_trained(folder.path))
