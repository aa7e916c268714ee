"""A headless Chromium, spoken to through two pipes: pages, keys, sizes, and what it asks for."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time

import pytest

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
QUIET = ('--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync',
         '--disable-extensions', '--disable-default-apps', '--disable-dev-shm-usage',
         '--hide-scrollbars', '--remote-debugging-pipe')
PATIENCE_S = 120.0


class Chromium:
    """One browser; every page is a tab of its own."""

    def __init__(self, path, profile):
        hears, self._tell = os.pipe()
        self._hear, tells = os.pipe()
        # Chromium listens on 3 and speaks on 4; ours may have just these numbers.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (hears, tells)]
        arguments = [path, *QUIET, f'--user-data-dir={profile}', 'about:blank']
        with open(os.devnull, 'r+b') as nothing:
            self._number_of_process = os.posix_spawn(path, arguments, os.environ, file_actions=[
                *((os.POSIX_SPAWN_DUP2, nothing.fileno(), stream) for stream in (0, 1, 2)),
                (os.POSIX_SPAWN_DUP2, ends[0], 3), (os.POSIX_SPAWN_DUP2, ends[1], 4)])
        for end in (hears, tells, *ends):
            os.close(end)
        self._number, self._rest, self.events = 0, b'', []

    def ask(self, method, session=None, **values):
        """Answer of the browser."""
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': values}
        os.write(self._tell, json.dumps(
            message if session is None else {**message, 'sessionId': session}).encode() + b'\0')
        while True:
            told = self._next()
            if told.get('id') == self._number:
                assert 'error' not in told, told
                return told['result']
            self.events.append(told)

    def _next(self):
        while b'\0' not in self._rest:
            assert select.select([self._hear], [], [], PATIENCE_S)[0], 'Chromium says nothing'
            piece = os.read(self._hear, 1 << 20)
            assert piece, 'Chromium has ended'
            self._rest += piece
        told, _, self._rest = self._rest.partition(b'\0')
        return json.loads(told)

    def open(self, url, width_px, height_px=900, dark=False):
        """A page in a tab of a size."""
        target = self.ask('Target.createTarget', url='about:blank')['targetId']
        session = self.ask('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        return Page(self, session, url, width_px, height_px, dark)

    def close(self):
        """End it: it does so by itself once nobody speaks to it."""
        os.close(self._tell)
        os.close(self._hear)
        end_s = time.monotonic() + PATIENCE_S
        while os.waitpid(self._number_of_process, os.WNOHANG) == (0, 0):
            if time.monotonic() > end_s:
                os.kill(self._number_of_process, signal.SIGKILL)
                end_s += PATIENCE_S
            select.select([], [], [], 0.05)


class Page:
    """A tab."""

    def __init__(self, browser, session, url, width_px, height_px, dark):
        self._browser, self._session = browser, session
        for domain in ('Page', 'Runtime', 'Network', 'Log'):
            self.ask(f'{domain}.enable')
        self.ask('Emulation.setDeviceMetricsOverride', width=width_px, height=height_px,
                 deviceScaleFactor=1, mobile=False)
        self.ask('Emulation.setEmulatedMedia', features=[
            {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])
        self.ask('Page.navigate', url=url)
        self.until("document.readyState === 'complete'", f'{url} is loaded')

    def ask(self, method, **values):
        return self._browser.ask(method, self._session, **values)

    def js(self, expression):
        """Value of an expression."""
        told = self.ask('Runtime.evaluate', expression=expression, returnByValue=True,
                        awaitPromise=True)
        assert 'exceptionDetails' not in told, told
        return told['result'].get('value')

    def until(self, expression, what, patience_s=PATIENCE_S):
        end_s = time.monotonic() + patience_s
        while not (value := self.js(expression)):
            assert time.monotonic() < end_s, f'not within {patience_s:g} s: {what}'
            select.select([], [], [], 0.05)
        return value

    def text(self, selector):
        return self.js(f'document.querySelector({json.dumps(selector)}).textContent')

    def press(self, key):
        """A key of the keyboard, down and up."""
        named = {'Tab': 9, 'Enter': 13}
        typed = {'text': {'Tab': '\t', 'Enter': '\r'}.get(key, key)}
        for kind in ('keyDown', 'keyUp'):
            self.ask('Input.dispatchKeyEvent', type=kind, key=key, **(
                typed if kind == 'keyDown' else {}),
                windowsVirtualKeyCode=named.get(key, ord(key[0].upper())))

    def picture(self, path, whole=True):
        """What it looks like, into a file."""
        told = self.ask('Page.captureScreenshot', captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told['data']))

    @property
    def complaints(self):
        """Errors and warnings of the console, and what was blocked."""
        found = []
        for event in self._browser.events:
            if event.get('sessionId') != self._session:
                continue
            told = event['params']
            if event['method'] == 'Runtime.exceptionThrown':
                found.append(told['exceptionDetails'].get('exception', {}).get('description'))
            elif event['method'] == 'Log.entryAdded':
                found.append(told['entry']['text'])
            elif event['method'] == 'Runtime.consoleAPICalled':
                found.append(str(told['args']))
        return found

    @property
    def asked(self):
        """Addresses that it asked for, without those that are data."""
        return {event['params']['request']['url'] for event in self._browser.events
                if event.get('sessionId') == self._session
                and event['method'] == 'Network.requestWillBeSent'
                and not event['params']['request']['url'].startswith('data:')}

    @property
    def overflow_px(self):
        """How much wider than its window it is."""
        return self.js('document.documentElement.scrollWidth - window.innerWidth')

    @property
    def unnamed(self):
        """Parts that people use and that a screen reader has no name for."""
        nodes = self.ask('Accessibility.getFullAXTree')['nodes']
        return [node['role']['value'] for node in nodes if not node.get('ignored')
                and node['role']['value'] in ('button', 'link', 'textbox', 'checkbox', 'image',
                                              'img', 'table', 'timer')
                and not node.get('name', {}).get('value', '').strip()]


@pytest.fixture(scope='session')
def browser(tmp_path_factory):
    path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if path is None:
        pytest.skip(f'NOT TESTED in a browser: none of {", ".join(BROWSERS)} is installed')
    browser = Chromium(path, tmp_path_factory.mktemp('profile'))
    yield browser
    browser.close()
