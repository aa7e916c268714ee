"""Looking through the cars' cameras without changing what the cars do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from racer_sim.simulator import Simulator


@contextlib.contextmanager
def looking_on(simulator: Simulator) -> Iterator[None]:
    """Whatever is looked at meanwhile, the run stays the same.

    A camera under other conditions has noise, drawn from the generator of everything that happens:
    whoever takes an image moves it on. It is put back afterwards, so that the onlooker sees what
    the next one to ask sees.

    Args:
        simulator: Of the cars.
    """
    generator = simulator.random.bit_generator
    before = generator.state
    try:
        yield
    finally:
        generator.state = before


def seen_images(simulator: Simulator) -> NDArray[np.uint8]:
    """What the cameras see now, for whoever films, draws or shows it.

    Args:
        simulator: Of the cars.

    Returns:
        As of `Simulator.images`, of all cars.
    """
    with looking_on(simulator):
        return simulator.images()
