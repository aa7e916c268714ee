"""Looking through the cars' cameras without changing what the cars do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from racer_sim.simulator import Simulator


def seen_images(simulator: Simulator) -> NDArray[np.uint8]:
    """What the cameras see now, for whoever films, draws or shows it.

    A camera under other conditions has noise, drawn from the generator of everything that happens:
    whoever takes an image moves it on. It is put back here, so that the run is the same without
    the onlooker, who sees what the next one to ask sees.

    Args:
        simulator: Of the cars.

    Returns:
        As of `Simulator.images`, of all cars.
    """
    generator = simulator.random.bit_generator
    before = generator.state
    try:
        return simulator.images()
    finally:
        generator.state = before
