"""Real runs: one of ours with its model, and one of DeepRacer's console."""

import json
import shutil

import numpy as np
import pytest

from racer_rl.analysis.camera import look, saliency
from racer_rl.analysis.own import chapters_of, open_run
from racer_rl.analysis.rescore import rescored
from racer_rl.cli.main import run as racer
from racer_rl.reward.loading import read_reward
from racer_rl.store.models import open_model
from racer_rl.training.checkpoint import load_checkpoint
from racer_rl.training.policies import actor_module

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('analysis')]


def test_a_model_by_name_or_path_is_known_with_its_track(tiny):
    folder = open_model(tiny)
    for source in (tiny, str(folder.path)):
        run, found = open_run(source)
        assert found.path == folder.path and run.name == tiny
        assert run.road.name == 'kidney' and "the run's own setup" in run.road.origin
        assert run.training['here'].mean() > 0.99
    assert len(run.training) >= 5000, 'only episodes that had not ended are left out'


def test_the_old_reward_pays_a_run_the_same(tiny):
    run, folder = open_run(tiny)
    result = rescored(run, read_reward(folder.reward_path))
    assert result.last_time
    assert result.agreement > 0.98
    assert np.median(np.abs(result.episodes['new'] / result.episodes['old'] - 1.0)) < 0.05


def test_the_camera_sees_a_lap_and_what_matters_in_it(tiny):
    glances = look(open_model(tiny), 'last')
    assert 1 <= len(glances) <= 6
    for glance in glances:
        assert glance.image.shape == (120, 160, 3) and glance.saliency.shape == (120, 160)
        assert not glance.saliency[:40].any(), 'the policy does not see the top rows'
        assert 0.0 < glance.saliency.max() <= 1.0
        assert glance.action.endswith('m/s')


def test_saliency_is_the_gradient_of_the_steering(tiny):
    module = actor_module(load_checkpoint(open_model(tiny).checkpoint('last'))[0])
    rng = np.random.default_rng(0)
    camera = rng.integers(0, 255, (1, 1, 10, 20), dtype=np.uint8)
    found = saliency(module, {'camera': camera})
    row, column = np.unravel_index(found.argmax(), found.shape)

    def steering(change):
        import torch

        moved = torch.from_numpy(camera).float()
        moved[0, 0, row, column] += change
        return float(module.head(module.torso(moved))[0, 0].detach())

    slope = (steering(0.5) - steering(-0.5))
    assert abs(slope) == pytest.approx(found.max(), rel=0.05)


def test_the_robustness_matrix_is_shown_once_it_was_driven(tiny):
    folder = open_model(tiny)
    assert 'robustness' not in {chapter.key for chapter in chapters_of(folder)}
    folder.write_robustness({'score': 0.5, 'conditions': [
        {'condition': 'light', 'strength': 'mild', 'clean_share': 0.5}]})
    keys = [chapter.key for chapter in chapters_of(folder)]
    assert keys == ['robustness', 'camera']


def test_the_command_writes_pages_and_json(tiny, tmp_path, capsys):
    reward = tmp_path / 'fast.py'
    reward.write_text('def reward_function(params):\n    return params["speed"]\n')
    assert racer(['analyze', tiny, '--out', str(tmp_path), '--rescore', str(reward), '--json',
                  '--no-bound']) == 0
    printed = capsys.readouterr()
    (record,) = json.loads(printed.out)
    assert record['name'] == tiny and record['rescore']['reward'] == 'fast.py'
    page = (tmp_path / 'tiny.html').read_text()
    assert 'Paid again by fast.py' in page and 'What the camera sees' in page


def test_two_sources_side_by_side(tiny, console_log, real_tracks, tmp_path, capsys):
    assert racer(['analyze', tiny, str(console_log), '--compare', '--no-bound', '--out',
                  str(tmp_path)]) == 0
    page = (tmp_path / 'tiny-console-2022.html').read_text()
    assert 'Not on the road of tiny' in page


def test_the_console_run_says_what_its_metrics_say(console_log, real_tracks):
    run, folder = open_run(str(console_log), str(real_tracks / 'reinvent_base.npy'))
    assert folder is None and run.road.track is not None
    rows = run.log.episodes.query("phase == 'training'").set_index('episode')
    traced = run.episodes
    told = rows.loc[traced['episode'] + 1]
    assert np.array_equal(traced['complete'], told['episode_status'] == 'Lap complete')
    assert np.abs(traced['time_s'].to_numpy() - told['elapsed_time_in_milliseconds'].to_numpy()
                  / 1000.0).max() < 0.066
    assert np.abs(traced['progress'].to_numpy() - told['completion_percentage'].to_numpy()
                  ).max() < 1.0
    assert len(run.progress) == len(rows)


def test_the_console_track_is_found_when_imported(console_log, real_tracks, racer_home):
    run, _ = open_run(str(console_log))
    assert run.road.track is None
    assert racer(['tracks', 'import', str(real_tracks / 'reinvent_base.npy'), '--name',
                  'vegas']) == 0
    run, _ = open_run(str(console_log))
    assert run.road.name == 'vegas' and run.road.track is not None


def test_another_track_is_refused_in_a_line(console_log, real_tracks, capsys):
    assert racer(['analyze', str(console_log), '--track',
                  str(real_tracks / 'Spain_track.npy')]) == 2
    assert 'does not fit: 0% of the places' in capsys.readouterr().err


def test_a_model_without_steps_says_what_to_do(tiny, tmp_path, capsys):
    shutil.copytree(open_model(tiny).path, tmp_path / 'bare',
                    ignore=shutil.ignore_patterns('*-simtrace'))
    assert racer(['analyze', str(tmp_path / 'bare')]) == 2
    assert "model 'bare' kept no steps" in capsys.readouterr().err


@pytest.mark.parametrize('content', [b'', b'\x00\xff\x80' * 1000, b'hello\nworld\n'])
def test_what_is_no_log_is_one_line(content, tmp_path, capsys):
    file = tmp_path / 'log.txt'
    file.write_bytes(content)
    assert racer(['analyze', str(file), '--out', str(tmp_path)]) == 2
    assert capsys.readouterr().err.count('\n') == 1
