"""The yardsticks: three bots that drive a simulated car by all that is true.

They follow a line by pure pursuit, pass what stands or crawls in their way on its free side, and
brake where there is none. They see no picture, so what they reach says what the car can do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from racer_rl.races.drivers import View
from racer_rl.races.lines import Line, easy_line, fastest_line
from racer_rl.races.passing import Moment, Passing, Place
from racer_sim.courses import Course
from racer_sim.lap_bound import Report
from racer_sim.vehicle import GRAVITY_MPS2, SUBSTEP_S, SUBSTEPS
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
        foresight_s: How much longer than the image's age it takes to turn, and is foreseen.
        early_s: How far ahead it reads the speed.
        hurry_mps: Added to it: the speed controller lags behind.
        caution: Share of speed that it gives away where commands come a whole period late, and
            down to half a period less and less.
    """

    far_m: float = 0.3
    far_s: float = 0.15
    eager: float = 1.1
    calm_s: float = 0.05
    foresight_s: float = 0.05
    early_s: float = 0.1
    hurry_mps: float = 0.0
    caution: float = 0.0


EASY: Final = Style()
RACING: Final = Style(far_m=0.2, far_s=0.165, eager=1.1, calm_s=0.04, foresight_s=0.068,
                      early_s=0.062, hurry_mps=0.36, caution=0.12)
RACING_INSIDE: Final = 0.66
RACING_GRIP: Final = 0.57
"""See `fastest_line`: with more of either, it is off some track some time."""


GRIP_SHARE: Final = 0.9
YAW_LAG_S: Final = 0.05
"""How the car turns, roughly: not more than the tyres hold, and so long behind its wheels."""


class _Foreseen(NamedTuple):
    """A car a moment from now: pose, speed, yaw rate, and its way until then."""

    x_m: float
    y_m: float
    yaw_rad: float
    speed_mps: float
    yaw_rate_radps: float
    way_m: float


class Bot:
    """Follows a line; a `Driver`."""

    reads_camera = reads_lidar = False

    def __init__(self, course: Course, car: CarSpec, line: Line, style: Style) -> None:
        """Learn the line by heart."""
        self._track, self._car, self._line, self._style = course.track, car, line, style
        self._passing = Passing(car)

    def act(self, view: View) -> DriveCommand:
        """As of the protocol; it can always go on."""
        style, place = self._style, view.simulator.places[view.car]
        then = self._foreseen(view)
        s_m = float(place['s_m']) + then.way_m
        aim_m = s_m + style.far_m + style.far_s * then.speed_mps
        late = max(float(view.simulator.age_substeps[view.car]) / SUBSTEPS - 0.5, 0.0)
        wanted = (1.0 - 2.0 * style.caution * late) * self._line.at(
            s_m + style.early_s * then.speed_mps)[1] + style.hurry_mps
        way = self._passing.find(view.met, self._road, Moment(
            float(place['s_m']), float(place['lateral_m']), aim_m, then.speed_mps, wanted))
        aim_x, aim_y, _ = self._track.pose_at(aim_m, way.lateral_m)
        dx, dy = float(aim_x) - then.x_m, float(aim_y) - then.y_m
        aside_m = math.cos(then.yaw_rad) * dy - math.sin(then.yaw_rad) * dx
        bend = 2.0 * aside_m / (dx * dx + dy * dy)
        steering = (style.eager * math.atan(self._car.wheelbase_m * bend)
                    - style.calm_s * (then.yaw_rate_radps - bend * then.speed_mps))
        most = self._car.max_steering_rad
        return DriveCommand(steering_rad=min(max(steering, -most), most),
                            speed_mps=min(wanted, way.speed_mps, self._car.max_speed_mps))

    def _foreseen(self, view: View) -> _Foreseen:
        """Where the car will be when it hears of this, and has begun to turn.

        Until the image is as old as it gets, the servo goes on to the last command; then, for
        `foresight_s`, the car goes on turning as it does.
        """
        state, servo, car = view.simulator.state[view.car], self._car.servo, self._car
        x_m, y_m, yaw_rad, way_m = (float(state['x_m']), float(state['y_m']),
                                    float(state['yaw_rad']), 0.0)
        speed, drift = max(float(state['vx_mps']), 0.0), float(state['vy_mps'])
        turning, wheels = float(state['yaw_rate_radps']), float(state['servo_rad'])
        told = float(view.simulator.commands[view.car, 0])
        most = GRIP_SHARE * car.tyre.friction * GRAVITY_MPS2 / max(speed, 0.1)
        steps = int(view.simulator.age_substeps[view.car])
        for step in range(steps + round(self._style.foresight_s / SUBSTEP_S)):
            if step < steps:
                rate = (told - wheels) / max(servo.lag_s, SUBSTEP_S)
                wheels += SUBSTEP_S * min(max(rate, -servo.rate_limit_radps),
                                          servo.rate_limit_radps)
                wanted = speed * math.tan(wheels) / car.wheelbase_m
                turning += SUBSTEP_S / YAW_LAG_S * (min(max(wanted, -most), most) - turning)
            yaw_rad += SUBSTEP_S * turning
            sine, cosine = math.sin(yaw_rad), math.cos(yaw_rad)
            x_m += SUBSTEP_S * (speed * cosine - drift * sine)
            y_m += SUBSTEP_S * (speed * sine + drift * cosine)
            way_m += SUBSTEP_S * speed
        return _Foreseen(x_m, y_m, yaw_rad, speed, turning, way_m)

    def _road(self, s_m: float) -> Place:
        """See `Road`."""
        track = self._track
        segment = int(np.searchsorted(track.s_m, s_m % track.length_m, side='right')) - 1
        lateral_m, _, bend = self._line.at(s_m)
        return Place(lateral_m, float(track.left_m[segment]), float(track.right_m[segment]), bend)


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
        line = fastest_line(course, car, car.max_speed_mps, inside=RACING_INSIDE,
                            grip=RACING_GRIP, report=report)
        return Bot(course, car, line, RACING)
    line = easy_line(course, SLOW_MPS if name == 'slow' else MEDIUM_MPS)
    return Bot(course, car, line, EASY)
