"""The yardsticks: three bots that drive a simulated car by all that is true.

They follow a line by pure pursuit, pass what stands or crawls in their way on its free side, and
brake where there is none. They see no picture, so what they reach says what the car can do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from racer_rl.races.drivers import View
from racer_rl.races.lines import Line, easy_line, fastest_line
from racer_rl.races.passing import Passing
from racer_sim.courses import Course
from racer_sim.lap_bound import Report
from racer_sim.vehicle import SUBSTEP_S
from racer_vehicle.signals import DriveCommand
from racer_vehicle.spec import CarSpec

SLOW_MPS: Final = 0.8
MEDIUM_MPS: Final = 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a bot follows its line; all found by trying, on all tracks that come with racer.

    Attributes:
        far_m: Distance to the point it steers to, standing.
        far_s: What it is further at speed, seconds of way.
        eager: Steering over that of a car without slip.
        calm_s: Steering against what it yaws too much, rad per rad/s.
        early_s: How far ahead it reads the speed.
        hurry_mps: Added to it: the speed controller lags behind.
        daring: Share of the line's speed.
    """

    far_m: float = 0.3
    far_s: float = 0.15
    eager: float = 1.1
    calm_s: float = 0.05
    early_s: float = 0.1
    hurry_mps: float = 0.0
    daring: float = 1.0


EASY: Final = Style()
RACING: Final = Style(far_m=0.28, far_s=0.13, eager=1.2, calm_s=0.05, early_s=0.12,
                      hurry_mps=0.15, daring=0.93)
RACING_INSIDE: Final = 0.85


class Bot:
    """Follows a line; a `Driver`."""

    reads_camera = reads_lidar = False

    def __init__(self, course: Course, car: CarSpec, line: Line, style: Style) -> None:
        """Learn the line by heart."""
        self._track, self._car, self._line, self._style = course.track, car, line, style
        self._passing = Passing(car)

    def act(self, view: View) -> DriveCommand:
        """As of the protocol; it can always go on."""
        style, state, place = (self._style, view.simulator.state[view.car],
                               view.simulator.places[view.car])
        # Where the car will be when it hears of this.
        delay_s = float(view.simulator.age_substeps[view.car]) * SUBSTEP_S
        speed, yaw_rate = max(float(state['vx_mps']), 0.0), float(state['yaw_rate_radps'])
        yaw_rad, way_m = float(state['yaw_rad']) + yaw_rate * delay_s, speed * delay_s
        s_m = float(place['s_m']) + way_m
        aim_m = s_m + style.far_m + style.far_s * speed
        way = self._passing.find(view.met, self._road, float(place['s_m']),
                                 float(place['lateral_m']), aim_m, speed)
        aim_x, aim_y, _ = self._track.pose_at(aim_m, way.lateral_m)
        dx = float(aim_x) - float(state['x_m']) - way_m * math.cos(yaw_rad)
        dy = float(aim_y) - float(state['y_m']) - way_m * math.sin(yaw_rad)
        aside_m = math.cos(yaw_rad) * dy - math.sin(yaw_rad) * dx
        bend = 2.0 * aside_m / (dx * dx + dy * dy)
        steering = (style.eager * math.atan(self._car.wheelbase_m * bend)
                    - style.calm_s * (yaw_rate - bend * speed))
        wanted = style.daring * self._line.at(s_m + style.early_s * speed)[1] + style.hurry_mps
        most = self._car.max_steering_rad
        return DriveCommand(steering_rad=min(max(steering, -most), most),
                            speed_mps=min(wanted, way.speed_mps, self._car.max_speed_mps))

    def _road(self, s_m: float) -> tuple[float, float, float]:
        """See `Road`."""
        track = self._track
        segment = int(np.searchsorted(track.s_m, s_m % track.length_m, side='right')) - 1
        return (self._line.at(s_m)[0], float(track.left_m[segment]),
                float(track.right_m[segment]))


def bot(name: str, course: Course, car: CarSpec, report: Report | None = None) -> Bot:
    """A bot by name.

    Args:
        name: Of `BOTS`.
        course: Where it is to drive.
        car: Its car.
        report: Told what is computed, which takes seconds the first time on a course.

    Raises:
        ConfigError: There is no time-optimal lap for this car.
        TrackError: None was found on this track.
    """
    if name == 'optimal':
        line = fastest_line(course, car, car.max_speed_mps, RACING_INSIDE, report)
        return Bot(course, car, line, RACING)
    line = easy_line(course, SLOW_MPS if name == 'slow' else MEDIUM_MPS)
    return Bot(course, car, line, EASY)
