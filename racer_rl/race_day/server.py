"""The pages of a race day over HTTP: states as a stream of events, commands with a token."""

from __future__ import annotations

import ipaddress
import json
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, Final, Protocol

from racer_vehicle.errors import ConfigError, RacerError

TOKEN_HEADER: Final = 'X-Racer-Token'
MOST_BYTES: Final = 4096
"""Of a command; more is no command."""

MOST_STREAMS: Final = 200
SAY_AGAIN_S: Final = 1.0
"""A state is sent at least so often: pages see that they are connected, and set their clocks."""

RETRY_MS: Final = 1000
SLOWEST_READER_S: Final = 10.0
POLICY: Final = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                 "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
HTML, CSS, SCRIPT, JSON = ('text/html; charset=utf-8', 'text/css; charset=utf-8',
                           'text/javascript; charset=utf-8', 'application/json')


class Host(Protocol):
    """What is shown, and who takes commands; called from many threads."""

    def view(self) -> dict[str, Any]:
        """The state, JSON; `version` counts its changes."""

    def wait(self, version: int, patience_s: float) -> bool:
        """Wait for another version."""

    def seen(self) -> None:
        """A control page is there."""


def pages() -> dict[str, tuple[str, bytes]]:
    """Path to type and content of all that never changes."""
    own = files('racer_rl.race_day') / 'pages'
    look = files('racer_rl.league') / 'pages' / 'look.css'
    return {'/': (HTML, (own / 'screen.html').read_bytes()),
            '/control': (HTML, (own / 'control.html').read_bytes()),
            '/day.css': (CSS, look.read_bytes() + (own / 'day.css').read_bytes()),
            **{f'/{name}': (SCRIPT, (own / name).read_bytes())
               for name in ('day.js', 'screen.js', 'control.js')}}


class DayServer(ThreadingHTTPServer):
    """Serves until it is shut down; every page that looks on has a thread.

    Attributes:
        token: Who has it may command.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], host: Host, command: Callable[[Any], None],
                 headline: Mapping[str, str], course: Mapping[str, Any]) -> None:
        """Bind; `serving` runs it.

        Args:
            address: To listen at; port 0: any that is free.
            host: What is shown.
            command: Carries out the object of a command, or raises a `RacerError`.
            headline: Part of every state.
            course: What the map is drawn of.

        Raises:
            ConfigError: The address cannot be had.
        """
        self.token = secrets.token_urlsafe(18)
        self.host, self.command, self.headline = host, command, dict(headline)
        self.fixed = {**pages(), '/course.json': (JSON, json.dumps(course).encode())}
        self.closing, self.streams = threading.Event(), threading.Semaphore(MOST_STREAMS)
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            raise ConfigError(f'cannot listen at {address[0]}:{address[1]} ({error.strerror}); '
                              'give another --port or --host.') from error

    def state(self) -> dict[str, Any]:
        """What is shown now."""
        return {**self.host.view(), 'headline': self.headline}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that has gone is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    @property
    def urls(self) -> tuple[str, str]:
        """Of the big screen and of the control page."""
        name, port = str(self.server_address[0]), self.server_address[1]
        shown = socket.gethostname() if name in ('0.0.0.0', '::') else name
        return f'http://{shown}:{port}/', f'http://{shown}:{port}/control#{self.token}'


@contextmanager
def serving(server: DayServer) -> Iterator[DayServer]:
    """Serve in a thread while the block runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.1},
                              name='race-day-server', daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: DayServer
    protocol_version = 'HTTP/1.1'
    timeout = SLOWEST_READER_S

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads who asked for what; and a log must not hold the token."""

    def version_string(self) -> str:
        return 'racer'

    def do_GET(self) -> None:  # the name that http.server calls
        if not self._is_meant_for_us():
            self._answer(HTTPStatus.FORBIDDEN, JSON, b'{}')
            return
        path = self.path.partition('?')[0]
        if path == '/events':
            self._stream()
        elif path == '/state':
            self._answer(HTTPStatus.OK, JSON, json.dumps(self.server.state()).encode())
        elif path in self.server.fixed:
            self._answer(HTTPStatus.OK, *self.server.fixed[path])
        else:
            self._answer(HTTPStatus.NOT_FOUND, JSON, b'{}')

    def do_POST(self) -> None:
        given = self.headers.get(TOKEN_HEADER, '')
        size = self.headers.get('Content-Length', '')
        content = (self.rfile.read(int(size)) if size.isascii() and size.isdigit()
                   and int(size) <= MOST_BYTES else None)
        if content is None:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 'a command is short')
        elif not self._is_meant_for_us() or not secrets.compare_digest(
                given.encode('latin-1', 'replace'), self.server.token.encode()):
            self._refuse(HTTPStatus.FORBIDDEN, 'the token is wrong; open the control page by the '
                         'address that race day printed last.')
        elif self.path == '/alive':
            self.server.host.seen()
            self._answer(HTTPStatus.OK, JSON, b'{}')
        elif self.path == '/act':
            self._act(content)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, 'there is nothing here')

    def _act(self, content: bytes) -> None:
        self.server.host.seen()
        try:
            command = json.loads(content)
        except (ValueError, RecursionError):
            self._refuse(HTTPStatus.BAD_REQUEST, 'a command is a JSON object.')
            return
        try:
            self.server.command(command)
        except RacerError as error:
            self._refuse(HTTPStatus.CONFLICT, str(error))
        except OSError as error:
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, f'cannot be kept: {error.strerror}; '
                         'nothing was changed.')
        else:
            self._answer(HTTPStatus.OK, JSON, b'{}')

    def _is_meant_for_us(self) -> bool:
        """Whether the page asks this machine by address or its own name.

        Otherwise a page from elsewhere could make a name of its own point here, and read along.
        """
        name = self.headers.get('Host', '').rpartition(':')[0] or self.headers.get('Host', '')
        own = socket.gethostname().lower()
        if name.lower() in ('localhost', own, f'{own}.local'):
            return True
        try:
            ipaddress.ip_address(name.strip('[]'))
        except ValueError:
            return False
        return True

    def _stream(self) -> None:
        if not self.server.streams.acquire(blocking=False):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, f'{MOST_STREAMS} pages look on already')
            return
        try:
            self._headers(HTTPStatus.OK, 'text/event-stream', {'Connection': 'close'})
            self.close_connection = True
            self.wfile.write(f'retry: {RETRY_MS}\n\n'.encode())
            while not self.server.closing.is_set():
                state = self.server.state()
                self.wfile.write(b'data: ' + json.dumps(state).encode() + b'\n\n')
                self.server.host.wait(state['version'], SAY_AGAIN_S)
        finally:
            self.server.streams.release()

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self._answer(status, JSON, json.dumps({'error': text}).encode())

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self._headers(status, kind, {'Content-Length': str(len(content))})
        self.wfile.write(content)

    def _headers(self, status: HTTPStatus, kind: str, more: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {'Content-Type': kind, 'Cache-Control': 'no-store',
                            'Content-Security-Policy': POLICY, 'Referrer-Policy': 'no-referrer',
                            'X-Content-Type-Options': 'nosniff', **more}.items():
            self.send_header(name, value)
        self.end_headers()
