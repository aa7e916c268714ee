"""What is worth money next: rules over the evidence, and the order of what they say.

Each rule says one thing or nothing, with its figures and the command to type. The worth of an
advice, 0 to 1, is judgement: how much of what would be spent otherwise is at stake.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from racer_rl.advice.evidence import Evidence
from racer_rl.advice.trend import FEWEST, Gain, gains, unsteadiness
from racer_rl.training.history import Verdict
from racer_rl.training.plan import StopReason
from racer_vehicle.spec import spec_as_dict

DRIVES: Final = 0.9
"""Share of clean laps from which a model is good at home."""

ELSEWHERE: Final = 0.6
"""Share of laps on tracks never seen below which it is bad there."""

HELD_OUT: Final = 0.5
"""The same of driving elsewhere as training judges it, all conditions at once, which is harder."""

NEAR_LIMIT: Final = 0.85
"""Share of the fastest action's speed from which that holds the laps back."""

SLOW: Final = 0.6
"""And below which it is the policy that is slow."""

TOP_SPEED_MPS: Final = 4.0
"""Of the car; with faster actions there is nothing to gain."""

UNSTEADY: Final = 0.25
"""Difference of clean laps between evaluations from which a policy jumps about."""

LONGEST_S, SHORTEST_S, USUAL_S = 600, 20, 120
"""Of a training that is advised; the last where nobody knows how long there was so far."""


DEFAULT_REWARD: Final = 'progress'
"""Of `racer train`."""


class Action(StrEnum):
    """What to do."""

    EVALUATE = 'evaluate first'
    FIX_REWARD = 'fix the reward'
    STOP = 'stop now'
    TRAIN_ON = 'train on'
    CLONE = 'clone at a lower rate'
    WIDEN = 'more tracks'
    FASTER = 'faster actions'


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing to do.

    Attributes:
        action: What.
        why: In a line.
        evidence: The figures.
        command: What to type.
        worth: How much it matters, 0 to 1.
        cost: Of the command: time and money.
        gain: What may be expected of it; empty where no figure says.
    """

    action: Action
    why: str
    evidence: tuple[str, ...]
    command: str
    worth: float
    cost: str
    gain: str = ''

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return spec_as_dict(self)


def counsel(known: Evidence) -> tuple[Advice, ...]:
    """All that is to be said, what matters most first."""
    found = [advice for rule in RULES if (advice := rule(known)) is not None]
    return tuple(sorted(found, key=lambda advice: -advice.worth))


def evaluate_first(known: Evidence) -> Advice | None:
    """Seconds of driving before minutes of training, where little is known."""
    if known.best is None and not known.evaluations:
        checkpoint = '' if known.best_steps else ' --checkpoint last'
        return Advice(
            action=Action.EVALUATE, why='nobody knows yet what it can do', worth=0.7,
            evidence=(f'{known.steps:,} steps of training, no evaluation',),
            command=f'racer evaluate {known.name}{checkpoint}', cost='seconds')
    if not _is_good(known) or _elsewhere(known)[1]:
        return None
    return Advice(
        action=Action.EVALUATE, why='good at home; how it drives elsewhere is not known',
        evidence=(_home(known), 'no driving on other tracks or under other conditions so far'),
        command=f'racer evaluate {known.name} --suite robust', worth=0.55, cost='seconds')


def fix_reward(known: Evidence) -> Advice | None:
    """The reward wants something else than fast clean laps."""
    exploits = known.exploits or ()
    if not exploits and not known.findings:
        return None
    slow = known.mean_mps is not None and known.mean_mps < SLOW * known.top_speed_mps
    evidence = [f'{finding.title}: {finding.evidence}' for finding in known.findings]
    evidence += [f'racer validate: {exploit}' for exploit in exploits[:2]]
    if slow and known.mean_mps is not None:
        evidence.append(f'its laps take {known.mean_mps:.2f} m/s of a possible '
                        f'{known.top_speed_mps:.2f}')
    # A reward that could be abused and was not has done its work.
    harmless = _is_good(known) and not slow
    doubtful = not exploits and not any(
        finding.severity == 'alarm' for finding in known.findings)
    worth = 0.3 if harmless or doubtful else 0.95
    return Advice(
        action=Action.FIX_REWARD, why='the reward pays for something else than fast clean laps',
        evidence=tuple(evidence), worth=worth, cost='no training; then a new one',
        command=f'racer validate {shlex.quote(str(known.reward_path))} --track '
                f'{shlex.quote(known.tracks[0])} --report reward.html',
        gain='every minute of training with it buys the wrong thing' if worth > 0.5 else '')


def stop_now(known: Evidence) -> Advice | None:
    """More training makes it no better: deliver the best."""
    verdict, reached = known.history.verdict, _is_done(known)
    if known.best is None or known.best_steps is None or not (
            reached or verdict is not Verdict.GO_ON):
        return None
    evidence = [f'best checkpoint: {known.best_steps:,} of {known.steps:,} steps, {_home(known)}']
    if known.stopped:
        evidence.append(f'the newest session ended because {known.stopped}')
    if (fall := known.history.fall) is not None:
        best, now = fall
        evidence.append(f'driving elsewhere fell from {best.held_out:.0%} at {best.steps:,} steps '
                        f'to {now.held_out:.0%}; the reward of training did not')
    elif verdict is Verdict.PLATEAU:
        evidence.append(f'neither driving elsewhere nor pace has improved since '
                        f'{known.history.improved_at:,} steps')
    since = known.seconds_of(known.steps - known.best_steps)
    if since:
        evidence.append(f'spent since then: {_amount(known, since)}')
    why = {Verdict.OVERTRAINED: 'it is overtrained: more makes it worse elsewhere',
           Verdict.PLATEAU: 'it has stopped getting better'}.get(
               verdict, 'it has learnt what its teacher could' if known.is_taught else
               'its goal is reached')
    return Advice(action=Action.STOP, why=why, evidence=tuple(evidence), cost='nothing',
                  command=f'racer models export {known.name}',
                  worth=0.6 if verdict is Verdict.GO_ON else 0.9)


def train_on(known: Evidence) -> Advice | None:
    """It was still getting better when it stopped, or has hardly begun."""
    if known.history.verdict is not Verdict.GO_ON or _is_done(known):
        return None
    better, seconds = () if known.is_taught else gains(known.history), _half_again(known)
    young = len(known.history.rows) < FEWEST
    if not better and not young:
        return None
    evidence = [str(gain) + f' over the last {gain.steps:,} steps' for gain in better]
    if young:
        evidence.append(f'{known.steps:,} steps, {len(known.history.rows)} evaluations so far')
    worth = 0.8 if better else 0.55 if _is_good(known) else 0.6
    return Advice(
        action=Action.TRAIN_ON, worth=worth, evidence=tuple(evidence),
        gain=_a_minute(known, better),
        why='it was still getting better' if better else 'it has hardly begun',
        command=f'racer train --name {known.name} --resume --time {seconds}s' if known.can_resume
        else f'racer train --from {known.name} --name {known.name}-on --time {seconds}s',
        cost=_amount(known, seconds))


def _a_minute(known: Evidence, better: Sequence[Gain]) -> str:
    """What a minute more would bring and cost, if it went on as it did."""
    words = []
    for gain in better:
        if took_s := known.seconds_of(gain.steps):
            points = 100.0 * min(gain.size * 60.0 / took_s, gain.room)
            words.append(f'{points:.1f} % of the lap time' if gain.what == 'pace'
                         else f'{points:.0f} points of {gain.what}')
    price = known.price_of(60.0)
    return '' if not words else f'{", ".join(words)} a minute, if it goes on so' + (
        '' if price is None else f', for {price} a minute')


def clone_lower(known: Evidence) -> Advice | None:
    """Good at times, but it jumps about: smaller steps from its best."""
    spread = unsteadiness(known.history)
    # Of a taught model the first evaluations were of one that had learnt nothing yet.
    if spread is None or known.best is None or not known.learning_rate or known.is_taught:
        return None
    least, most = spread
    overtrained = known.history.verdict is Verdict.OVERTRAINED
    jumps = most - least >= UNSTEADY and most >= DRIVES and known.best.share >= DRIVES
    if not jumps and not overtrained:
        return None
    rate, seconds = known.learning_rate / (4 if jumps else 2), _half_again(known)
    evidence = [f'the newest evaluations fell from {most:.0%} to {least:.0%} clean laps'
                if jumps else f'its best ({known.best_steps:,} steps) was before it went astray',
                f'learning rate so far {known.learning_rate:g}']
    return Advice(
        action=Action.CLONE, worth=0.65 if jumps else 0.4, evidence=tuple(evidence),
        why='good, but it jumps about' if jumps else 'go on from its best, in smaller steps',
        command=f'racer train --from {known.name} --name {known.name}-careful '
                f'--learning-rate {rate:g} --time {seconds}s',
        cost=_amount(known, seconds),
        gain='' if overtrained and not jumps else
        'laps about 5 % faster at the same cost, where it was measured (docs/models.md)')


def widen(known: Evidence) -> Advice | None:
    """Good at home and bad elsewhere: it knows its track by heart."""
    is_bad, there = _elsewhere(known)
    if not _is_good(known) or known.is_varied or not is_bad:
        return None
    return Advice(
        action=Action.WIDEN, why='good at home, bad elsewhere; no matter if it races there only',
        evidence=(_home(known), *there), worth=0.5, cost=_amount(known, 170.0),
        command=f'racer train --goal generalise --name {known.name}-anywhere{_reward(known)}',
        gain='nearly all laps clean on tracks never seen, where that was measured '
             '(docs/training.md)')


def go_faster(known: Evidence) -> Advice | None:
    """Its laps are as fast as its actions allow."""
    speed = known.mean_mps
    if speed is None or not _is_good(known) or known.top_speed_mps >= TOP_SPEED_MPS or (
            speed < NEAR_LIMIT * known.top_speed_mps):
        return None
    return Advice(
        action=Action.FASTER, why='its fastest action holds it back', worth=0.5,
        evidence=(_home(known), f'{speed:.2f} m/s along the centre line, its fastest action is '
                  f'{known.top_speed_mps:.2f}; the car can do {TOP_SPEED_MPS:.2f}'),
        command=f'racer train --goal race --track {shlex.quote(known.tracks[0])} '
                f'--name {known.name}-race{_reward(known)}',
        cost=_amount(known, 288.0))


RULES: Final[tuple[Callable[[Evidence], Advice | None], ...]] = (
    evaluate_first, fix_reward, stop_now, train_on, clone_lower, widen, go_faster)


def _is_good(known: Evidence) -> bool:
    return known.best is not None and known.best.share >= DRIVES


def _home(known: Evidence) -> str:
    return '' if known.best is None else (
        f'{known.best.clean} of {known.best.total} laps clean on {known.best.where}')


def _is_done(known: Evidence) -> bool:
    """Whether the newest session reached what it was for; a taught one is over after its time."""
    return known.stopped in (StopReason.LAPS, StopReason.ROBUST) or (
        known.is_taught and _is_good(known))


def _elsewhere(known: Evidence) -> tuple[bool, list[str]]:
    """Whether it is bad elsewhere, and what is known of that.

    What was driven on purpose counts, before what training judged.
    """
    shares = [laps.share for laps in known.other_tracks]
    words = [f'{laps.clean} of {laps.total} laps clean on {laps.where}'
             for laps in known.other_tracks]
    if known.robust is not None:
        # The score is a mean over many fields, most of which are about the own tracks.
        tracks = known.unknown_tracks
        shares.append(known.robust if tracks is None else tracks)
        words.append(f'robust score {known.robust:.2f}' + (
            '' if tracks is None else f', {tracks:.0%} of the laps on unknown tracks clean'))
    if known.held_out is None:
        return min(shares, default=1.0) < ELSEWHERE, words
    words.append(f'{known.held_out:.0%} elsewhere, judged in training')
    return (min(shares) < ELSEWHERE if shares else known.held_out < HELD_OUT), words


def _reward(known: Evidence) -> str:
    """The option for a new model that is paid as this one was."""
    return '' if known.reward == DEFAULT_REWARD else f' --reward {shlex.quote(known.reward)}'


def _half_again(known: Evidence) -> int:
    """Seconds of half the training so far."""
    half_s = 0.5 * known.wall_s or USUAL_S
    return round(min(max(half_s, SHORTEST_S), LONGEST_S))


def _amount(known: Evidence, seconds: float) -> str:
    """Time, money, and whether a budget has that left."""
    money = known.price_of(seconds)
    if money is None:
        return f'{seconds:.0f} s'
    short = (known.left is not None and known.left.currency == money.currency
             and known.left.amount < money.amount)
    return f'{seconds:.0f} s, {money}' + (f' (the budget has {known.left} left)' if short else '')
