"""`racer race`: what is typed, printed and written, and what is refused in a line."""

import json

import pytest

from racer_rl.cli.main import run


@pytest.fixture
def bundle(brain, tmp_path):
    path = tmp_path / 'mine.racer'
    brain().write(path)
    return path


def test_a_race_is_printed_written_and_verified(racer_home, bundle, tmp_path, capsys):
    out = tmp_path / 'race' / 'result.json'
    asked = ['race', 'run', '--entry', str(bundle), '--entry', 'bot:medium', '--entry',
             'bot:medium', '--laps', '1', '--resets', '2', '--out', str(out)]
    assert run(asked) == 0
    printed = capsys.readouterr()
    assert f'wrote {out}' in printed.err
    places = [line.split()[:2] for line in printed.out.splitlines()[1:4]]
    assert places == [['1', 'bot:medium'], ['2', 'bot:medium'], ['3', 'mine']]
    assert len(list(out.parent.glob('policy-*.racer'))) == 1
    bundle.unlink()
    assert run(['race', 'verify', str(out)]) == 0
    assert 'the same: every number' in capsys.readouterr().out
    claimed = json.loads(out.read_text())
    claimed['entries'][0]['time_s'] += 0.001
    out.write_text(json.dumps(claimed))
    assert run(['race', 'verify', str(out), '--json']) == 1
    checked = json.loads(capsys.readouterr().out)
    assert not checked['same']
    assert checked['differences'][0].startswith('mine: time_s was')


def test_json_is_one_object_with_the_places(racer_home, capsys):
    assert run(['race', 'run', '--entry', 'bot:slow', '--laps', '1', '--json']) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown['placing'][0]['place'] == 1
    assert shown['plan']['rules']['laps'] == 1
    assert shown['entries'][0]['identity'] == 'bot:slow'


@pytest.mark.parametrize(('arguments', 'words'), [
    (['--entry', 'bot:slow', '--entry', 'bot:slow', '--race', 'time-trial'],
     '2 entries for a race of type time-trial; allowed: 2 to 8 in head-to-head, one otherwise'),
    (['--entry', 'bot:slow', '--race', 'head-to-head'], '1 entries for a race of type'),
    (['--entry', 'bot:slow'] * 9, '9 entries for a race of type head-to-head'),
    (['--entry', 'bot:quick'], "unknown bot 'quick'"),
    (['--entry', 'nobody'], "unknown model 'nobody'"),
    (['--entry', 'none.racer'], 'none.racer'),
    (['--entry', 'bot:slow', '--race', 'sprint'], "unknown race 'sprint'"),
    (['--entry', 'bot:slow', '--out', 'race.txt'], 'ends in .json'),
    (['--entry', 'bot:slow', '--video', 'race.avi'], 'ends in .mp4'),
    (['--entry', 'bot:slow', '--mercy', '-1'], 'mercy_crashes is -1'),
])
def test_what_cannot_be_raced_is_refused_in_a_line(racer_home, arguments, words, capsys):
    assert run(['race', 'run', *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert error.count('\n') == 1
    assert words in error


def test_a_policy_that_is_found_nowhere_is_asked_for(racer_home, bundle, tmp_path, capsys):
    out = tmp_path / 'result.json'
    assert run(['race', 'run', '--entry', str(bundle), '--laps', '1', '--resets', '0',
                '--out', str(out)]) == 0
    moved = tmp_path / 'elsewhere' / 'mine.racer'
    moved.parent.mkdir()
    bundle.rename(moved)
    for path in tmp_path.glob('*.racer'):
        path.unlink()
    assert run(['race', 'verify', str(out)]) == 2
    assert 'give its file with --bundle' in capsys.readouterr().err
    assert run(['race', 'verify', str(out), '--bundle', str(moved)]) == 0
