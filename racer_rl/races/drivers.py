"""What decides for a car in a race: its policy, as on the car, or a bot that knows everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from racer_sim.simulator import Simulator
from racer_vehicle.policy import LoadedPolicy, PolicyBundle
from racer_vehicle.signals import DriveCommand
from racer_vehicle.spec import CarSpec


@dataclass(frozen=True, slots=True)
class View:
    """What a driver is given each control period; a policy looks at its sensors only.

    Attributes:
        simulator: All that is true.
        car: Index of the driver's car.
        image: uint8 (height, width) grey or (height, width, 3) RGB; None unless it reads one.
        scan: float32 (rays,), m, REP-117; None unless it reads one.
        met: `ENCOUNTER`, (K,), what is on the track besides it; see `racer_sim.encounters`.
        fresh: Whether its race begins now.
    """

    simulator: Simulator
    car: int
    image: NDArray[np.uint8] | None
    scan: NDArray[np.float32] | None
    met: NDArray[np.void]
    fresh: bool


class Driver(Protocol):
    """Drives one car.

    Attributes:
        reads_camera: Whether it wants an image.
        reads_lidar: Whether it wants a scan.
    """

    reads_camera: bool
    reads_lidar: bool

    def act(self, view: View) -> DriveCommand:
        """Decide.

        Raises:
            RacerError: It cannot, which ends its race.
        """
        ...


class PolicyDriver:
    """A policy bundle, with the very code that runs it on the car, alone in its network.

    Nobody shares a batch: the sums of a network come out the same whoever else races.
    """

    reads_camera = True

    def __init__(self, bundle: PolicyBundle, car: CarSpec) -> None:
        """Make the network ready.

        Raises:
            ModelMismatchError: It is not for this car, or is not what its card says.
        """
        self._policy = LoadedPolicy(bundle, car)
        self.reads_lidar = self._policy.reads_scans

    def act(self, view: View) -> DriveCommand:
        """As of the protocol; `ModelMismatchError` for outputs that are no commands."""
        assert view.image is not None
        return self._policy.act(view.image, view.scan, view.fresh)
