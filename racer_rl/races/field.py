"""The field of a race: its cars in one simulator, and the driver of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_rl.races.drivers import Driver, View
from racer_sim.simulator import Simulator
from racer_vehicle.errors import RacerError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DRAWN_AT_ONCE: Final = 2
"""Images that are drawn while drivers decide on those before. Always so many, so that pixel noise
is drawn in the same order wherever a race is driven."""

Images = NDArray[np.uint8]


class Field:
    """Cars and their drivers; `close` ends the thread that draws what they see.

    Attributes:
        failures: Why a car's driver could not go on; empty: it could.
    """

    def __init__(self, simulator: Simulator, drivers: Sequence[Driver]) -> None:
        """Join them.

        Args:
            simulator: Its cars stand where they start.
            drivers: One a car.
        """
        self.failures = [''] * len(drivers)
        self._simulator, self._drivers = simulator, tuple(drivers)
        self._cameras: Bools = np.array([driver.reads_camera for driver in drivers])
        self._scanners: Bools = np.array([driver.reads_lidar for driver in drivers])
        self._fresh = True
        # Drawing needs no interpreter, and deciding little else.
        self._artist: Executor | None = (
            ThreadPoolExecutor(1, 'racer images') if len(drivers) > DRAWN_AT_ONCE else None)

    def close(self) -> None:
        """End the thread; a second time does nothing."""
        if self._artist is not None:
            self._artist.shutdown()

    @property
    def driving(self) -> Bools:
        """Whose race goes on, (N,): they drive, or serve a penalty."""
        return self._simulator.control.goes_on

    def commands(self, met: NDArray[np.void]) -> Floats:
        """Ask every driver whose race goes on; one that fails is out of the race at once.

        Args:
            met: `ENCOUNTER`, (N, K), of now.

        Returns:
            float64 (N, 2), steering rad and speed m/s; zero for who is out.
        """
        commands, driving = np.zeros((len(self._drivers), 2)), self.driving
        scans = self._scans(driving)
        for cars, images in self._seen(np.flatnonzero(driving)):
            for car, image in zip(cars, images, strict=True):
                view = View(self._simulator, car, image,
                            scans[car] if self._scanners[car] else None, met[car], self._fresh)
                try:
                    command = self._drivers[car].act(view)
                except RacerError as error:
                    self.failures[car] = str(error)
                    self._simulator.control.retire(np.array([car]))
                else:
                    commands[car] = command.steering_rad, command.speed_mps
        self._fresh = False
        return commands

    def _seen(self, driving: NDArray[np.int64],
              ) -> Iterator[tuple[list[int], Sequence[Images | None]]]:
        """Some cars at a time, with what they see; None for who does not look."""
        blind = driving[~self._cameras[driving]].tolist()
        yield blind, [None] * len(blind)
        looking = driving[self._cameras[driving]]
        parts = [looking[first:first + DRAWN_AT_ONCE]
                 for first in range(0, len(looking), DRAWN_AT_ONCE)]
        drawn = [self._draw(cars) for cars in parts]
        for cars, images in zip(parts, drawn, strict=True):
            yield cars.tolist(), images.result() if isinstance(images, Future) else images

    def _draw(self, cars: NDArray[np.int64]) -> Future[Sequence[Images]] | Sequence[Images]:
        """Begin to draw what some cars see, or draw it where no thread can be had."""
        if self._artist is not None:
            try:
                return self._artist.submit(self._images, cars)
            except RuntimeError:  # whoever races a stranger's policy may start no thread
                self._artist = None
        return self._images(cars)

    def _images(self, cars: NDArray[np.int64]) -> Sequence[Images]:
        """What cars see; grey or RGB, as one car's camera gives it."""
        planes = self._simulator.images(cars)
        return list(planes[:, 0] if planes.shape[1] == 1 else np.moveaxis(planes, 1, -1))

    def _scans(self, driving: Bools) -> NDArray[np.float32]:
        """All scans (N, rays), if a car that drives reads one."""
        if not (driving & self._scanners).any():
            return np.empty((0, 0), dtype=np.float32)
        return self._simulator.scans()
