"""The scripted drivers do what their names say, on every track that comes with racer."""

from typing import NamedTuple

import numpy as np
import pytest

from racer_rl.reward.validation.drivers import DRIVERS, Driver, Grid
from racer_rl.reward.validation.lines import CLEARANCE_M, racing_offsets_m
from racer_sim.courses import courses_of
from racer_sim.rules import Status
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.track_library import SHIPPED, find_track
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CarSpec

GOOD = [driver for driver in DRIVERS if driver.is_good]
NAMED = {driver.name: driver for driver in DRIVERS}


class Drive(NamedTuple):
    """What a grid's cars did: (steps, cars) each, and the courses of the cars."""

    simulator: Simulator
    course_of: np.ndarray
    lateral_m: np.ndarray
    s_m: np.ndarray
    speed_mps: np.ndarray
    yaw_rad: np.ndarray
    wheels: np.ndarray
    statuses: list
    ended_at: np.ndarray


def drive(drivers, tracks, steps, starts=1):
    """Until all runs have ended, or so many steps."""
    courses = courses_of([find_track(name) for name in tracks], 'both')
    grid = Grid(drivers, courses, starts)
    simulator = Simulator(courses, CarSpec(), SimulatorConfig(cars=len(grid),
                                                              image_age_s=(0.0, 0.0)), 0)
    grid.place(simulator, np.arange(len(grid)))
    rows = []
    for _ in range(steps):
        simulator.step(grid.commands(simulator))
        state, places = simulator.state, simulator.places
        rows.append((places['lateral_m'].copy(), places['s_m'].copy(),
                     np.hypot(state['vx_mps'], state['vy_mps']), state['yaw_rad'].copy(),
                     places['wheels_on_track'].copy()))
        if simulator.control.frozen.all():
            break
    race = simulator.control.race
    return Drive(simulator, grid.course_of, *(np.array(each) for each in zip(*rows, strict=True)),
                 [Status(status) for status in race['status']], race['steps'].copy())


@pytest.fixture(scope='module')
def everywhere():
    """The good drivers, a lap on all tracks in both directions."""
    return drive(GOOD, SHIPPED, steps=1500)


def test_good_drivers_lap_every_track_both_ways_without_an_incident(everywhere):
    assert set(everywhere.statuses) == {Status.LAP_COMPLETE}


def test_good_drivers_keep_their_wheels_on_the_track(everywhere):
    assert everywhere.wheels.min() >= 3
    assert (everywhere.wheels == 4).mean() > 0.99


def test_the_racing_line_is_quicker_than_the_centre_at_the_same_speed(everywhere):
    courses = 2 * len(SHIPPED)
    centre, racing, quick = everywhere.ended_at.reshape(3, courses)
    assert (racing < centre).all()
    assert (quick < racing / 2).all()


@pytest.fixture(scope='module')
def badly():
    """What every bad driver does for 30 s on two tracks, both ways, from two starts."""
    return {driver.name: drive([driver], ('oval', 'boomerang'), steps=450, starts=2)
            for driver in DRIVERS if not driver.is_good}


def test_zigzag_weaves_and_stays_on_the_track(badly):
    shown = badly['zigzag']
    crossings = np.abs(np.diff(np.sign(shown.lateral_m), axis=0)).sum(axis=0) / 2
    assert (crossings > 10).all()
    assert (np.abs(shown.lateral_m).max(axis=0) > 0.2).all()
    assert set(shown.statuses) <= {Status.IN_PROGRESS, Status.LAP_COMPLETE}


def test_slow_crawl_gets_on_slowly(badly):
    shown = badly['slow crawl']
    assert shown.speed_mps.max() < 0.3
    assert set(shown.statuses) == {Status.IN_PROGRESS}
    assert (shown.simulator.control.race['travelled_m'] > 5.0).all()


def test_standing_still_is_ended_by_the_rules(badly):
    shown = badly['standing still']
    assert shown.speed_mps.max() < 1e-3
    assert set(shown.statuses) == {Status.IMMOBILIZED}


def test_circling_turns_for_ever_within_two_metres(badly):
    shown = badly['circling on the spot']
    assert set(shown.statuses) == {Status.IN_PROGRESS}
    turned = np.unwrap(shown.yaw_rad, axis=0)
    assert (turned[-1] - turned[0] > 10 * 2 * np.pi).all()
    travelled = shown.simulator.control.race['travelled_m']
    assert ((travelled > 0.0) & (travelled < 2.0)).all()


def test_driving_backwards_is_ended_by_the_rules(badly):
    shown = badly['driving backwards']
    assert set(shown.statuses) == {Status.REVERSED}
    assert shown.wheels.min() == 4


def test_cutting_the_corner_leaves_the_track_on_the_inside(badly):
    shown = badly['cutting the corner']
    assert set(shown.statuses) == {Status.OFF_TRACK}
    for car, course in enumerate(shown.course_of):
        track = shown.simulator.courses[course].track
        if track.name == 'oval':  # it bends to one side only
            assert (shown.lateral_m[-1, car] < 0.0) == track.is_clockwise


def test_drifting_leaves_the_track_on_the_left(badly):
    shown = badly['drifting off the track']
    assert set(shown.statuses) == {Status.OFF_TRACK}
    assert (shown.lateral_m[-1] > 0.0).all()
    assert (shown.ended_at > 30).all()


def test_commands_depend_on_the_moment_only():
    courses = courses_of([find_track('oval')], 'forward')
    grid = Grid(DRIVERS, courses, 1)
    simulator = Simulator(courses, CarSpec(), SimulatorConfig(cars=len(grid)), 0)
    grid.place(simulator, np.arange(len(grid)))
    first = grid.commands(simulator)
    assert first.shape == (len(DRIVERS), 2)
    assert (grid.commands(simulator) == first).all()
    assert (Grid(DRIVERS, courses, 1).commands(simulator) == first).all()


def shape(track, offsets_m):
    """Bending energy, 1/m, and length, m, of the line at offsets from every third point."""
    points = track.centre_m[::3] + (offsets_m[:, None] * track.normals)[::3]
    step = (np.roll(points, -1, axis=0) - points) @ (1.0, 1.0j)
    return (np.angle(step / np.roll(step, 1))**2 / np.abs(step)).sum(), np.abs(step).sum()


@pytest.mark.parametrize('name', SHIPPED)
def test_racing_line_is_shorter_bends_less_and_keeps_off_the_borders(name):
    track = find_track(name)
    offsets_m = racing_offsets_m(track, track.s_m[:-1])
    energy, length_m = shape(track, offsets_m)
    centre_energy, centre_length_m = shape(track, np.zeros_like(offsets_m))
    assert energy < 0.9 * centre_energy
    assert length_m < centre_length_m
    assert (offsets_m <= track.left_m - CLEARANCE_M + 0.02).all()
    assert (offsets_m >= CLEARANCE_M - 0.02 - track.right_m).all()


def test_drivers_are_checked():
    with pytest.raises(ConfigError, match=r'Driver.speed_mps is 9.0; allowed: 0 to 4'):
        Driver(name='rocket', does='flies', speed_mps=9.0)
