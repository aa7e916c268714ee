"""What to remove from a store: decided from a description of it, before anything is touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from racer_rl.cleaning.things import ORDER, FileFact, Kind, Survey, Tally, Thing, allocated
from racer_vehicle.errors import ConfigError

ASKED_BY_AGE: Final = (Kind.JOB, Kind.EVALUATION, Kind.TENSORBOARD)
"""What `older_than_s` alone asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a person wants to be rid of; leftovers of killed processes go in any case.

    Attributes:
        earlier: So many of a model's earlier checkpoints stay, the newest; None: all.
        last: Whether last checkpoints stay where there is a best one.
        older_than_s: Only what was of no use for so long, seconds; None: whatever its age.
        max_bytes: Remove until the store takes no more than this; None: no such limit.
        traces: Steps of training.
        models: Whole models that have no best checkpoint.
        caches: What is computed again when it is needed.
        parents: Also checkpoints and models that others come from.
    """

    earlier: int | None = None
    last: bool = True
    older_than_s: float | None = None
    max_bytes: int | None = None
    traces: bool = False
    models: bool = False
    caches: bool = False
    parents: bool = False

    def __post_init__(self) -> None:
        if self.models and self.older_than_s is None and self.max_bytes is None:
            raise ConfigError('--models alone would take every model without a best checkpoint; '
                              'give --older-than or --max-size with it.')


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A thing that goes.

    Attributes:
        thing: What.
        why: In words.
        frees: Bytes that become free, after those before it have gone.
    """

    thing: Thing
    why: str
    frees: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {'kind': self.thing.kind.value, 'name': self.thing.name, 'why': self.why,
                'frees_bytes': self.frees, 'paths': [str(path) for path in self.thing.paths]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What goes, and what was asked for and stays.

    Attributes:
        removals: In the order in which they are carried out.
        stays: Name of a thing and why it stays.
        store_bytes: What the store takes now.
        frees_bytes: What becomes free, kernels outside of the store included.
        left_bytes: What the store takes then.
        max_bytes: That it was wanted to take; None if no limit was given.
    """

    removals: tuple[Removal, ...]
    stays: tuple[tuple[str, str], ...]
    store_bytes: int
    frees_bytes: int
    left_bytes: int
    max_bytes: int | None

    @property
    def fits(self) -> bool:
        """Whether the store then takes no more than was wanted."""
        return self.max_bytes is None or self.left_bytes <= self.max_bytes

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {'removals': [removal.as_dict() for removal in self.removals],
                'stays': [{'name': name, 'why': why} for name, why in self.stays],
                'store_bytes': self.store_bytes, 'frees_bytes': self.frees_bytes,
                'left_bytes': self.left_bytes, 'max_bytes': self.max_bytes, 'fits': self.fits}


def plan_of(survey: Survey, wishes: Wishes, now_s: float) -> Plan:
    """Decide what goes.

    Args:
        survey: The store.
        wishes: What is asked for.
        now_s: Seconds since 1970.
    """
    choice = _Choice(survey, wishes, now_s)
    choice.make()
    tally = Tally()
    going = [thing for thing in choice.taken
             if thing.kind is Kind.MODEL or thing.model not in choice.going]
    going.sort(key=lambda thing: (str(thing.model or ''), *_order(thing)))
    removals = tuple(Removal(thing=thing, why=choice.taken[thing], frees=tally.take(thing.files))
                     for thing in going)
    return Plan(removals=removals, stays=tuple(choice.stays()),
                store_bytes=choice.store_bytes, frees_bytes=tally.freed,
                left_bytes=choice.left_bytes, max_bytes=wishes.max_bytes)


def _order(thing: Thing) -> tuple[int, float, str]:
    """The cheapest to lose first, of those the oldest."""
    return ORDER.index(thing.kind), thing.used_s, thing.name


def _age(seconds: float) -> str:
    hours = round(seconds / 3600.0)
    return f'{hours} h' if hours < 48 else f'{hours // 24} days'


class _Choice:
    """Takes things until all that is asked for is taken, and the store is small enough."""

    def __init__(self, survey: Survey, wishes: Wishes, now_s: float) -> None:
        self._wishes, self._now_s = wishes, now_s
        self._things = sorted(survey.things, key=_order)
        self.taken: dict[Thing, str] = {}
        self.going: set[Path] = set()
        # Of the store alone: names outside of it do not make it larger.
        self._tally, self._names = Tally(), Counter(file.inode for file in survey.files)
        self.store_bytes = allocated(survey.files)

    def make(self) -> None:
        """Take; once a model goes, it no longer needs what it came from."""
        before = -1
        while before != len(self.going):
            before = len(self.going)
            for thing in self._free():
                if why := self._asked(thing):
                    self._take(thing, why)
            for thing in self._free() if self._is_too_large else ():
                if self._is_too_large and self._may_go(thing):
                    self._take(thing, 'to make the store small enough')

    @property
    def left_bytes(self) -> int:
        """What the store takes without what is taken."""
        return self.store_bytes - self._tally.freed

    def stays(self) -> Iterable[tuple[str, str]]:
        """What is asked for by itself and not taken, with the reason."""
        for thing in self._things:
            if thing not in self.taken and self._asked(thing) and thing.model not in self.going:
                yield thing.name, self._reason(thing)

    @property
    def _is_too_large(self) -> bool:
        return self._wishes.max_bytes is not None and self.left_bytes > self._wishes.max_bytes

    def _free(self) -> Sequence[Thing]:
        return [thing for thing in self._things
                if thing not in self.taken and not self._reason(thing)]

    def _take(self, thing: Thing, why: str) -> None:
        self.taken[thing] = why
        self._tally.take(self._in_store(thing))
        if thing.kind is Kind.MODEL and thing.model is not None:
            self.going.add(thing.model)

    def _in_store(self, thing: Thing) -> list[FileFact]:
        return [file._replace(names=self._names[file.inode]) for file in thing.files
                if file.inode in self._names]

    def _reason(self, thing: Thing) -> str:
        """Why a thing stays; empty if it may go."""
        heirs = [path.name for path in thing.named_by if path not in self.going]
        if thing.needed or not heirs or self._wishes.parents:
            return thing.needed
        return f'{", ".join(heirs)} comes from it; --parents takes it all the same'

    def _asked(self, thing: Thing) -> str:
        """Why a thing is asked for by itself; empty if it is not."""
        wishes, kind = self._wishes, thing.kind
        if kind is Kind.LEFTOVER:
            return 'left by a process that was killed'
        if not self._is_old(thing):
            return ''
        old = '' if wishes.older_than_s is None else (
            f'not used for {_age(self._now_s - thing.used_s)}')
        asked = {
            Kind.CACHE: wishes.caches, Kind.TRACE: wishes.traces, Kind.LAST: not wishes.last,
            Kind.MODEL: wishes.models and bool(old),
            Kind.EARLIER: wishes.earlier is not None and thing.rank >= wishes.earlier}
        if kind in ASKED_BY_AGE:
            return old
        return (old or 'asked for') if asked[kind] else ''

    def _may_go(self, thing: Thing) -> bool:
        """Whether a thing that nobody asked for may go to make the store smaller."""
        wishes = self._wishes
        refused = {Kind.LAST: wishes.last, Kind.MODEL: not wishes.models,
                   Kind.EARLIER: thing.rank < (wishes.earlier or 0)}
        return (not refused.get(thing.kind, False) and self._is_old(thing)
                and self._tally.would_free(self._in_store(thing)) > 0)

    def _is_old(self, thing: Thing) -> bool:
        limit_s = self._wishes.older_than_s
        return limit_s is None or self._now_s - thing.used_s >= limit_s
