"""Places of boxes as people type them: `0.2,left 0.6,right`."""

from __future__ import annotations

import re
from typing import Final

from racer_sim.race_format import LEFT, RIGHT
from racer_vehicle.errors import ConfigError

LANES: Final = {'left': LEFT, 'right': RIGHT}
_PLACE: Final = re.compile(r'(\d{1,3}(?:\.\d{1,30})?),(left|right)', re.ASCII)


def places_of(text: str) -> tuple[tuple[float, int], ...]:
    """Shares of the lap, 0 to below 1, and lanes as of `Obstacles.places`; none for no words.

    Raises:
        ConfigError: It is not written so.
    """
    found = [_PLACE.fullmatch(part) for part in text.split()]
    if any(match is None or float(match[1]) >= 1.0 for match in found):
        raise ConfigError(f'places of obstacles are {text!r}; allowed: for each the share of the '
                          'lap from 0 to below 1 and its lane, as in "0.2,left 0.6,right".')
    return tuple((float(match[1]), LANES[match[2]]) for match in found if match)


def places_text(places: tuple[tuple[float, int], ...]) -> str:
    """What `places_of` reads."""
    names = {lane: name for name, lane in LANES.items()}
    return ' '.join(f'{share:.17f},{names[lane]}' for share, lane in places)
