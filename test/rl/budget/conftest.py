"""Real servers on this machine that take alerts: one for mail, one for webhooks."""

import http.server
import json
import multiprocessing
import socket
import threading

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from racer_rl.budget.ledger import Run


class MailServer:
    """Keeps subjects; wants the password it was made with."""

    def __init__(self, password):
        self.subjects, self._password = [], password.encode()
        self._controller = Controller(self, hostname='127.0.0.1', port=0, auth_required=True,
                                      auth_require_tls=False, authenticator=self._authenticate)
        # The controller connects to itself to see whether it is up, at the port it was given.
        self._controller.port = self.port = free_port()

    def _authenticate(self, server, session, envelope, mechanism, data):
        return AuthResult(success=data.password == self._password)

    async def handle_DATA(self, server, session, envelope):
        text = envelope.content.decode()
        self.subjects.append(next(line.partition(': ')[2] for line in text.splitlines()
                                  if line.startswith('Subject: ')))
        return '250 taken'

    def __enter__(self):
        self._controller.start()
        return self

    def __exit__(self, *_):
        self._controller.stop()


class Webhook:
    """Keeps titles of what is posted; `arrived` is set by the first."""

    def __init__(self, port=0):
        titles = self.titles = []
        arrived = self.arrived = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                content = self.rfile.read(int(self.headers['Content-Length']))
                titles.append(json.loads(content)['title'])
                self.send_response(200)
                self.end_headers()
                arrived.set()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler)
        self.address = f'json://127.0.0.1:{self._server.server_port}/hook'

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def free_port():
    with socket.socket() as finder:
        finder.bind(('127.0.0.1', 0))
        return finder.getsockname()[1]


@pytest.fixture
def mail_server():
    """Its class."""
    return MailServer


@pytest.fixture
def webhook():
    """Its class."""
    return Webhook


@pytest.fixture
def silent_port():
    """Of a server that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen(50)
        yield server.getsockname()[1]


@pytest.fixture
def dead_port():
    """Where nobody listens."""
    return free_port()


@pytest.fixture(scope='session')
def run_of():
    """Makes runs of the ledger by their id; everything else may be told."""
    def make(name, *, ended=None, began='2026-11-27T00:00:00.000+00:00', **others):
        return Run(**{
            'id': name, 'kind': 'train', 'model': 'm', 'model_id': '', 'machine': 'here',
            'processor': 'p', 'host': 'h', 'boot': 'b', 'pid': 1, 'pid_start': 1,
            'began': began, 'written': began, 'ended': ended,
            'outcome': 'done' if ended else '', 'beat_s': 0.0, 'steps': 0, 'progress': None,
            'peak_memory_bytes': 0, 'energy': 'estimated', 'currency': 'EUR', 'price': '',
            'price_date': '2026-11-26', **others})
    return make


@pytest.fixture
def forking():
    """A context whose processes are like those of other terminals.

    A fork takes along what SQLite remembers of the locks that another thread holds just then, and
    never gets rid of them: the senders of earlier runs have to end first.
    """
    for thread in threading.enumerate():
        if thread.name == 'racer alerts':
            thread.join(timeout=60.0)
            assert not thread.is_alive()
    return multiprocessing.get_context('fork')
