"""Who races which submission: any number of processes, each submission once.

A lease is an advisory lock of the kernel on a file of its own: it ends with its process, however
that ends, and then the submission is raced again by whoever comes next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from racer_rl.league.intake import SET_OUTCOME, outcome_values
from racer_rl.league.store import League
from racer_rl.league.submissions import Outcome, State, Submission, Verdict

MOST_ATTEMPTS: Final = 3
"""So often a process may end while it races a submission, before that is blamed."""


class Lease:
    """The right to race a submission, and the duty to say what came of it."""

    def __init__(self, league: League, submission: Submission) -> None:
        """Held by `leased` only."""
        self.submission = submission
        self._league = league

    def conclude(self, outcome: Outcome) -> Submission:
        """Say what came of it.

        Raises:
            DatabaseError: The disk refused; it will be raced again.
        """
        number = self.submission.number
        with self._league.database.transaction() as rows:
            rows.execute(SET_OUTCOME, (*outcome_values(outcome), number))
        return self._league.submission(number)


@contextlib.contextmanager
def leased(league: League, race: int | None = None, number: int | None = None,
           ) -> Iterator[Lease | None]:
    """The oldest submission that nobody races, while the block runs.

    Unless the block concludes it, it goes back into the queue.

    Args:
        league: Of which.
        race: Only of this one; None: of any.
        number: Only this submission; None: any.

    Yields:
        None if there is nothing to race.
    """
    for found in _waiting(league, race, number):
        with _held(_lease_file(league, found)) as alone:
            submission = _begun(league, found) if alone else None
            if submission is None:
                continue
            try:
                yield Lease(league, submission)
            except KeyboardInterrupt:
                _give_back(league, found, forgiven=True)
                raise
            finally:
                _give_back(league, found)
            return
    yield None


@contextlib.contextmanager
def turn(league: League, places: int | None = None) -> Iterator[None]:
    """Wait until fewer than so many processes of the league race something; then be one of them.

    Args:
        league: Of which.
        places: None: one for each core.
    """
    folder = league.folder / 'turns'
    folder.mkdir(exist_ok=True)
    count = places or len(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        for place in range(count):
            if stack.enter_context(_held(folder / str(place))):
                break
        else:
            stack.enter_context(_held(folder / str(os.getpid() % count), wait=True))
        yield


def _waiting(league: League, race: int | None, number: int | None) -> list[int]:
    rows = league.database.rows(
        """SELECT number FROM submission WHERE state <> 'done' AND (?1 IS NULL OR race = ?1)
           AND (?2 IS NULL OR number = ?2) ORDER BY number""", (race, number))
    return [found for found, in rows]


def _begun(league: League, number: int) -> Submission | None:
    """Mark a submission as racing; None if it is done, or has taken too many processes along.

    Whoever holds its lease is the only one who may, so that one that is said to be racing was left
    by a process that has ended.
    """
    with league.database.transaction() as rows:
        if league.submission(number).state is State.DONE:
            return None
        if league.submission(number).attempts >= MOST_ATTEMPTS:
            outcome = Outcome(verdict=Verdict.BROKE_DOWN, reason=(
                f'{MOST_ATTEMPTS} processes ended while they raced it, the last one without a '
                'word; submit another one.'))
            rows.execute(SET_OUTCOME, (*outcome_values(outcome), number))
            return None
        rows.execute('UPDATE submission SET state = ?, attempts = attempts + 1 WHERE number = ?',
                     (State.RACING, number))
    return league.submission(number)


def _give_back(league: League, number: int, *, forgiven: bool = False) -> None:
    """Nobody races it any more; that a person interrupted is not the submission's fault."""
    with league.database.transaction() as rows:
        rows.execute("""UPDATE submission SET state = ?, attempts = attempts - ?
                        WHERE number = ? AND state = ?""",
                     (State.QUEUED, forgiven, number, State.RACING))
    if league.submission(number).state is State.DONE:
        _lease_file(league, number).unlink(missing_ok=True)


def _lease_file(league: League, number: int) -> Path:
    return league.folder / 'leases' / str(number)


@contextlib.contextmanager
def _held(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold a file's lock; yields whether it could be had."""
    path.parent.mkdir(exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
