"""The five community layouts: found, read, and read as the community's own reader reads them."""

import numpy as np
import pandas as pd
import pytest
from deepracer.logs import AnalysisUtils, DeepRacerLog, LogFolderType, LogType

from racer_rl.traces.columns import STEP_COLUMNS
from racer_rl.traces.laps import episodes_of
from racer_rl.traces.log import read_log

TYPES = {
    'console': LogFolderType.CONSOLE_MODEL_WITH_LOGS,
    'solution': LogFolderType.DROA_SOLUTION_LOGS,
    'drfc': LogFolderType.DRFC_MODEL_SINGLE_WORKERS,
    'drfc-workers': LogFolderType.DRFC_MODEL_MULTIPLE_WORKERS,
    'drfc-upload': LogFolderType.DRFC_MODEL_UPLOAD,
}
ALIKE = {'steps': 'steps', 'time': 'time_s', 'progress': 'progress', 'dist': 'distance_m',
         'speed': 'mean_speed', 'start_at': 'start_waypoint', 'reward': 'reward'}


def assert_same_episodes(theirs, frame, *, group, second='unique_episode'):
    """The community's summary of its frame, and ours of ours, figure by figure."""
    is_eval = group == 'stream'
    summary = AnalysisUtils.simulation_agg(theirs, firstgroup=group, secondgroup=second,
                                           is_eval=is_eval)
    ours = episodes_of(frame)
    assert len(summary) == len(ours) > 0
    for their_name, our_name in ALIKE.items():
        if their_name in summary:
            np.testing.assert_allclose(summary[their_name], ours[our_name], rtol=1e-5, atol=1e-5)
    if is_eval:
        assert list(summary['off_track']) == list((ours['end_status'] == 'off_track').astype(int))


@pytest.mark.parametrize('layout', TYPES)
@pytest.mark.parametrize('as_archive', [False, True])
def test_both_readers_see_the_same(layout, as_archive, layouts, tmp_path):
    files = layouts.LAYOUTS[layout]()
    folder = layouts.unpacked(files, tmp_path / 'run')
    source = layouts.packed(files, tmp_path / 'run.tar.gz') if as_archive else folder
    log, community = read_log(source), DeepRacerLog(str(folder))
    assert community.fh.type is TYPES[layout]
    assert (log.layout, log.name, log.damage) == (layout, 'run', ())
    assert log.hyperparameters == layouts.HYPERPARAMETERS
    assert len(log.metadata.action_space) == 2
    if layout == 'drfc-upload':
        assert log.training.empty
    else:
        community.load()
        assert_same_episodes(community.dataframe(), log.training, group='iteration')
    community.load_evaluation_trace(force=True)
    assert_same_episodes(community.dataframe(), log.evaluation, group='stream', second='episode')
    for frame in (log.training, log.evaluation):
        assert list(frame.columns) == list(STEP_COLUMNS)
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == STEP_COLUMNS


def test_a_console_log_knows_more_episodes_than_its_tables_do(layouts, tmp_path):
    log = read_log(layouts.unpacked(layouts.console(), tmp_path))
    assert list(np.unique(log.training['iteration'])) == [0, 1, 2, 3]
    assert log.training['unique_episode'].nunique() == 12
    assert log.evaluation['unique_episode'].nunique() == 3  # not twice, once from each file
    assert log.track == 'reinvent_base'
    assert any('simulation log' in remark for remark in log.remarks)


def test_without_the_log_the_tables_count(layouts, tmp_path):
    files = {path: content for path, content in layouts.console().items() if '.log' not in path}
    log = read_log(layouts.unpacked(files, tmp_path))
    assert list(np.unique(log.training['iteration'])) == [0, 2]
    assert list(np.unique(log.training['episode'])) == [0, 1, 2, 6, 7, 8]


def test_workers_share_iterations_and_no_episode(layouts, tmp_path):
    log = read_log(layouts.unpacked(layouts.drfc_workers(), tmp_path))
    of_worker = log.training.groupby('worker')['unique_episode'].nunique()
    assert dict(of_worker) == {0: 9, 1: 6}
    assert log.training['unique_episode'].is_monotonic_increasing


@pytest.mark.parametrize('prefix', ['', '[node-1] ', '2024-05-06T07:08:09Z '])
def test_what_the_reward_printed(prefix, layouts, tmp_path):
    lines = layouts.rows(range(4))
    path = tmp_path / 'sim.log'
    path.write_bytes(layouts.log(lines, prefix))
    log = read_log(path)
    assert log.layout == 'file' and len(log.training) == len(lines)
    driven = sum(',in_progress,' in line for line in lines)
    if prefix.startswith('2024'):
        assert log.printed.empty  # looks like the platform's own lines
    else:
        assert log.printed.to_dict('records') == [
            {'text': 'fast', 'count': driven, 'first_episode': 0}]


@pytest.mark.parametrize('columns', [15, 16, 17, 18, 19])
@pytest.mark.parametrize('action', ['1', '[0.5 -0.25]', '[0.5, -0.25]', '"[0.5, -0.25]"', '1.0'])
@pytest.mark.parametrize('name', ['steps.csv', 'steps.log'])
def test_lines_of_all_years_and_actions(columns, action, name, layouts, tmp_path):
    lines = layouts.rows(range(3), action=action, columns=columns)
    text = layouts.table(lines, columns) if name.endswith('csv') else layouts.log(lines)
    (tmp_path / name).write_bytes(text)
    log = read_log(tmp_path / name)
    assert not log.damage
    assert len(log.training) == len(lines)
    assert set(log.training['action']) == ({1} if action.startswith('1') else {-1})
    ours = episodes_of(log.training)
    # Of 2019 there is no word for how an episode ended, but progress.
    assert list(ours['complete']) == [False, True, False]
    assert (columns == 15) == any('2019' in remark for remark in log.remarks)
    assert np.isnan(log.training['wall_clock']).all() == (columns < 19)


def test_a_wall_clock_in_the_18th_place(layouts, tmp_path):
    """So it was before crashes were counted."""
    lines = [','.join((*line.split(',')[:17], line.split(',')[18])) for line in
             layouts.rows(range(2))]
    (tmp_path / 'sim.log').write_bytes(layouts.log(lines))
    log = read_log(tmp_path / 'sim.log')
    assert log.training['wall_clock'].min() > 1.6e9
    assert not log.training['obstacle_crash_counter'].any()


def test_a_table_saved_by_a_notebook(layouts, tmp_path):
    """Columns by the community's names, more of them, in another order, and an index."""
    log = read_log(layouts.unpacked(layouts.drfc(), tmp_path / 'run'))
    path = tmp_path / 'mine.csv'
    log.training[sorted(log.training.columns)].assign(extra='x').to_csv(path)
    again = read_log(path).training
    same = [name for name in STEP_COLUMNS if name not in ('iteration', 'unique_episode')]
    pd.testing.assert_frame_equal(again[same], log.training[same])


def test_the_community_reads_our_simulation_log_too(layouts, tmp_path):
    community = DeepRacerLog(str(layouts.unpacked(layouts.solution(), tmp_path)))
    community.load_robomaker_logs(LogType.TRAINING)
    frame = read_log(tmp_path / 'logs' / 'training' / 'abc123-simulation.log').training
    assert list(frame['iteration']) == list(community.dataframe()['iteration'])
    np.testing.assert_allclose(frame['x'], community.dataframe()['x'], atol=1e-4)
