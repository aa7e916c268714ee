"""Races: alone as in an evaluation, together with whoever comes, and the same each time."""

import numpy as np
import pytest

from racer_rl.evaluation.bundle_policy import BundlePolicy, setup_of
from racer_rl.evaluation.laps import EvaluationPlan, evaluate
from racer_rl.races.entrants import Entrant
from racer_rl.races.plan import RacePlan
from racer_rl.races.run import run_race
from racer_sim.race_format import Bots, Obstacles, RaceFormat
from racer_sim.randomization import DEFAULT
from racer_sim.rules import RaceRules
from racer_vehicle.action import DiscreteActions
from racer_vehicle.errors import ConfigError, ModelMismatchError, UnknownNameError
from racer_vehicle.observation import Sensor
from racer_vehicle.spec import CarSpec

TABLE = DiscreteActions(steering_rad=(-0.3, 0.0, 0.3), speed_mps=(1.0, 1.5, 1.0))


def plan_of(cars=1, laps=1, resets=3, time_limit_s=20.0, track='oval', **changes):
    rules = RaceRules(laps=laps, resets=resets, time_limit_s=time_limit_s)
    return RacePlan(track=track, rules=rules, **{'format': RaceFormat(cars=cars), **changes})


def bots(*names):
    return [Entrant(name=f'{place} {name}', bot=name) for place, name in enumerate(names)]


@pytest.fixture(scope='session')
def mixed(brain):
    """Four who see the same world in four ways."""
    return [
        Entrant(name='grey', bundle=brain()),
        Entrant(name='colour', bundle=brain(colour='rgb', width_px=80, height_px=60)),
        Entrant(name='lidar', bundle=brain(lidar=Sensor.LIDAR, stack=3, width_px=40,
                                           height_px=30)),
        Entrant(name='table', bundle=brain(
            (0.0, 0.3, 0.1), (0.5, 0.0, 0.2), actions=TABLE, lidar=Sensor.SECTOR_LIDAR,
            crop_top_px=40, width_px=80, height_px=40)),
    ]


def test_alone_it_is_what_an_evaluation_shows(brain):
    bundle = brain()
    entry = run_race(plan_of(seed=5), [Entrant(name='one', bundle=bundle)]).entries[0]
    shown = evaluate(BundlePolicy(bundle), setup_of(bundle.card), EvaluationPlan(
        laps=1, starts=1, resets=3, lap_time_limit_s=20.0, seed=5)).runs[0]
    assert entry.identity == f'sha256:{bundle.sha256}'
    assert sum(entry.incidents.values()) == shown.incidents > 0
    assert (entry.completion, entry.time_s) == (shown.completion, shown.time_s)
    assert entry.status == shown.status.label


def test_whoever_watches_and_however_often_it_is_the_same_race(mixed):
    plan = plan_of(4, randomization=DEFAULT, seed=3)
    seen = []

    def watch(simulator):
        seen.append(simulator.images())

    first, again = run_race(plan, mixed), run_race(plan, mixed, watch)
    assert first == again
    assert first.to_json() == again.to_json()
    assert seen[0].shape == (4, 3, 120, 160), 'one of them sees colours'
    assert [entry.name for entry in first.entries] == ['grey', 'colour', 'lidar', 'table']
    assert all(entry.completion > 0.0 and not entry.failure for entry in first.entries)
    other = run_race(plan_of(4, randomization=DEFAULT, seed=4), mixed)
    assert other.trace_sha256 != first.trace_sha256


def test_equal_entrants_are_told_apart_by_their_place_on_the_grid_alone(mixed):
    grey, table = mixed[0].bundle, mixed[3].bundle
    races = [run_race(plan_of(3), [
        Entrant(name=names[0], bundle=grey), Entrant(name=names[1], bundle=grey),
        Entrant(name=names[2], bundle=table)]) for names in ('abc', 'bac')]
    assert races[0].trace_sha256 == races[1].trace_sha256
    first, second = ([{**vars_of(entry), 'name': ''} for entry in race.entries]
                     for race in races)
    assert first == second


def vars_of(entry):
    return {name: getattr(entry, name) for name in entry.__slots__}


@pytest.mark.parametrize(('broken', 'words'), [
    ({'bias': (np.nan, 0.0)}, 'finite'), ({'bias': (0.0, np.inf)}, 'finite'),
    ({'doubled': True}, r'shape \(2, 2\)')])
def test_a_policy_that_fails_harms_nobody_else(brain, mixed, broken, words):
    race = run_race(plan_of(3), [mixed[0], Entrant(name='bad', bundle=brain(**broken)), mixed[2]])
    good, bad, late = race.entries
    assert (bad.status, bad.completion) == ('park', 0.0)
    assert words.replace('\\', '') in bad.failure
    assert good.failure == late.failure == ''
    # Alone on the track, on the same places of the grid.
    apart = run_race(plan_of(3), [mixed[0], Entrant(name='bad', bundle=brain((0.0, np.nan))),
                                  mixed[2]])
    assert (apart.entries[0], apart.entries[2]) == (good, late)


def test_all_race_to_one_line_and_the_first_there_wins():
    race = run_race(plan_of(3, laps=2, time_limit_s=90.0), bots('slow', 'slow', 'medium'))
    first, second, quick = race.entries
    assert [entry.name for entry in race.placing] == ['2 medium', '0 slow', '1 slow']
    assert quick.overtakes > 0 > first.overtakes
    # 0.6 m further at 0.8 m/s.
    assert second.lap_times_s[0] - first.lap_times_s[0] == pytest.approx(0.75, abs=0.25)
    assert first.time_s == pytest.approx(sum(first.lap_times_s))
    assert first.lap_clean == (True, True)


def test_a_policy_races_among_boxes_and_bots(brain):
    entrant = Entrant(name='one', bundle=brain())
    boxes = RaceFormat(obstacles=Obstacles(count=3, places=((0.1, 1), (0.3, 1), (0.5, -1))))
    alone = run_race(plan_of(), [entrant]).trace_sha256
    for format_ in (boxes, RaceFormat(bots=Bots(count=2))):
        assert run_race(plan_of(format=format_), [entrant]).trace_sha256 != alone


def test_only_who_fits_may_race(brain, mixed):
    with pytest.raises(ConfigError, match='2 entrants in a time-trial race; allowed: 1, each'):
        run_race(plan_of(), bots('slow', 'slow'))
    with pytest.raises(ConfigError, match='1 entrants in a head-to-head race; allowed: 4'):
        run_race(plan_of(4), bots('slow'))
    with pytest.raises(ConfigError, match='a, a; allowed: a name of its own'):
        run_race(plan_of(2), [Entrant(name='a', bot='slow')] * 2)
    long = Entrant(name='long', bundle=brain(car=CarSpec(wheelbase_m=0.2)))
    with pytest.raises(ModelMismatchError, match=r"'long' cannot race here.*wheelbase_m 0\.2"):
        run_race(plan_of(2), [mixed[0], long])


def test_an_entrant_has_a_name_and_one_driver(brain):
    with pytest.raises(ConfigError, match='a policy and a bot, or neither'):
        Entrant(name='both', bundle=brain(), bot='slow')
    with pytest.raises(ConfigError, match='a policy and a bot, or neither'):
        Entrant(name='neither')
    with pytest.raises(ConfigError, match='characters that can be seen'):
        Entrant(name='two\nlines', bot='slow')
    with pytest.raises(UnknownNameError, match="unknown bot 'fast'"):
        Entrant(name='fast', bot='fast')
