"""The pages of a league: seasons, races and entries, in one folder."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from racer_rl.league.clock import Moment, as_text, shown
from racer_rl.league.pages.drawing import Drawing, draw
from racer_rl.league.pages.run_files import RunFiles
from racer_rl.league.seasons import season_standings, seasons
from racer_rl.league.standings import Standing
from racer_rl.league.store import League, Race
from racer_rl.league.submissions import EXPLAINED, Submission, Verdict
from racer_sim.starting_grid import one_course
from racer_sim.track import Track
from racer_vehicle.errors import ConfigError, RacerError
from racer_vehicle.storage import write_atomically

Tell = Callable[[float], None]
"""Takes the share that is done, 0 to 1."""

INDEX: Final = 'index.html'


@dataclass(frozen=True, slots=True, kw_only=True)
class _RacePages:
    """What the pages of a race have in common."""

    race: Race
    standings: tuple[Standing, ...]
    submissions: tuple[Submission, ...]
    track: Track | None
    trouble: str


def write_pages(league: League, folder: Path, now: Moment,
                tell: Tell = lambda share: None) -> int:
    """Write everything that anybody may know of a league.

    Pages of before are replaced one by one, the overview last; what else is in the folder stays.

    Args:
        league: Open.
        folder: Where to; made if missing.
        now: What is hidden until a race is closed stays so.
        tell: Of progress.

    Returns:
        How many pages there are.

    Raises:
        ConfigError: The folder cannot be written.
    """
    races = [_gather(league, race) for race in league.races()]
    whole = 1 + sum(1 + len(each.standings) for each in races)
    written = 0
    try:
        for each in races:
            for line in each.standings:
                _write_entry(league, each, line, folder, now)
                written += 1
                tell(written / whole)
            _write(folder / race_page(each.race), 'race.html.j2', league=league, now=now,
                   **_of_race(each, now))
            written += 1
            tell(written / whole)
        _write(folder / INDEX, 'index.html.j2', league=league, now=now, races=races,
               seasons=[(season, _by_division(season_standings(league, season.number)))
                        for season in reversed(seasons(league))])
    except OSError as error:
        raise ConfigError(f'cannot write {folder} ({error.strerror}); give a folder that you may '
                          'write to.') from error
    tell(1.0)
    return written + 1


def race_page(race: Race) -> str:
    """Name of its page."""
    return f'race-{race.number}.html'


def entry_page(line: Standing) -> str:
    """Name of its page: never what people typed."""
    return f'entry-{line.result}.html'


def _gather(league: League, race: Race) -> _RacePages:
    track, trouble = None, ''
    try:
        track = one_course(race.terms.plan.track, race.terms.plan.direction).track
    except RacerError as error:
        trouble = str(error)
    return _RacePages(race=race, standings=league.standings(race.number), track=track,
                      submissions=league.submissions(race.number), trouble=trouble)


def _of_race(pages: _RacePages, now: Moment) -> dict[str, Any]:
    """What the page of a race shows."""
    unranked = [each for each in pages.submissions if each.outcome is None
                or each.outcome.verdict is not Verdict.RANKED]
    return {'race': pages.race, 'trouble': pages.trouble, 'plan': pages.race.terms.plan,
            'divisions': _by_division(pages.standings), 'unranked': unranked,
            'told': pages.race.told(now),
            'drawing': None if pages.track is None else draw(pages.track)}


def _write_entry(league: League, pages: _RacePages, line: Standing, folder: Path,
                 now: Moment) -> None:
    run, race = RunFiles.read(league.result_folder(line.result)), pages.race
    told = race.told(now)
    result = f'results/{line.result}.json' if run.race is not None and told is not None else ''
    if run.race is not None and result:  # it has the seed, which may have to stay hidden
        write_atomically(folder / result, run.race.to_json().encode())
    film = f'films/{line.result}.mp4' if run.video is not None else ''
    if run.video is not None:
        _copy(run.video, folder / film)
    drawing: Drawing | None = None
    if pages.track is not None and run.line is not None:
        drawing = draw(pages.track, run.line)
    submission = next(each for each in pages.submissions if each.result == line.result)
    _write(folder / entry_page(line), 'entry.html.j2', league=league, now=now, race=race,
           plan=race.terms.plan, line=line, run=run, told=told, result=result, film=film,
           drawing=drawing, submission=submission)


def _copy(source: Path, target: Path) -> None:
    """A film, unless it is there already."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.stat().st_size != source.stat().st_size:
        shutil.copyfile(source, target)


def _by_division(lines: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    return [(name, list(group)) for name, group in groupby(lines, lambda line: line.division)]


def _write(path: Path, template: str, **values: Any) -> None:
    text = _environment().get_template(template).render(**values)
    write_atomically(path, text.encode())


@cache
def _environment() -> Environment:
    folder = files('racer_rl.league') / 'pages'
    style = '\n'.join((folder / name).read_text('utf-8') for name in ('look.css', 'site.css'))
    environment = Environment(loader=PackageLoader('racer_rl.league', 'pages'), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment.globals.update(
        style=style, style_digest=f"'sha256-{digest}'", race_page=race_page,
        entry_page=entry_page, explained=EXPLAINED, index=INDEX)
    environment.filters.update(moment=_moment, seconds=_seconds, words=_words, in_s=_in_s)
    return environment


def _moment(value: str | Moment) -> str:
    return shown(value if isinstance(value, str) else as_text(value))


def _seconds(value: float | None) -> str:
    return '–' if value is None else f'{value:.3f}'


def _in_s(value: float | None) -> str:
    return '' if value is None else f'{value:.3f} s'


def _words(value: object) -> str:
    return str(value).replace('_', ' ')
