"""`racer budget alerts`, as a person types it: what it shows, and what it never does."""

import os
import subprocess
import sys

import pytest

from racer_rl.budget.alert_targets import read_targets
from racer_rl.budget.alerts import AlertSender
from racer_rl.cli.main import run

pytestmark = pytest.mark.usefixtures('racer_home')


@pytest.mark.parametrize('mode', [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(racer_home, capsys, mode):
    path = racer_home / 'alerts.conf'
    path.write_text('json://user:hunter2@localhost/\n')
    path.chmod(mode)
    for words in ('show', 'test'):
        assert run(['budget', 'alerts', words]) == 2
        out, err = capsys.readouterr()
        assert out == ''
        assert err == (f'error: {path} has mode {mode:04o}, and it holds passwords; allowed: 0600,'
                       f' so that only you can read it: chmod 600 {path}\n')
    told = []
    with AlertSender(tell=told.append):
        pass
    assert told == [f'warning: no alert is sent: {err.removeprefix("error: ").strip()}']
    path.chmod(0o600)
    assert [target.label for target in read_targets()] == ['json://***@localhost']


def test_a_test_alert_arrives_or_says_where_it_did_not(monkeypatch, capsys, webhook, dead_port):
    with webhook() as hook:
        monkeypatch.setenv('RACER_ALERTS', hook.address)
        assert run(['budget', 'alerts', 'test', '--json']) == 0
        assert capsys.readouterr().out == '{"taken": {"json://127.0.0.1": true}}\n'
        assert hook.titles == ['racer: a test']
    monkeypatch.setenv('RACER_ALERTS', f'json://127.0.0.1:{dead_port}')
    assert run(['budget', 'alerts', 'test']) == 2
    out, err = capsys.readouterr()
    assert out == 'json://127.0.0.1: not taken\n'
    assert err.startswith('error: not taken: json://127.0.0.1; look at its server, port, ')


def test_addresses_that_are_none_are_named_by_their_place(racer_home, capsys):
    path = racer_home / 'alerts.conf'
    path.touch(0o600)
    path.write_text('# mine\n\njson://localhost\nhunter2\n')
    assert run(['budget', 'alerts', 'show']) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f'error: line 4 of {path} is not an address that alerts can go to; ')
    assert 'hunter2' not in out + err


def test_no_secret_reaches_terminal_or_disk(racer_home, monkeypatch, dead_port):
    addresses = [f'json://user:hunter2@127.0.0.1:{dead_port}/hunter2',
                 f'mailto://user:hunter2@127.0.0.1:{dead_port}?from=a@example.org']
    environment = {**os.environ, 'RACER_ALERTS': ' '.join(addresses), 'PYTHONDEVMODE': '1'}
    code = ('from racer_rl.cli.main import main; from racer_rl.budget.alert_box import *; '
            'box = alert_box(); box.claim(Alert(key="k", title="t", body="b")); main()')
    shown = b''
    for words in (['show'], ['show', '--json'], ['test'], ['test', '--json']):
        done = subprocess.run([sys.executable, '-c', code, 'budget', 'alerts', *words], timeout=60,
                              capture_output=True, env=environment, check=False)
        shown += done.stdout + done.stderr
    assert b'127.0.0.1' in shown
    kept = b''.join(path.read_bytes() for path in racer_home.rglob('*') if path.is_file())
    assert b'127.0.0.1' not in kept or b'hunter2' not in kept
    assert b'hunter2' not in shown + kept
