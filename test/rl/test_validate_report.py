"""The report: one page that needs no other file, with findings, pay and pictures."""

import base64
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from racer_rl.reward.loading import read_reward
from racer_rl.reward.validation.drivers import DRIVERS
from racer_rl.reward.validation.exploits import find_exploits
from racer_rl.reward.validation.findings import Finding, Verdict
from racer_rl.reward.validation.practice import PracticePlan, practise
from racer_rl.reward.validation.report import write_report
from racer_sim.courses import courses_of
from racer_sim.track_library import find_track

FINDING = Finding(file='mine.py', line=3, code='unknown-key', severity='error',
                  message="params has no key '<speeed>'.", remedy="Write params['speed'].")

PICTURE = re.compile(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]+)"')


@pytest.fixture(scope='module')
def shown(tmp_path_factory):
    """A verdict on paying for speed, and how the drivers raced on an oval for a while."""
    path = tmp_path_factory.mktemp('reward') / 'fast.py'
    path.write_text("def reward_function(params):\n    return params['speed']\n", encoding='utf-8')
    file = read_reward(path)
    practice = practise(file, courses_of([find_track('oval')], 'both'),
                        PracticePlan(seconds=20.0, starts=1))
    verdict = Verdict(file=str(path), sha256=file.sha256, findings=(FINDING,),
                      exploits=find_exploits(practice), timing_us=3.4)
    return verdict, practice


@pytest.fixture(scope='module')
def page(shown, tmp_path_factory):
    path = tmp_path_factory.mktemp('report') / 'report.html'
    write_report(path, *shown)
    return path.read_text(encoding='utf-8')


def test_page_refers_to_no_other_file(page):
    assert page.startswith('<!doctype html>')
    links = re.findall(r'(?:src|href)="([^"]{0,20})|url\(|@import|<script', page)
    assert all(link.startswith('data:image/png') for link in links)
    assert 'name="viewport"' in page


def test_findings_and_exploits_are_told_with_their_remedies(page, shown):
    assert 'error, line 3' in page
    assert '&lt;speeed&gt;' in page
    assert 'unknown-key' in page
    assert 'Correct this before you train with it.' in page
    assert re.search(r'SHA-256 \w{16},\s+3\.4 .s a call', page)
    exploit = shown[0].exploits[0]
    assert exploit.driver in page
    assert exploit.reason[1:] in page
    assert page.count('paid too much') >= 2


def test_every_course_ranks_all_drivers_by_their_pay(page):
    for direction in ('forward', 'reverse'):
        section = page.partition(f'<h2>oval, {direction}</h2>')[2].partition('</table>')[0]
        rows = re.findall(r'<td class="(?:good)?">([^<]+?) ?(?:<b.*)?</td>\s*<td>([-\d.]+)',
                          section)
        assert {name for name, _ in rows} == {driver.name for driver in DRIVERS}
        paid = [float(amount) for _, amount in rows]
        assert paid == sorted(paid, reverse=True)


def test_every_driver_has_a_picture_of_its_way_on_every_course(page):
    pictures = PICTURE.findall(page)
    assert len(pictures) == 2 * len(DRIVERS)
    for content, alt in pictures:
        image = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[1] > 300
        saturation = np.ptp(image.astype(int), axis=2)
        if 'standing still' not in alt:
            assert (saturation > 60).sum() > 20


def test_colours_tell_high_pay_from_low(page):
    """Yellow for the quick driver, hardly any for the crawler."""
    yellow = {}
    for content, alt in PICTURE.findall(page)[:len(DRIVERS)]:
        image = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
        blue, green, red = np.moveaxis(image.astype(int), 2, 0)
        yellow[alt] = ((red > 220) & (green > 200) & (blue < 90)).sum()
    by_name = {name: count for alt, count in yellow.items()
               for name in ('quick racing-line follower', 'slow crawl') if name in alt}
    assert by_name['quick racing-line follower'] > 300
    assert by_name['slow crawl'] < 10


def test_a_file_that_could_not_drive_has_a_report_too(shown, tmp_path):
    path = tmp_path / 'new' / 'report.html'
    write_report(path, replace(shown[0], exploits=(), timing_us=None), None)
    text = path.read_text(encoding='utf-8')
    assert 'unknown-key' in text
    assert '<img' not in text
    assert 'How the drivers are paid' not in text


def test_a_good_file_is_told_so(shown, tmp_path):
    path = tmp_path / 'report.html'
    write_report(path, replace(shown[0], findings=(), exploits=()), None)
    assert 'Nothing wrong was found.' in path.read_text(encoding='utf-8')
