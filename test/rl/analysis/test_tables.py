"""Tables say what was planted: laps, sections, places, actions, timing, and which road it was."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from racer_rl.analysis.actions import action_table, command_grid, zigzag_share
from racer_rl.analysis.episodes import (
    best_laps,
    ending_table,
    iteration_table,
    late_from,
    summary,
)
from racer_rl.analysis.metrics import evaluation_progress, training_progress
from racer_rl.analysis.places import incident_table, visits_grid, waypoint_table
from racer_rl.analysis.road import find_road, road_of_track
from racer_rl.analysis.run import Run
from racer_rl.analysis.sections import (
    section_of_waypoint,
    section_table,
    sections_of,
    sector_times,
)
from racer_rl.analysis.timing import timing_summary, timing_table
from racer_rl.traces.log import EPISODE_COLUMNS
from racer_sim.track_library import SHIPPED, find_track
from racer_vehicle.errors import ConfigError


def test_lap_times_and_distances_are_those_driven(healthy, track):
    episodes = healthy.episodes
    lap = episodes[episodes['complete']].iloc[-1]
    speed = 1.5 + 0.03 * 11 + 0.005 * 9
    assert lap['time_s'] == pytest.approx(track.length_m / speed, abs=0.07)
    assert lap['mean_mps'] == pytest.approx(speed, rel=0.02)
    assert summary(episodes)['complete_laps'] == int(episodes['complete'].sum())


def test_iterations_have_means_and_ordered_quantiles(healthy):
    table = iteration_table(healthy.episodes)
    assert list(table.index) == list(range(16))
    assert table.loc[0, 'complete'] == pytest.approx(0.1)
    assert table.loc[15, 'complete'] == 1.0
    for column in ('reward', 'progress'):
        quantiles = table[[f'{column}_{part}' for part in (10, 25, 50, 75, 90)]].to_numpy()
        assert (np.diff(quantiles, axis=1) >= 0.0).all()
    assert (table['best_s'] <= table['median_s']).all()


@pytest.mark.parametrize('by', ['time', 'progress', 'reward'])
def test_best_laps_are_sorted(healthy, by):
    best = best_laps(healthy.episodes, by)
    column = {'time': -best['time_s'], 'progress': best['progress'], 'reward': best['reward']}[by]
    assert len(best) == 5 and column.is_monotonic_decreasing


def test_endings_count_every_episode(healthy):
    table = ending_table(healthy.episodes)
    assert table['episodes'].sum() == len(healthy.episodes)
    assert table['share'].sum() == pytest.approx(1.0)


def test_the_late_part_is_the_last_quarter(healthy):
    assert late_from(healthy.episodes) == 12
    assert set(healthy.late['iteration']) == {12, 13, 14, 15}


@pytest.mark.parametrize('name', SHIPPED)
def test_sections_divide_every_lap(name):
    road = road_of_track(find_track(name), '')
    sections = sections_of(road)
    assert 2 <= len(sections) <= 16
    assert sum(section.length_m for section in sections) == pytest.approx(road.length_m)
    index = section_of_waypoint(road, sections)
    assert index[0] == 0 or sections[0].first == 0
    assert sorted(set(index)) == list(range(len(sections)))


def test_turns_turn_the_way_they_are_called():
    road = road_of_track(find_track('oval'), '')
    kinds = {section.kind for section in sections_of(road)}
    assert kinds == {'straight', 'right turn' if road.track.is_clockwise else 'left turn'}


def test_section_speeds_beside_the_bound(healthy):
    laps = healthy.late_steps
    table = section_table(laps, healthy.road, healthy.sections, healthy.bound, after_steps=15)
    assert np.allclose(table['speed_mps'], 1.85, atol=0.06)
    assert np.allclose(table['possible_mps'], 2.0, atol=0.01)
    assert table['loss_s'].sum() == pytest.approx(
        healthy.road.length_m * (1 / 1.85 - 1 / 2.0), abs=0.3)


def test_sector_times_add_up_to_laps(healthy):
    laps = best_laps(healthy.episodes, 'time')
    times = sector_times(healthy.steps, laps, healthy.road, healthy.sections)
    assert np.allclose(times.sum(axis=1), laps['time_s'], atol=0.07)


def test_waypoints_know_visits_speed_and_incidents(healthy):
    table = waypoint_table(healthy.here, healthy.episodes, healthy.road)
    assert table['visits'].sum() == len(healthy.here)
    assert table['speed_mps'][1:-1].between(1.3, 2.0).all()  # a lap's last step is cut short
    assert table['incidents'].sum() == (healthy.episodes['end_status'] == 'off_track').sum()


def test_incident_stretches_do_not_overlap_and_wrap(plant):
    run = plant(lambda iteration, number: {'stop': 0.001 if number < 5 else 0.999}, iterations=2)
    table = incident_table(run.episodes, run.road)
    assert len(table) == 1 and table['share'].iloc[0] == 1.0
    assert table['first'].iloc[0] > table['last'].iloc[0]


def test_the_grid_counts_every_step(healthy):
    visits = visits_grid(healthy.here)
    assert visits.counts.sum() == len(healthy.here)


def test_commands_are_shares(healthy):
    shares, steering, speed = command_grid(healthy.steps)
    assert shares.sum() == pytest.approx(1.0)
    assert steering[0] == -steering[-1] and speed[0] < speed[-1]
    assert zigzag_share(healthy.steps) == 0.0


def test_actions_without_metadata_are_those_taken(healthy):
    steps = healthy.steps.assign(action=np.arange(len(healthy.steps)) % 3)
    table = action_table(steps)
    assert list(table.index) == [0, 1, 2] and table['share'].sum() == pytest.approx(1.0)


def test_timing_is_the_control_period_and_real_time_if_known(healthy):
    assert timing_summary(healthy.steps)['mean_ms'] == pytest.approx(66.0, abs=0.1)
    assert timing_table(healthy.steps)['real_time_factor'].isna().all()
    known = healthy.steps.assign(wall_clock=1e9 + healthy.steps['tstamp'] / 2.0)
    assert np.allclose(timing_table(known)['real_time_factor'], 2.0, atol=1e-3)


def test_a_gap_in_the_log_is_no_step(plant):
    run = plant(lambda iteration, number: {}, iterations=1, episodes=2)
    assert run.training['dt_s'].isna().sum() == 2  # the first rows of both episodes
    assert run.training['moved_m'].max() < 0.2


def metrics(rows):
    frame = pd.DataFrame(rows)
    for column, kind in EPISODE_COLUMNS.items():
        frame[column] = frame.get(column, '' if kind == 'str' else 0)
    return frame.astype(EPISODE_COLUMNS)


def test_metrics_tell_of_episodes_that_no_trace_has(plant):
    rows = [{'phase': 'training', 'stream': 'a', 'episode': number, 'reward_score': number,
             'completion_percentage': 50, 'elapsed_time_in_milliseconds': 9000,
             'episode_status': 'Off track'} for number in range(1, 101)]
    rows += [{'phase': 'evaluation', 'stream': 'a', 'episode': 20 * number,
              'completion_percentage': 100, 'elapsed_time_in_milliseconds': 8000,
              'episode_status': 'Lap complete'} for number in range(1, 6)]
    rows += [{'phase': 'evaluation', 'stream': 'b', 'episode': 1}]
    run = plant(lambda iteration, number: {}, iterations=1, episodes=20)
    told = replace(run, log=replace(run.log, episodes=metrics(rows)))
    progress = training_progress(told.log, told.episodes)
    assert len(progress) == 100 and set(progress['iteration']) == set(range(5))
    evaluated = evaluation_progress(told.log, told.episodes)
    assert list(evaluated['iteration']) == [0, 1, 2, 3, 4] and evaluated['complete'].all()
    assert told.best == 4  # ties take the newest


def test_a_given_track_must_be_the_driven_one(healthy):
    with pytest.raises(ConfigError, match=r'does not fit: \d+% .* lie on it'):
        find_road(healthy.log.training, given='oval')


@pytest.mark.parametrize('reverse', [False, True])
def test_a_known_track_is_found_by_its_places(track, reverse, lap_log, racer_home):
    driven = track.reversed() if reverse else track
    road = find_road(lap_log(driven).training)
    assert road.name == track.name and '100% of the places' in road.origin
    assert np.allclose(road.centre_m, driven.centre_m)


def test_an_unknown_track_is_the_middle_of_its_paths(lap_log, racer_home):
    driven = find_track('practice-3')  # has a number and no name to be found by
    road = find_road(lap_log(driven, offset_m=0.05).training)
    assert road.track is None and 'Borders are not known' in road.origin
    assert road.waypoints == len(driven.centre_m)
    assert np.hypot(*(road.centre_m - driven.centre_m).T)[road.seen].max() < 0.3
    assert all(section.kind == 'part' for section in sections_of(road))


def test_waypoints_never_visited_are_marked(lap_log, racer_home):
    driven = find_track('practice-3')
    road = find_road(lap_log(driven, stop=0.5).training)
    assert 0.4 < road.seen.mean() <= 1.0
    half = find_road(lap_log(driven, stop=0.5).training.query('steps > 30'))
    assert not half.seen[:5].any()


def test_episodes_on_another_course_are_set_aside(track, lap_log, racer_home):
    mine, other = lap_log(track).training, lap_log(find_track('oval')).training
    rows = pd.concat([mine, other.assign(unique_episode=1, episode=1)], ignore_index=True)
    run = Run.of(replace(lap_log(track), training=rows.astype({'episode_status': 'category'})))
    assert run.road.name == max(track, find_track('oval'), key=lambda one: one.length_m).name
    assert 0.4 < run.training['here'].mean() < 1.0 and 'another course' in run.remarks[-1]


def test_times_of_another_track_are_not_compared(plant, healthy):
    run = plant(lambda iteration, number: {}, iterations=4)
    there = run.training['unique_episode'] % 2 == 0
    mixed = replace(run, training=run.training.assign(here=there.to_numpy()))
    table = iteration_table(mixed.episodes.assign(time_s=np.where(
        mixed.episodes['here'], mixed.episodes['time_s'], 1.0)))
    assert table['best_s'].min() > 5.0
    assert summary(mixed.episodes)['complete_laps'] == 40
    assert set(best_laps(mixed.episodes, 'time').index % 2) == {0}


def test_a_log_without_a_step_is_refused(lap_log, track):
    log = replace(lap_log(track), training=lap_log(track).training.iloc[:0])
    with pytest.raises(ConfigError, match='holds 0 steps, and in none'):
        Run.of(log)
