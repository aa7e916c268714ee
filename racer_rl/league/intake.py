"""The door of the league: what may come in, and for whom."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from racer_rl.league.clock import Moment, as_text, shown
from racer_rl.league.names import LONGEST_MODEL, one_line, require_name
from racer_rl.league.store import League, Race, Racer
from racer_rl.league.submissions import Outcome, State, Submission, Verdict
from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.spec import CarSpec

MOST_BYTES: Final = 64 * 2**20
"""Of a bundle: several times the largest network of the catalogue."""

AT_THE_DOOR: Final = (Verdict.TOO_LARGE, Verdict.NOT_A_BUNDLE, Verdict.DOES_NOT_FIT)


class RefusedError(ModelMismatchError):
    """A file that is no submission; the verdict says which kind of trouble it is."""

    def __init__(self, verdict: Verdict, reason: str) -> None:
        """Compose the message."""
        self.verdict, self.reason = verdict, one_line(reason)
        super().__init__(f'{verdict}: {self.reason}')


def read_bundle(source: Path | bytes) -> PolicyBundle:
    """A policy that may be raced; nothing of its network runs here.

    Args:
        source: Its file or its bytes.

    Raises:
        ConfigError: There is no such file.
        RefusedError: It is too large, no safe policy bundle, or not for the league's car.
    """
    content = source if isinstance(source, bytes) else _first_bytes(source)
    if len(content) > MOST_BYTES:
        raise RefusedError(Verdict.TOO_LARGE, f'it has more than {MOST_BYTES >> 20} MiB; allowed: '
                           'at most that; submit a smaller network.')
    try:
        bundle = PolicyBundle.read(content)
        require_name('model', bundle.card.model, LONGEST_MODEL)
    except (ModelMismatchError, ConfigError) as error:
        raise RefusedError(Verdict.NOT_A_BUNDLE, str(error)) from None
    try:
        bundle.card.require_fits(CarSpec())
    except ModelMismatchError as error:
        raise RefusedError(Verdict.DOES_NOT_FIT, str(error)) from None
    return bundle


def submit(league: League, racer: Racer, bundle: PolicyBundle, *, now: Moment, model: str = '',
           model_id: str = '', race: int | None = None) -> Submission:
    """Put a policy into the queue of a race.

    Args:
        league: Of which.
        racer: Who.
        bundle: The policy.
        now: The time.
        model: What the racer calls it; empty: what its card does.
        model_id: Of a model of this computer's store.
        race: Number of the race; None: see `League.current`.

    Raises:
        ConfigError: The race is not open, or the racer has used all submissions.
        OSError: The disk refused.
    """
    _admit(league, racer, race, now)  # nobody fills the folder with what is refused anyway
    sha256 = league.keep_bundle(bundle.content)  # before anybody can look for it
    model = require_name('model', model or bundle.card.model, LONGEST_MODEL)
    with league.database.transaction() as rows:
        its = _admit(league, racer, race, now)
        added = rows.execute(
            """INSERT INTO submission
               (race, racer, division, model, model_id, bundle, submitted, state)
               SELECT ?, name, division, ?, ?, ?, ?, ? FROM racer WHERE name = ?""",
            (its.number, model, model_id, sha256, as_text(now), State.QUEUED, racer.name))
    return league.submission(added.lastrowid or 0)


def _admit(league: League, racer: Racer, number: int | None, now: Moment) -> Race:
    """The race, if it is open and the racer has submissions left."""
    its = _race(league, number, now)
    most = its.terms.max_submissions
    (used,), = league.database.rows(
        f"""SELECT count(*) FROM submission WHERE race = ? AND racer = ?
            AND ifnull(verdict, '') NOT IN ({', '.join('?' * len(AT_THE_DOOR))})""",
        (its.number, racer.name, *AT_THE_DOOR))
    if most and used >= most:
        raise ConfigError(f'{racer.name!r} has used all {most} submissions of race {its.number} '
                          f'of {league.name!r}; wait for the next race.')
    return its


def note_refused(league: League, racer: Racer, model: str, error: RefusedError, *,
                 now: Moment, race: int | None = None) -> Submission:
    """Write down what was refused at the door; it does not use up one of the racer's submissions.

    Raises:
        ConfigError: The race is not open.
    """
    its = _race(league, race, now)
    model = require_name('model', model, LONGEST_MODEL)
    with league.database.transaction() as rows:
        number = add_finished(rows, its, racer, model, as_text(now),
                              Outcome(verdict=error.verdict, reason=error.reason))
    return league.submission(number)


def add_finished(rows: sqlite3.Connection, race: Race, racer: Racer, model: str, submitted: str,
                 outcome: Outcome, bundle: str = '') -> int:
    """Add a submission that needs no race, because it is refused or was raced elsewhere.

    Args:
        rows: In a transaction.
        race: For which.
        racer: Who, and of which division.
        model: Name of the model.
        submitted: When, UTC, ISO 8601.
        outcome: What came of it.
        bundle: SHA-256 of the policy, if it is known.

    Returns:
        Its number.
    """
    number = rows.execute(
        """INSERT INTO submission
           (race, racer, division, model, model_id, bundle, submitted, state)
           VALUES (?, ?, ?, ?, '', ?, ?, ?)""",
        (race.number, racer.name, racer.division, model, bundle, submitted, State.DONE)).lastrowid
    rows.execute(SET_OUTCOME, (*outcome_values(outcome), number))
    return number or 0


SET_OUTCOME: Final = """UPDATE submission SET state = 'done', verdict = ?, reason = ?,
    average_s = ?, best_s = ?, total_s = ?, laps = ?, resets = ?, collisions = ?, off_tracks = ?
    WHERE number = ?"""


def outcome_values(outcome: Outcome) -> tuple[object, ...]:
    """What `SET_OUTCOME` wants, without the number."""
    figures = outcome.figures
    return (outcome.verdict, outcome.reason, figures.average_s, figures.best_s, figures.total_s,
            outcome.laps, outcome.resets, outcome.collisions, outcome.off_tracks)


def _race(league: League, number: int | None, now: Moment) -> Race:
    """The race that a submission is for; refuses what comes too early or too late."""
    race = league.current(now) if number is None else league.race(number)
    if race.is_open(now):
        return race
    when = (f'opens at {shown(race.opens)}' if race.state(now) == 'opens'
            else f'closed at {shown(race.closed or race.closes)}')
    raise ConfigError(f'race {race.number} of {league.name!r} {when}; it is '
                      f'{shown(as_text(now))}; allowed: submissions between its opening and its '
                      'closing.')


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open('rb') as stream:
            # One more than allowed, so that reading decides and not a size looked up before.
            return stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f'cannot read {path} ({error.strerror}); give a model of yours or a '
                          '.racer file that exists.') from None
