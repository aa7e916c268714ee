"""A film of one car's drive: an MP4 that browsers, phones and editors play.

A `Film` is a `watch` of `evaluate`:

    with Film(Path('drive.mp4')) as film:
        evaluate(policy, setup, plan, watch=film)
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from racer_rl.evaluation.film_frame import (
    FRAME_SHAPE,
    Caption,
    Image,
    TopView,
    camera_image,
    compose,
)
from racer_sim.rules import Status
from racer_sim.simulator import Simulator
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_MS

FRAME_RATE: Final = Fraction(1000, CONTROL_PERIOD_MS)
"""One picture a control period: the film runs in real time."""

HOLD_S: Final = 1.0
"""How long the last picture stands."""

CODEC: Final = 'libx264' if 'libx264' in av.codecs_available else 'mpeg4'
"""H.264, which everything plays. PyAV's wheels have it; an FFmpeg built without GPL parts does
not, and MPEG-4 part 2, which FFmpeg always has, at least plays in desktop players."""

_OPTIONS: Final = {
    'libx264': {'preset': 'superfast', 'crf': '22'},
    'mpeg4': {'qmin': '2', 'qmax': '5'},
}
_RUNNING: Final = (Status.PREPARE, Status.IN_PROGRESS, Status.PAUSE)
_SLOWEST_TOP_MPS: Final = 1.0


class Film:
    """Films one car from the first call until its run ends; later calls do nothing.

    The file appears, or is replaced, when the `with` block is left in peace; after an exception
    nothing of the film remains and an older file stays as it was.
    """

    def __init__(self, path: Path, *, car: int = 0) -> None:
        """Prepare a film.

        Args:
            path: The `.mp4` file; missing folders are made.
            car: Index of the car to film.

        Raises:
            ConfigError: The name does not end in `.mp4`.
        """
        if path.suffix.lower() != '.mp4':
            raise ConfigError(f'film {str(path)!r} ends in {path.suffix!r}; allowed: .mp4.')
        self._path, self._car = path, car
        self._reel: _Reel | None = None
        self._scene: _Scene | None = None
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._reel is None:
            return
        if kind is None:
            self._reel.publish()
        else:
            self._reel.discard()

    def __call__(self, simulator: Simulator) -> None:
        """Film the moment.

        Raises:
            ConfigError: The simulator has no such car.
        """
        if self._ended:
            return
        if self._scene is None or self._reel is None:
            self._scene, self._reel = _Scene(simulator, self._car), _Reel(self._path)
        picture = self._scene.shoot(simulator)
        self._ended = Status(simulator.control.race['status'][self._car]) not in _RUNNING
        self._reel.add(picture, times=1 + round(HOLD_S * FRAME_RATE) if self._ended else 1)


class _Scene:
    """One car and its surroundings as pictures, in the order of time."""

    def __init__(self, simulator: Simulator, car: int) -> None:
        count = simulator.config.cars
        if not 0 <= car < count:
            raise ConfigError(f'film of car {car}; allowed: 0 to {count - 1}, the cars there are.')
        course, config = simulator.courses[simulator.course_of[car]], simulator.config
        self._car = car
        self._title = f'{course.track.name} {"reverse" if course.reverse else ""}'.strip()
        self._top_view = TopView(course, config.style, config.boxes, simulator.car)
        # Cars elsewhere would drive across this track's picture, or through its boxes.
        names = np.array([each.track.name for each in simulator.courses])
        here = names[simulator.course_of] == course.track.name
        if config.race.has_company:
            worlds = np.arange(count) // config.cars_per_world
            here &= worlds == worlds[car]
        self._shown = np.flatnonzero(here)
        self._has_guests = config.race.has_company and config.cars_per_world == 1
        self._top_mps = _SLOWEST_TOP_MPS
        self._lap_start_s = 0.0
        self._last_lap_s: float | None = None

    def shoot(self, simulator: Simulator) -> Image:
        """A picture of the car now."""
        status = Status(simulator.control.race['status'][self._car])
        caption = self._caption(simulator, status)
        shown = self._shown
        if simulator.config.cars_per_world > 1:  # who has finished is taken off the track
            racing = np.isin(simulator.control.race['status'][shown], _RUNNING)
            shown = shown[racing | (shown == self._car)]
        met = simulator.met()[self._car, :None if self._has_guests else 0]
        top_view = self._top_view.paint(
            simulator.state[shown], int(np.searchsorted(shown, self._car)), met[met['is_there']],
            moving=status is not Status.PAUSE, top_mps=self._top_mps)
        return compose(camera_image(simulator, self._car), top_view, caption)

    def _caption(self, simulator: Simulator, status: Status) -> Caption:
        race, state = simulator.control.race[self._car], simulator.state[self._car]
        if race['lap_start_s'] > self._lap_start_s:
            self._last_lap_s = float(race['lap_start_s'] - self._lap_start_s)
            self._lap_start_s = float(race['lap_start_s'])
        clock_s, laps = float(race['time_s'] - race['lap_start_s']), simulator.control.rules.laps
        if status is Status.LAP_COMPLETE and self._last_lap_s is not None:
            clock_s = self._last_lap_s
        speed = float(np.hypot(state['vx_mps'], state['vy_mps']))
        if status is Status.PAUSE:  # Its state keeps the speed that it had when it was stopped.
            speed = 0.0
        # The colours' scale follows the fastest so far: nobody knows yet how fast it will get.
        self._top_mps = max(self._top_mps, speed)
        return Caption(
            title=self._title, status=status, lap=min(int(race['laps']) + 1, laps), laps=laps,
            clock_s=clock_s, last_lap_s=self._last_lap_s, speed_mps=speed, top_mps=self._top_mps,
            steering=float(state['steering_rad']) / simulator.car.max_steering_rad)


class _Reel:
    """A video file in the making, beside the place where it will be."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._part = path.with_name(f'.{path.name}.{os.getpid()}.part')
        # The index at the front lets a player start before it has the whole file.
        self._container: OutputContainer = av.open(
            str(self._part), 'w', format='mp4', options={'movflags': '+faststart'})
        stream = self._container.add_stream(CODEC, rate=FRAME_RATE, options=_OPTIONS[CODEC])
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = FRAME_SHAPE[:2]
        stream.pix_fmt = 'yuv420p'
        self._stream = stream

    def add(self, picture: Image, *, times: int) -> None:
        """Append a picture, several times to let it stand."""
        for _ in range(times):
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            self._container.mux(self._stream.encode(frame))

    def publish(self) -> None:
        """Finish the file and put it in its place."""
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            os.replace(self._part, self._path)
        finally:
            self._part.unlink(missing_ok=True)

    def discard(self) -> None:
        """Throw it away."""
        try:
            self._container.close()
        finally:
            self._part.unlink(missing_ok=True)
