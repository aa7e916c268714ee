"""Removes what a plan says, each model's things while nobody else uses the model."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from racer_rl.cleaning.plan import Plan, Removal
from racer_rl.cleaning.things import FileFact, Survey, facts_of, remove
from racer_rl.store.locks import (
    CHECKPOINT_FOLDER,
    HIDDEN_PREFIXES,
    BusyError,
    alone_with,
    committing,
)

Watch = Callable[[int, int], None]
"""Told how many things are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a plan.

    Attributes:
        freed_bytes: As it was measured, file by file.
        removed: How many things went.
        skipped: Names of things that stayed after all, and why.
    """

    freed_bytes: int
    removed: int
    skipped: tuple[tuple[str, str], ...]


def carry_out(plan: Plan, survey: Survey, watch: Watch = lambda done, of: None) -> Outcome:
    """Remove what a plan says, unless something has changed since the survey.

    Args:
        plan: Made of `survey`.
        survey: What was there then.
        watch: Told after each thing.

    Raises:
        OSError: The disk refused; what went before has gone.
    """
    freed, removed, skipped, total = 0, 0, list[tuple[str, str]](), len(plan.removals)
    for _, group in groupby(plan.removals, key=_held_together):
        removals = list(group)
        model = removals[0].thing.model
        try:
            with ExitStack() as stack:
                if model is not None:
                    _hold(stack, model, survey.models[model])
                for removal in removals:
                    freed += _remove(removal)
                    removed += 1
                    watch(removed, total)
        except BusyError as error:
            skipped += [(removal.thing.name, str(error)) for removal in removals]
    return Outcome(freed_bytes=freed, removed=removed, skipped=tuple(skipped))


def _held_together(removal: Removal) -> Path:
    """A model's things go together or not at all, others each by itself."""
    return removal.thing.model or removal.thing.paths[0]


def _hold(stack: ExitStack, model: Path, known: Iterable[FileFact]) -> None:
    """Keep everybody else out of a model, and see that it is as it was."""
    stack.enter_context(alone_with(model))
    if (model / CHECKPOINT_FOLDER).is_dir():
        stack.enter_context(committing(model))
    if _contents(facts_of([model])) != _contents(known):
        raise BusyError(f'model {model.name!r} has changed meanwhile; look again: racer clean.')


def _contents(files: Iterable[FileFact]) -> set[tuple[Path, tuple[int, int], int]]:
    """Files by name and content; how many other names they have is no change of theirs."""
    return {(file.path, file.inode, file.changed_ns) for file in files}


def _remove(removal: Removal) -> int:
    thing = removal.thing
    if thing.model is not None and thing.paths == (thing.model,):
        return _remove_folder(thing.model)
    if thing.model is not None:
        return sum(remove(path) for path in thing.paths)
    # Outside of models no lock tells whether somebody has written it anew.
    if _contents(facts_of(thing.paths)) != _contents(thing.files):
        raise BusyError(f'{thing.name} has changed meanwhile; look again: racer clean.')
    return sum(remove(path) for path in thing.paths)


def _remove_folder(model: Path) -> int:
    """A model disappears in one step, and is deleted then."""
    hidden = model.parent / f'{HIDDEN_PREFIXES[1]}{secrets.token_hex(8)}'
    os.rename(model, hidden)
    return remove(hidden)
