"""One run and its times, by hand or by whoever else takes them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from racer_rl.race_day.events import Act, Event
from racer_rl.races.result import EntryResult
from racer_sim.rules import RaceRules, Status


@dataclass(frozen=True, slots=True)
class LapTime:
    """A completed lap: seconds with its penalties, and whether nothing happened in it."""

    time_s: float
    clean: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a car does from its start on.

    Attributes:
        started_s: On the steady clock, as all that ends in `_s` and is no duration.
        lap_began_s: The lap that is under way.
        latest_s: What happened last.
        laps: Completed.
        lap_penalty_s: Duration that the lap under way costs on top.
        lap_clean: Whether nothing happened in it.
        penalty_s: The same of the run, all laps.
        incidents: Status label to number.
        status: As in `Status.label`; `in_progress` until it is over.
        time_s: Duration of the run, penalties included, once it is over.
        boot: Since when the steady clock runs.
        record: Of a run in the simulator: its `RaceResult` as JSON; else empty.
    """

    started_s: float
    lap_began_s: float
    latest_s: float
    laps: tuple[LapTime, ...] = ()
    lap_penalty_s: float = 0.0
    lap_clean: bool = True
    penalty_s: float = 0.0
    incidents: dict[str, int] = field(default_factory=dict)
    status: str = Status.IN_PROGRESS.label
    time_s: float = 0.0
    boot: str = ''
    record: str = ''

    @classmethod
    def begun(cls, event: Event) -> Run:
        """A run that begins."""
        at_s = event.at_s
        return cls(started_s=at_s, lap_began_s=at_s, latest_s=at_s, boot=event.boot)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status != Status.IN_PROGRESS.label

    def elapsed_s(self, now_s: float) -> float:
        """Its duration so far, penalties included."""
        return self.time_s if self.is_over else max(0.0, now_s - self.started_s) + self.penalty_s

    def lap_elapsed_s(self, now_s: float) -> float:
        """Of the lap under way."""
        return max(0.0, now_s - self.lap_began_s) + self.lap_penalty_s

    def result(self, name: str, identity: str, rules: RaceRules) -> EntryResult:
        """What counts of it.

        Args:
            name: As on the standings.
            identity: Of its policy.
            rules: Of the race.
        """
        return EntryResult(
            name=name, identity=identity, status=self.status, time_s=self.time_s,
            completion=min(1.0, len(self.laps) / rules.laps),
            lap_times_s=tuple(lap.time_s for lap in self.laps),
            lap_clean=tuple(lap.clean for lap in self.laps), incidents=dict(self.incidents))


def with_lap(run: Run, event: Event, rules: RaceRules) -> Run:
    """A lap is completed.

    By hand, the last one ends the run, and so does one that comes too late. Who times runs
    elsewhere says so when they end.
    """
    if event.lap_s is not None:
        return _driven(run, event.at_s, LapTime(event.lap_s, event.clean))
    total_s = run.elapsed_s(event.at_s)
    if total_s > rules.time_limit_s:
        return _ended(run, event.at_s, Status.TIME_UP.label, rules.time_limit_s)
    driven = _driven(run, event.at_s, LapTime(run.lap_elapsed_s(event.at_s), run.lap_clean))
    if len(driven.laps) >= rules.laps:
        return _ended(driven, event.at_s, Status.LAP_COMPLETE.label, total_s)
    return driven


def _driven(run: Run, at_s: float, lap: LapTime) -> Run:
    return replace(run, laps=(*run.laps, lap), lap_began_s=at_s, latest_s=at_s,
                   lap_penalty_s=0.0, lap_clean=True)


def with_incident(run: Run, event: Event, rules: RaceRules, *, timed: bool) -> Run:
    """The car left the track or hit something; one more than the rules allow ends the run.

    Args:
        run: Under way.
        event: What happened; its status, if it has one, says it more exactly than its act.
        rules: What it costs.
        timed: Whether the penalty is added to a time taken by hand; other clocks have it already.
    """
    crashed = event.act is Act.COLLISION
    costs_s = rules.collision_penalty_s if crashed else rules.off_track_penalty_s
    costs_s, at_s = costs_s if timed else 0.0, event.at_s
    status = event.status or (Status.CRASHED if crashed else Status.OFF_TRACK).label
    incidents = {**run.incidents, status: run.incidents.get(status, 0) + 1}
    if timed and sum(incidents.values()) > rules.resets:
        ended = replace(run, incidents=incidents, lap_clean=False)
        return _ended(ended, at_s, status, run.elapsed_s(at_s))
    return replace(run, incidents=incidents, lap_clean=False, latest_s=at_s,
                   lap_penalty_s=run.lap_penalty_s + costs_s, penalty_s=run.penalty_s + costs_s)


def with_end(run: Run, event: Event, rules: RaceRules) -> Run:
    """The run is ended, as the event says, or because the time was up by then."""
    if event.time_s is not None:
        return _ended(replace(run, record=event.result), event.at_s, event.status, event.time_s)
    elapsed_s = run.elapsed_s(event.at_s)
    if elapsed_s >= rules.time_limit_s:
        return _ended(run, event.at_s, Status.TIME_UP.label, rules.time_limit_s)
    return _ended(run, event.at_s, event.status or Status.PARK.label, elapsed_s)


def _ended(run: Run, at_s: float, status: str, time_s: float) -> Run:
    return replace(run, status=status, time_s=time_s, latest_s=at_s)
