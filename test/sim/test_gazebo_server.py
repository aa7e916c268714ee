"""Gazebo's server as a process, and messages as they come; a script stands in for `gz`."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from racer_sim.gazebo import transport, wire
from racer_sim.gazebo.server import GazeboServer
from racer_sim.gazebo.transport import GazeboError, Inbox, bindings

PATIENCE_S = 40.0


@pytest.fixture
def gz(tmp_path, monkeypatch):
    """Puts a script in the place of `gz`; gives the world that it may be started with."""
    def script(body):
        path = tmp_path / 'bin' / 'gz'
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\n{body}\n')
        path.chmod(0o755)
        monkeypatch.setenv('PATH', f'{path.parent}{os.pathsep}{os.environ["PATH"]}')
        return tmp_path / 'world.sdf'

    return script


def until(condition):
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, 'not in time'
        time.sleep(0.01)


@pytest.mark.parametrize(('options', 'words'), [
    ({'paused': True, 'gui': False}, 'sim -v 3 -s --headless-rendering'),
    ({'paused': False, 'gui': False}, 'sim -v 3 -r -s --headless-rendering'),
    ({'paused': False, 'gui': True}, 'sim -v 3 -r'),
])
def test_it_is_told_what_to_run_and_who_may_hear_it(gz, options, words):
    world = gz('echo "$@ [$GZ_PARTITION] [$GZ_IP]"; exec sleep 60')
    with GazeboServer(world, 'lab', **options) as server:
        until(lambda: server.output.strip())
        assert server.output.strip() == f'{words} {world} [lab] [127.0.0.1]'
        server.require_alive()


def test_an_address_that_somebody_chose_is_kept(gz, monkeypatch):
    monkeypatch.setenv('GZ_IP', '10.0.0.7')
    monkeypatch.setenv('GZ_PARTITION', 'ours')
    world = gz('echo "[$GZ_PARTITION] [$GZ_IP]"; exec sleep 60')
    with GazeboServer(world, '', paused=True, gui=False) as server:
        until(lambda: server.output.strip())
        assert server.output.strip() == '[ours] [10.0.0.7]'


def test_its_end_is_told_with_its_last_words(gz):
    world = gz('echo one; echo "[Err] no such world" >&2; exit 3')
    with GazeboServer(world, '', paused=True, gui=False) as server:
        until(lambda: server._process.poll() is not None)
        with pytest.raises(GazeboError, match=r'status 3; .* It said: one \| \[Err\] no such'):
            server.require_alive()


def test_whatever_it_started_ends_with_it(gz):
    world = gz('trap "" INT TERM; sleep 60 & echo $!; wait; wait')
    server = GazeboServer(world, '', paused=True, gui=False)
    until(lambda: server.output.strip())
    child = int(server.output)
    begin_s = time.monotonic()
    server.close()
    server.close()
    assert time.monotonic() - begin_s < PATIENCE_S
    with pytest.raises(ProcessLookupError):
        until(lambda: os.kill(child, 0))


def test_it_ends_with_whoever_started_it(gz, tmp_path):
    world = gz('echo $$ > pid; exec sleep 60')
    code = ('import os, sys, time; from pathlib import Path\n'
            'from racer_sim.gazebo.server import GazeboServer\n'
            'GazeboServer(Path(sys.argv[1]), "", paused=True, gui=False)\n'
            'time.sleep(60)')
    parent = subprocess.Popen([sys.executable, '-c', code, str(world)])
    until(lambda: (tmp_path / 'pid').exists() and (tmp_path / 'pid').read_text().strip())
    parent.send_signal(signal.SIGKILL)
    parent.wait(PATIENCE_S)
    with pytest.raises(ProcessLookupError):
        until(lambda: os.kill(int((tmp_path / 'pid').read_text()), 0))


def test_without_gazebo_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(GazeboError, match=r'gz is not installed.*Install gz-harmonic'):
        GazeboServer(tmp_path / 'world.sdf', '', paused=True, gui=False)


def test_without_bindings_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'gz.transport13', None)
    with pytest.raises(GazeboError, match='python3-gz-transport13'):
        bindings()


def stamped(milliseconds):
    sec, rest = divmod(milliseconds, 1000)
    stamp = wire.of_int(1, sec) + wire.of_int(2, rest * 1_000_000)
    return wire.of_bytes(1, wire.of_bytes(1, stamp))


MS = 1_000_000


@pytest.fixture
def inbox():
    box = Inbox(lambda: None)
    for milliseconds in (2, 4, 6):
        box.put(stamped(milliseconds), None)
    return box


def test_messages_are_found_by_their_stamp(inbox):
    assert inbox.newest() == stamped(6)
    assert inbox.at(4 * MS) == stamped(4)
    assert inbox.at(5 * MS) == stamped(4)
    assert inbox.at(99 * MS) == stamped(6)
    assert inbox.at(0) == stamped(2), 'the oldest is the nearest there is'


def test_an_empty_inbox_has_nothing():
    box = Inbox(lambda: None)
    assert box.newest() is None and box.at(0) is None
    assert box.wait(0, 0.01) is None


def test_old_messages_make_room(inbox):
    for milliseconds in range(8, 8 + 2 * transport.KEPT, 2):
        inbox.put(stamped(milliseconds), None)
    assert inbox.at(0) == stamped(8)


def test_a_wait_ends_with_a_message_that_is_young_enough(inbox):
    assert inbox.wait(6 * MS, 0.0) == stamped(6)
    assert inbox.wait(7 * MS, 0.01) is None
    timer = threading.Timer(0.05, lambda: inbox.put(stamped(8), None))
    timer.start()
    assert inbox.wait(7 * MS, PATIENCE_S) == stamped(8)
    timer.join()


def test_who_wants_to_know_is_told_of_each_message():
    told = []
    box = Inbox(lambda: told.append(1))
    box.put(b'', None)
    box.put(b'', None)
    assert told == [1, 1]
