"""From the queue to a verdict: one submission raced, and all that its race left put in place."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from racer_rl.league.confined import ConfinedRaces, Raced
from racer_rl.league.queue import leased, turn
from racer_rl.league.store import LINE_FILE, RESULT_FILE, VIDEO_FILE, League, Race
from racer_rl.league.submissions import Submission
from racer_vehicle.storage import write_atomically

Tell = Callable[[Raced], None]
Around = Callable[[Submission, Race], AbstractContextManager[Tell]]


def race_next(league: League, races: ConfinedRaces, *, race: int | None = None,
              number: int | None = None, video: bool = False,
              around: Around | None = None) -> Submission | None:
    """Race the oldest submission that waits, when it is this process's turn.

    Args:
        league: Of which.
        races: Where it is raced.
        race: Only of this race; None: of any.
        number: Only this submission; None: any.
        video: Whether to film it.
        around: What else is done while it is raced, e.g. to account for it; what it yields is
            told what came of the race.

    Returns:
        It, with what came of it; None if nothing waits that nobody else races.

    Raises:
        RaceProcessError: The process that starts races has ended; the submission is in the queue.
        DatabaseError: The file of the league cannot be written; likewise.
        OSError: The disk refused; likewise.
    """
    with turn(league), leased(league, race, number) as lease:
        if lease is None:
            return None
        submission = lease.submission
        its, folder = league.race(submission.race), league.result_folder(submission.result)
        with nullcontext(_nothing) if around is None else around(submission, its) as tell:
            raced = races.race(
                its.plan, league.bundle_path(submission.bundle), submission.bundle,
                submission.racer, its.terms.ranking, folder / VIDEO_FILE if video else None)
            tell(raced)
        _keep(folder, raced)
        return lease.conclude(raced.outcome)


def _nothing(raced: Raced) -> None:
    """For whom nobody is to be told."""


def _keep(folder: Path, raced: Raced) -> None:
    if raced.result is not None:
        raced.result.write(folder / RESULT_FILE)
    if raced.line:
        write_atomically(folder / LINE_FILE, json.dumps(raced.line).encode())
