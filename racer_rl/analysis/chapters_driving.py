"""The chapters of a report about laps, places and actions."""

from __future__ import annotations

from typing import Final

import pandas as pd

from racer_rl.analysis.action_charts import action_histogram, action_polar, command_chart
from racer_rl.analysis.actions import action_table, command_grid, is_discrete
from racer_rl.analysis.blocks import Block, Chapter, Table, picture, table_of
from racer_rl.analysis.charts import section_chart, waypoint_chart
from racer_rl.analysis.episodes import BEST_BY, best_laps
from racer_rl.analysis.maps import (
    COLOURED_BY,
    action_map,
    paths_and_exits,
    racing_line,
    visits_map,
)
from racer_rl.analysis.places import incident_table, incidents, visits_grid, waypoint_table
from racer_rl.analysis.run import Run
from racer_rl.analysis.sections import section_table, sector_times

DRAWN_LAPS: Final = 3
SECTOR_LAPS: Final = 5
SHOWN_TRIALS: Final = 12

_LAP_COLUMNS: Final = {
    'episode': ('episode', 'd'), 'iteration': ('iteration', 'd'), 'time_s': ('time, s', '.2f'),
    'progress': ('lap, %', '.1f'), 'reward': ('reward', '.1f'),
    'mean_mps': ('m/s', '.2f'), 'end_status': ('ended', '')}


def laps_chapter(run: Run) -> Chapter:
    """Best laps by each measure, their sectors, and the lap that all best sectors would make."""
    episodes = run.episodes[run.episodes['here']]
    tables = [table_of(f'Best by {by}', best_laps(episodes, by), _LAP_COLUMNS)
              for by in BEST_BY if by != 'time' or episodes['complete'].any()]
    blocks: list[Block] = [*tables]
    if len(run.trials) and len(run.training):
        trials = best_laps(run.trials[run.trials['here']], 'progress', SHOWN_TRIALS)
        paid = {name: shown for name, shown in _LAP_COLUMNS.items()
                if name != 'reward' or trials['reward'].any()}
        blocks.append(table_of('Evaluations', trials, paid,
                               f'The best {SHOWN_TRIALS}, by completion and time.'))
    laps = best_laps(episodes, 'time', SECTOR_LAPS)
    if len(laps):
        blocks.append(_sectors(run, laps))
    intro = 'Times count from the start of an episode, mostly from standstill.'
    if not episodes['complete'].any():
        intro = 'No lap was completed, so there are no lap and sector times.'
    return Chapter(key='laps', title='Laps and sectors', intro=intro, blocks=tuple(blocks))


def _sectors(run: Run, laps: pd.DataFrame) -> Table:
    times = sector_times(run.steps, laps, run.road, run.sections)
    names = [f'{section.number} {section.kind}' for section in run.sections]
    rows = [(f'episode {laps.loc[lap, "episode"]}', *(f'{value:.2f}' for value in row),
             f'{laps.loc[lap, "time_s"]:.2f}') for lap, row in times.iterrows()]
    complete = run.episodes[run.episodes['complete'] & run.episodes['here']]
    best = sector_times(run.steps, complete, run.road, run.sections).min()
    rows.append(('best of all laps', *(f'{value:.2f}' for value in best), f'{best.sum():.2f}'))
    return Table(title='Sector times, s', headings=('lap', *names, 'lap'), rows=tuple(rows),
                 caption='To one control period. The last row is a lap of the best sectors.')


def lines_chapter(run: Run) -> Chapter:
    """Where the car went: racing lines, all paths, exits, visits."""
    own = run.episodes[run.episodes['here']]
    laps = best_laps(own, 'time', DRAWN_LAPS)
    what = 'The fastest laps, the fastest in bold'
    if not len(laps):
        laps, what = best_laps(own, 'progress', DRAWN_LAPS), 'The longest drives, the longest bold'
    chosen = [int(lap) for lap in laps.index]
    blocks: list[Block] = [
        picture(f'Racing line by {by}', racing_line(run.steps, chosen, run.road, by, run.sections),
                f'Map of {run.road.name} with the lines of {len(chosen)} drives, coloured by '
                f'{label}.', f'{what}.') for by, (_, label, _) in COLOURED_BY.items()]
    bad = incidents(run.episodes)
    blocks += [
        picture('All paths and where they ended',
                paths_and_exits(run.steps, run.episodes, bad, run.road, run.sections),
                f'Map with the paths of the run and {len(bad)} places of incidents.',
                'Dots: episodes that ended off the track, crashed, standing or reversed.'),
        picture('Visits', visits_map(visits_grid(run.here), run.road, run.sections),
                f'Heat map of {len(run.here):,} steps over the track.',
                'Where cars spent their time; places they never reached stay empty.')]
    return Chapter(key='lines', title='Where it drove', intro=run.road.origin,
                   blocks=tuple(blocks))


def places_chapter(run: Run) -> Chapter:
    """Speed by section against the bound, reward and incidents by waypoint."""
    complete = run.episodes.index[run.episodes['complete']]
    laps = run.here[run.here['unique_episode'].isin(complete)]
    driven, words = (laps, 'complete laps') if len(laps) else (run.here, 'all steps')
    arguments = (run.road, run.sections, run.bound)
    table = section_table(driven, *arguments, after_steps=run.START_STEPS)
    fastest = best_laps(run.episodes[run.episodes['here']], 'time', DRAWN_LAPS).index
    best = None if not len(laps) else section_table(
        laps[laps['unique_episode'].isin(fastest)], *arguments, after_steps=run.START_STEPS)
    bound = 'There is no lap bound without the borders of the track.' if run.bound is None else (
        f"Possible: the fastest flying lap of racer's car, {run.bound.bound_s:.2f} s at up to "
        f'{run.bound.max_speed_mps:g} m/s.')
    slowest = table['speed_mps'].idxmin() if table['speed_mps'].notna().any() else 1
    points = waypoint_table(run.here, run.episodes, run.road)
    heaps = incident_table(run.episodes, run.road)
    blocks: list[Block] = [
        picture('Speed by section', section_chart(table, best),
                f'Bars of the speed in {len(table)} sections; slowest is section {slowest} with '
                f'{table["speed_mps"].min():.2f} m/s.',
                f'Measured between places, of {words}, without the first second. {bound}'),
        picture('Reward by waypoint', waypoint_chart(points, 'reward', 'mean reward of a step'),
                'Bars of the mean reward at every waypoint.',
                'What a step was worth where it was driven.'),
        table_of('Sections', table.assign(
            where=[f'{section.number} {section.kind}' for section in run.sections]), {
                'where': ('section', ''), 'first': ('from', 'd'), 'last': ('to', 'd'),
                'length_m': ('length', '.1f'), 'speed_mps': ('driven', '.2f'),
                'asked_mps': ('asked', '.2f'), 'possible_mps': ('possible', '.2f'),
                'loss_s': ('lost, s', '.2f')},
            'From and to: waypoints. Length in metres, speeds in m/s; lost: in a lap.')]
    if len(heaps):
        blocks += [
            picture('Incidents by waypoint', waypoint_chart(points, 'incidents', 'episodes'),
                    f'Bars of incidents; most at waypoint {heaps["waypoint"].iloc[0]}.'),
            table_of('Where incidents heap up', heaps, {
                'waypoint': ('waypoint', 'd'), 'first': ('from', 'd'), 'last': ('to', 'd'),
                'incidents': ('incidents', 'd'), 'share': ('share', '.0%')},
                'Of the whole run, in stretches that do not overlap.')]
    return Chapter(key='places', title='Place by place', blocks=tuple(blocks),
                   intro='Sections are numbered on the maps, from the start line on.')


def actions_chapter(run: Run) -> Chapter:
    """How often, and where, actions are taken."""
    blocks: list[Block] = []
    if is_discrete(run.steps):
        space = None if run.log.metadata is None else run.log.metadata.action_space
        table = action_table(run.late_steps, space)
        often = table.loc[table['share'].idxmax()]
        most = (f'most often {often["steering_deg"]:+.0f}° at {often["speed_mps"]:.1f} m/s, '
                f'{often["share"]:.0%} of the steps.')
        blocks = [picture('How often', action_histogram(table),
                          f'Bars of {len(table)} actions; {most}',
                          'In the last quarter of the run. Positive angles steer left.'),
                  picture('As directions', action_polar(table),
                          f'The {len(table)} actions as dots; {most}',
                          'Distance is speed, size is how often; crosses were never taken.')]
    else:
        shares, steering, speed = command_grid(run.late_steps)
        blocks = [picture('How often', command_chart(shares, steering, speed),
                          'Map of commanded steering and speed, coloured by how often.',
                          'In the last quarter of the run. Positive angles steer left.')]
    blocks.append(picture('Where', action_map(run.here, run.road),
                          'Map coloured by the mean steering angle.',
                          'Mean steering in squares of 10 cm: blue left, red right.'))
    return Chapter(key='actions', title='Actions', blocks=tuple(blocks))
