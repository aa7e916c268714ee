"""Films of races: what shares the track with a car is in the picture."""

import av
import numpy as np
import pytest

from racer_rl.evaluation.film import Film
from racer_rl.evaluation.film_frame import PANE_HEIGHT_PX, PANE_WIDTH_PX
from racer_rl.races.entrants import Entrant
from racer_rl.races.plan import RacePlan
from racer_rl.races.run import run_race
from racer_sim.race_format import Bots, Obstacles, RaceFormat
from racer_sim.rules import RaceRules

BOX, BOT, OTHER = (190, 120, 60), (40, 80, 170), (170, 176, 186)


def seen_from_above(path, colour):
    """Pixels of the first picture's view from above that are about so coloured."""
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format='rgb24')
    pane = picture[60:PANE_HEIGHT_PX, PANE_WIDTH_PX:].astype(int)
    return int((np.abs(pane - colour).max(axis=2) < 25).sum())


@pytest.mark.parametrize(('race', 'colour'), [
    (RaceFormat(obstacles=Obstacles(count=3)), BOX), (RaceFormat(bots=Bots(count=3)), BOT),
    (RaceFormat(cars=4), OTHER)])
def test_boxes_bots_and_other_cars_are_seen_from_above(race, colour, tmp_path):
    rules = RaceRules(time_limit_s=0.2)
    entrants = [Entrant(name=str(place), bot='slow') for place in range(race.cars)]
    with Film(tmp_path / 'film.mp4') as film:
        run_race(RacePlan(track='oval', format=race, rules=rules), entrants, film)
    with Film(tmp_path / 'alone.mp4') as film:
        run_race(RacePlan(track='oval', rules=rules), entrants[:1], film)
    more = (seen_from_above(tmp_path / 'film.mp4', colour)
            - seen_from_above(tmp_path / 'alone.mp4', colour))
    assert more > 3 * 40, 'three of them, a hundred pixels or so each'
