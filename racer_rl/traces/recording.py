"""What cars do, kept step by step until their episodes end.

Every step costs a few copies of whole arrays; what a trace says about it is computed later, of
many episodes at once (`driven_steps`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from racer_rl.clock import utc_s
from racer_sim.placement import PLACE
from racer_sim.rules import RACE
from racer_sim.simulator import Simulator
from racer_sim.vehicle import STATE
from racer_vehicle.spec import CONTROL_PERIOD_S

Rows = NDArray[np.void]
"""Of `MOMENT`."""

FIRST_ROOM: Final = 256
"""Steps there is room for at first; it doubles when an episode needs more."""

MOMENT: Final = np.dtype([
    ('state', STATE), ('place', PLACE), ('race', RACE), ('course', 'i8'),
    ('command', 'f8', (2,)), ('output', 'f4', (2,)), ('reward', 'f4'),
    ('time_s', 'f8'), ('wall_s', 'f8'), ('begins', '?'),
])
"""One car after one step: ground truth, race, course, the command (rad, m/s), the policy's output
(index and 0, or two numbers), the reward, simulated and real seconds, and whether this is where
the episode begins, before its first step."""


class SimulatedClock:
    """Simulated time of a run; one for all its recorders, of which one at a time has driving cars.

    Attributes:
        time_s: What it shows.
    """

    def __init__(self, time_s: float = 0.0) -> None:
        """Set it."""
        self._began_s, self._periods, self.time_s = time_s, 0, time_s

    def tick(self) -> None:
        """A control period has passed."""
        self._periods += 1
        self.time_s = self._began_s + self._periods * CONTROL_PERIOD_S


class Recorder:
    """Keeps the running episodes of a simulator's cars; a `Witness` of a batch."""

    def __init__(self, simulator: Simulator, clock: SimulatedClock,
                 ended: Callable[[Rows], None] = lambda rows: None) -> None:
        """Begin with cars whose episodes are yet to begin.

        Args:
            simulator: Whose cars are watched.
            clock: Ticks with every step.
            ended: Told of each episode that ends, as `episode` gives it.
        """
        cars = simulator.config.cars
        self._simulator, self._clock, self._ended = simulator, clock, ended
        self._kept = np.zeros((FIRST_ROOM, cars), dtype=MOMENT)
        self._beginnings = np.zeros(cars, dtype=MOMENT)
        self._first = np.zeros(cars, dtype=np.int64)
        self._size = 0

    def began(self, cars: NDArray[np.int64]) -> None:
        """Take note that new episodes begin; those that had not ended are forgotten.

        Args:
            cars: int64 (K,), whose.
        """
        rows = self._beginnings
        rows['state'][cars] = self._simulator.state[cars]
        rows['place'][cars] = self._simulator.places[cars]
        rows['race'][cars] = self._simulator.control.race[cars]
        rows['course'][cars] = self._simulator.course_of[cars]
        rows['time_s'][cars], rows['wall_s'][cars] = self._clock.time_s, utc_s()
        rows['begins'] = True
        self._first[cars] = self._size

    def stepped(self, output: NDArray[Any], rewards: NDArray[np.float32],
                ended: NDArray[np.bool_]) -> None:
        """Take note of a step of all cars.

        Args:
            output: The policy's, (N,) indices or (N, 2) in -1 to 1.
            rewards: float32 (N,).
            ended: bool (N,), whose episodes ended with it.
        """
        if self._size == len(self._kept):
            self._make_room()
        self._clock.tick()
        rows, simulator = self._kept[self._size], self._simulator
        self._size += 1
        rows['state'], rows['place'] = simulator.state, simulator.places
        rows['race'], rows['course'] = simulator.control.race, simulator.course_of
        rows['command'], rows['reward'] = simulator.commands, rewards
        if output.ndim == 1:
            rows['output'][:, 0] = output
        else:
            rows['output'] = output
        rows['time_s'], rows['wall_s'] = self._clock.time_s, utc_s()
        for car in np.flatnonzero(ended):
            self._ended(self.episode(int(car)))

    def episode(self, car: int) -> Rows:
        """A car's episode so far: `MOMENT` (steps + 1,), where it began first."""
        rows = np.concatenate((self._beginnings[car:car + 1],
                               self._kept[self._first[car]:self._size, car]))
        if len(rows) > 1:  # a log tells what was decided there, too
            rows['command'][0], rows['output'][0] = rows['command'][1], rows['output'][1]
        return rows

    def _make_room(self) -> None:
        """Drop what no running episode needs; if that is little, get more room."""
        oldest = int(self._first.min())
        kept = self._kept[oldest:]
        if oldest < len(self._kept) // 2:
            self._kept = np.zeros((2 * len(self._kept), self._kept.shape[1]), dtype=MOMENT)
        self._kept[:len(kept)] = kept
        self._first -= oldest
        self._size = len(kept)
