"""Where a model comes from, if not from nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from racer_vehicle.spec import spec_as_dict
from racer_vehicle.strict_json import from_object


class Kinship(StrEnum):
    """What a model took from where it comes from."""

    CLONE = 'clone'
    DISTILLED = 'distilled'


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The origin of a model, one step back.

    Attributes:
        kind: A clone took the weights; a distilled model learnt from what the other did.
        model: Name of the parent then, or of a log.
        id: Of the parent, which outlives its renaming; empty if it had none.
        checkpoint: Of the parent: `best`, `last` or a number of steps; empty for a log.
        steps: That the parent had been trained until then; 0 for a log.
        sha256: Of the checkpoint's file, hexadecimal; empty for a log.
        optimizer: Whether the optimiser's state was taken too.
    """

    kind: Kinship
    model: str
    id: str = ''
    checkpoint: str = ''
    steps: int = 0
    sha256: str = ''
    optimizer: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `run.json`."""
        return spec_as_dict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Lineage:
        """What `as_dict` gave.

        Raises:
            ConfigError: It is something else.
        """
        return from_object(cls, plain, 'lineage')

    def __str__(self) -> str:
        if self.kind is Kinship.DISTILLED:
            return f'learnt from what {self.model} did'
        return f'clone of {self.model} ({self.checkpoint}, {self.steps:,} steps)'


def file_sha256(path: Path) -> str:
    """Digest of a file, hexadecimal."""
    with path.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()
