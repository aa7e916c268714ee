"""All that is known of a model and tells what to do next; reading it changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from racer_rl.budget.budgets import remaining
from racer_rl.budget.ledger import ledger_path, open_ledger
from racer_rl.budget.money import Money
from racer_rl.budget.prices import Rate, rate_of_this_machine
from racer_rl.evaluation.suite import HELD_OUT
from racer_rl.store.evaluations import read_evaluations
from racer_rl.store.locks import is_trained
from racer_rl.store.models import ModelFolder
from racer_rl.training.history import History
from racer_rl.training.plan import Method
from racer_sim.track_library import find_track
from racer_vehicle.errors import RacerError

if TYPE_CHECKING:
    from racer_rl.analysis.findings import Finding
    from racer_rl.reward.validation.findings import Exploit


@dataclass(frozen=True, slots=True, kw_only=True)
class Laps:
    """What a policy showed somewhere.

    Attributes:
        where: Names of the tracks.
        clean: Laps without an incident.
        total: Laps that were wanted.
    """

    where: str
    clean: int
    total: int

    @property
    def share(self) -> float:
        """Of clean laps, 0 to 1."""
        return self.clean / max(self.total, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What advice goes by.

    Attributes:
        name: Of the model.
        tracks: Names or paths that it was trained on.
        is_varied: Whether it was trained on many tracks, or under conditions that differ.
        is_taught: Whether it learnt from a teacher, in a run whose phases are not alike.
        learning_rate: Of its training.
        top_speed_mps: Of its fastest action.
        mean_mps: Of the best checkpoint's laps, along the centre line; None without a lap, of
            several tracks, or if the track is not known.
        reward: Name or path of the reward function, as it was given.
        reward_path: Of the model's copy of it.
        steps: Of training.
        best_steps: Of the best checkpoint; None before the first evaluation.
        best: Its laps in training; None before.
        held_out: How well it drove elsewhere at `best_steps`, 0 to 1; None if not asked.
        robust: Score of the newest robustness suite, 0 to 1; None without one.
        unknown_tracks: Its share of clean laps on tracks never seen, nothing else changed.
        other_tracks: What later evaluations showed on tracks that it was not trained on.
        evaluations: How many there were, of whatever kind.
        history: Evaluations of its training.
        stopped: Why the newest session ended; empty if it was killed or nobody knows.
        wall_s: Seconds of training, all sessions; 0 where that was not kept.
        cpu_s: Seconds of a core.
        rate: What a second costs on this machine; None if the price table cannot be read.
        spent: Money in the ledger, by currency.
        left: What the tightest hard budget still allows; None without one.
        findings: About what the reward wants, from the steps of training.
        exploits: Bad drivers that the reward prefers; None if nobody looked.
        is_training: Whether somebody trains it now.
        can_resume: Whether its last checkpoint is there, from which training goes on.
    """

    name: str
    tracks: tuple[str, ...]
    is_varied: bool
    learning_rate: float
    top_speed_mps: float
    reward: str
    reward_path: Path
    history: History
    is_taught: bool = False
    mean_mps: float | None = None
    steps: int = 0
    best_steps: int | None = None
    best: Laps | None = None
    held_out: float | None = None
    robust: float | None = None
    unknown_tracks: float | None = None
    other_tracks: tuple[Laps, ...] = ()
    evaluations: int = 0
    stopped: str = ''
    wall_s: float = 0.0
    cpu_s: float = 0.0
    rate: Rate | None = None
    spent: tuple[Money, ...] = ()
    left: Money | None = None
    findings: tuple[Finding, ...] = ()
    exploits: tuple[Exploit, ...] | None = None
    is_training: bool = False
    can_resume: bool = True

    def seconds_of(self, steps: int) -> float | None:
        """How long so many steps took it to train; None where that is not known."""
        return steps * self.wall_s / self.steps if self.wall_s and self.steps else None

    def price_of(self, seconds: float) -> Money | None:
        """What so long a training costs on this machine; None where that is not known."""
        if self.rate is None:
            return None
        cores = self.cpu_s / self.wall_s if self.wall_s else 1.0
        return self.rate.cost(seconds, seconds * cores)


def evidence_of(folder: ModelFolder, *, validate: bool = True) -> Evidence:
    """Gather it.

    Args:
        folder: Of the model.
        validate: Also race drivers by its reward function, which takes seconds.

    Raises:
        RacerError: The model is damaged.
    """
    run, progress, sessions = folder.run, folder.progress, folder.sessions
    history, best = _history(folder), progress.get('best')
    best_steps = progress.get('best_steps')
    held_out = next((row.held_out for row in history.rows if row.steps == best_steps), None)
    evaluations, tracks = read_evaluations(folder.path), tuple(map(str, run['track']))
    return Evidence(
        name=folder.name, tracks=tracks, reward_path=folder.reward_path, history=history,
        reward=str(run['reward']['origin']), is_taught=run.get('method') == Method.DISTILL,
        is_varied=len(tracks) > 1 or bool(run.get('randomization')),
        learning_rate=float(run['hyperparameters'].get('learning_rate', 0.0)),
        top_speed_mps=float(folder.metadata.action_space.top_speed_mps),
        mean_mps=_mean_mps(tracks, best), steps=progress.get('steps', 0), best_steps=best_steps,
        best=None if not best else Laps(where=', '.join(map(_stem, tracks)),
                                        clean=best['clean_laps'], total=best['total_laps']),
        held_out=held_out, robust=folder.robustness.get('score'),
        unknown_tracks=_unknown_tracks(folder.robustness),
        other_tracks=_elsewhere(evaluations, tracks), evaluations=len(evaluations),
        stopped=sessions[-1].stopped if sessions else '',
        wall_s=sum(session.wall_s for session in sessions),
        cpu_s=sum(session.cpu_s for session in sessions), rate=_rate(),
        spent=_spent(run.get('id') or folder.name), left=_left(),
        findings=_findings(folder), exploits=_exploits(folder) if validate else None,
        is_training=is_trained(folder.path),
        can_resume=folder.checkpoint('last').is_file())


def _history(folder: ModelFolder) -> History:
    """The evaluations of training, from the last checkpoint or else from the best."""
    from racer_rl.training.checkpoint import load_checkpoint

    for which in ('last', 'best'):
        if folder.checkpoint(which).is_file():
            return History(load_checkpoint(folder.checkpoint(which))[1].get('history', ()))
    return History()


def _findings(folder: ModelFolder) -> tuple[Finding, ...]:
    """What the steps of training say of the reward; nothing where there are none."""
    from racer_rl.analysis.findings_training import (
        faster_laps_pay_no_more,
        reward_without_progress,
    )
    from racer_rl.analysis.own import open_run

    try:
        run = open_run(str(folder.path))[0]
    except RacerError:  # it kept no steps, or they tell of no driving
        return ()
    return tuple(found for find in (reward_without_progress, faster_laps_pay_no_more)
                 if (found := find(run)) is not None)


def _exploits(folder: ModelFolder) -> tuple[Exploit, ...] | None:
    """What `racer validate` says of its reward, on the first of its tracks."""
    from racer_rl.reward.library import find_reward
    from racer_rl.reward.validation.validate import validate

    try:
        track = find_track(folder.setup.tracks[0])
        return validate(find_reward(str(folder.reward_path)), [track])[0].exploits
    except RacerError:  # e.g. a track that is no longer there
        return None


def _unknown_tracks(suite: Mapping[str, Any]) -> float | None:
    """Of `robustness.json`; None where that is not there."""
    return next((field['clean_share'] for field in suite.get('conditions', ())
                 if field['condition'] == HELD_OUT and not field['strength']), None)


def _mean_mps(tracks: tuple[str, ...], best: dict[str, Any] | None) -> float | None:
    if not best or best.get('mean_lap_s') is None or len(tracks) != 1:
        return None
    try:
        return float(find_track(tracks[0]).length_m / best['mean_lap_s'])
    except RacerError:
        return None


def _elsewhere(evaluations: list[dict[str, Any]], own: tuple[str, ...]) -> tuple[Laps, ...]:
    known, found = set(map(_stem, own)), []
    for evaluation in evaluations:
        tracks = set(map(_stem, evaluation.get('conditions', {}).get('tracks', ())))
        result = evaluation['result']
        if evaluation['kind'] == 'laps' and tracks and not tracks & known:
            found.append(Laps(where=', '.join(sorted(tracks)), clean=result['clean_laps'],
                              total=result['total_laps']))
    return tuple(found)


def _stem(track: str) -> str:
    return Path(track).stem


def _rate() -> Rate | None:
    try:
        return rate_of_this_machine()
    except RacerError:
        return None


def _left() -> Money | None:
    try:
        return remaining() if ledger_path().is_file() else None
    except RacerError:
        return None


def _spent(model: str) -> tuple[Money, ...]:
    """What the ledger says that all runs of a model cost; nothing where there is none."""
    if not ledger_path().is_file():
        return ()
    sums: dict[str, float] = {}
    try:
        with open_ledger() as ledger:
            for _, taken in ledger.runs(model=model):
                sums[taken.currency] = sums.get(taken.currency, 0.0) + taken.money
    except RacerError:
        return ()
    return tuple(Money(amount, currency) for currency, amount in sums.items())
