"""Entrants as they are typed, and the policies of a result wherever they may be."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console
from rich.text import Text

from racer_vehicle.errors import ConfigError, ModelMismatchError, RacerError

if TYPE_CHECKING:  # they take a second to import
    from racer_rl.races.entrants import Entrant
    from racer_rl.races.plan import RacePlan
    from racer_rl.races.result import RaceResult
    from racer_vehicle.policy import PolicyBundle

BUNDLE_SUFFIX: Final = '.racer'
BOT_PREFIX: Final = 'bot:'


def entrants_from(entries: Sequence[str], checkpoint: str) -> list[Entrant]:
    """Who is meant by names of models, files of policies, and `bot:NAME`.

    Args:
        entries: As typed; who comes twice gets a number behind its name.
        checkpoint: `best`, `last` or a number of steps, of models in the store.

    Raises:
        RacerError: There is no such model, file or bot.
    """
    from racer_rl.races.entrants import Entrant

    known: dict[str, PolicyBundle] = {}
    seen: Counter[str] = Counter()
    entrants = []
    for entry in entries:
        name = Path(entry).stem if entry.endswith(BUNDLE_SUFFIX) else entry
        seen[name] += 1
        name = name if seen[name] == 1 else f'{name} {seen[name]}'
        if entry.startswith(BOT_PREFIX):
            entrants.append(Entrant(name=name, bot=entry.removeprefix(BOT_PREFIX)))
            continue
        if entry not in known:
            known[entry] = bundle_of(entry, checkpoint)
        entrants.append(Entrant(name=name, bundle=known[entry]))
    return entrants


def bundle_of(model: str, checkpoint: str = 'best') -> PolicyBundle:
    """The policy of a model in the store, or of a `.racer` file.

    Raises:
        RacerError: There is none, or it is damaged.
    """
    from racer_vehicle.policy import PolicyBundle

    if model.endswith(BUNDLE_SUFFIX):
        return PolicyBundle.read(Path(model))
    from racer_rl.export import export_bundle
    from racer_rl.store.models import open_model

    with tempfile.TemporaryDirectory(prefix='racer-race-') as folder:
        return export_bundle(open_model(model), Path(folder) / f'policy{BUNDLE_SUFFIX}',
                             checkpoint)


def keep_bundles(entrants: Iterable[Entrant], folder: Path) -> None:
    """Put the policies of a race beside its result, so that anyone can repeat it.

    Raises:
        OSError: The disk refused.
    """
    for bundle in {entrant.bundle.sha256: entrant.bundle
                   for entrant in entrants if entrant.bundle is not None}.values():
        bundle.write(folder / f'policy-{bundle.sha256[:12]}{BUNDLE_SUFFIX}')


def find_bundles(result: RaceResult, given: Sequence[Path], folder: Path,
                 ) -> dict[str, PolicyBundle]:
    """The policies of a result: given ones, those beside it, then those of models in the store.

    Args:
        result: Of a race.
        given: Files.
        folder: Where the result lies.

    Returns:
        By SHA-256; what was found nowhere is missing.

    Raises:
        ModelMismatchError: A given file is no policy.
    """
    from racer_rl.races.verify import digests_of
    from racer_vehicle.policy import PolicyBundle

    wanted = set(digests_of(result))
    bundles = [PolicyBundle.read(path) for path in given]
    found = {bundle.sha256: bundle for bundle in bundles}
    for path in sorted(folder.glob(f'*{BUNDLE_SUFFIX}')) if wanted - found.keys() else ():
        try:
            bundle = PolicyBundle.read(path)
        except ModelMismatchError:
            continue
        found[bundle.sha256] = bundle
    for bundle in _of_store() if wanted - found.keys() else ():
        found[bundle.sha256] = bundle
        if wanted <= found.keys():
            break
    return {digest: bundle for digest, bundle in found.items() if digest in wanted}


def _of_store() -> Iterable[PolicyBundle]:
    """The policies of all models, one after another, exported as they are now."""
    from racer_rl.store.models import model_names

    for name in model_names():
        try:
            yield bundle_of(name)
        except RacerError:
            continue  # damaged, or nothing learnt yet: not the one that is wanted


def prepare_bots(plan: RacePlan, entrants: Sequence[Entrant]) -> None:
    """Let the time-optimal bot find its lap now, while somebody watches; later it is known.

    Raises:
        RacerError: There is none on this track.
    """
    if not any(entrant.bot == 'optimal' for entrant in entrants):
        return
    from racer_rl.races.entrants import car_of
    from racer_sim.lap_bound import kept_lap_bound, lap_bound
    from racer_sim.starting_grid import one_course

    car, course = car_of(entrants), one_course(plan.track, plan.direction)
    if kept_lap_bound(course.track, car, car.max_speed_mps) is not None:
        return
    name = course.track.name
    with Console(stderr=True).status('') as status:
        if not status.console.is_terminal:
            typer.echo(f'computing the fastest lap of {name}, once', err=True)
        lap_bound(course.track, car, car.max_speed_mps, lambda words: status.update(
            Text(f'the fastest lap of {name}, once: {words}')))


def require_file_name(path: Path | None, suffix: str, option: str) -> None:
    """Refuse another file name before the cars start.

    Raises:
        ConfigError: It ends otherwise.
    """
    if path is not None and path.suffix != suffix:
        raise ConfigError(f'{option} is {path}; allowed: a file name that ends in {suffix}.')
