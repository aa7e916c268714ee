"""Broken, torn, empty, binary and foreign input: counted or refused in one line, never worse."""

import gzip
import io
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from racer_rl.traces import step_files
from racer_rl.traces.entries import entries
from racer_rl.traces.log import Log, read_log
from racer_vehicle.errors import ConfigError, RacerError


def read_or_refuse(path):
    """The log, or None where it was refused, in one line."""
    try:
        return read_log(path)
    except RacerError as error:
        assert '\n' not in str(error)
        return None


def test_broken_lines_are_counted_and_the_rest_is_read(layouts, tmp_path):
    lines = layouts.rows(range(4))
    broken = [*lines[:3], 'x' + lines[3], *lines[4:6], '1,2,3', lines[6].replace('True', 'maybe'),
              lines[7].replace('0', 'nan', 1), *lines[8:]]
    path = tmp_path / '0-iteration.csv'
    path.write_bytes(layouts.table(broken))
    log = read_log(path)
    (damage,) = log.damage
    assert (damage.file, damage.lines, damage.first_line) == ('0-iteration.csv', 4, 5)
    assert damage.why.startswith("episode is 'x0'; allowed: a number")
    assert len(log.training) == len(broken) - 4


def test_a_log_tells_the_number_of_its_own_line(layouts, tmp_path):
    path = tmp_path / 'sim.log'
    path.write_bytes(layouts.log(layouts.rows(range(2))) + b'SIM_TRACE_LOG:1,2\n')
    (damage,) = read_log(path).damage
    assert damage.first_line == path.read_bytes().count(b'\n')
    assert damage.why == '2 columns; allowed: 15 to 19'


def test_a_torn_last_line_costs_that_line(layouts, tmp_path):
    lines = layouts.rows(range(3))
    path = tmp_path / 'sim.log'
    path.write_bytes(layouts.log(lines)[:-80])
    log = read_log(path)
    assert len(log.training) == len(lines) - 1
    assert [damage.lines for damage in log.damage] == [1]


@pytest.mark.parametrize('content', [
    b'', b'\n\n', b'\x00' * 5000, bytes(range(256)) * 40, b'hello\nworld\n', b'a,b,c\n1,2,3\n',
    b'PAR1' + b'\x00' * 100, gzip.compress(b'hello'), 'steps,x\n1,2\n'.encode('utf-16'),
], ids=['empty', 'blank', 'zeros', 'bytes', 'prose', 'table', 'parquet', 'gzip', 'utf16'])
@pytest.mark.parametrize('name', ['a.csv', 'a.log', 'a.txt', 'a.parquet', 'a.tar.gz', 'a.tgz',
                                  'a.bin', '0-iteration.csv'])
def test_what_is_no_log_is_refused_in_a_line(content, name, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        read_log(tmp_path / name)
    assert '\n' not in str(refused.value)
    assert str(tmp_path / name) in str(refused.value)


def test_nothing_there(tmp_path):
    with pytest.raises(ConfigError, match='nowhere'):
        read_log(tmp_path / 'nowhere')
    with pytest.raises(ConfigError, match='holds no steps and no metrics'):
        read_log(tmp_path)


def test_damaged_descriptions_are_remarks(layouts, tmp_path):
    files = {**layouts.drfc(), 'model/model_metadata.json': b'{', 'ip/hyperparameters.json': b'[',
             'metrics/TrainingMetrics.json': b'{"metrics": [{"episode": 1', }
    log = read_log(layouts.unpacked(files, tmp_path))
    assert log.metadata is None and log.hyperparameters is None
    assert len(log.remarks) == 2
    assert [damage.file for damage in log.damage] == ['metrics/TrainingMetrics.json']
    assert not log.training.empty


def test_metrics_of_any_shape(layouts, tmp_path):
    weird = (b'{"metrics": [1, null, {"episode": "x", "trial": 1e400, "phase": 7, '
             b'"reward_score": true, "episode_status": 3}, {"episode": 99999999999999}]}')
    files = {**layouts.drfc(), 'metrics/training/a.json': weird}
    episodes = read_log(layouts.unpacked(files, tmp_path)).episodes
    assert list(episodes['phase']) == ['training', 'training']
    assert list(episodes['episode']) == [0, 0]


def test_archives_are_read_not_extracted(layouts, tmp_path):
    """Names that lead elsewhere, links and devices do nothing."""
    path = tmp_path / 'evil.tar.gz'
    with tarfile.open(path, 'w:gz') as archive:
        for name, kind in (('../../escaped.csv', tarfile.REGTYPE), ('/abs.csv', tarfile.REGTYPE),
                           ('training-simtrace/1-iteration.csv', tarfile.SYMTYPE),
                           ('training-simtrace/2-iteration.csv', tarfile.CHRTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, '/etc/passwd'
            archive.addfile(member)
        for name, content in layouts.drfc().items():
            member = tarfile.TarInfo(f'a/../../b/{name}')
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    log = read_log(path)
    assert not log.training.empty
    assert sorted(each.name for each in tmp_path.iterdir()) == ['evil.tar.gz']


def test_links_of_a_folder_are_not_followed(layouts, tmp_path):
    folder = layouts.unpacked(layouts.drfc(), tmp_path / 'run')
    (folder / 'loop').symlink_to(folder)
    (folder / 'reward_function.py').symlink_to('/etc/hostname')
    assert not any(entry.path.startswith('loop') or entry.path.endswith('.py')
                   for entry in entries(folder))


def test_no_more_files_than_a_log_has(tmp_path, monkeypatch):
    monkeypatch.setattr('racer_rl.traces.entries.MOST_FILES', 3)
    for index in range(5):
        (tmp_path / f'{index}').touch()
    with pytest.raises(ConfigError, match='more than 3 files'):
        read_log(tmp_path)


def test_lines_that_never_end_take_no_memory(layouts, tmp_path, monkeypatch):
    monkeypatch.setattr(step_files, 'BLOCK_BYTES', 1024)
    lines = layouts.rows(range(8))
    content = layouts.table(lines[:20]) + b'9' * 10_000 + b'\n' + '\n'.join(lines[20:]).encode()
    (tmp_path / 'a.csv').write_bytes(content)
    log = read_log(tmp_path / 'a.csv')
    assert len(log.training) == len(lines)
    assert log.damage


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_truncation_or_corruption_is_survived(data, layouts, tmp_path):
    kind = data.draw(st.sampled_from(['a.csv', 'a.log', 'a.tar.gz', 'a.tar']))
    lines = layouts.rows(range(3), action=data.draw(st.sampled_from(['1', '[0.5 0.5]'])))
    path = tmp_path / kind
    if kind == 'a.csv':
        content = bytearray(layouts.table(lines))
    elif kind == 'a.log':
        content = bytearray(layouts.log(lines))
    else:
        layouts.packed(layouts.drfc(), path)
        content = bytearray(path.read_bytes() if kind == 'a.tar.gz'
                            else gzip.decompress(path.read_bytes()))
    before = len(lines)
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[:data.draw(st.integers(0, len(content)))]
    path.write_bytes(content)
    log = read_or_refuse(path)
    if log is not None and kind in ('a.csv', 'a.log'):
        # A changed byte can cut a line in two, or hide one; it makes no step out of nothing.
        assert len(log.training) <= before


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400), name=st.sampled_from(['a.csv', 'a.log', 'a.parquet']))
def test_any_bytes(content, name, tmp_path, layouts):
    header = layouts.table([]) if name == 'a.csv' else b'SIM_TRACE_LOG:'
    for start in (b'', header):
        (tmp_path / name).write_bytes(start + content)
        assert isinstance(read_or_refuse(tmp_path / name), Log | None)
