"""What a drive through the car's nodes showed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from racer_rl.drive.timing import Percentiles, TimingFigures
from racer_rl.evaluation.laps import Evaluation, Run
from racer_sim.race_format import RaceFormat
from racer_sim.race_watch import RaceState
from racer_sim.rules import Lap, Status
from racer_sim.track import Track
from racer_vehicle.spec import CONTROL_PERIOD_S

_STATUS_OF_LABEL: Final = {status.label: status for status in Status}


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveResult:
    """Laps and times of a drive.

    Attributes:
        model: Name of the model.
        sha256: Of the bundle that drove.
        simulator: `embedded` or `gazebo`.
        mode: `lockstep` or `realtime`.
        factor: Simulated seconds per second, in real time.
        race: Who and what was on the track.
        evaluation: The laps, judged by race control.
        timing: Of the graph.
        seconds: That the runs took, on the clock on the wall.
    """

    model: str
    sha256: str
    simulator: str
    mode: str
    factor: float
    race: RaceFormat
    evaluation: Evaluation
    timing: TimingFigures
    seconds: float

    @property
    def steps(self) -> int:
        """Control periods of all runs."""
        return round(sum(run.time_s for run in self.evaluation.runs) / CONTROL_PERIOD_S)

    @property
    def steps_per_s(self) -> float:
        """Control periods per second of the clock on the wall."""
        return self.steps / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`: what `racer evaluate` prints, and what only a graph has."""
        return {
            'model': self.model,
            'sha256': self.sha256,
            'simulator': self.simulator,
            'mode': self.mode,
            'factor': self.factor,
            'race': str(self.race.type),
            'cars': self.race.cars,
            **self.evaluation.as_dict(),
            'steps': self.steps,
            'seconds': round(self.seconds, 3),
            'steps_per_s': round(self.steps_per_s, 1),
            'timing': self.timing.as_dict(),
        }

    @property
    def timing_line(self) -> str:
        """For people."""
        timing = self.timing
        return (f'{timing.images} images, {timing.dropped} without a command; '
                f'image to policy {_words(timing.decided)}, to motor {_words(timing.applied)}; '
                f'{self.steps_per_s:.0f} steps/s')


def _words(times: Percentiles | None) -> str:
    return '-' if times is None else f'{times.p50_ms:.1f} ms (p99 {times.p99_ms:.1f})'


def run_of(state: RaceState, track: Track, *, reverse: bool, share: float, laps: int,
           can_overtake: bool = False) -> Run:
    """A finished run in the terms of an evaluation.

    Args:
        state: What race control said last about it.
        track: It was driven on.
        reverse: Against the drawn direction.
        share: Of the lap, where it began.
        laps: That were wanted.
        can_overtake: Whether there are others that drive.
    """
    status = _STATUS_OF_LABEL[state.status]
    done = laps if status is Status.LAP_COMPLETE else state.laps + state.progress_percent / 100.0
    return Run(
        track=track.name, direction='reverse' if reverse else 'forward', start=share,
        status=status, incidents=state.incidents, completion=min(done / laps, 1.0),
        time_s=state.time_s,
        laps=tuple(Lap(0, number, time_s, clean) for number, (time_s, clean) in enumerate(
            zip(state.lap_times_s, state.lap_clean, strict=True), start=1)),
        overtakes=state.passed if can_overtake else None,
    )
