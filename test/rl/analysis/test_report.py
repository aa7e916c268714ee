"""Reports: one page without a network that has everything; commands that say what is wrong."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from racer_rl.analysis.blocks import Picture, Table
from racer_rl.analysis.charts import robustness_chart
from racer_rl.analysis.compare import comparison_of, on_same_road, speed_difference
from racer_rl.analysis.maps import COLOURED_BY, racing_line
from racer_rl.analysis.report import html_of, record_of, report_of
from racer_rl.analysis.run import Run
from racer_rl.analysis.style import TEXT_PT, WIDTH_IN, png_of
from racer_rl.cli.main import run as racer
from racer_vehicle.errors import ConfigError

PHONE_PX = 350
LEAST_TEXT_PX = 9.0


class Page(HTMLParser):
    """What of a page matters here."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.headings = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if re.fullmatch(r'h\d', tag):
            self.headings.append(int(tag[1]))

    def of(self, tag):
        return [attributes for name, attributes in self.attributes if name == tag]


@pytest.fixture(scope='module')
def report(healthy):
    return report_of(healthy)


@pytest.fixture(scope='module')
def page(report):
    return html_of(report)


def test_nothing_comes_from_elsewhere(page):
    parsed = Page(page)
    assert 'script' not in parsed.tags
    assert not re.search(r'https?://|url\(|@import', page)
    for tag in ('img', 'link'):
        for attributes in parsed.of(tag):
            assert attributes.get('src', attributes.get('href', '')).startswith('data:')
    assert any('default-src' in attributes.get('content', '') for attributes in parsed.of('meta'))


def test_the_page_is_in_order_for_everybody(page):
    parsed = Page(page)
    assert parsed.headings[0] == 1 and parsed.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in
               zip(parsed.headings, parsed.headings[1:], strict=False))
    pictures = parsed.of('img')
    assert len(pictures) >= 12 and all(len(picture['alt']) > 20 for picture in pictures)
    ids = {attributes['id'] for _, attributes in parsed.attributes if 'id' in attributes}
    links = [attributes['href'] for attributes in parsed.of('a')]
    assert links and all(link.startswith('#') and link[1:] in ids for link in links)
    assert 'prefers-color-scheme: dark' in page


def test_text_in_figures_is_large_enough_on_a_phone():
    assert TEXT_PT / 72.0 * PHONE_PX / WIDTH_IN >= LEAST_TEXT_PX


def test_every_chapter_of_a_healthy_run(report):
    keys = [chapter.key for chapter in report.chapters]
    assert keys == ['training', 'laps', 'lines', 'places', 'endings', 'actions', 'timing', 'data']
    blocks = [block for chapter in report.chapters for block in chapter.blocks]
    assert all(block.png.startswith(b'\x89PNG') for block in blocks if isinstance(block, Picture))
    assert all(len(row) == len(block.headings)
               for block in blocks if isinstance(block, Table) for row in block.rows)


def test_names_of_people_are_text_and_not_markup(plant):
    run = plant(lambda iteration, number: {}, iterations=1, episodes=2, name='<b>me</b>',
                reward_source='x = "<script>"')
    page = html_of(report_of(run))
    assert '<b>me</b>' not in page and '<script>' not in page


@pytest.mark.parametrize('how', [{'stop': 0.01}, {'period_s': 0.4}])
def test_short_and_odd_runs_have_reports(plant, how):
    run = plant(lambda iteration, number: how, iterations=1, episodes=1, with_bound=False)
    page = html_of(report_of(run))
    assert '<h1>planted</h1>' in page and 'There is no lap bound' in page


@pytest.mark.parametrize('kept', [1, 2, 3, 5, 9, 17, 40])
def test_a_log_that_breaks_off_early_has_a_report(lap_log, track, kept):
    log = lap_log(track)
    run = Run.of(replace(log, training=log.training.head(kept)))
    assert '<h1>planted</h1>' in html_of(report_of(run))


def test_a_log_in_which_nobody_drives_is_refused(lap_log, track):
    log = lap_log(track)
    waiting = log.training.head(2).assign(
        episode_status=pd.Categorical(['prepare'] * 2))
    with pytest.raises(ConfigError, match='holds 2 steps, and in none of them a car drives'):
        Run.of(replace(log, training=waiting))


def test_a_log_of_evaluations_alone_has_a_report(plant, healthy):
    empty = healthy.training.iloc[:0]
    run = replace(healthy, log=replace(healthy.log, training=empty), training=empty,
                  evaluation=healthy.training[healthy.training['iteration'] > 12])
    assert run.steps is run.evaluation
    keys = [chapter.key for chapter in report_of(run).chapters]
    assert 'laps' in keys and 'lines' in keys


def test_the_record_is_json(healthy):
    record = json.loads(json.dumps(record_of(healthy), allow_nan=False))
    assert record['complete_laps'] == int(healthy.episodes['complete'].sum())
    assert record['findings'][-1]['severity'] == 'good'


@pytest.mark.parametrize('by', COLOURED_BY)
def test_lines_are_drawn_without_changing_the_users_settings(healthy, by):
    import matplotlib

    before = dict(matplotlib.rcParams)
    figure = racing_line(healthy.steps, [0], healthy.road, by, healthy.sections)
    assert len(png_of(figure)) < 150_000
    assert dict(matplotlib.rcParams) == before


def test_faster_and_slower_are_told_apart(plant):
    slow = plant(lambda iteration, number: {'speed_mps': 1.2}, iterations=2)
    fast = plant(lambda iteration, number: {
        'speed_mps': lambda share: np.where(share < 0.5, 1.8, 1.2)}, iterations=2)
    assert on_same_road(slow, fast)
    faster = speed_difference(slow, fast)
    half = slow.road.waypoints // 2
    assert np.nanmedian(faster[10:half - 10]) == pytest.approx(0.6, abs=0.05)
    assert np.nanmedian(faster[half + 10:-10]) == pytest.approx(0.0, abs=0.05)
    report = comparison_of([slow, fast])
    assert report.title == 'planted (1) and planted (2)'
    assert 'Where planted (2) is faster than planted (1)' in html_of(report)


def test_comparing_one_run_is_refused(healthy):
    with pytest.raises(ConfigError, match='1 runs to compare; allowed: 2 to'):
        comparison_of([healthy])


def test_the_matrix_has_a_row_a_condition():
    cells = [{'condition': condition, 'strength': strength, 'clean_share': 0.5}
             for condition in ('light', 'grip') for strength in ('mild', 'hard')]
    cells.append({'condition': 'as specified', 'strength': '', 'clean_share': 1.0})
    figure = robustness_chart(cells)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        'light', 'grip', 'as specified']


@pytest.mark.parametrize(('words', 'message'), [
    (['nobody'], 'unknown model'),
    (['no/such/folder'], "there is no 'no/such/folder'"),
    (['log.csv'], "there is no 'log.csv'"),
    (['first', '--compare'], '--compare with 1 source'),
    (['first', 'second', '--compare', '--rescore', 'x.py'], 'give one of them'),
])
def test_what_is_wrong_is_one_line(words, message, racer_home, capsys):
    assert racer(['analyze', *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
