"""Whether a result is what its plan and its entrants give, here and now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from racer_rl.races.entrants import BOTS, Entrant
from racer_rl.races.result import EntryResult, RaceResult
from racer_rl.races.run import Watch, run_race
from racer_vehicle.errors import ConfigError
from racer_vehicle.policy import PolicyBundle


@dataclass(frozen=True, slots=True)
class Verification:
    """A result beside the same race, driven again.

    Attributes:
        differences: What differs, in words; empty: nothing.
        versions: What the bits may depend on and is another here: name, then, now.
        again: The race driven again.
    """

    differences: tuple[str, ...]
    versions: tuple[tuple[str, str, str], ...]
    again: RaceResult

    @property
    def is_same(self) -> bool:
        """Whether every number and every car's state at every step is the same."""
        return not self.differences


def verify(result: RaceResult, bundles: Mapping[str, PolicyBundle], watch: Watch | None = None,
           ) -> Verification:
    """Drive a race again and compare.

    Args:
        result: What is claimed.
        bundles: The policies, by SHA-256.
        watch: As of `run_race`.

    Raises:
        ConfigError: A policy is missing, or the race cannot be driven.
        ModelMismatchError: A policy does not suit.
    """
    again = run_race(result.plan, entrants_of(result, bundles), watch)
    then, now = result.versions, again.versions
    return Verification(
        tuple(_differences(result, again)),
        tuple((name, then.get(name, 'unknown'), now.get(name, 'unknown'))
              for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)),
        again)


def digests_of(result: RaceResult) -> tuple[str, ...]:
    """SHA-256 of the policies that a result names, each once."""
    identities = (entry.identity.partition(':') for entry in result.entries)
    return tuple(dict.fromkeys(digest for kind, _, digest in identities if kind == 'sha256'))


def entrants_of(result: RaceResult, bundles: Mapping[str, PolicyBundle]) -> list[Entrant]:
    """Who raced.

    Raises:
        ConfigError: A policy is missing, or an entry is of no known kind.
    """
    return [_entrant(entry, bundles) for entry in result.entries]


def _entrant(entry: EntryResult, bundles: Mapping[str, PolicyBundle]) -> Entrant:
    kind, _, value = entry.identity.partition(':')
    if kind == 'bot':
        return Entrant(name=entry.name, bot=value)
    if kind != 'sha256':
        raise ConfigError(f'{entry.name!r} is {entry.identity!r}; allowed: sha256: and the digest '
                          f'of a policy, or bot: and one of {", ".join(BOTS)}.')
    if value not in bundles:
        raise ConfigError(f'the policy of {entry.name!r}, with SHA-256 {value}, is not here; give '
                          'its file with --bundle FILE.racer.')
    return Entrant(name=entry.name, bundle=bundles[value])


def _differences(then: RaceResult, now: RaceResult) -> Iterator[str]:
    if then.track_sha256 != now.track_sha256:
        yield (f'track {then.plan.track!r} is another one here: SHA-256 {then.track_sha256[:12]} '
               f'then, {now.track_sha256[:12]} now')
    for before, after in zip(then.entries, now.entries, strict=True):
        first, second = asdict(before), asdict(after)
        for name in first:
            if first[name] != second[name]:
                yield (f'{before.name}: {name} was {_short(first[name])}, is '
                       f'{_short(second[name])}')
    if then.trace_sha256 != now.trace_sha256:
        yield (f'states of the cars: SHA-256 {then.trace_sha256[:12]} then, '
               f'{now.trace_sha256[:12]} now')


def _short(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return '[' + ', '.join(map(str, value)) + ']'
    return str(value)
