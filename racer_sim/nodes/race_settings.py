"""What race control may be told."""

from __future__ import annotations

from dataclasses import dataclass

from racer_sim.rules import RaceRules
from racer_vehicle.nodes.parameters import require_settings, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceSettings:
    """Parameters of race control, beside the car's and `start_share`."""

    track: str = setting('oval', 'name or file')
    direction: str = setting('forward', 'of travel', choices=('forward', 'reverse'))
    place: int = setting(0, 'on the starting grid, from 0', low=0, high=63)
    laps: int = setting(3, 'that complete a run', low=1, high=100_000)
    resets: int = setting(0, 'incidents that a run survives', low=0, high=1_000_000)
    time_limit_s: float = setting(180.0, 'longest run, simulated seconds', low=0.1, high=1e6)
    off_track_penalty_s: float = setting(2.0, 'standing time after an incident, s', low=0.0,
                                         high=600.0)
    collision_penalty_s: float = setting(5.0, 'the same after a crash, s', low=0.0, high=600.0)
    blame: str = setting('striker', 'of a collision of two cars: who drove into the other, or '
                         'both', choices=('striker', 'both'))
    mercy_crashes: int = setting(0, 'so many crashes in a row at one place, and the car is put '
                                 'past it; 0: never', low=0, high=1000)

    leaves: bool = setting(False, 'a car whose run is over is off the track until the next, and '
                                  'not met by others')

    def __post_init__(self) -> None:
        require_settings(self)

    @property
    def rules(self) -> RaceRules:
        """What counts."""
        return RaceRules(laps=self.laps, resets=self.resets, time_limit_s=self.time_limit_s,
                         off_track_penalty_s=self.off_track_penalty_s,
                         collision_penalty_s=self.collision_penalty_s,
                         blame='both' if self.blame == 'both' else 'striker',
                         mercy_crashes=self.mercy_crashes)
