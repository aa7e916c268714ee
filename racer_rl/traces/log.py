"""A run's log, wherever it comes from: what cars did, how episodes ended, what was broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from racer_rl.traces.columns import EPISODE_COLUMNS, STEP_COLUMNS
from racer_vehicle.metadata import ModelMetadata

__all__ = ['EPISODE_COLUMNS', 'STEP_COLUMNS', 'Damage', 'Log', 'read_log']


@dataclass(frozen=True, slots=True)
class Damage:
    """What of a file could not be read.

    Attributes:
        file: Its path inside the source.
        lines: How many lines were refused; 0: the whole file.
        first_line: Number of the first of them, from 1; 0 for the whole file.
        why: In words, of the first.
    """

    file: str
    lines: int
    first_line: int
    why: str


@dataclass(frozen=True, slots=True)
class Log:
    """All that was found.

    Attributes:
        name: Of the run or model, for headings.
        source: What was given.
        layout: `racer`, `console`, `solution` (self-hosted), `drfc`, `drfc-workers`,
            `drfc-upload` or `file`.
        training: A row a step, `STEP_COLUMNS`, ordered by `unique_episode`; may be empty.
        evaluation: The same; `iteration` counts the evaluations.
        episodes: Rows of the metrics files, `EPISODE_COLUMNS`; may be empty.
        metadata: Of the model; None if absent or unreadable.
        hyperparameters: By DeepRacer's names; None if absent or unreadable.
        reward_source: Text of the reward function; None if absent.
        printed: What the reward function printed: `text`, `count`, `first_episode`; the most
            frequent first, bounded.
        damage: What could not be read.
        remarks: What else a person should know, a sentence each.
        track: Name, if there is one and it is known.
    """

    name: str
    source: Path
    layout: str
    training: pd.DataFrame
    evaluation: pd.DataFrame
    episodes: pd.DataFrame
    metadata: ModelMetadata | None
    hyperparameters: Mapping[str, Any] | None
    reward_source: str | None
    printed: pd.DataFrame
    damage: tuple[Damage, ...]
    remarks: tuple[str, ...]
    track: str | None


def read_log(source: Path | str) -> Log:
    """Read a folder, a .tar.gz, or one file: .log, .txt, .csv or .parquet.

    Args:
        source: Path.

    Raises:
        ConfigError: There is nothing, or nothing that is a log.
    """
    from racer_rl.traces.reading import read_source

    return read_source(Path(source))
