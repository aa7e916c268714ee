"""Who leads: the best submission of each racer, in order, and the sums of a season."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from racer_rl.league.ranking import Ranking
from racer_rl.league.submissions import Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A line of a race's standings. Text in it came from people: escape it where it is shown.

    Attributes:
        rank: From 1, within the division; no two are the same.
        racer: Who.
        division: Of the racer in this race.
        model: Name of the model.
        score_s: What it is ranked by.
        best_lap_s: Its fastest lap, of the run that counts like all that follows.
        average_s: Its best average of consecutive laps; None: too few.
        total_s: All its laps; None: it did not complete them.
        laps: Completed ones.
        incidents: That cost it a penalty.
        submitted: When it came, UTC, ISO 8601.
        submissions: How many of the racer's were raced.
        result: Name of the result, unique in the league.
        line: File with the driven line of the best lap, if there is one.
        video: Film of the run, if there is one.
    """

    rank: int
    racer: str
    division: str
    model: str
    score_s: float
    best_lap_s: float | None
    average_s: float | None
    total_s: float | None
    laps: int
    incidents: int
    submitted: str
    submissions: int
    result: str
    line: Path | None = None
    video: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonStanding:
    """A line of a season's standings.

    Attributes:
        rank: From 1, within the division.
        racer: Who.
        division: Of the racer in this season.
        points: Of all its races: for the last of a division 1, and 1 more for each before it.
        races: In how many the racer was ranked.
        incidents: Of the runs that counted.
        reached: When the last of those runs came, UTC, ISO 8601.
        promoted: Whether the racer moves up, or did, when the season ends.
    """

    rank: int
    racer: str
    division: str
    points: int
    races: int
    incidents: int
    reached: str
    promoted: bool


def rank_race(submissions: Iterable[Submission], ranking: Ranking, divisions: Sequence[str],
              ) -> tuple[Standing, ...]:
    """The standings of a race.

    A racer's best submission counts. Of two with the same score, the one with fewer incidents is
    before the other; of those, the one that came earlier.

    Args:
        submissions: All of the race.
        ranking: What it is won by.
        divisions: Highest last, as the league has them.

    Returns:
        The highest division first.
    """
    runs = [(key, each) for each in submissions if (key := _key(each, ranking)) is not None]
    best: dict[str, tuple[tuple[float, int, int], Submission]] = {}
    raced: dict[str, int] = defaultdict(int)
    for key, each in runs:
        raced[each.racer] += 1
        if each.racer not in best or key < best[each.racer][0]:
            best[each.racer] = (key, each)
    lines = []
    for division in reversed(divisions):
        members = sorted((run for run in best.values() if run[1].division == division),
                         key=lambda run: run[0])
        lines += [_standing(rank, key[0], each, raced[each.racer])
                  for rank, (key, each) in enumerate(members, 1)]
    return tuple(lines)


def rank_season(races: Sequence[Sequence[Standing]], divisions: Sequence[str],
                promoted: Mapping[str, int]) -> tuple[SeasonStanding, ...]:
    """The standings of a season.

    Of two with the same points, the one with fewer incidents is before the other; of those, the
    one whose last counting submission came earlier.

    Args:
        races: Standings of its races.
        divisions: Highest last.
        promoted: How many move up, by division.

    Returns:
        The highest division first.
    """
    lines: dict[str, list[Standing]] = defaultdict(list)
    points: dict[str, int] = defaultdict(int)
    for race in races:
        for line in race:
            last = sum(each.division == line.division for each in race)
            points[line.racer] += last - line.rank + 1
            lines[line.racer].append(line)
    found = []
    for division in reversed(divisions):
        members = sorted(
            (-points[racer], sum(line.incidents for line in own),
             max(line.submitted for line in own), racer, len(own))
            for racer, own in lines.items() if own[0].division == division)
        found += [
            SeasonStanding(rank=rank, racer=racer, division=division, points=-minus, races=count,
                           incidents=incidents, reached=reached,
                           promoted=rank <= promoted.get(division, 0))
            for rank, (minus, incidents, reached, racer, count) in enumerate(members, 1)]
    return tuple(found)


def _key(submission: Submission, ranking: Ranking) -> tuple[float, int, int] | None:
    """What decides between two submissions: score, incidents, order; None: it is not ranked."""
    if submission.outcome is None:
        return None
    score_s = ranking.score_of(submission.outcome.figures)
    return None if score_s is None else (score_s, submission.outcome.resets, submission.number)


def _standing(rank: int, score_s: float, submission: Submission, raced: int) -> Standing:
    outcome = submission.outcome
    assert outcome is not None  # it has a score
    figures = outcome.figures
    return Standing(
        rank=rank, racer=submission.racer, division=submission.division, model=submission.model,
        score_s=score_s, best_lap_s=figures.best_s, average_s=figures.average_s,
        total_s=figures.total_s, laps=outcome.laps, incidents=outcome.resets,
        submitted=submission.submitted, submissions=raced, result=submission.result)
