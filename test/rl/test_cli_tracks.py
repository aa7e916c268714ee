"""`racer tracks`, through the command line as a person types it."""

import json

import numpy as np
import pytest

from racer_rl.cli.main import run
from racer_sim.track_files import save_csv, save_npy
from racer_sim.track_generator import generate_track
from racer_sim.track_library import SHIPPED, find_track, track_names

pytestmark = pytest.mark.usefixtures('racer_home')


@pytest.fixture
def racer(capsys):
    """Run a command line; gives back exit code, output and errors."""

    def call(*words):
        code = run(['tracks', *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_list_is_a_table_of_every_track(racer):
    code, out, _ = racer('list')
    assert code == 0
    lines = out.splitlines()
    assert len(lines) == 1 + len(SHIPPED)
    assert lines[1].split() == ['oval', 'shipped', '17.37', '1.00', '1.49', 'ccw', '116']


def test_list_as_json(racer):
    code, out, _ = racer('list', '--json')
    tracks = json.loads(out)
    assert code == 0
    assert [track['name'] for track in tracks] == list(SHIPPED)
    assert tracks[0]['length_m'] == pytest.approx(17.37, abs=0.01)
    assert {track['direction'] for track in tracks} == {'cw', 'ccw'}


def test_show_one(racer):
    code, out, _ = racer('show', 'Meander')
    assert code == 0
    assert '0.75-1.05' in out
    code, out, _ = racer('show', 'meander', '--json')
    assert json.loads(out)['origin'] == 'shipped'


def test_show_a_file(racer, tmp_path):
    save_npy(generate_track(4), tmp_path / 'four.npy')
    code, out, _ = racer('show', tmp_path / 'four.npy', '--json')
    assert code == 0
    assert json.loads(out)['name'] == 'four'
    assert json.loads(out)['origin'] == ''


def test_plot(racer, tmp_path):
    picture = tmp_path / 'new' / 'oval.png'
    code, _, err = racer('show', 'oval', '--plot', picture)
    assert code == 0
    assert picture.read_bytes().startswith(b'\x89PNG')
    assert str(picture) in err
    assert [path.name for path in picture.parent.iterdir()] == ['oval.png']


def test_an_unknown_picture_format_is_refused(racer, tmp_path):
    code, out, err = racer('show', 'oval', '--plot', tmp_path / 'a.bmp')
    assert code == 2
    assert out == ''
    assert "picture format 'bmp'; allowed: png, svg, pdf" in err
    assert not list(tmp_path.glob('a.*'))


def test_unknown_track_is_one_line_and_code_2(racer):
    code, out, err = racer('show', 'ovla')
    assert (code, out) == (2, '')
    assert err.splitlines() == [
        "error: unknown track 'ovla'; did you mean oval? List all with: racer tracks list"
    ]


def test_import_then_show(racer, tmp_path):
    save_csv(generate_track(4), tmp_path / 'four.csv')
    code, out, _ = racer('import', tmp_path / 'four.csv', '--name', 'vier')
    assert code == 0
    assert 'own' in out
    assert racer('show', 'vier')[0] == 0
    code, _, err = racer('import', tmp_path / 'four.csv', '--name', 'vier')
    assert code == 2
    assert "own track 'vier' exists" in err
    assert racer('import', tmp_path / 'four.csv', '--name', 'vier', '--overwrite')[0] == 0


def test_import_without_widths_takes_an_option(racer, tmp_path):
    np.savetxt(tmp_path / 'xy.csv', generate_track(4).centre_m, delimiter=',')
    assert racer('import', tmp_path / 'xy.csv', '--name', 'xy')[0] == 2
    assert racer('import', tmp_path / 'xy.csv', '--name', 'xy', '--width', '0.7')[0] == 0
    assert find_track('xy').width_m.max() == pytest.approx(0.7)


def test_generate_keeps_a_track_only_under_a_name(racer):
    code, out, _ = racer('generate', '--seed', 7, '--length', 15, '--width', 0.7)
    assert code == 0
    assert 'generated-7' in out
    assert len(track_names()) == len(SHIPPED)
    code, _, _ = racer('generate', '--seed', 7, '--length', 15, '--width', 0.7, '--name', 'seven')
    assert code == 0
    assert find_track('seven').length_m == pytest.approx(15.0, rel=0.02)


def test_generate_refuses_what_cannot_be(racer):
    code, _, err = racer('generate', '--seed', 1, '--min-radius', 9)
    assert code == 2
    assert 'length_m 20 is too short for width_m 0.8 and min_radius_m 9' in err
