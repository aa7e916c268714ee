"""The field of a race: its cars in one simulator, and the driver of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from racer_rl.races.drivers import Driver, View
from racer_sim.simulator import Simulator
from racer_vehicle.errors import RacerError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Field:
    """Cars and their drivers.

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
        scans, images = self._scans(driving), self._images(driving)
        for car in np.flatnonzero(driving).tolist():
            view = View(self._simulator, car, images.get(car),
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

    def _images(self, driving: Bools) -> dict[int, NDArray[np.uint8]]:
        """What each car that drives and looks sees; grey or RGB, as one car's camera gives it."""
        looking = np.flatnonzero(driving & self._cameras)
        planes = self._simulator.images(looking)
        images = planes[:, 0] if planes.shape[1] == 1 else np.moveaxis(planes, 1, -1)
        return dict(zip(looking.tolist(), images, strict=True))

    def _scans(self, driving: Bools) -> NDArray[np.float32]:
        """All scans (N, rays), if a car that drives reads one."""
        if not (driving & self._scanners).any():
            return np.empty((0, 0), dtype=np.float32)
        return self._simulator.scans()
