"""What a person wants of a model, as settings: to finish, to drive anywhere, or to race.

A goal fills in what was not said: tracks, direction, randomisation, top speed, settings of the
learner and when to stop. Whatever is said counts. Figures behind the settings: benchmarks/README.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from racer_rl.training.networks import FAST, FINE, find_network
from racer_rl.training.plan import AUTO, Method
from racer_sim.randomization import Randomization, find_randomization
from racer_vehicle.errors import UnknownNameError


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One goal.

    Attributes:
        name: As it is typed.
        summary: One line for people.
        tracks: To train on where none is named; none: one has to be named.
        direction: Way round.
        randomization: Profile.
        ranges: Of what is drawn, instead of the profile's.
        max_speed_mps: Fastest action.
        network: In the catalogue, where none is chosen.
        method: Of training, where none is chosen.
        time: How long, where no limit is given; None, and no `steps`: until laps are clean, ten
            minutes at most.
        steps: How many, likewise.
        stops_early: When driving elsewhere gets no better; not where the last steps, which are the
            smallest, are what is waited for.
        settings: Of PPO, over the network's recommended ones.
        sizes: The same, but for networks without convolutions only.
    """

    name: str
    summary: str
    tracks: tuple[str, ...] = ()
    direction: str = 'forward'
    randomization: str = 'none'
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    max_speed_mps: float = 2.0
    network: str = FAST.name
    method: str = AUTO
    time: str | None = None
    steps: int | None = None
    stops_early: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def conditions(self) -> Randomization:
        """What episodes differ in, where nothing else is asked for."""
        return replace(find_randomization(self.randomization), **self.ranges)

    def settings_for(self, network: str, algorithm: str) -> Mapping[str, Any]:
        """What this goal changes of a network's recommended settings."""
        if algorithm != 'ppo':
            return {}
        large = find_network(network).convolutions
        return self.settings if large else {**self.settings, **self.sizes}


    def in_company(self, cars: int) -> Goal:
        """The same where there are boxes or other cars on the track.

        A box is a few pixels of FAST's image, and luck decides whether a careless policy meets
        one: finer images, two of them, more cars, longer rounds, a teacher that knows where
        things are, and, where no time is set, so many steps, the last of which are the smallest.
        Clean laps of a model that was still taking large ones were luck too often.

        Args:
            cars: That share a track; as many cars as fill their worlds are trained.
        """
        count = 64 // cars * cars
        sizes = {**self.sizes, **_COMPANY, 'n_envs': count, 'n_steps': 64,
                 'batch_size': 16 * count,
                 'stack_size': max(2, self.sizes.get('stack_size', 1))}
        return replace(self, network=FINE.name, method=Method.DISTILL, sizes=sizes,
                       steps=COMPANY_STEPS if self.time is None else None, stops_early=False)


COMPANY_STEPS: Final = 1_000_000
COMPANY_PRACTICE: Final = 0.4
"""Share of them in which the model learns by trial, after its teacher and its lessons."""

_COMPANY: Final = MappingProxyType({
    'learning_rate': 1e-3, 'learning_rate_decay': 1.0, 'gamma': 0.98, 'gae_lambda': 0.95})
_MANY_CARS: Final = MappingProxyType({'n_envs': 64, 'n_steps': 32, 'batch_size': 512})
"""Many cars at once learn more evenly: from many tracks, and where every hundredth counts."""

# generalise draws images up to 116 ms old: with those of the profile, which end at 76, models
# leave some tracks as soon as every image is 66 ms old.
GOALS: Final[Mapping[str, Goal]] = MappingProxyType({goal.name: goal for goal in (
    Goal(name='finish', summary='clean laps of one track, as soon as possible'),
    Goal(name='generalise', summary='tracks, light and cars that it has never met',
         tracks=('practice:64',), direction='both', randomization='default', time='170s',
         ranges=MappingProxyType({'latency_s': (0.0, 0.05)}),
         sizes=MappingProxyType({**_MANY_CARS, 'learning_rate': 1e-3, 'stack_size': 2})),
    Goal(name='race', summary='the fastest laps that are still clean', max_speed_mps=4.0,
         network=FINE.name, method=Method.DISTILL, time='288s', stops_early=False,
         settings=MappingProxyType({
             'gamma': 0.98, 'gae_lambda': 0.95, 'learning_rate_decay': 1.0}),
         sizes=MappingProxyType({**_MANY_CARS, 'stack_size': 3})),
)})
"""Every goal by name."""


def find_goal(name: str) -> Goal:
    """The goal called `name`.

    Raises:
        UnknownNameError: There is none.
    """
    try:
        return GOALS[name]
    except KeyError:
        raise UnknownNameError('goal', name, GOALS) from None
