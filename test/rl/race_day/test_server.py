"""Pages over HTTP: the stream, the token, thirty onlookers, and a server that comes back."""

import http.client
import json
import socket
import threading
import time

import pytest

from racer_rl.race_day.commands import Commands
from racer_rl.race_day.events import Act
from racer_rl.race_day.server import MOST_BYTES, POLICY, DayServer, serving

PATIENCE_S = 120.0


@pytest.fixture
def day(new_day):
    with new_day() as day:
        day.enter('Ada')
        day.enter('Cy')
        yield day


@pytest.fixture
def server(day, board):
    with serving(DayServer(('127.0.0.1', 0), day, Commands(day, board.join), board.headline,
                           {'name': 'ring', 'left': [[0, 1]], 'right': [[0, 0]]})) as server:
        yield server


def asked(server, method, path, content=None, **headers):
    """Status and JSON or text of an answer."""
    port = server.server_address[1]
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=PATIENCE_S)
    body = content if content is None or isinstance(content, bytes) else json.dumps(content)
    connection.request(method, path, body, {
        name.replace('_', '-'): value for name, value in headers.items()})
    answer = connection.getresponse()
    told = answer.read().decode()
    connection.close()
    if answer.headers['Content-Type'] == 'application/json':
        told = json.loads(told)
    return answer.status, told, answer.headers


def command(server, **content):
    status, told, _ = asked(server, 'POST', '/act', content, X_Racer_Token=server.token)
    return status, told.get('error', '')


class Onlooker:
    """A page that follows the stream."""

    def __init__(self, server):
        self.socket = socket.create_connection(server.server_address[:2], PATIENCE_S)
        self.socket.sendall(b'GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
        self.stream = self.socket.makefile('rb')

    def __iter__(self):
        for line in self.stream:
            if line.startswith(b'data: '):
                yield json.loads(line.removeprefix(b'data: '))

    def close(self):
        self.stream.close()
        self.socket.close()


def test_pages_come_with_a_policy_that_lets_nothing_else_in(server):
    for path, kind in (('/', 'text/html'), ('/control', 'text/html'), ('/day.css', 'text/css'),
                       ('/day.js', 'text/javascript'), ('/course.json', 'application/json')):
        status, _, headers = asked(server, 'GET', path)
        assert status == 200 and headers['Content-Type'].startswith(kind)
        assert headers['Content-Security-Policy'] == POLICY
        assert 'unsafe' not in headers['Content-Security-Policy']
    assert asked(server, 'GET', '/../setup.py')[0] == 404
    assert server.token not in asked(server, 'GET', '/control')[1]


def test_a_whole_run_by_commands(server, day, clock):
    assert command(server, act='call') == (200, '')
    assert command(server, act='start') == (200, '')
    clock.now_s += 9.0
    command(server, act='lap')
    command(server, act='off-track')
    command(server, act='undo')
    clock.now_s += 8.0
    command(server, act='lap')
    assert command(server, act='declare') == (200, '')
    _, state, _ = asked(server, 'GET', '/state')
    assert state['standings'][0]['best_lap_s'] == 8.0 and state['phase'] == 'idle'
    assert state['headline']['league'] == 'club'
    status, error = command(server, act='lap')
    assert status == 409 and 'nobody is called' in error


@pytest.mark.parametrize(('content', 'said'), [
    ({'act': 'fly'}, 'unknown act'), ([], 'object'), ({'act': 'move', 'entry': 'x'}, 'entry is'),
    ({'act': 'enter'}, 'racer is None'), ({'act': 'enter', 'racer': '<b>'}, 'allowed: letters'),
    ({'act': 'move', 'entry': 9}, 'entry 9 does not wait'),
    ({'act': 'hold'}, 'does not move this car'), (b'{', 'JSON'), (b'\x80', 'JSON'),
    (b'[' * 4000, 'JSON')])
def test_commands_that_are_none_are_refused_in_words(server, day, content, said):
    before = day.day
    status, told, _ = asked(server, 'POST', '/act', content, X_Racer_Token=server.token)
    assert status in (400, 409) and said in told['error']
    assert day.day == before


def test_nobody_commands_without_the_token(server, day):
    for token in ('', 'x', server.token[:-1], server.token + 'x', 'é'):
        assert asked(server, 'POST', '/act', {'act': 'call'}, X_Racer_Token=token)[0] == 403
    assert day.day.on_track is None


def test_a_name_that_somebody_pointed_here_is_refused(server):
    assert asked(server, 'GET', '/state', Host='evil.example')[0] == 403
    assert asked(server, 'GET', '/state', Host='localhost:1')[0] == 200
    assert asked(server, 'POST', '/act', {'act': 'call'}, Host='evil.example',
                 X_Racer_Token=server.token)[0] == 403


def test_too_much_is_not_read(server):
    assert asked(server, 'POST', '/act', b'x' * (MOST_BYTES + 1),
                 X_Racer_Token=server.token)[0] == 413
    assert asked(server, 'POST', '/act', b'', Content_Length='-5')[0] == 413


def test_thirty_onlookers_see_every_change(server, day, clock):
    onlookers = [Onlooker(server) for _ in range(30)]
    try:
        streams = [iter(onlooker) for onlooker in onlookers]
        assert all(next(stream)['phase'] == 'idle' for stream in streams)
        day.do(Act.CALL)
        day.do(Act.START)
        clock.now_s += 9.0
        day.do(Act.LAP)
        for stream in streams:
            state = next(state for state in stream if state['run'] and state['run']['laps'])
            assert state['run']['laps'] == [{'time_s': 9.0, 'clean': True}]
        for onlooker in onlookers[:29]:
            onlooker.close()
        day.do(Act.UNDO)
        assert next(state for state in streams[29] if not state['run']['laps'])
    finally:
        for onlooker in onlookers:
            onlooker.close()


def test_the_clock_does_not_drift_from_the_steady_one(server, day, clock):
    day.do(Act.CALL)
    day.do(Act.START)
    onlooker = Onlooker(server)
    stream = iter(onlooker)
    next(stream)
    for elapsed_s in (10.0, 20.0, 30.0):
        clock.now_s = 1000.0 + elapsed_s
        day.tell(f'{elapsed_s} s')
        state = next(state for state in stream if state['trouble'] == f'{elapsed_s} s')
        assert state['run']['clock_s'] == state['run']['lap_clock_s'] == elapsed_s
        assert state['run']['pace'] == 1.0
    onlooker.close()


def test_an_onlooker_that_reads_nothing_holds_up_nobody(server, day):
    sleeper = socket.create_connection(server.server_address[:2], PATIENCE_S)
    sleeper.sendall(b'GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    for number in range(300):
        day.tell('x' * 20_000 + str(number))
    assert asked(server, 'GET', '/state')[1]['trouble'].endswith('299')
    sleeper.close()


def test_the_server_ends_while_pages_look_on_and_comes_back(day, board):
    def new(port):
        return DayServer(('127.0.0.1', port), day, Commands(day, board.join), board.headline, {})

    with serving(new(0)) as first:
        port, token = first.server_address[1], first.token
        onlooker = Onlooker(first)
        assert next(iter(onlooker))['phase'] == 'idle'
    assert sum(1 for _ in onlooker) < 3, 'the stream ends'
    with serving(new(port)) as second:
        assert next(iter(Onlooker(second)))['phase'] == 'idle'
        assert second.token != token
        assert asked(second, 'POST', '/act', {'act': 'call'}, X_Racer_Token=token)[0] == 403
    deadline_s = time.monotonic() + PATIENCE_S
    while any('Thread' in thread.name and 'process_request' in thread.name
              for thread in threading.enumerate()):
        assert time.monotonic() < deadline_s, 'no thread stays behind'
