"""A real log of the hosted console: laps as its own metrics files tell them."""

from pathlib import Path

import numpy as np
import pytest

from racer_rl.traces.laps import episodes_of
from racer_rl.traces.log import read_log


@pytest.fixture(scope='module')
def real_log():
    """The log, kept beside the checkout because it is not ours."""
    folder = Path(__file__).resolve().parents[4] / 'shared' / 'data' / 'logs' / 'console-2022'
    if not folder.is_dir():
        pytest.skip('NOT TESTED on a real console log: ../shared/data/logs is absent')
    return read_log(folder)


def told(log, phase, stream):
    """Rows of a metrics file."""
    rows = log.episodes[(log.episodes['phase'] == phase)]
    return rows[rows['stream'].str.contains(stream)]


def assert_same(driven, told):
    """Episodes from steps, and from metrics; these round down to whole percent and rewards."""
    words = told['episode_status'].str.lower().str.replace(' ', '_')
    assert list(driven['end_status']) == list(words)
    assert list(np.floor(driven['progress'] + 1e-4)) == list(told['completion_percentage'])
    # The metrics' clock starts up to two control periods before the first step is logged.
    late_s = told['elapsed_time_in_milliseconds'].to_numpy() / 1e3 - driven['time_s'].to_numpy()
    assert ((late_s > 0.03) & (late_s < 0.14)).all()


def test_training_laps_equal_the_metrics(real_log):
    driven = episodes_of(real_log.training)
    assert not real_log.damage and real_log.layout == 'console'
    assert list(np.unique(driven['iteration'])) == [0, 9, 18, 27]
    rows = told(real_log, 'training', '').set_index('episode').loc[driven['episode'] + 1]
    assert_same(driven, rows)
    assert int(driven['complete'].sum()) == int((rows['episode_status'] == 'Lap complete').sum())
    np.testing.assert_allclose(driven['reward'], rows['reward_score'], atol=0.5)


def test_evaluation_laps_equal_the_metrics(real_log):
    """The log and the table are of one evaluation; of the other only metrics are left."""
    driven = episodes_of(real_log.evaluation)
    assert len(driven) == 3 and driven['complete'].all()
    assert_same(driven, told(real_log, 'evaluation', 'IBZwYd0MRMqgwKlAe7bb0A'))
    assert len(told(real_log, 'evaluation', 'PMfF__s5QJSQT_-E0rEYwg')) == 3


def test_the_console_names_track_actions_and_settings(real_log):
    assert real_log.track == 'reinvent_base'
    assert len(real_log.metadata.action_space) == 14
    assert real_log.hyperparameters['num_episodes_between_training'] == 20
