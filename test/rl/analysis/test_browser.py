"""Reports in a real browser: no error, and no request to anybody."""

import json
import shutil
import subprocess

import pytest

from racer_rl.cli.main import run as racer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('analysis')]

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
QUIET = ('--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync',
         '--disable-extensions', '--disable-default-apps', '--disable-dev-shm-usage')
OWN_ERRAND = 'not an origin'
REMOTE = ('http:', 'https:', 'ws:', 'wss:')
NOWHERE = 'http://127.0.0.1:9/missing.png'


@pytest.fixture(scope='module')
def browser():
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f'NOT TESTED in a browser: none of {", ".join(BROWSERS)} is installed')
    return found


def opened(browser, page, folder, width_px=1280):
    """Open a page; what it asked the network for, what its console said, and the picture."""
    log, picture = folder / 'net.json', folder / f'{width_px}.png'
    result = subprocess.run(
        [browser, *QUIET, f'--user-data-dir={folder / "profile"}', f'--log-net-log={log}',
         '--enable-logging=stderr', f'--screenshot={picture}', f'--window-size={width_px},2000',
         page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True)
    asked = set()
    for event in json.loads(log.read_text())['events']:
        told = event.get('params')
        # The browser itself also asks, for updates of its own: then there is no origin.
        if isinstance(told, dict) and told.get('initiator', OWN_ERRAND) != OWN_ERRAND:
            asked |= {told['url']} if told['url'].startswith(REMOTE) else set()
    said = [line for line in result.stderr.splitlines() if 'CONSOLE' in line]
    return asked, said, picture


def test_a_page_with_faults_is_noticed(browser, tmp_path):
    page = tmp_path / 'bad.html'
    page.write_text(f'<img src="{NOWHERE}"><script>throw new Error("broken")</script>')
    asked, said, _ = opened(browser, page, tmp_path)
    assert NOWHERE in asked
    assert any('broken' in line for line in said)


def test_a_report_of_ours_opens_alone_at_both_widths(browser, tiny, tmp_path):
    assert racer(['analyze', tiny, '--no-bound', '--out', str(tmp_path)]) == 0
    for width_px in (1280, 390):
        asked, said, picture = opened(browser, tmp_path / 'tiny.html', tmp_path, width_px)
        assert asked == set() and said == []
        assert picture.stat().st_size > 20_000


def test_a_report_of_the_console_opens_alone(browser, console_log, real_tracks, tmp_path):
    assert racer(['analyze', str(console_log), '--no-bound', '--out', str(tmp_path), '--track',
                  str(real_tracks / 'reinvent_base.npy')]) == 0
    asked, said, _ = opened(browser, tmp_path / 'console-2022.html', tmp_path)
    assert asked == set() and said == []
