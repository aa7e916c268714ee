"""A race as a table for spreadsheets, with the columns of the original's leaderboards, and back.

Times are milliseconds there, written with all their digits: what is read is what was written. A
time that does not exist is `INVALID_MS`. Text that a spreadsheet would take for a formula gets an
apostrophe in front, which reading takes away.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from racer_rl.league.clock import as_text, parse_moment
from racer_rl.league.names import LONGEST_MODEL, one_line, require_name
from racer_rl.league.ranking import LapFigures, Measure, Ranking
from racer_rl.league.standings import Standing
from racer_rl.league.submissions import DROVE, Outcome, State, Submission, Verdict
from racer_vehicle.errors import ConfigError

INVALID_MS: Final = 86_000_000
MOST_BYTES: Final = 16 * 2**20

COLUMNS: Final = (
    'rank', 'alias', 'division', 'modelName', 'submittedAt', 'verdict', 'reason', 'rankingScore',
    'avgLapTime', 'bestLapTime', 'totalLapTime', 'completedLapCount', 'resetCount',
    'collisionCount', 'offTrackCount', 'bundleSha256')

_TIMES: Final = ('avgLapTime', 'bestLapTime', 'totalLapTime', 'rankingScore')
_FORMULA: Final = tuple("=+-@'\t\r\uff1d\uff0b\uff0d\uff20")
"""The last four are the same signs, as wide as a Chinese character."""

_SHA256: Final = re.compile(r'[0-9a-f]{64}')
_MOST_COUNTED: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a table.

    Attributes:
        racer: Who.
        division: As written; empty: not told.
        model: Name of the model.
        submitted: UTC, ISO 8601; empty: not told.
        bundle: SHA-256 of the policy; empty: not told.
        outcome: What came of it.
    """

    racer: str
    division: str
    model: str
    submitted: str
    bundle: str
    outcome: Outcome


def write_table(submissions: Iterable[Submission], standings: Sequence[Standing],
                ranking: Ranking) -> str:
    """The finished submissions of a race; those that count have their rank.

    Args:
        submissions: Of the race.
        standings: Of the race.
        ranking: What it is won by.
    """
    ranks = {line.result: line.rank for line in standings}
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow(COLUMNS)
    for each in submissions:
        if each.state is not State.DONE or each.outcome is None:
            continue
        outcome, figures = each.outcome, each.outcome.figures
        table.writerow((
            ranks.get(each.result, ''), _inert(each.racer), _inert(each.division),
            _inert(each.model), each.submitted, outcome.verdict, _inert(outcome.reason),
            _ms(ranking.score_of(figures)), _ms(figures.average_s), _ms(figures.best_s),
            _ms(figures.total_s), outcome.laps, outcome.resets, outcome.collisions,
            outcome.off_tracks, each.bundle))
    return text.getvalue()


def read_table(content: bytes, ranking: Ranking) -> tuple[Row, ...]:
    """The lines of a table, this program's or another's.

    Only `alias` and one time have to be there.

    Args:
        content: UTF-8, fields between commas or semicolons.
        ranking: Which time a score is, where it stands alone.

    Raises:
        ConfigError: It is no such table, by line and column.
    """
    if len(content) > MOST_BYTES:
        raise ConfigError(f'the table has more than {MOST_BYTES >> 20} MiB; allowed: at most '
                          'that; split it.')
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise ConfigError(f'the table is not UTF-8 (byte {error.start}); save it as CSV '
                          'UTF-8.') from None
    first = text.partition('\n')[0]
    table = csv.reader(io.StringIO(text, newline=''), strict=True,
                       delimiter=';' if ';' in first and ',' not in first else ',')
    try:
        lines = [(table.line_num, cells) for cells in table if cells]
    except csv.Error as error:
        raise ConfigError(f'line {table.line_num} of the table is no CSV ({error}); save it '
                          'again.') from None
    heading = [name.strip() for name in lines[0][1]] if lines else []
    _require_columns(heading)
    return tuple(_row(number, heading, cells, ranking) for number, cells in lines[1:])


def _require_columns(heading: Sequence[str]) -> None:
    twice = {name for name in heading if heading.count(name) > 1}
    if 'alias' not in heading or not set(heading) & set(_TIMES) or twice:
        found = f'{", ".join(sorted(twice))} twice' if twice else (
            one_line(', '.join(heading)) or 'nothing')
        raise ConfigError(f'the first line of the table names {found}; allowed: each column '
                          f'once, with alias and one of {", ".join(_TIMES)}; others that are '
                          f'read: {", ".join(set(COLUMNS) - {"alias", *_TIMES, "rank"})}.')


def _row(number: int, heading: Sequence[str], cells: Sequence[str], ranking: Ranking) -> Row:
    if len(cells) != len(heading):
        raise ConfigError(f'line {number} of the table has {len(cells)} fields; allowed: '
                          f'{len(heading)}, as in its first line.')
    given = dict(zip(heading, (cell.strip() for cell in cells), strict=True))
    try:
        return _read(given, ranking)
    except ConfigError as error:
        raise ConfigError(f'line {number} of the table: {error}') from None


def _read(given: Mapping[str, str], ranking: Ranking) -> Row:
    def text(column: str) -> str:
        return given.get(column, '').removeprefix("'")

    figures = _figures(given, ranking)
    told = text('verdict')
    if told and told not in tuple(Verdict):
        raise ConfigError(f'verdict is {one_line(told)!r}; allowed: {", ".join(Verdict)}.')
    verdict = Verdict(told) if told else Verdict.RANKED
    if verdict in DROVE:
        scored = ranking.score_of(figures) is not None
        verdict = Verdict.RANKED if scored else Verdict.TOO_FEW_LAPS
    bundle, submitted = text('bundleSha256'), text('submittedAt')
    if bundle and not _SHA256.fullmatch(bundle):
        raise ConfigError(f'bundleSha256 is {one_line(bundle)!r}; allowed: 64 hexadecimal digits.')
    return Row(
        racer=require_name('racer', text('alias')), division=text('division'),
        model=require_name('model', text('modelName') or 'unknown', LONGEST_MODEL),
        submitted=as_text(parse_moment('submittedAt', submitted)) if submitted else '',
        bundle=bundle,
        outcome=Outcome(
            verdict=verdict, reason=one_line(text('reason')), figures=figures,
            laps=_count(given, 'completedLapCount'), resets=_count(given, 'resetCount'),
            collisions=_count(given, 'collisionCount'), off_tracks=_count(given, 'offTrackCount')))


def _figures(given: Mapping[str, str], ranking: Ranking) -> LapFigures:
    average_s, best_s, total_s, score_s = (_seconds(given, column) for column in _TIMES)
    times = {'average_s': average_s, 'best_s': best_s, 'total_s': total_s}
    counts = {Measure.AVERAGE: 'average_s', Measure.BEST: 'best_s',
              Measure.TOTAL: 'total_s'}[ranking.by]
    if times[counts] is None:
        times[counts] = score_s
    return LapFigures(**times)


def _seconds(given: Mapping[str, str], column: str) -> float | None:
    cell = given.get(column, '')
    try:
        # Not float: it would take `nan`, `1_000` and digits of other scripts.
        if not re.fullmatch(r'[0-9]{0,12}(\.[0-9]{1,40})?', cell, re.ASCII) or cell == '.':
            raise ValueError
        ms = Decimal(cell or INVALID_MS)
    except (ValueError, ArithmeticError):
        raise ConfigError(f'{column} is {one_line(cell)[:40]!r}; allowed: milliseconds, e.g. '
                          f'10250.5, and {INVALID_MS} or nothing for none.') from None
    return None if ms >= INVALID_MS else float(ms.scaleb(-3))


def _count(given: Mapping[str, str], column: str) -> int:
    cell = given.get(column, '') or '0'
    if not re.fullmatch(r'[0-9]{1,10}', cell, re.ASCII) or int(cell) > _MOST_COUNTED:
        raise ConfigError(f'{column} is {one_line(cell)[:40]!r}; allowed: a whole number, 0 or '
                          'more.')
    return int(cell)


def _ms(seconds: float | None) -> str:
    """Milliseconds with every digit that the seconds have."""
    if seconds is None:
        return str(INVALID_MS)
    return format(Decimal(repr(seconds)).scaleb(3), 'f')


def _inert(text: str) -> str:
    """Text that no spreadsheet calculates with."""
    return f"'{text}" if text.startswith(_FORMULA) else text
