"""What the check of a car says of what it heard, without ROS: planted faults, each by its name."""

from datetime import UTC, datetime
from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from racer_vehicle.check import computer, moving, walk
from racer_vehicle.check.car_link import Driver, Listened, Sample
from racer_vehicle.check.computer import check_clock, check_disk, check_temperature
from racer_vehicle.check.model import check_model
from racer_vehicle.check.moving import neutral_after_s, stands
from racer_vehicle.check.outcome import Outcome, Problem, Report, Status
from racer_vehicle.check.sensors import judge_camera, judge_lidar, ray_shares
from racer_vehicle.check.walk import CheckPlan
from racer_vehicle.errors import ConfigError, RacerError
from racer_vehicle.signals import NEUTRAL, DriveCommand, Frame, Scan
from racer_vehicle.spec import CameraSpec, CarSpec, LidarSpec

CAMERA, LIDAR = CameraSpec(), LidarSpec()
RANDOM = np.random.default_rng(0)


def pictures(count=45, age_s=0.01, image=None, size=(120, 160)):
    """Samples of three seconds of camera; noise, unless one image is given."""
    return [Sample(number / 15.0, age_s, Frame(
        RANDOM.integers(0, 256, size, dtype=np.uint8) if image is None else image, 0.0))
        for number in range(count)]


def scans(count=30, age_s=0.01, ranges_m=None):
    return [Sample(number / 10.0, age_s, Scan(
        RANDOM.uniform(0.2, 3.0, LIDAR.rays).astype(np.float32) if ranges_m is None else ranges_m,
        0.0)) for number in range(count)]


def camera(samples, **options):
    return judge_camera(samples, CAMERA, 3.0, **{'simulated': False, **options})


def lidar(samples, **options):
    return judge_lidar(samples, LIDAR, 3.0, **{'simulated': False, **options})


def said(outcome):
    assert outcome.status is Status.FAILED
    assert all(problem.remedy for problem in outcome.problems if 'read' not in problem.said)
    return ' '.join(problem.said for problem in outcome.problems)


def rays(value, share=1.0):
    ranges_m = RANDOM.uniform(0.2, 3.0, LIDAR.rays).astype(np.float32)
    ranges_m[:round(share * LIDAR.rays)] = value
    return ranges_m


def test_a_camera_that_sees_passes_with_its_figures():
    outcome = camera(pictures())
    assert outcome.status is Status.PASSED
    assert outcome.figures['hz'] == pytest.approx(15.0)
    assert outcome.figures['size'] == '160x120'
    assert outcome.figures['age_p99_ms'] == pytest.approx(10.0)


GREY = np.full((120, 160), 90, np.uint8)


@pytest.mark.parametrize(('samples', 'words'), [
    ([], 'no image came in 3 s'),
    (pictures(count=20), '6.7 Hz; allowed: 12.1 or more'),
    (pictures(age_s=0.3), 'p99 of the age is 300 ms; allowed: 200'),
    (pictures(age_s=-0.5), 'stamps are from the future'),
    (pictures(image=np.zeros((120, 160), np.uint8)), 'the picture is black'),
    (pictures(image=GREY), 'the picture is one flat grey'),
    (pictures(image=np.tile(np.arange(160, dtype=np.uint8), (120, 1))), 'the picture is frozen'),
    (pictures(size=(240, 320)), 'images are 320x240; allowed: 160x120'),
])
def test_a_camera_that_does_not_see_says_why(samples, words):
    assert words in said(camera(samples))


def test_images_older_than_training_pass_with_a_word():
    outcome = camera(pictures(age_s=0.09))
    assert outcome.status is Status.PASSED
    assert 'older than the 66 ms' in outcome.remark


def test_a_simulated_car_that_stands_still_is_no_frozen_camera():
    stripes = np.tile(np.arange(160, dtype=np.uint8), (120, 1))
    assert camera(pictures(image=stripes), simulated=True).status is Status.PASSED


def test_messages_that_cannot_be_read_are_told_apart_from_silence():
    assert 'no image could be read: odd' in said(camera([], unfit='odd'))
    assert 'no scan could be read: odd' in said(lidar([], unfit='odd'))


@pytest.mark.parametrize(('samples', 'words'), [
    ([], 'no scan came in 3 s'),
    (scans(count=15), '5.0 Hz; allowed: 8.0 or more'),
    (scans(ranges_m=rays(np.nan, 0.5)), '50% of the rays are invalid (NaN)'),
    (scans(ranges_m=rays(-np.inf, 0.75)), '75% of the rays are blocked (-inf)'),
    (scans(ranges_m=rays(np.inf)), 'no ray came back (+inf)'),
    (scans(ranges_m=rays(1.0)), 'the scan is frozen: 30 scans'),
])
def test_a_lidar_that_does_not_see_says_why(samples, words):
    assert words in said(lidar(samples))


def test_a_frozen_scan_with_invalid_rays_is_still_frozen():
    assert 'the scan is frozen' in said(lidar(scans(ranges_m=rays(np.nan, 0.1))))


def test_a_simulated_floor_without_walls_is_no_fault():
    assert lidar(scans(ranges_m=rays(np.inf)), simulated=True).status is Status.PASSED


@given(arrays(np.float32, st.integers(1, 200), elements=st.one_of(
    st.floats(0.125, 12.0, width=32), st.sampled_from([np.inf, -np.inf, np.nan]))))
def test_every_ray_ends_in_one_of_four_ways(ranges_m):
    shares = ray_shares(ranges_m)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert all(0.0 <= share <= 1.0 for share in shares.values())


def test_the_disk_needs_room(tmp_path, monkeypatch):
    assert check_disk(tmp_path).figures['free_mb'] > 0
    monkeypatch.setattr(computer.shutil, 'disk_usage', lambda _: SimpleNamespace(free=3_000_000))
    assert '3 MB are free' in said(check_disk(tmp_path))


def test_a_clock_that_lost_its_time_is_told(tmp_path):
    assert 'the clock says 1970-01-01' in said(check_clock(datetime(1970, 1, 1, tzinfo=UTC)))
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert 'not set from the network' in check_clock(now, tmp_path / 'absent').remark
    assert check_clock(now, tmp_path).remark == ''


def test_the_hottest_zone_counts(tmp_path):
    assert check_temperature(tmp_path).status is Status.SKIPPED
    for zone, text in enumerate(('45000', 'broken', '86000')):
        folder = tmp_path / f'thermal_zone{zone}'
        folder.mkdir()
        (folder / 'temp').write_text(text)
    outcome = check_temperature(tmp_path)
    assert outcome.figures == {'celsius': 86.0}
    assert '86 C; allowed: 80' in said(outcome)


def test_without_a_policy_there_is_none_to_check():
    assert 'no policy was given' in said(check_model(Driver(), CarSpec()))


@pytest.mark.parametrize('name', ['absent.racer', 'noise.racer'])
def test_a_policy_that_cannot_be_loaded_says_why(tmp_path, name):
    (tmp_path / 'noise.racer').write_bytes(b'noise')
    outcome = check_model(Driver(bundle=str(tmp_path / name)), CarSpec())
    assert outcome.status is Status.FAILED and outcome.problems[0].said


def samples(*speeds_mps):
    """What the motor applied, a tenth of a second apart."""
    return [Sample(0.1 * number, 0.0, DriveCommand(0.0, speed_mps))
            for number, speed_mps in enumerate(speeds_mps)]


@pytest.mark.parametrize(('speeds_mps', 'since_s', 'after_s'), [
    ((1.0, 1.0, 0.0, 0.0), 0.0, 0.2), ((0.0, 0.0), 0.05, 0.05), ((1.0, 1.0), 0.0, None),
    ((), 0.0, None), ((0.0, 1.0, 0.0), 0.0, 0.2), ((1.0, 0.0, 1.0), 0.0, None)])
def test_neutral_counts_from_the_last_movement(speeds_mps, since_s, after_s):
    found = neutral_after_s(SimpleNamespace(applied=samples(*speeds_mps)), since_s)
    assert found == (None if after_s is None else pytest.approx(after_s))


def test_a_motor_that_says_nothing_does_not_stand():
    assert not stands(SimpleNamespace(applied=[]), 0.0)
    assert not stands(SimpleNamespace(applied=samples(0.0, 0.0)), 5.0)
    assert stands(SimpleNamespace(applied=samples(1.0, 0.0, 0.0, 0.0)), 0.05)


class StandIn:
    """A car that takes every order and does nothing: for the order of things, not for driving."""

    nodes, is_simulated, applied, autonomous = ('motor',), False, (), True

    def __init__(self, fail_at=''):
        self.orders, self.fail_at = [], fail_at

    def car(self):
        return CarSpec()

    def driver(self):
        return Driver()

    def listen(self, duration_s):
        return Listened(pictures(), scans())

    def wait(self, duration_s):
        if self.fail_at == 'wait':
            raise KeyboardInterrupt

    def command(self, command):
        self.orders.append('neutral' if command == NEUTRAL else 'command')
        return 0.0

    def enable(self, wanted):
        self.orders.append(f'enable {wanted}')
        if self.fail_at == 'enable' and wanted:
            raise RacerError('silence')
        return 'latched' if self.fail_at == 'latched' and wanted else ''

    def emergency_stop(self, wanted):
        self.orders.append(f'stop {wanted}')

    def put_in_charge(self, *, policy):
        self.orders.append('policy' if policy else 'operator')


def walked(link, ask=None, **plan):
    return walk.walk(CheckPlan(**plan), link, ask, lambda step: None)


def status_of(report):
    return {outcome.step: outcome.status for outcome in report.outcomes}


def test_read_only_gives_no_order_at_all():
    link = StandIn()
    report = walked(link, ask=lambda question: pytest.fail('asked'), read_only=True)
    assert link.orders == []
    assert all(status_of(report)[name] is Status.SKIPPED for name in walk.MOVING)


@pytest.mark.parametrize('ask', [None, lambda question: False])
def test_nothing_moves_without_a_yes(ask):
    link = StandIn()
    report = walked(link, ask=ask)
    assert link.orders == []
    assert all(outcome.remark == 'the wheels are not in the air'
               for outcome in report.outcomes if outcome.step in walk.MOVING)


@pytest.mark.parametrize('fail_at', ['', 'wait', 'enable', 'latched'])
def test_every_way_out_ends_neutral_disabled_and_as_it_was(fail_at):
    link = StandIn(fail_at)
    try:
        report = walked(link, wheels_up=True)
        assert not report.passed
    except KeyboardInterrupt:
        assert fail_at == 'wait'
    assert link.orders[:2] == ['enable False', 'operator']
    assert link.orders[-3:] == ['neutral', 'enable False', 'policy']


def test_a_refusal_to_be_enabled_is_told_by_each_step():
    report = walked(StandIn('latched'), wheels_up=True)
    assert report.as_dict()['steps'][-1]['problems'][0]['said'] == (
        'the car cannot be enabled: latched.')


def test_a_car_without_a_motor_node_fails_what_moves():
    link = StandIn()
    link.nodes = ('camera',)
    report = walked(link, wheels_up=True)
    assert link.orders == []
    assert all(status_of(report)[name] is Status.FAILED for name in walk.MOVING)


def test_steps_can_be_left_out_and_are_listed_as_such():
    report = walked(StandIn(), read_only=True, without=('lidar', 'camera', 'model', 'disk'))
    assert status_of(report)['lidar'] is Status.SKIPPED
    assert 'not checked: disk' in report.summary
    with pytest.raises(ConfigError, match=r"there is no step 'radar'; allowed: disk, clock"):
        CheckPlan(without=('radar',))


def test_what_the_wheels_did_is_asked_of_who_watches():
    answers = iter([False, True])
    outcomes = {outcome.step: outcome for outcome in walked(
        StandIn(), ask=lambda question: next(answers), wheels_up=True).outcomes}
    assert 'the wheels did not turn left, then right.' in said(outcomes['steering'])
    assert 'nobody was asked' in moving.check_throttle(StandIn(), None).remark


def test_a_report_reads_as_a_table_and_as_json():
    report = Report((Outcome.of('disk', {'free_mb': 7}, []),
                     Outcome.of('camera', {'hz': 7.25}, [Problem('Slow.', 'Look.')]),
                     Outcome.skipped('clock', 'left out')))
    assert report.lines() == [
        'disk          passed   free_mb 7', 'camera        FAILED   hz 7.25',
        '              Slow. Look.', 'clock         skipped  left out',
        '1 of 3 passed; failed: camera; not checked: clock.']
    assert report.as_dict()['passed'] is False
    assert report.as_dict()['steps'][1] == {
        'step': 'camera', 'status': 'failed', 'figures': {'hz': 7.25}, 'remark': '',
        'problems': [{'said': 'Slow.', 'remedy': 'Look.'}]}
