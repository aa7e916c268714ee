"""Standings as pages: complete, escaped, silent about what is hidden, whatever the files hold."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_rl.league.clock import now
from racer_rl.league.pages.drawing import DrivenLine, draw
from racer_rl.league.pages.site import write_pages
from racer_rl.league.seasons import open_race
from racer_rl.league.store import open_league
from racer_rl.league.terms import Conditions
from racer_rl.races.result import RaceResult
from racer_sim.randomization import NONE
from racer_sim.starting_grid import one_course
from racer_vehicle.errors import ConfigError


class Page(HTMLParser):
    """Text, tags and links of a page."""

    def __init__(self, path):
        super().__init__()
        self.words, self.tags, self.links, self._inside = [], [], [], []
        self.feed(path.read_text('utf-8'))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside.append(tag)
        self.links += [value for name, value in attributes if name in ('href', 'src')]

    def handle_data(self, data):
        if self._inside[-1:] != ['style']:
            self.words.append(data.strip())

    @property
    def text(self):
        return ' '.join(word for word in self.words if word)


@pytest.fixture
def written(raced, tmp_path):
    """Writes the pages; folder and shares of progress."""
    def write():
        told = []
        with open_league(raced) as league:
            count = write_pages(league, tmp_path / 'site', now(), told.append)
        pages = {path.name: Page(path) for path in (tmp_path / 'site').glob('*.html')}
        assert len(pages) == count and told[-1] == 1.0 and told == sorted(told)
        return tmp_path / 'site', pages
    return write


def test_every_link_leads_to_a_file_and_nothing_comes_from_elsewhere(written):
    folder, pages = written()
    assert set(pages) == {'index.html', 'race-1.html', 'entry-000003.html', 'entry-000004.html'}
    for page in pages.values():
        for link in page.links:
            assert link.startswith(('#', 'data:,')) or (folder / link).is_file(), link
        policy = next(attributes['content'] for tag, attributes in page.tags if tag == 'meta'
                      and attributes.get('http-equiv') == 'Content-Security-Policy')
        assert policy.startswith("default-src 'none'") and 'unsafe' not in policy
        assert not any(tag == 'script' or 'style' in attributes for tag, attributes in page.tags)


def test_what_people_typed_is_text(written, raced):
    _, pages = written()
    for page in pages.values():
        assert not any(tag == 'b' for tag, _ in page.tags)
    assert '<b>bold</b>' in pages['race-1.html'].text
    assert "A & \"B\" 'C' ${x}" in pages['race-1.html'].text


def test_an_entry_has_its_line_its_laps_its_film_and_its_proof(written, driven):
    folder, pages = written()
    page, (result, _, film) = pages['entry-000003.html'], driven
    for lap_s in result.entries[0].lap_times_s:
        assert f'{lap_s:.3f}' in page.text
    assert result.trace_sha256 in page.text and '4711' in page.text
    assert any(tag == 'polyline' for tag, _ in page.tags)
    assert (folder / 'films/000003.mp4').read_bytes() == film.read_bytes()
    assert RaceResult.read(folder / 'results/000003.json') == result


def test_a_run_by_hand_says_so(written):
    _, pages = written()
    text = pages['entry-000004.html'].text
    assert 'timed by hand' in text and 'cannot be repeated' in text and 'off track: 1' in text


def test_nothing_hidden_is_told_before_the_race_is_closed(raced, driven, tmp_path):
    result, _, _ = driven
    hidden = Conditions.hidden(NONE)
    with open_league(raced) as league:
        terms = league.race().terms
        race = open_race(league, terms, hidden, now=now())
        from racer_rl.league.at_track import TrackRun, record_at_track
        record_at_track(league, race, TrackRun(
            racer='Ada', model='m', bundle='', result=result.entries[0], timed='x',
            declared='2027-01-01T00:00:00.000000+00:00',
            record=replace(result, plan=replace(result.plan, seed=hidden.seed)).to_json()))
        write_pages(league, tmp_path / 'site', now())
        secret = re.compile(f'{hidden.seed}|{hidden.salt}')
        texts = {path: path.read_bytes().decode('latin-1')
                 for path in (tmp_path / 'site').rglob('*') if path.is_file()}
        assert not [path for path, text in texts.items() if secret.search(text)]
        assert hidden.commitment in (tmp_path / 'site/race-2.html').read_text()
        from racer_rl.league.seasons import close_race
        close_race(league, race.number, now())
        write_pages(league, tmp_path / 'site', now())
        assert str(hidden.seed) in (tmp_path / 'site/race-2.html').read_text()


@pytest.mark.parametrize(('file', 'content'), [
    ('line.json', '{"lap": 1}'), ('line.json', '['), ('result.json', '{}'),
    ('line.json', '{"lap": 1, "time_s": 1, "x_m": [1e999, 2], "y_m": [1, 2],'
                  '"speed_mps": [1, 2]}'),
    ('at-track.json', '[]')])
def test_damage_of_one_file_is_told_on_its_page_only(raced, written, file, content):
    with open_league(raced) as league:
        path = league.result_folder('000003') / file
        path.write_text(content)
    _, pages = written()
    assert any(attributes.get('class') == 'warn'
               for tag, attributes in pages['entry-000003.html'].tags if tag == 'p')
    assert file in pages['entry-000003.html'].text
    assert 'Ada' in pages['race-1.html'].text


def test_a_folder_that_cannot_be_written_is_refused(raced, tmp_path):
    (tmp_path / 'file').write_text('')
    with open_league(raced) as league, pytest.raises(ConfigError, match='give a folder'):
        write_pages(league, tmp_path / 'file', now())


def line_of(points, speeds):
    return DrivenLine(lap=1, time_s=9.0, points_m=np.array(points, dtype=float),
                      speeds_mps=np.array(speeds, dtype=float))


@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20), st.floats(0, 8)), min_size=2,
                max_size=60))
@settings(max_examples=60, deadline=None)
def test_the_whole_line_is_drawn_and_inside_the_picture(rows):
    points, speeds = [row[:2] for row in rows], [row[2] for row in rows]
    drawing = draw(one_course('pebble', 'forward').track, line_of(points, speeds))
    drawn = [[tuple(map(float, point)) for point in zip(numbers[::2], numbers[1::2], strict=True)]
             for numbers in (stroke.points.split() for stroke in drawing.strokes)]
    assert sum(len(piece) - 1 for piece in drawn) == len(points) - 1
    assert all(before[-1] == after[0] for before, after in pairwise(drawn))
    assert all(0 <= x <= drawing.width_m and 0 <= y <= drawing.height_m
               for piece in drawn for x, y in piece)
    assert {stroke.colour for stroke in drawing.strokes} <= set(drawing.key)


def test_slow_and_fast_have_their_own_colours():
    drawing = draw(one_course('pebble', 'forward').track,
                   line_of([(0, 0), (1, 0), (2, 0), (3, 0)], [1.0, 1.0, 3.0, 3.0]))
    assert [stroke.colour for stroke in drawing.strokes] == [drawing.key[0], drawing.key[-1]]
    assert (drawing.slow_mps, drawing.fast_mps) == (1.0, 3.0)


def test_a_line_that_was_written_is_read(tmp_path, driven):
    path = tmp_path / 'line.json'
    path.write_text(json.dumps(driven[1]))
    line = DrivenLine.read(path)
    assert line.lap == 2 and line.points_m.tolist()[0] == [driven[1]['x_m'][0],
                                                           driven[1]['y_m'][0]]
