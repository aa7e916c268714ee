"""Pages in a real browser: whole at every width, nothing from elsewhere, a race day by keys."""

import os
from pathlib import Path

import pytest

from racer_rl.league.clock import now
from racer_rl.league.pages.site import write_pages
from racer_rl.league.store import open_league
from racer_rl.race_day.commands import Commands
from racer_rl.race_day.day import Phase
from racer_rl.race_day.server import DayServer, serving

pytestmark = pytest.mark.slow

KEYS = {'call': 'n', 'start': 's', 'lap': 'l', 'off-track': 'o', 'undo': 'u', 'declare': 'd'}

PICTURES = os.environ.get('RACER_TEST_PICTURES')
"""A folder for pictures of all pages, for people to look at."""


def keep(page, name):
    if PICTURES:
        page.picture(Path(PICTURES) / f'{name}.png')


def test_a_page_with_faults_is_noticed(browser, tmp_path):
    file = tmp_path / 'bad.html'
    file.write_text('<img src="http://127.0.0.1:9/x.png"><div style="width: 900px">x</div>'
                    '<script>throw new Error("broken")</script><button></button>')
    page = browser.open(file.as_uri(), 390)
    page.until('true', 'it is there')
    assert any('broken' in text for text in page.complaints)
    assert 'http://127.0.0.1:9/x.png' in page.asked
    assert page.overflow_px > 0 and 'button' in page.unnamed


@pytest.fixture
def site(raced, tmp_path):
    with open_league(raced) as league:
        write_pages(league, tmp_path / 'site', now())
    return tmp_path / 'site'


@pytest.mark.parametrize(('width_px', 'dark'), [(1440, False), (390, True), (1920, True)])
def test_league_pages_are_whole_from_a_file(browser, site, width_px, dark):
    for path in sorted(site.glob('*.html')):
        page = browser.open(path.as_uri(), width_px, dark=dark)
        assert page.overflow_px <= 0, path.name
        assert page.complaints == [] and page.unnamed == []
        assert page.asked == {path.as_uri()}
        assert page.js("getComputedStyle(document.querySelector('.card')).borderRadius") == '8px'
        keep(page, f'league-{path.stem}-{width_px}')


def test_the_film_plays_from_a_file(browser, site):
    page = browser.open((site / 'entry-000003.html').as_uri(), 1440)
    page.js("document.querySelector('video').load()")
    page.js("document.querySelector('video').preload = 'auto'")
    page.until("document.querySelector('video').readyState > 0"
               " || document.querySelector('video').error", 'the film is looked at')
    # A browser without the codec may not play it, but the page must let it try.
    assert not any('Content Security Policy' in text for text in page.complaints)


@pytest.fixture
def day(raced, new_day):
    with new_day() as day:
        for racer, model in (('Ada', 'fast'), ('A & "B" \'C\' ${x}', '<i>x</i>'), ('Cy', '')):
            day.enter(racer, model)
        yield day


@pytest.fixture
def new_server(day, board):
    def new(port=0):
        track = board.course.track
        return DayServer(('127.0.0.1', port), day, Commands(day, board.join), board.headline, {
            'name': 'ring', 'left': track.left_border_m.tolist(),
            'right': track.right_border_m.tolist()})
    return new


def own(server):
    return f'http://127.0.0.1:{server.server_address[1]}/'


def test_a_race_day_by_keys_is_seen_on_the_big_screen(browser, day, new_server, clock):
    with serving(new_server()) as server:
        screen = browser.open(server.urls[0], 1920, 1080)
        control = browser.open(server.urls[1], 390, 844)
        hit(control, 'call')
        hit(control, 'start')
        wait_for(lambda: day.day.phase is Phase.RUNNING, control)
        clock.now_s += 9.25
        hit(control, 'lap')
        wait_for(lambda: len(day.day.run.laps) == 1, control)
        hit(control, 'off-track')
        wait_for(lambda: day.day.run.incidents, control)
        screen.until("document.querySelector('#laps').textContent.includes('9.25')", 'the lap')
        screen.until("document.querySelector('#causes').textContent.includes('off track 1')", 'it')
        assert screen.text('#racer') == 'Ada'
        keep(screen, 'screen-1920')
        keep(control, 'control-390')
        hit(control, 'undo')
        wait_for(lambda: not day.day.run.incidents, control)
        clock.now_s += 8.5
        hit(control, 'lap')
        wait_for(lambda: day.day.phase is Phase.OVER, control)
        hit(control, 'declare')
        wait_for(lambda: day.day.outcomes, control)
        screen.until("document.querySelector('#outcomes').textContent.includes('8.50')", '8.50')
        assert '5.40' in screen.text('#standings'), 'her best run stays'
        for page in (screen, control):
            assert page.complaints == [] and page.overflow_px <= 0 and page.unnamed == []
            assert all(url.startswith(own(server)) for url in page.asked)


def hit(page, act):
    """Press the key of an act, once the page says that it is possible."""
    page.until(f"!document.querySelector('#act-{act}').disabled", act)
    page.press(KEYS[act])


def wait_for(condition, page):
    for _ in range(400):
        if condition():
            return
        page.js('new Promise((done) => setTimeout(done, 25))')
    raise AssertionError('it did not happen')


@pytest.mark.parametrize('width_px', [1440, 390])
def test_names_are_shown_as_they_are(browser, day, new_server, width_px):
    from racer_rl.race_day.events import Act
    day.do(Act.CALL, entry=2)
    with serving(new_server()) as server:
        for name, url in zip(('screen', 'control'), server.urls, strict=True):
            page = browser.open(url, width_px, dark=True)
            page.until("document.querySelector('#racer').textContent.startsWith('A &')", 'it')
            assert page.text('#model') == '<i>x</i>'
            assert not page.js("document.querySelector('i')")
            assert page.complaints == [] and page.overflow_px <= 0 and page.unnamed == []
            keep(page, f'{name}-{width_px}-dark')


def test_keys_do_nothing_while_somebody_types_or_does_not_want_them(browser, day, new_server):
    with serving(new_server()) as server:
        page = browser.open(server.urls[1], 800)
        page.until("document.querySelector('#act-call').disabled === false", 'it is connected')
        page.js("document.querySelector('#new-racer').focus()")
        for key in 'Dina':
            page.press(key)
        page.press('Enter')
        wait_for(lambda: day.day.entries[-1].racer == 'Dina', page)
        assert day.day.phase is Phase.IDLE
        page.js("document.activeElement.blur(); document.querySelector('#with-keys').click();"
                "document.activeElement.blur()")
        page.press('n')
        page.js('new Promise((done) => setTimeout(done, 200))')
        assert day.day.phase is Phase.IDLE
        page.js("document.querySelector('#act-call').click()")
        wait_for(lambda: day.day.phase is Phase.READY, page)


def test_pages_come_back_after_the_server_does_and_the_clock_agrees(browser, day, new_server,
                                                                    clock):
    from racer_rl.race_day.events import Act
    day.do(Act.CALL)
    day.do(Act.START)
    clock.now_s += 5.0
    with serving(new_server()) as first:
        port = first.server_address[1]
        page = browser.open(first.urls[0], 1440)
        page.until("parseFloat(document.querySelector('#lap-clock').textContent) >= 5", 'a clock')
    page.until("document.querySelector('#link').textContent.includes('no connection')", 'it says')
    clock.now_s += 55.0 - 5.0
    with serving(new_server(port)):
        page.until("document.querySelector('#link').textContent === ''", 'it is back')
        page.until("parseFloat(document.querySelector('#lap-clock').textContent) >= 55", 'time')
