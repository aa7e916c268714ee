"""Alerts to real servers: exactly one each, later if need be, and never at a run's expense."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_rl.budget.alert_box import LONGEST_PAUSE_S, Alert, alert_box
from racer_rl.budget.alert_targets import masked, read_targets
from racer_rl.budget.alerts import AlertSender
from racer_rl.database import DatabaseError

pytestmark = pytest.mark.usefixtures('racer_home')

ALERTS = tuple(Alert(key=f'monthly/2026-11/{at}', title=f'{at} % of 20 EUR', body='Spent.')
               for at in (50, 80, 100))
TITLES = sorted(alert.title for alert in ALERTS)
ODD = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF,
                            exclude_categories=('Cs', 'Cc', 'Zs')), max_size=12)


def post(*alerts, told=None, check=None, **settings):
    """Be a run in which these alerts come up; gives back what was told at the terminal."""
    told = [] if told is None else told
    with AlertSender(check or (lambda: alerts), tell=told.append, **settings):
        pass
    return told


def cross(barrier):
    barrier.wait()
    post(*ALERTS, last_wait_s=60.0)


@pytest.mark.filterwarnings('ignore:Requiring AUTH')
def test_each_address_gets_each_alert_once(monkeypatch, webhook, mail_server):
    with webhook() as hook, mail_server('p@ss:/w') as mail:
        monkeypatch.setenv('RACER_ALERTS', f'{hook.address} mailto://me:p%40ss%3A%2Fw@127.0.0.1:'
                           f'{mail.port}?from=me@example.org&to=you@example.org')
        assert post(*ALERTS, last_wait_s=60.0) == []
        assert post(*ALERTS, last_wait_s=60.0) == []
        assert sorted(hook.titles) == TITLES == sorted(mail.subjects)


def test_several_processes_that_cross_at_once_send_one_alert_each(monkeypatch, webhook, forking):
    with webhook() as hook:
        monkeypatch.setenv('RACER_ALERTS', hook.address)
        barrier = forking.Barrier(4)
        runs = [forking.Process(target=cross, args=(barrier,)) for _ in range(4)]
        for each in runs:
            each.start()
        for each in runs:
            each.join()
        assert [each.exitcode for each in runs] == [0] * 4
        assert sorted(hook.titles) == TITLES
        assert alert_box().waiting() == []


def test_a_server_that_comes_up_later_gets_it(monkeypatch, webhook, dead_port):
    monkeypatch.setenv('RACER_ALERTS', f'json://127.0.0.1:{dead_port}')
    told, failed = [], threading.Event()

    def check():
        if any(waiting.attempts for waiting in alert_box().waiting()):
            failed.set()
        return ALERTS[:1]

    with AlertSender(check, tell=told.append, last_wait_s=60.0):
        assert failed.wait(30)
        with webhook(dead_port) as hook:
            assert hook.arrived.wait(30)
    assert hook.titles == [ALERTS[0].title]
    assert told == []


def test_what_no_server_took_the_next_command_sends(monkeypatch, webhook, dead_port):
    monkeypatch.setenv('RACER_ALERTS', f'json://127.0.0.1:{dead_port}')
    assert post(ALERTS[0]) == [
        'note: one alert is not sent yet; the next racer command tries again. To see why: racer '
        'budget alerts test']
    [waiting] = alert_box().waiting()
    assert waiting.attempts >= 1 and waiting.due_in_s <= 1.0
    with webhook(dead_port) as hook:
        code = 'from racer_rl.cli.main import main; main()'
        while alert_box().waiting():  # not before its pause is over
            subprocess.run([sys.executable, '-c', code, 'tracks', 'list'], check=True,
                           capture_output=True, timeout=60)
        assert hook.titles == [ALERTS[0].title]


def test_one_dead_server_does_not_make_another_get_it_twice(monkeypatch, webhook, dead_port):
    with webhook() as hook:
        monkeypatch.setenv('RACER_ALERTS', f'json://127.0.0.1:{dead_port} {hook.address}')
        post(ALERTS[0])
        assert alert_box().waiting()
        again = threading.Event()

        def check():
            if any(each.attempts > 1 for each in alert_box().waiting()):
                again.set()
            return ()

        with AlertSender(check, tell=print):
            assert again.wait(30)
        assert hook.titles == [ALERTS[0].title]


def test_a_server_that_hangs_is_not_waited_for(monkeypatch, silent_port):
    monkeypatch.setenv('RACER_ALERTS', f'json://127.0.0.1:{silent_port}')
    assert len(post(ALERTS[0], last_wait_s=0.2)) == 1
    [waiting] = alert_box().waiting()
    assert waiting.attempts == 0, 'it is still being tried'


def test_pauses_double_up_to_a_limit():
    box = alert_box()
    assert box.claim(ALERTS[0])
    pauses = []
    for _ in range(12):
        [waiting] = box.waiting()
        box.postpone(waiting)
        pauses.append(round(box.waiting()[0].due_in_s))
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, *[LONGEST_PAUSE_S] * 3]


def test_without_addresses_nothing_is_claimed():
    assert post(*ALERTS) == []
    assert alert_box().waiting() == []
    assert alert_box().claim(ALERTS[0])


@pytest.mark.parametrize(('address', 'shown'), [
    ('mailtos://me:pw@smtp.example.org', 'mailtos://***@smtp.example.org'),
    ('jsons://hooks.example.org:8443/secret/path?x=y', 'jsons://hooks.example.org'),
    ('slack://tokenA/tokenB/tokenC', 'slack://***'),
    ('mailto://me:p@ss@smtp.example.org', 'mailto://***'),
    ('json://me:p/w@host', 'json://***'),
    ('secret', '***'),
])
def test_what_is_shown_of_an_address(address, shown):
    assert masked(address) == shown


@given(before=ODD, after=ODD, shape=st.sampled_from([
    'json://user:{}@127.0.0.1:9/', 'mailto://user:{}@127.0.0.1:9?to=a@example.org', 'slack://{}',
    'json://127.0.0.1:9/{}', 'json://127.0.0.1:9/?+X-Token={}', 'mailto://{}@127.0.0.1:9', '{}']),
    encoded=st.booleans())
def test_no_secret_is_ever_shown(before, after, shape, encoded):
    secret = f'{before}hunter2{after}'
    address = shape.format(quote(secret, safe='') if encoded else secret)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RACER_ALERTS', address)
        [target] = read_targets()
        shown = f'{target.label} {target!r} {show_error(target)}'
    assert 'hunter2' not in shown


def show_error(target):
    try:
        target.service()
    except Exception as error:  # noqa: BLE001 (whatever it is, it must not tell)
        return f'{error!r}{error.__cause__!r}'
    return ''


def test_a_damaged_box_is_named(racer_home):
    (racer_home / 'alerts.sqlite').write_bytes(b'not a database at all' * 100)
    with pytest.raises(DatabaseError, match=r'alerts\.sqlite is damaged \(file is not a database\)'
                                            '; delete it'):
        alert_box().waiting()


def test_a_box_of_an_older_racer_is_read(racer_home):
    with contextlib.closing(sqlite3.connect(racer_home / 'alerts.sqlite')) as older:
        older.executescript("""
            CREATE TABLE alerts (
                key TEXT PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL,
                raised_s REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_s REAL NOT NULL,
                done INTEGER NOT NULL DEFAULT 0);
            CREATE TABLE sent (key TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (key, target));
            INSERT INTO alerts VALUES ('k', 't', 'b', 9e9, 2, 0.0, 0);
            INSERT INTO sent VALUES ('k', 'mail');""")
    [waiting] = alert_box().waiting()
    assert waiting.alert == Alert(key='k', title='t', body='b') and waiting.attempts == 2
    assert alert_box().sent_to(waiting.alert) == {'mail'}
