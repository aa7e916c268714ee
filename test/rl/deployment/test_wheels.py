"""Installed distributions as wheels again: what pip installs from them is what was here."""

import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution, distribution
from pathlib import Path

import pytest

from racer_rl.deployment import wheels
from racer_rl.deployment.wheels import PackagingError, own_wheels, packed, racer_wheel


def installed(target, wheel):
    command = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-index', '--no-deps',
               '--target', target, wheel]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr


def test_a_packed_distribution_installs_as_it_was(tmp_path):
    found = distribution('shellingham')
    wheel = packed(found, tmp_path)
    installed(tmp_path / 'there', wheel)
    for file in found.files:
        if file.parts[0] == 'shellingham' and file.suffix == '.py':
            assert (tmp_path / 'there' / file).read_bytes() == Path(
                found.locate_file(file)).read_bytes()
    again = PathDistribution(next((tmp_path / 'there').glob('shellingham-*.dist-info')))
    assert again.version == found.version and again.read_text('WHEEL') == found.read_text('WHEEL')


def test_a_packed_wheel_has_no_traces_of_this_machine(tmp_path):
    with zipfile.ZipFile(packed(distribution('typer'), tmp_path)) as archive:
        names = archive.namelist()
        assert not [name for name in names
                    if name.endswith(('.pyc', 'INSTALLER', 'direct_url.json'))]
        assert not [name for name in names if name.startswith(('/', '..'))]
        assert sys.prefix.encode() not in b''.join(map(archive.read, names))


def test_the_same_files_make_the_same_bytes(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'b').mkdir()
    one, two = (packed(distribution('mdurl'), tmp_path / name) for name in 'ab')
    assert one.read_bytes() == two.read_bytes()


def planted(tmp_path, change):
    """A distribution installed into a folder, then changed."""
    folder = tmp_path / 'site'
    installed(folder, packed(distribution('mdurl'), tmp_path))
    change(folder)
    return PathDistribution(next(folder.glob('mdurl-*.dist-info')))


@pytest.mark.parametrize(('change', 'words'), [
    (lambda folder: (folder / 'mdurl' / '_parse.py').write_text('x = 1'),
     'mdurl/_parse.py of mdurl was changed after it was installed'),
    (lambda folder: (folder / 'mdurl' / '_parse.py').unlink(), 'mdurl lacks mdurl/_parse.py'),
    (lambda folder: next(folder.glob('*.dist-info/WHEEL')).unlink(), 'mdurl lacks mdurl-'),
])
def test_what_is_not_as_it_was_released_does_not_go_to_a_car(tmp_path, change, words):
    with pytest.raises(PackagingError, match=words):
        packed(planted(tmp_path, change), tmp_path)


def test_what_pip_did_not_install_is_refused(monkeypatch):
    monkeypatch.setattr(wheels, 'NEEDED', ('no-such-thing',))
    with pytest.raises(PackagingError, match='no-such-thing was not installed by pip'):
        own_wheels(Path())


PACK_AGAIN = """
import sys
from pathlib import Path
from racer_rl.deployment.wheels import racer_wheel
racer_wheel(Path(sys.argv[1]))
"""


def test_an_installed_racer_packs_the_wheel_that_a_checkout_builds(tmp_path):
    built = racer_wheel(tmp_path)
    there, again = tmp_path / 'venv', tmp_path / 'again'
    again.mkdir()
    python = there / 'bin' / 'python'
    for command in (
            [sys.executable, '-m', 'venv', '--without-pip', there],
            [sys.executable, '-m', 'pip', '--python', python, 'install', '--quiet', '--no-index',
             '--no-deps', built, packed(distribution('packaging'), tmp_path)],
            [python, '-c', PACK_AGAIN, again]):
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False,
                                cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    with zipfile.ZipFile(built) as one, zipfile.ZipFile(again / built.name) as two:
        assert sorted(one.namelist()) == sorted(two.namelist())
        assert all(one.read(name) == two.read(name) for name in one.namelist()
                   if not name.endswith('RECORD'))
        node = next(info for info in two.infolist() if info.filename.endswith('camera_node'))
        assert node.external_attr >> 16 & 0o111, 'ROS runs it'


def test_the_needed_packages_hold_no_torch(monkeypatch):
    closure = wheels._closure(wheels.NEEDED)
    assert {'numpy', 'onnxruntime', 'typer', 'cffi'} <= closure
    assert not {'torch', 'stable-baselines3', 'gymnasium', 'numba'} & closure


def test_a_download_that_fails_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', str(tmp_path))
    with pytest.raises(PackagingError, match=r'wheels for linux-aarch64 and Python .* could not'):
        wheels.downloaded_wheels(tmp_path, 'linux-aarch64', '3.12')
