"""The course that a log was driven on: from a track file where one fits, or from its waypoints.

A log says where the car was and which waypoint was nearest, not where the borders were. A known
track is taken only if the log's places lie on it; otherwise the line of the waypoints is all that
is known, and nothing is made up beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from racer_sim.courses import Course
from racer_sim.track import Track
from racer_sim.track_library import find_track, track_names
from racer_vehicle.errors import ConfigError, RacerError

Floats = NDArray[np.float64]

FIT: Final = 0.9
"""Share of places that must lie on a track where their waypoint is, for it to be the one."""

LENGTH_TOLERANCE: Final = 0.01
"""Of a track's length against the log's, relative: they are summed over other points."""

SAMPLED_ROWS: Final = 20_000
"""Of a log that are compared with a track."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Road:
    """Waypoints in the direction of travel, and borders where a track is known.

    Attributes:
        name: Of the track; `unknown track` if there is none.
        centre_m: float64 (N, 2), metres, closed, first not repeated.
        seen: bool (N,), waypoints whose place is known; between them it is interpolated.
        length_m: Of a lap.
        track: In the direction of travel; None if only the waypoints are known.
        origin: A sentence for people: how this was found.
    """

    name: str
    centre_m: Floats
    seen: NDArray[np.bool_]
    length_m: float
    track: Track | None
    origin: str

    @property
    def waypoints(self) -> int:
        """How many waypoints a lap has."""
        return len(self.centre_m)

    @cached_property
    def s_m(self) -> Floats:
        """Arc length from the first waypoint, float64 (N,), scaled to `length_m` a lap."""
        steps = np.hypot(*(np.roll(self.centre_m, -1, axis=0) - self.centre_m).T)
        total = float(steps.sum())
        along = np.concatenate(([0.0], np.cumsum(steps)[:-1]))
        return np.asarray(along * (self.length_m / total if total > 0.0 else 0.0))

    @cached_property
    def heading_rad(self) -> Floats:
        """Direction of travel at each waypoint, float64 (N,), over both of its neighbours."""
        ahead = np.roll(self.centre_m, -1, axis=0) - np.roll(self.centre_m, 1, axis=0)
        return np.arctan2(ahead[:, 1], ahead[:, 0])

    @property
    def bounds_m(self) -> tuple[float, float, float, float]:
        """Smallest x, smallest y, largest x, largest y."""
        if self.track is not None:
            return self.track.bounds_m
        (x_min, y_min), (x_max, y_max) = self.centre_m.min(axis=0), self.centre_m.max(axis=0)
        return float(x_min), float(y_min), float(x_max), float(y_max)

    def index_of(self, waypoints: pd.Series[int]) -> NDArray[np.int64]:
        """Numbers of a log as rows of `centre_m`: DeepRacer repeats the first one at the end."""
        return np.asarray(waypoints.to_numpy(np.int64) % self.waypoints)


def road_of_track(track: Track, origin: str) -> Road:
    """The road of a track in its direction of travel."""
    return Road(name=track.name, centre_m=track.centre_m, length_m=track.length_m, track=track,
                seen=np.ones(len(track.centre_m), dtype=np.bool_), origin=origin)


def find_road(steps: pd.DataFrame, *, courses: Iterable[Course] = (), named: str | None = None,
              given: str | None = None) -> Road:
    """The road of a log.

    Args:
        steps: Rows of `STEP_COLUMNS`, at least one; of several tracks the most driven counts.
        courses: Those of the run's own setup.
        named: The name that the log gives its track.
        given: Name or file that a person insists on.

    Raises:
        ConfigError: The given track is not the one that was driven.
        TrackError: The given track cannot be read.
    """
    here = steps[steps['track_len'] == steps['track_len'].mode().iloc[0]]
    sample = here.iloc[:: max(1, len(here) // SAMPLED_ROWS)]
    if given is not None:
        track = find_track(given)
        best = _best(sample, _both_ways(track))
        if best is None or best[1] < FIT:
            share = 0.0 if best is None else best[1]
            raise ConfigError(
                f'track {given!r} does not fit: {share:.0%} of the places in the log lie on it; '
                f'allowed: {FIT:.0%} or more. Give the track that was driven, or leave it out.')
        return road_of_track(best[0], f'{track.name}, as given.')
    own = _best(sample, [course.track for course in courses])
    if own is not None:
        return road_of_track(own[0], f"{own[0].name}, from the run's own setup.")
    known = _best(sample, _candidates(sample, named))
    if known is not None and known[1] >= FIT:
        return road_of_track(known[0], f'{known[0].name}, from your tracks: {known[1]:.0%} of the '
                                       'places in the log lie on it.')
    return _of_waypoints(here)


def fit(steps: pd.DataFrame, track: Track) -> NDArray[np.bool_]:
    """Which rows lie on a track, near the waypoint that they name; bool (rows,)."""
    rows = steps['closest_waypoint'].to_numpy(np.int64) % len(track.centre_m)
    apart = steps[['x', 'y']].to_numpy(np.float64) - track.centre_m[rows]
    spacing_m = np.diff(track.s_m)[rows]
    # Half a car beside the border, and the two neighbouring waypoints: files differ by one.
    return np.asarray(np.hypot(*apart.T) < 0.5 * track.width_m[rows] + 0.25 + 2.0 * spacing_m)


def _best(sample: pd.DataFrame, tracks: Iterable[Track]) -> tuple[Track, float] | None:
    """The track on which most places lie, and their share; None without any track."""
    shares = [(track, float(fit(sample, track).mean())) for track in tracks]
    return max(shares, key=lambda pair: pair[1], default=None)


def _both_ways(track: Track) -> tuple[Track, Track]:
    return track, track.reversed()


def _candidates(sample: pd.DataFrame, named: str | None) -> list[Track]:
    """Tracks of the library of about the right length, the named one first."""
    length_m = float(sample['track_len'].median())
    names = [name for name, _ in track_names()]
    tracks: list[Track] = []
    for name in ([named] if named else []) + names:
        try:
            track = find_track(name)
        except RacerError:
            continue
        if abs(track.length_m - length_m) <= LENGTH_TOLERANCE * length_m:
            tracks += _both_ways(track)
    return tracks


def _of_waypoints(steps: pd.DataFrame) -> Road:
    """The middle of all paths on a track of one length, waypoint by waypoint."""
    length_m = float(steps['track_len'].iloc[0])
    places = steps.groupby('closest_waypoint')[['x', 'y']].median()
    count = int(places.index.max()) + 1
    rows = np.arange(count)
    centre = np.stack([np.interp(rows, places.index, places[axis].to_numpy(np.float64),
                                 period=count) for axis in ('x', 'y')], axis=1)
    return Road(
        name='unknown track', centre_m=centre, seen=np.isin(rows, places.index),
        length_m=length_m, track=None,
        origin=f'No track of yours fits, so the line is the middle of the paths at each of the '
               f'{len(places)} waypoints that were visited. Borders are not known. '
               'Give the track with --track FILE.')
