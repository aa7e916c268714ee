"""The chapters of a report about training, its end, its timing and its data."""

from __future__ import annotations

from typing import Final

from racer_rl.analysis.blocks import Block, Chapter, Table, Text, picture, table_of
from racer_rl.analysis.charts import (
    endings_chart,
    progress_chart,
    reward_against_time,
    timing_chart,
)
from racer_rl.analysis.episodes import (
    ending_table,
    iteration_table,
    rank_correlation,
    timed_laps,
)
from racer_rl.analysis.run import Run
from racer_rl.analysis.timing import timing_summary, timing_table

PRINTED_LINES: Final = 15
SHOWN_ITERATIONS: Final = 60
"""Rows of the table of iterations; of longer runs an even choice."""


def training_chapter(run: Run) -> Chapter:
    """Progress over iterations."""
    table = run.iterations
    trials = iteration_table(run.evaluated) if len(run.evaluated) else None
    first, last = table.iloc[0], table.iloc[-1]
    blocks: list[Block] = [picture(
        'Progress', progress_chart(table, trials, best=run.best),
        f'Three charts over {len(table)} iterations: mean reward from {first["reward"]:.1f} to '
        f'{last["reward"]:.1f}, completion from {first["progress"]:.0f} % to '
        f'{last["progress"]:.0f} %, and lap times.',
        'Shaded: the middle half and the middle four fifths of the episodes.'
        + ('' if run.best is None else f' Dashed: iteration {run.best}, the best '
           f'{"by evaluation" if run.best_iteration is None else "checkpoint of the run"}.')
        + ' Dotted: where training stopped.')]
    laps = timed_laps(run.progress).dropna(subset=['time_s'])
    if len(laps) > 2:
        relation = rank_correlation(laps['reward'], laps['time_s'])
        blocks.append(picture(
            'Does the reward want fast laps?', reward_against_time(laps),
            f'{len(laps)} complete laps as dots of time and reward; rank correlation '
            f'{relation:+.2f}.', 'It does if the dots fall to the right.'))
    shown = table.iloc[:: -(-len(table) // SHOWN_ITERATIONS)]
    blocks.append(table_of('Iterations', shown, {
        'iteration': ('iteration', 'd'), 'episodes': ('episodes', 'd'),
        'complete': ('laps', '.0%'), 'progress': ('lap, %', '.1f'),
        'reward': ('reward', '.1f'), 'best_s': ('best, s', '.2f'),
        'median_s': ('median, s', '.2f')}))
    return Chapter(key='training', title='Training', blocks=tuple(blocks))


def endings_chapter(run: Run) -> Chapter:
    """Where and why episodes ended."""
    episodes = run.progress
    table = ending_table(run.episodes)
    return Chapter(key='endings', title='How episodes ended', blocks=(
        picture('Over the iterations', endings_chart(episodes),
                'Stacked bars of how episodes ended: ' + ', '.join(
                    f'{status.replace("_", " ")} {share:.0%}'
                    for status, share in table['share'].items()) + '.'),
        table_of('Reasons', table, {
            'end_status': ('ended', ''), 'episodes': ('episodes', 'd'), 'share': ('share', '.0%'),
            'progress': ('median lap, %', '.1f'), 'waypoint': ('waypoint', 'd')},
            'The last column is where most of them ended, rounded down to tens.')))


def timing_chapter(run: Run) -> Chapter | None:
    """Length of control periods and the real-time factor; None where the log has no times."""
    if run.steps['dt_s'].isna().all():
        return None
    table, times = timing_table(run.steps), timing_summary(run.steps)
    factor = table['real_time_factor'].dropna()
    return Chapter(
        key='timing', title='Timing', blocks=(picture(
            'Time between steps', timing_chart(run.steps, table, times['nominal_ms']),
            f'Histogram of the time between steps: mean {times["mean_ms"]:.1f} ms, 95 % up to '
            f'{times["p95_ms"]:.1f} ms.'),),
        intro=f'Simulated time: {times["mean_ms"]:.1f} ms a step in the mean, 95 % up to '
              f'{times["p95_ms"]:.1f} ms; nominal {times["nominal_ms"]:.0f} ms. '
              + (f'Real-time factor of an episode: {factor.min():.2f} to {factor.max():.2f}.'
                 if len(factor) else 'The log does not tell real time, so there is no real-time '
                                     'factor.'))


def printed_chapter(run: Run) -> Chapter | None:
    """What the reward function printed; None if nothing."""
    printed = run.log.printed
    if not len(printed):
        return None
    return Chapter(
        key='printed', title='What the reward function printed',
        intro=f'{int(printed["count"].sum()):,} lines in all.',
        blocks=(table_of('Most frequent lines', printed.head(PRINTED_LINES).set_index('text'), {
            'text': ('line', ''), 'count': ('times', ',d'),
            'first_episode': ('first in episode', 'd')}),))


def data_chapter(run: Run) -> Chapter:
    """What was read, what was broken, and what it was trained with."""
    log = run.log
    notes = [f'Read from {log.source.name} (layout: {log.layout}): {len(log.training):,} steps of '
             f'training, {len(log.evaluation):,} of evaluation, {len(log.episodes):,} rows of '
             'metrics.', *run.remarks]
    if len(run.progress) > len(run.episodes):
        notes.append(f'The metrics tell of {len(run.progress):,} episodes of training, the traces '
                     f'of {len(run.episodes):,}. Progress is drawn from the metrics; everything '
                     'about places and steps from the traces.')
    blocks: list[Block] = [Text(paragraphs=tuple(notes))]
    if log.damage:
        blocks.append(Table(
            title='What could not be read', headings=('file', 'lines', 'first line', 'why'),
            rows=tuple((item.file, str(item.lines) if item.lines else 'all',
                        str(item.first_line or '–'), item.why) for item in log.damage)))
    if log.hyperparameters:
        blocks.append(Table(title='Hyperparameters', headings=('name', 'value'), rows=tuple(
            (str(name), str(value)) for name, value in log.hyperparameters.items())))
    if log.reward_source:
        blocks.append(Text(title='Reward function', code=True,
                           paragraphs=(log.reward_source.rstrip(),)))
    return Chapter(key='data', title='The data', blocks=tuple(blocks))
