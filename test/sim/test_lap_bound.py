import dataclasses
import functools
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from racer_rl.cli.main import run
from racer_sim import vehicle
from racer_sim.courses import courses_of
from racer_sim.lap_bound import compute_lap_bound, kept_lap_bound, lap_bound
from racer_sim.lap_corridor import Corridor, bends_of
from racer_sim.lap_limits import Envelope, PointCar, quasi_steady_lap
from racer_sim.rules import RaceRules
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.track import Track
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError, TrackError
from racer_vehicle.spec import CarSpec

CAR = CarSpec()
REACH_M = math.hypot(CAR.wheelbase_m / 2.0, CAR.track_width_m / 2.0)
COURSES = [('pebble', 4.0), ('kidney', 2.0), ('boomerang', 4.0)]


@functools.cache
def bound_of(name, max_speed_mps):
    return compute_lap_bound(find_track(name), CAR, max_speed_mps)


def ring(radius_m, half_m=0.3, points=120):
    angle = np.linspace(0.0, math.tau, points, endpoint=False)
    line = radius_m * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    return Track.from_centre_line('ring', line, half_m, half_m)


def mirrored(track):
    return Track.from_centre_line('mirrored', track.centre_m * (1.0, -1.0), track.right_m,
                                  track.left_m)


def scaled(track, factor):
    return Track.from_centre_line('scaled', track.centre_m * factor, track.left_m * factor,
                                  track.right_m * factor)


def test_the_bound_of_a_ring_is_its_inside_at_full_speed():
    bound = compute_lap_bound(ring(3.0), CAR, 2.0)
    speed_mps = 2.0 - (CAR.motor.rolling_accel_mps2 + CAR.motor.drag_per_m * 4.0) / 8.0
    inside_s = math.tau * (3.0 - 0.3 - REACH_M) / speed_mps
    assert 0.99 * inside_s < bound.bound_s < inside_s


def test_the_bound_of_a_tight_ring_is_given_by_grip():
    bound = compute_lap_bound(ring(1.5), CAR, 4.0)
    grip_mps2 = CAR.tyre.friction * vehicle.GRAVITY_MPS2
    inside_s = math.tau * math.sqrt((1.5 - 0.3 - REACH_M) / grip_mps2)
    assert 0.98 * inside_s < bound.bound_s < inside_s


@pytest.mark.parametrize(('name', 'speed_mps'), COURSES)
def test_steady_laps_on_any_line_take_longer(name, speed_mps):
    bound, track = bound_of(name, speed_mps), find_track(name)
    envelope = Envelope.of(PointCar.of(CAR, speed_mps))
    corridor = Corridor.of(track, CAR, round(track.length_m / 0.1), 0.0)
    laps = [quasi_steady_lap(envelope, *bends_of(corridor.at(offsets)))[0] for offsets in (
        corridor.centre(), corridor.shortest(), corridor.gentlest(),
        0.8 * corridor.gentlest() + 0.2 * corridor.shortest())]
    assert bound.bound_s < min(laps)
    assert bound.bound_s <= bound.qss_s < 1.01 * bound.bound_s


@pytest.mark.parametrize(('name', 'speed_mps'), COURSES)
def test_the_line_keeps_a_wheel_inside_and_never_exceeds_the_speed(name, speed_mps):
    bound, track = bound_of(name, speed_mps), find_track(name)
    at = track.project(bound.line)
    half_m = np.where(at.lateral_m > 0.0, track.left_m[at.segment], track.right_m[at.segment])
    beyond_m = np.abs(at.lateral_m) - half_m
    # Judged at the ends of periods only, a fast car may cut an apex in between.
    assert 0.9 * REACH_M < beyond_m.max() < REACH_M + 0.06
    assert bound.speed_mps.max() < speed_mps
    assert np.hypot(*(np.roll(bound.line, -1, axis=0) - bound.line).T).max() < 0.2
    assert bound.margin_s < 0.003 * bound.bound_s


def test_more_speed_and_more_grip_make_no_lap_slower():
    track = find_track('pebble')
    by_speed = [bound_of('pebble', speed).bound_s for speed in (1.0, 2.0, 3.0, 4.0)]
    assert by_speed == sorted(by_speed, reverse=True)
    by_grip = [compute_lap_bound(track, slippery(friction), 4.0).bound_s
               for friction in (0.6, 0.8, 1.0)]
    assert by_grip == sorted(by_grip, reverse=True)
    assert by_grip[1] == bound_of('pebble', 4.0).bound_s, 'the same input, the same bits'


def slippery(friction):
    return dataclasses.replace(CAR, tyre=dataclasses.replace(CAR.tyre, friction=friction))


def test_left_is_as_good_as_right_and_back_almost_as_forth():
    track, bound_s = find_track('pebble'), bound_of('pebble', 4.0).bound_s
    assert compute_lap_bound(mirrored(track), CAR, 4.0).bound_s == pytest.approx(bound_s, 2e-3)
    assert compute_lap_bound(track.reversed(), CAR, 4.0).bound_s == pytest.approx(bound_s, 1e-2)


def test_all_lengths_scaled_take_the_square_root_longer():
    size = 2.25
    pace = math.sqrt(size)
    motor = dataclasses.replace(
        CAR.motor, no_load_speed_mps=pace * CAR.motor.no_load_speed_mps,
        speed_gain_per_s=CAR.motor.speed_gain_per_s / pace, lag_s=pace * CAR.motor.lag_s,
        drag_per_m=CAR.motor.drag_per_m / size)
    car = dataclasses.replace(
        CAR, motor=motor, wheelbase_m=size * CAR.wheelbase_m, cog_height_m=size * CAR.cog_height_m,
        track_width_m=size * CAR.track_width_m, yaw_inertia_kgm2=size**2 * CAR.yaw_inertia_kgm2)
    bound = compute_lap_bound(scaled(find_track('pebble'), size), car, pace * 2.0)
    assert bound.bound_s == pytest.approx(pace * bound_of('pebble', 2.0).bound_s, rel=1e-2)


@pytest.mark.parametrize(('name', 'speed_mps'), COURSES)
def test_no_driver_that_knows_the_line_beats_the_bound(name, speed_mps):
    bound = bound_of(name, speed_mps)
    laps_s = driven_laps(find_track(name), bound)
    assert min(laps_s) > bound.bound_s
    assert bound.ratio(min(laps_s)) < 1.12, 'these drivers are too slow to prove anything'


def driven_laps(track, bound, cars=128, laps=3):
    """Flying laps, s, of drivers who see everything and differ in daring."""
    random = np.random.default_rng(0)
    far_m, far_s = random.uniform(0.2, 0.42, cars), random.uniform(0.1, 0.18, cars)
    early_s, hurry_mps = random.uniform(0.05, 0.16, cars), random.uniform(0.1, 0.3, cars)
    daring, inside = random.uniform(0.93, 1.03, cars), random.uniform(0.86, 0.94, cars)
    eager, calm_s = random.uniform(1.05, 1.45, cars), random.uniform(0.04, 0.08, cars)
    rules = RaceRules(laps=laps, time_limit_s=2.0 * laps * bound.bound_s)
    simulator = Simulator(courses_of([track]), CAR, SimulatorConfig(
        cars=cars, image_age_s=(0.0, 0.0), rules=rules), seed=0)
    simulator.place(np.arange(cars), np.zeros(cars, dtype=np.int64), np.zeros(cars))
    centre, state, laps_s = track.project(bound.line), simulator.state, []
    x, y, _ = track.pose_at(centre.s_m, inside[:, None] * centre.lateral_m)
    line = x + 1j * y
    nodes, step_m = line.shape[1], np.abs(np.roll(line, -1, axis=1) - line).mean(axis=1)
    while not simulator.control.frozen.all():
        rolling, here = state['vx_mps'], state['x_m'] + 1j * state['y_m']
        nearest = np.abs(line - here[:, None]).argmin(axis=1)
        ahead = nearest + np.rint((far_m + far_s * rolling) / step_m).astype(int)
        aim = line[np.arange(cars), ahead % nodes] - here
        bend = 2.0 * (aim * np.exp(-1j * state['yaw_rad'])).imag / np.abs(aim) ** 2
        steering = (eager * np.arctan(CAR.wheelbase_m * bend)
                    - calm_s * (state['yaw_rate_radps'] - bend * rolling))
        soon = nearest + np.rint(early_s * rolling / step_m).astype(int)
        wanted = daring * bound.speed_mps[soon % nodes] + hurry_mps
        verdict = simulator.step(np.stack((
            np.clip(steering, -CAR.max_steering_rad, CAR.max_steering_rad),
            np.minimum(wanted, bound.max_speed_mps)), axis=1))
        laps_s += [lap.time_s for lap in verdict.laps if lap.number > 1]
    return laps_s


def test_no_simulated_car_pushes_harder_than_the_point():
    cars, random = 40, np.random.default_rng(1)
    point, yaw_m2 = PointCar.of(CAR, CAR.max_speed_mps), CAR.yaw_inertia_kgm2 / CAR.mass_kg
    state, parameters = np.zeros(cars, vehicle.STATE), vehicle.vehicle_parameters(CAR, cars)
    slips = point.slip_for(1.0 - np.linspace(1.0, 0.0, 200) ** 2)
    commands = np.tile((0.0, 3.0), (cars, 1))
    excess = []
    for substep in range(1200):
        if substep % vehicle.SUBSTEPS == 0:
            changed = random.random(cars) < 0.3
            commands[changed] = random.normal((0.0, 3.0), (0.25, 0.8), (changed.sum(), 2))
        for c, p, (steering, speed) in zip(state, parameters, commands, strict=True):
            vehicle._substep(c, p, steering, min(speed, 4.0), vehicle.SUBSTEP_S)
            if substep > 200 and substep % 5 == 0 and c['drive_mps2'] > 0.0:
                excess.append(excess_of(c, p, point, yaw_m2, slips))
    assert len(excess) > 5000
    # The front axle alone, steered hard in a slide, rolls a little faster than is granted.
    assert np.percentile(excess, 99.5) < 0.01
    assert max(excess) < 0.1


def excess_of(c, p, point, yaw_m2, slips):
    """Acceleration along the course beyond the point's, the yaw's share included, m/s^2."""
    speed = math.hypot(c['vx_mps'], c['vy_mps'])
    ax, ay, yaw_accel = vehicle._accelerations(c, p)
    along = (ax * c['vx_mps'] + ay * c['vy_mps']) / speed
    across = abs(ay * c['vx_mps'] - ax * c['vy_mps']) / speed
    assert across < point.grip_mps2
    motion = point.motion(speed, slips, min(c['drive_mps2'], 0.98 * point.grip_mps2))
    best = np.interp(across, np.maximum.accumulate(motion.across), motion.along)
    return along + yaw_m2 * c['yaw_rate_radps'] * yaw_accel / speed - best


def test_a_bound_is_computed_once_and_kept_by_all_that_matters(racer_home):
    track, told = find_track('pebble'), []
    first = lap_bound(track, CAR, 4.0, told.append)
    assert told[0] == 'searching from the gentlest line'
    told.clear()
    again = lap_bound(track, CAR, 4.0, told.append)
    assert told == []
    for bound in (first, again):
        computed = bound_of('pebble', 4.0)
        assert (bound.bound_s, bound.qss_s) == (computed.bound_s, computed.qss_s)
        assert np.array_equal(bound.line, computed.line)
        assert np.array_equal(bound.speed_mps, computed.speed_mps)
    lap_bound(track, CAR, 3.0, told.append)
    lap_bound(track, slippery(0.7), 4.0, told.append)
    lap_bound(track.reversed(), CAR, 4.0, told.append)
    assert told.count('refining the lap') == 3
    assert len(list((racer_home / 'bounds').iterdir())) == 4


def test_a_kept_bound_is_found_and_none_is_computed(racer_home, monkeypatch):
    track = find_track('pebble')
    assert kept_lap_bound(track, CAR, 2.0) is None
    bound_s = lap_bound(track, CAR, 2.0).bound_s
    monkeypatch.setattr('racer_sim.lap_bound.compute_lap_bound', lambda *_: pytest.fail('anew'))
    assert kept_lap_bound(track, CAR, 2.0).bound_s == bound_s
    assert kept_lap_bound(track.reversed(), CAR, 2.0) is None


def test_a_bound_that_cannot_be_kept_is_still_one(tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    monkeypatch.setenv('RACER_HOME', str(tmp_path / 'file'))
    assert lap_bound(find_track('pebble'), CAR, 2.0).bound_s == bound_of('pebble', 2.0).bound_s


@pytest.mark.parametrize('content', ['', '{"bound_s": 1.0}', None])
def test_a_damaged_file_is_computed_anew(racer_home, content):
    lap_bound(find_track('pebble'), CAR, 2.0)
    file = next((racer_home / 'bounds').iterdir())
    whole = json.loads(file.read_text())
    file.write_text(json.dumps({**whole, 'x_m': [0.0]}) if content is None else content)
    assert lap_bound(find_track('pebble'), CAR, 2.0).bound_s == whole['bound_s']
    assert json.loads(file.read_text()) == whole


def test_arrays_are_shared_and_so_read_only():
    with pytest.raises(ValueError, match='read-only'):
        bound_of('pebble', 4.0).line[0] = 0.0


@pytest.mark.parametrize('speed_mps', [0.0, 0.4, 21.0, math.nan])
def test_speeds_without_a_bound_are_refused(racer_home, speed_mps):
    with pytest.raises(ConfigError, match=r'max_speed_mps is .*; allowed: 0.5 to 20'):
        lap_bound(find_track('pebble'), CAR, speed_mps)


def test_a_car_that_lifts_its_wheels_is_refused():
    tall = dataclasses.replace(CAR, cog_height_m=0.12)
    with pytest.raises(ConfigError, match=r'lifts an axle.* friction up to 0.68'):
        compute_lap_bound(find_track('pebble'), tall, 4.0)


def test_a_missing_solver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'casadi', None)
    with pytest.raises(ConfigError, match=r'needs CasADi.*pip install casadi'):
        compute_lap_bound(find_track('pebble'), CAR, 4.0)


def test_a_lap_that_cannot_be_found_is_an_error(monkeypatch):
    monkeypatch.setattr('racer_sim.lap_bound.fastest_lap', lambda *_: None)
    with pytest.raises(TrackError, match="no fastest lap of track 'pebble' was found at 4 m/s"):
        compute_lap_bound(find_track('pebble'), CAR, 4.0)


def test_a_track_wider_than_its_bends_is_refused():
    with pytest.raises(TrackError, match=r"track 'ring' is up to 0\.96 m wide"):
        compute_lap_bound(ring(0.5, half_m=0.48), CAR, 2.0)


def test_the_command_prints_the_bound(racer_home, capsys):
    assert run(['tracks', 'bound', 'pebble', '--max-speed', '2', '--json']) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed['bound_s'] == round(bound_of('pebble', 2.0).bound_s, 3)
    assert (printed['direction'], printed['max_speed_mps']) == ('forward', 2.0)
    assert run(['tracks', 'bound', 'pebble', '--max-speed', '2']) == 0
    assert 'no flying lap at up to 2 m/s takes less than 4.46 s' in capsys.readouterr().out


def test_the_command_goes_both_ways_and_refuses_in_a_line(racer_home, capsys):
    command = ['tracks', 'bound', 'pebble', '--direction', 'reverse', '--json']
    assert run(command) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed['direction'], printed['max_speed_mps']) == ('reverse', CAR.max_speed_mps)
    assert run(['tracks', 'bound', 'pebble', '--max-speed', '0']) == 2
    assert capsys.readouterr().err == 'error: max_speed_mps is 0; allowed: 0.5 to 20.\n'


def test_the_solver_is_not_imported_before_it_is_needed():
    code = ('import sys, racer_rl.cli.tracks, racer_sim.lap_bound, racer_sim.simulator; '
            'raise SystemExit("casadi" in sys.modules)')
    assert subprocess.run([sys.executable, '-c', code], timeout=120, check=False).returncode == 0
