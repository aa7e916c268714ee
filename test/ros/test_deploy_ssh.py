"""`racer deploy --to user@car` through a real sshd, as far as one is installed here."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from racer_rl.cli.main import run

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.xdist_group('cars')]

SSHD = shutil.which('sshd', path=f'{os.environ["PATH"]}:/usr/sbin')
PATIENCE_S = 120.0

SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
"""

CLIENT = """\
Host car
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/user
  IdentitiesOnly yes
  BatchMode yes
  StrictHostKeyChecking no
  UserKnownHostsFile {folder}/known
  LogLevel ERROR
"""


@pytest.fixture
def car(tmp_path):
    """A server that takes one key; the folder with its client's settings."""
    if SSHD is None or shutil.which('ssh-keygen') is None:
        pytest.skip('NOT TESTED over ssh: openssh-server is not installed')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    folder = tmp_path / 'ssh'
    folder.mkdir()
    for name in ('host', 'user'):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', folder / name],
                       check=True)
    (folder / 'sshd').write_text(SERVER.format(port=port, folder=folder))
    (folder / 'client').write_text(CLIENT.format(port=port, folder=folder))
    if os.geteuid() == 0:
        Path('/run/sshd').mkdir(exist_ok=True)
    server = subprocess.Popen([SSHD, '-D', '-e', '-f', folder / 'sshd'],
                              stderr=(folder / 'log').open('w'))
    try:
        end_s = time.monotonic() + PATIENCE_S
        while subprocess.run(['ssh', '-F', folder / 'client', 'car', 'true'], check=False,
                             capture_output=True).returncode != 0:
            if server.poll() is not None or time.monotonic() > end_s:
                pytest.skip('NOT TESTED over ssh: sshd does not serve here: '
                            + (folder / 'log').read_text()[-300:])
            time.sleep(0.1)
        yield folder
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


def deployed(car, tmp_path, policy, setup):
    return run(['deploy', policy, '--to', f'{getpass.getuser()}@car:{tmp_path / "there"}',
                '--ssh-config', str(car / 'client'), '--prefix', str(tmp_path / 'opt'),
                '--ros-setup', str(setup), '--camera', 'fake', '--lidar', 'fake', '--motor',
                'fake'])


def test_a_package_reaches_the_car_and_is_installed(car, tmp_path, toy, toy_file, ready_car,
                                                    capfd):
    python = subprocess.run(['ssh', '-F', car / 'client', 'car', 'python3.11', '-c',
                             '"import ensurepip, venv"'], check=False, capture_output=True)
    if python.returncode != 0 or sys.version_info[:2] != (3, 11):
        pytest.skip('NOT TESTED over ssh: no python3.11 there that makes environments')
    assert deployed(car, tmp_path, toy_file(toy()), ready_car) == 0, capfd.readouterr()
    said = capfd.readouterr()
    assert 'policy: toy' in said.out and 'is in place' in said.out
    version = subprocess.run(['ssh', '-F', car / 'client', 'car',
                              f'{tmp_path}/opt/current/bin/racer', '--version'],
                             capture_output=True, text=True, check=True)
    assert version.stdout.startswith('racer ')


def test_what_the_car_refuses_is_told_and_leaves_nothing(car, tmp_path, toy, toy_file, capfd):
    (tmp_path / 'setup.sh').write_text('')
    # Twice: what lies there from the first time is replaced.
    for _ in range(2):
        assert deployed(car, tmp_path, toy_file(toy()), tmp_path / 'setup.sh') == 2
        said = capfd.readouterr()
        assert 'error: ' in said.out + said.err
        assert 'ended with status 1; see what it said above' in said.err
    check = subprocess.run(['sha256sum', '--check', '--strict', '--quiet', 'SHA256SUMS'],
                           cwd=tmp_path / 'there/racer-toy', check=False)
    assert check.returncode == 0
    assert not (tmp_path / 'opt').exists()
