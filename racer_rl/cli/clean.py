"""`racer clean`: free space, and end what killed processes left behind."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from racer_rl.cli.models_progress import readable_size
from racer_vehicle.errors import ConfigError

if TYPE_CHECKING:
    from racer_rl.cleaning.litter import Litter
    from racer_rl.cleaning.plan import Plan, Wishes

clean_app = typer.Typer(add_completion=False)

MOST_ROWS: Final = 40
_AGES: Final = {'h': 3600.0, 'd': 86_400.0, 'w': 604_800.0}
_SIZES: Final = {'kB': 10**3, 'MB': 10**6, 'GB': 10**9, 'TB': 10**12}

EXIT_INCOMPLETE: Final = 1


@clean_app.command()
def clean(
    dry_run: Annotated[bool, typer.Option(
        '--dry-run', help='Only show what would go and how much that frees.')] = False,
    keep: Annotated[str | None, typer.Option(
        metavar='best,last,N', help='Checkpoints to keep: the best always, the last unless you '
        'leave it out, and N earlier ones.', show_default='all')] = None,
    older_than: Annotated[str | None, typer.Option(
        metavar='AGE', help='Logs of jobs, steps of evaluations and scalars that were of no use '
        'for so long, e.g. 12h, 30d, 8w; limits all else that is asked for.')] = None,
    max_size: Annotated[str | None, typer.Option(
        metavar='SIZE', help='Go on, the cheapest to lose first, until the store takes no more '
        'than this, e.g. 5GB.')] = None,
    traces: Annotated[bool, typer.Option('--traces', help='Steps of training.')] = False,
    models: Annotated[bool, typer.Option(
        '--models', help='Whole models that have no best checkpoint.')] = False,
    caches: Annotated[bool, typer.Option(
        '--caches', help='Lap bounds and compiled kernels; made again when needed.')] = False,
    parents: Annotated[bool, typer.Option(
        '--parents', help='Also checkpoints and models that others come from.')] = False,
    yes: Annotated[bool, typer.Option('--yes', help='Do not ask.')] = False,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Free space, and end processes that outlived whoever started them.

    Without options only what killed processes left goes. Never: what is in use, models that
    races name, the only copy of a best checkpoint.
    """
    from racer_rl.cleaning.litter import find_litter
    from racer_rl.cleaning.plan import plan_of
    from racer_rl.cleaning.survey import survey_of
    from racer_rl.clock import utc_s
    from racer_vehicle.storage import racer_home

    wishes = _wishes(keep, older_than, max_size, traces=traces, models=models, caches=caches,
                     parents=parents)
    now_s = utc_s()
    with Console(stderr=True).status('looking'):
        survey = survey_of(racer_home(), now_s, kernels=caches)
        plan, litter = plan_of(survey, wishes, now_s), find_litter(now_s)
    record = {**plan.as_dict(), **litter.as_dict(), 'dry_run': dry_run}
    if not as_json:
        _show(plan, litter)
    if dry_run or not (plan.removals or litter.orphans or litter.segments):
        _end(record, as_json=as_json)
        return
    if not yes:
        typer.confirm(f'Remove {_amount(plan, litter)} for good?', abort=True, err=True)
    record |= _do(plan, survey, litter, now_s)
    _end(record, as_json=as_json)
    if record['skipped'] or record['stubborn']:
        raise typer.Exit(EXIT_INCOMPLETE)


def _wishes(keep: str | None, older_than: str | None, max_size: str | None,
            **flags: bool) -> Wishes:
    from racer_rl.cleaning.plan import Wishes

    last, earlier = (True, None) if keep is None else parse_keep(keep)
    return Wishes(earlier=earlier, last=last,
                  older_than_s=None if older_than is None else parse_age(older_than),
                  max_bytes=None if max_size is None else parse_size(max_size), **flags)


def parse_keep(text: str) -> tuple[bool, int]:
    """Whether the last checkpoint stays, and how many earlier ones, of `best,last,2`.

    Raises:
        ConfigError: Anything else, or not the best.
    """
    words = [word.strip() for word in text.split(',')]
    numbers = [int(word) for word in words if re.fullmatch(r'\d{1,4}', word)]
    named = [word for word in words if word in ('best', 'last')]
    if 'best' not in named or len(numbers) > 1 or len(named) + len(numbers) != len(words) or (
            len(set(named)) != len(named)):
        raise ConfigError(f'--keep is {text!r}; allowed: best, or best and some of last and a '
                          'number of earlier ones, e.g. best,last,2. The best is always kept.')
    return 'last' in named, sum(numbers)


def parse_age(text: str) -> float:
    """Seconds of `12h`, `30d` or `8w`.

    Raises:
        ConfigError: Anything else.
    """
    match = re.fullmatch(r'(\d{1,6})([hdw])', text.strip())
    if match is None:
        raise ConfigError(f'--older-than is {text!r}; allowed: a whole number with h, d or w, '
                          'e.g. 12h, 30d, 8w.')
    return int(match[1]) * _AGES[match[2]]


def parse_size(text: str) -> int:
    """Bytes of `500MB` or `1.5GB`.

    Raises:
        ConfigError: Anything else.
    """
    match = re.fullmatch(r'(\d{1,9}(?:\.\d{1,6})?) ?([kMGT]B)', text.strip())
    if match is None:
        raise ConfigError(f'--max-size is {text!r}; allowed: a number with kB, MB, GB or TB, '
                          'e.g. 500MB, 5GB.')
    return int(float(match[1]) * _SIZES[match[2]])


def _do(plan: Plan, survey: Any, litter: Litter, now_s: float) -> dict[str, Any]:
    """Carry it out; what is to be told of it."""
    from rich.progress import Progress

    from racer_rl.cleaning.carry_out import carry_out
    from racer_rl.cleaning.litter import clear

    console = Console(stderr=True)
    try:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task('removing', total=len(plan.removals))
            outcome = carry_out(plan, survey,
                                lambda done, of: bar.update(task, completed=done, total=of))
            memory, stubborn = clear(litter, now_s)
    except OSError as error:
        raise ConfigError(f'cannot remove {error.filename}: {error.strerror}; what had gone '
                          'before it is gone; see to its rights and try again.') from error
    return {'freed_bytes': outcome.freed_bytes, 'removed': outcome.removed,
            'freed_memory_bytes': memory,
            'skipped': [{'name': name, 'why': why} for name, why in outcome.skipped],
            'stubborn': [orphan.as_dict() for orphan in stubborn]}


def _show(plan: Plan, litter: Litter) -> None:
    """What would go, what stays though it was asked for, and the sums."""
    table = Table(box=None, pad_edge=False)
    table.add_column('frees', justify='right', no_wrap=True)
    table.add_column('what', overflow='fold')
    table.add_column('why', overflow='fold')
    for orphan in litter.orphans:
        table.add_row('', f'process {orphan.process_id}: {orphan.command}',
                      f'its owner {orphan.owner.partition(":")[0]} has ended')
    if litter.segments:
        table.add_row(readable_size(litter.memory_bytes),
                      f'shared memory, {len(litter.segments)} pieces', 'nobody is left in it')
    for removal in plan.removals[:MOST_ROWS]:
        table.add_row(readable_size(removal.frees), removal.thing.name, removal.why)
    if table.row_count:
        Console().print(table)
    if len(plan.removals) > MOST_ROWS:
        typer.echo(f'and {len(plan.removals) - MOST_ROWS} more; --json has all of them')
    for name, why in plan.stays:
        typer.echo(f'stays: {name}: {why}')
    typer.echo(f'{_amount(plan, litter)} to remove; the store takes '
               f'{readable_size(plan.store_bytes)}, then {readable_size(plan.left_bytes)}')
    if not plan.fits and plan.max_bytes is not None:
        typer.echo(f'that is more than {readable_size(plan.max_bytes)}: what is left is needed, '
                   'or has to be asked for (racer clean --help)')


def _amount(plan: Plan, litter: Litter) -> str:
    words = []
    if plan.removals:
        words.append(f'{_counted(len(plan.removals), "thing", "things")}, '
                     f'{readable_size(plan.frees_bytes)} ({plan.frees_bytes:,} bytes)')
    if litter.segments:
        words.append(f'{readable_size(litter.memory_bytes)} of shared memory')
    if litter.orphans:
        words.append(_counted(len(litter.orphans), 'process', 'processes'))
    return ', '.join(words) or 'nothing'


def _counted(count: int, one: str, many: str) -> str:
    return f'{count} {one if count == 1 else many}'


def _end(record: dict[str, Any], *, as_json: bool) -> None:
    """The record, or what came of it."""
    if as_json:
        typer.echo(json.dumps(record, indent=2))
    elif 'removed' in record:
        for skipped in record['skipped']:
            typer.echo(f'stayed: {skipped["name"]}: {skipped["why"]}', err=True)
        for orphan in record['stubborn']:
            typer.echo(f'process {orphan["process_id"]} did not end', err=True)
        typer.echo(f'removed {_counted(record["removed"], "thing", "things")}, freed '
                   f'{record["freed_bytes"]:,} bytes of the disk and '
                   f'{record["freed_memory_bytes"]:,} of memory.')
