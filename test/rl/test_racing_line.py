"""Trajectories: the same laps as race control's, and pictures of them."""

import cv2
import numpy as np
import pytest

from racer_rl.envs.build import RaceSetup, build_simulator
from racer_rl.evaluation.laps import EvaluationPlan, evaluate
from racer_rl.evaluation.racing_line import (
    FORMATS,
    Trajectory,
    picture_format,
    plot_racing_line,
)
from racer_sim.lap_bound import LapBound
from racer_sim.rules import Status
from racer_vehicle.action import ContinuousActions
from racer_vehicle.spec import CONTROL_PERIOD_S


def keep_to_the_centre(observation):
    """Steer by the privileged features: offset, heading error and the bend ahead."""
    privileged = observation['privileged']
    offset, error, bend = privileged[:, 0], privileged[:, 2], privileged[:, 14]
    steering = np.clip(-0.7 * offset - 1.5 * error + 0.5 * bend, -1.0, 1.0)
    return np.column_stack((steering, np.zeros(len(steering))))


def full_left(observation):
    return np.tile((1.0, 0.0), (len(observation['camera']), 1))


def driven(policy, track='oval', direction='forward', **plan):
    actions = ContinuousActions(speed_low_mps=1.0, speed_high_mps=2.0)
    setup = RaceSetup(track=track, direction=direction, actions=actions, image_age_s=(0.0, 0.0))
    trajectory = Trajectory()
    return trajectory, evaluate(policy, setup, EvaluationPlan(**plan), watch=trajectory)


@pytest.fixture(scope='module')
def clean():
    """Two laps of the oval from two starts in both directions, and their evaluation."""
    return driven(keep_to_the_centre, direction='both', laps=2, starts=2)


@pytest.fixture(scope='module')
def messy():
    """A car that leaves the track again and again, and its evaluation."""
    return driven(full_left, laps=1, starts=1, resets=100, lap_time_limit_s=10.0)


def test_laps_are_race_controls(clean):
    trajectory, evaluation = clean
    assert evaluation.is_clean
    measured = [[lap.time_s for lap in trajectory.laps if lap.car == car] for car in range(4)]
    judged = [[lap.time_s for lap in run.laps] for run in evaluation.runs]
    for ours, theirs in zip(measured, judged, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-9)


def test_lap_rows_follow_one_another_and_last_as_long_as_the_lap(clean):
    trajectory, _ = clean
    for first, second in zip(trajectory.laps[::2], trajectory.laps[1::2], strict=True):
        assert first.first == 0
        assert second.first == first.last
        for lap in (first, second):
            rows_s = (lap.last - lap.first) * CONTROL_PERIOD_S
            assert rows_s == pytest.approx(lap.time_s, abs=CONTROL_PERIOD_S)


def test_samples_hold_every_step_of_every_car(clean):
    trajectory, evaluation = clean
    samples = trajectory.samples
    longest = max(run.time_s for run in evaluation.runs)
    assert samples.shape == (round(longest / CONTROL_PERIOD_S) + 1, 4)
    assert (samples['status'][0] == Status.IN_PROGRESS).all()
    assert (samples['status'][-1] == Status.LAP_COMPLETE).all()
    moved = np.hypot(np.diff(samples['x_m'], axis=0), np.diff(samples['y_m'], axis=0))
    running = samples['status'][:-1] == Status.IN_PROGRESS
    average = (samples['speed_mps'][1:] + samples['speed_mps'][:-1]) / 2.0
    assert moved[running] == pytest.approx(average[running] * CONTROL_PERIOD_S, abs=0.01)


def test_samples_are_where_the_track_says(clean):
    trajectory, _ = clean
    for car, course in enumerate(trajectory.course_of):
        sample = trajectory.samples[:, car]
        x, y, _ = trajectory.courses[course].track.pose_at(sample['s_m'], sample['lateral_m'])
        assert np.hypot(x - sample['x_m'], y - sample['y_m']).max() < 0.02


def test_watching_changes_no_lap(clean):
    _, evaluation = clean
    plan = evaluation.plan
    actions = ContinuousActions(speed_low_mps=1.0, speed_high_mps=2.0)
    setup = RaceSetup(track='oval', direction='both', actions=actions, image_age_s=(0.0, 0.0))
    assert evaluate(keep_to_the_centre, setup, plan) == evaluation


def test_picture_shows_the_lines_and_the_incidents(messy, clean, tmp_path):
    red = {}
    for name, (trajectory, _) in {'messy': messy, 'clean': clean}.items():
        path = tmp_path / 'new' / f'{name}.png'
        plot_racing_line(trajectory, path)
        image = cv2.imread(str(path)).astype(int)
        assert image.shape[1] == 1200
        blue, green, _ = np.moveaxis(image, 2, 0)
        red[name] = (np.abs(image - (0x2d, 0x2d, 0xff)).max(axis=2) < 12).sum()
        # The ground's field under everything.
        assert (np.abs(image - (62, 124, 62)).max(axis=2) < 4).mean() > 0.2
        assert (np.maximum(blue, green) > 200).any()
    assert messy[1].runs[0].incidents > 1
    assert red['messy'] > 100
    assert red['clean'] == 0


def test_courses_have_a_panel_each(clean, messy, tmp_path):
    heights = []
    for trajectory, _ in (messy, clean):
        plot_racing_line(trajectory, tmp_path / 'line.png')
        heights.append(cv2.imread(str(tmp_path / 'line.png')).shape[0])
    one, two = heights
    assert 1.5 * one < two < 2.0 * one


def test_the_bounds_line_is_dashed_below_what_was_driven(clean, tmp_path):
    trajectory, _ = clean
    track = trajectory.courses[0].track
    beside_m = track.centre_m + 0.3 * np.column_stack((-np.sin(track.heading_rad),
                                                       np.cos(track.heading_rad)))
    pink, heights = {}, {}
    for name, bounds in {
        'none': (), 'unknown': (None, None), 'beside': (bound_along(beside_m), None),
    }.items():
        plot_racing_line(trajectory, tmp_path / 'line.png', bounds)
        image = cv2.imread(str(tmp_path / 'line.png')).astype(int)
        pink[name] = np.abs(image - (0xd8, 0x4f, 0xff)).max(axis=2) < 30
        heights[name] = image.shape[0]
    assert heights['none'] == heights['unknown'] < heights['beside'] < heights['none'] + 80
    assert not pink['none'].any() and not pink['unknown'].any()
    rows, columns = np.nonzero(pink['beside'])
    # Around the course in the first panel, and a piece of it in the title.
    assert columns.max() - columns.min() > 800
    assert rows.max() < heights['beside'] / 2
    # The legend's sample and dashes: about two thirds of a line two dots wide.
    assert 1500 < pink['beside'].sum() < 8000


def bound_along(line):
    return LapBound(bound_s=7.5, margin_s=0.0, max_speed_mps=2.0, qss_s=7.5, line=line,
                    speed_mps=np.full(len(line), 2.0))


def test_several_tracks_may_be_drawn(tmp_path):
    trajectory, _ = driven(full_left, track=('oval', 'pebble'), laps=1, starts=1)
    plot_racing_line(trajectory, tmp_path / 'line.png')
    assert cv2.imread(str(tmp_path / 'line.png')).shape[1] == 1200


@pytest.mark.parametrize(('ending', 'start'), [
    ('png', b'\x89PNG'), ('svg', b'<?xml'), ('pdf', b'%PDF'),
])
def test_formats_go_by_the_ending(messy, tmp_path, ending, start):
    path = tmp_path / f'line.{ending.upper()}'
    plot_racing_line(messy[0], path)
    assert path.read_bytes().startswith(start)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert picture_format(path) == ending in FORMATS


def test_real_track_is_driven_and_drawn(real_tracks, tmp_path):
    track = str(real_tracks / 'reinvent_base.npy')
    trajectory, evaluation = driven(keep_to_the_centre, track=track, laps=1, starts=2)
    assert evaluation.is_clean
    assert len(trajectory.laps) == 2
    plot_racing_line(trajectory, tmp_path / 'line.png')
    assert cv2.imread(str(tmp_path / 'line.png')).shape[1] == 1200


def test_other_formats_are_refused(messy, tmp_path):
    with pytest.raises(ValueError, match=r"ends in '\.bmp'; allowed: \.png, \.svg, \.pdf\."):
        plot_racing_line(messy[0], tmp_path / 'line.bmp')
    assert list(tmp_path.iterdir()) == []


def test_an_empty_trajectory_is_refused(tmp_path):
    assert Trajectory().laps == ()
    with pytest.raises(ValueError, match=r'trajectory is empty; pass it to `evaluate`'):
        plot_racing_line(Trajectory(), tmp_path / 'line.png')
    assert list(tmp_path.iterdir()) == []


def test_car_that_never_moved_can_be_drawn(tmp_path):
    simulator = build_simulator(RaceSetup(track='oval'), cars=1, seed=0)
    simulator.reset()
    trajectory = Trajectory()
    trajectory(simulator)
    plot_racing_line(trajectory, tmp_path / 'line.png')
    assert (tmp_path / 'line.png').stat().st_size > 0
