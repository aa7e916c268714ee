"""`racer demo`: command lines of racer, a model with a free name, a film and a picture."""

import json
import shlex
import subprocess
import sys

import pytest

from racer_rl.cli import demo
from racer_rl.cli.main import run
from racer_rl.store.models import open_model
from racer_sim.track_files import save_csv, save_npy
from racer_sim.track_generator import generate_track


@pytest.fixture
def typed(monkeypatch, racer_home):
    """The command lines that a demo runs, which here do nothing and succeed."""
    lines = []

    def remember(words):
        lines.append(words)
        return 0

    monkeypatch.setattr(demo, 'run', remember)
    monkeypatch.setattr(demo, 'has_ros', lambda: True)
    return lines


def option(words, name):
    return words[words.index(name) + 1]


def test_it_trains_evaluates_and_drives_the_same_model(typed, capsys):
    assert run(['demo', '--track', 'Meander', '--out', 'here', '--seed', '3']) == 0
    train, evaluate, drive = typed
    assert train == ('train', '--track', 'meander', '--name', 'demo-meander', '--seed', '3')
    assert evaluate[:2] == ('evaluate', 'demo-meander')
    assert drive == ('drive', 'demo-meander')
    assert option(evaluate, '--video') == 'here/race.mp4'
    assert option(evaluate, '--plot') == 'here/racing_line.png'
    out, err = capsys.readouterr()
    assert 'here/race.mp4' in out
    assert f'$ racer {shlex.join(train)}' in err
    assert f'$ racer {shlex.join(evaluate)}' in err


def test_without_ros_it_drives_no_nodes(typed, capsys, monkeypatch):
    monkeypatch.setattr(demo, 'has_ros', lambda: False)
    assert run(['demo', '--track', 'oval']) == 0
    assert [words[0] for words in typed] == ['train', 'evaluate']
    assert 'skipped: there is no ROS 2 (rclpy) here.' in capsys.readouterr().err


def test_models_that_exist_are_left_alone(typed, racer_home, capsys):
    taken = racer_home / 'models' / 'demo-oval'
    taken.mkdir(parents=True)
    (taken / 'run.json').write_text('{}')
    assert run(['demo', '--track', 'oval']) == 0
    assert option(typed[0], '--name') == 'demo-oval-2'
    assert 'An earlier demo is kept; this one is model demo-oval-2.' in capsys.readouterr().err
    assert (taken / 'run.json').read_text() == '{}'


@pytest.mark.parametrize(('save', 'name', 'model'), [
    (save_npy, 'my track!.npy', 'demo-my-track-'),
    (save_csv, 'x' * 80 + '.csv', 'demo-' + 'x' * 48),
])
def test_a_file_is_named_after_itself_and_found_from_anywhere(
    typed, tmp_path, monkeypatch, save, name, model
):
    save(generate_track(4), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert run(['demo', '--track', name]) == 0
    assert option(typed[0], '--track') == str(tmp_path / name)
    assert option(typed[0], '--name') == model


def test_an_unknown_track_is_refused_before_anything_is_done(typed, racer_home, capsys):
    assert run(['demo', '--track', 'tunder_gully']) == 2
    out, err = capsys.readouterr()
    assert (out, typed, list(racer_home.iterdir())) == ('', [], [])
    assert err.startswith("error: unknown track 'tunder_gully'; did you mean thunder_gully?")


def test_it_stops_where_a_command_stops(racer_home, monkeypatch, capsys):
    monkeypatch.setattr(demo, 'run', lambda words: 130)
    assert run(['demo']) == 130
    out, err = capsys.readouterr()
    assert out == ''
    assert 'evaluate' not in err


@pytest.mark.slow
@pytest.mark.xdist_group('graphs')
def test_a_whole_demo(racer_home, tmp_path):
    words = [sys.executable, '-c', 'from racer_rl.cli.main import main; main()',
             'demo', '--track', 'oval', '--out', 'out']
    result = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=240,
                            check=False)
    assert result.returncode == 0, result.stderr
    trained_and_driven = 3 if demo.has_ros() else 2
    assert result.stdout.count('12 of 12 laps clean') == trained_and_driven
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'race.mp4', 'racing_line.png']
    model = open_model('demo-oval')
    assert model.setup.tracks == ('oval',)
    assert json.loads((model.path / 'progress.json').read_text())['best']['clean_laps'] == 12
