"""What every lidar driver must do; and the RPLIDAR's bytes, dropped, corrupted and cut short."""

import math
import os
import threading
import time
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from racer_vehicle.drivers.fake import FakeLidarSource, fake_lidar
from racer_vehicle.drivers.reader import Reader
from racer_vehicle.drivers.rplidar import RplidarSettings, RplidarSource, resample, rplidar
from racer_vehicle.drivers.rplidar_protocol import (
    HEALTH_DESCRIPTOR,
    SCAN_DESCRIPTOR,
    Revolution,
    ScanDecoder,
    request,
)
from racer_vehicle.drivers.serial_port import SerialPort
from racer_vehicle.errors import ConfigError, DeviceError
from racer_vehicle.spec import LidarSpec

WAIT_S = 60.0
LIDAR = LidarSpec()
POINTS = 400


def room_m(angle_rad):
    """Distance to the walls, angle counter-clockwise from the front; nothing straight behind."""
    angle_rad = np.remainder(angle_rad + math.pi, math.tau) - math.pi
    return np.where(np.abs(angle_rad) > 3.0, 0.0, 2.0 + 0.5 * np.sin(2 * angle_rad))


def revolution_bytes(number=0, points=POINTS):
    """One turn as the scanner sends it, clockwise, beginning with the start flag."""
    angle = np.arange(points) * math.tau / points
    angle_q6 = np.rint(np.degrees(angle) * 64).astype(int)
    distance_q2 = np.rint(room_m(-angle) * 4000 + number).astype(int)
    start = np.arange(points) == 0
    packets = np.column_stack((
        15 << 2 | np.where(start, 1, 2), (angle_q6 & 0x7F) << 1 | 1, angle_q6 >> 7,
        distance_q2 & 0xFF, distance_q2 >> 8))
    return packets.astype(np.uint8).tobytes()


class Scanner:
    """A byte-level RPLIDAR: answers requests, turns while it scans, and can misbehave."""

    name = 'fake port'

    def __init__(self, spoil=lambda content: content, health=0, mute=False, pause_s=0.001):
        self.spoil, self.health, self.mute, self.pause_s = spoil, health, mute, pause_s
        self.requests, self.dtr, self.closed, self.unplugged = [], None, False, False
        self._scanning, self._out, self._number = False, b'', 0

    def write(self, content):
        self._require_plugged()
        self.requests.append(content)
        match content:
            case b'\xa5\x25' | b'\xa5\x40':
                self._scanning, self._out = False, self._out + b'\x01\x02'
            case b'\xa5\x52' if not self.mute:
                self._out += HEALTH_DESCRIPTOR + bytes((self.health, 7, 0))
            case b'\xa5\x20' if not self.mute:
                self._scanning, self._out = True, self._out + SCAN_DESCRIPTOR

    def read(self, timeout_s):
        self._require_plugged()
        if not self._out and self._scanning:
            time.sleep(self.pause_s)
            self._out = self.spoil(revolution_bytes(self._number))
            self._number += 1
        content, self._out = self._out[:517], self._out[517:]
        if not content:
            time.sleep(timeout_s / 10)
        return content

    def set_dtr(self, on):
        self.dtr = on

    def close(self):
        self.closed = True

    def _require_plugged(self):
        if self.unplugged:
            raise DeviceError('fake port is lost: unplugged; check its plug.')


def source_of(scanner, **changes):
    return RplidarSource(RplidarSettings(device=Path('/dev/fake'), **changes), time.monotonic,
                         lambda: scanner)


def expected(lidar=LIDAR):
    return room_m(np.array(lidar.angles_rad))


class LidarContract:
    """Inherited once for each driver, with a fixture `lidar`: unconnected, of `LidarSpec()`."""

    def test_nothing_before_it_is_connected(self, lidar):
        with pytest.raises(DeviceError, match=r'no data yet; allowed: 0\.3 s'):
            lidar.read(0.3)

    def test_scans_come_announced_stamped_and_whole(self, lidar):
        came, began_s, stamps = threading.Event(), time.monotonic(), []
        with lidar:
            lidar.connect(came.set)
            while len(stamps) < 3:
                assert came.wait(WAIT_S)
                came.clear()
                scan = lidar.read(WAIT_S)
                if scan is None:
                    continue
                assert (scan.ranges_m.shape, scan.ranges_m.dtype) == ((LIDAR.rays,), np.float32)
                assert np.isfinite(scan.ranges_m).all()
                assert (scan.ranges_m > 0.5).all()
                stamps.append(scan.stamp_s)
        assert sorted(set(stamps)) == stamps
        assert began_s <= stamps[0] and stamps[-1] <= time.monotonic()

    def test_it_closes_twice_and_opens_again(self, lidar):
        came = threading.Event()
        for _ in range(2):
            lidar.connect(came.set)
            assert came.wait(WAIT_S)
            lidar.close()
            lidar.close()
            came.clear()
            assert not came.wait(0.1)


class TestFakeLidar(LidarContract):
    @pytest.fixture
    def lidar(self):
        return fake_lidar(LIDAR, time.monotonic, period_s=0.01)

    def test_scans_follow_from_their_number(self):
        def scans():
            source = FakeLidarSource(LIDAR, time.monotonic, period_s=0.0)
            source.open()
            return [source.next().ranges_m for _ in range(3)]
        assert np.array_equal(scans(), scans())
        assert not np.array_equal(*scans()[:2])


class TestRplidar(LidarContract):
    @pytest.fixture
    def lidar(self):
        return Reader(source_of(Scanner()), time.monotonic, retry_s=0.05)

    def test_scans_are_the_room(self):
        source = source_of(Scanner())
        source.open()
        assert source.next().ranges_m == pytest.approx(expected(), abs=0.03)

    def test_a_scanner_mounted_backwards(self):
        source = source_of(Scanner(), yaw_rad=math.pi)
        source.open()
        turned = room_m(np.array(LIDAR.angles_rad) - math.pi)
        turned[turned == 0.0] = np.inf
        # The outer two of the four rays into the opening take a wall within their half step.
        inside = np.isfinite(turned) | (np.abs(LIDAR.angles_rad) < 0.05)
        assert np.isinf(turned[inside]).sum() == 2
        assert source.next().ranges_m[inside] == pytest.approx(turned[inside], abs=0.05)

    @pytest.mark.parametrize(('settings', 'on', 'off'), [
        ({}, [], []),
        ({'motor_pwm': 660}, [bytes.fromhex('A5F0029402C1')],
         [bytes.fromhex('A5F002000057')]),
    ])
    def test_the_motor_turns_while_it_scans_and_stops_at_the_end(self, settings, on, off):
        scanner = Scanner()
        source = source_of(scanner, **settings)
        source.open()
        assert scanner.dtr is False, 'the motor of an A1 turns while DTR is off'
        assert scanner.requests == [b'\xa5\x25', b'\xa5\x52', *on, b'\xa5\x20']
        source.close()
        assert scanner.requests[-1 - len(off):] == [b'\xa5\x25', *off]
        assert scanner.dtr is True and scanner.closed

    def test_a_scanner_that_says_it_is_broken_is_reset_and_refused(self):
        scanner = Scanner(health=2)
        with pytest.raises(DeviceError, match=r'RPLIDAR on /dev/fake reports failure 7 and was r'):
            source_of(scanner).open()
        assert scanner.requests[-1] == b'\xa5\x40'

    def test_a_mute_scanner_is_refused(self):
        with pytest.raises(DeviceError, match=r'does not answer \(nothing\); check its plug, pow'):
            source_of(Scanner(mute=True)).open()

    def test_a_scanner_that_does_not_turn_is_refused(self):
        source = source_of(Scanner(spoil=lambda content: content[:5] * 20))
        source.open()
        with pytest.raises(DeviceError, match=r'gave no whole revolution in 1\.5 s \(\d+ bytes s'):
            source.next()

    def test_it_comes_back_after_it_was_unplugged(self):
        scanner, came = Scanner(), threading.Event()
        with Reader(source_of(scanner), time.monotonic, retry_s=0.05) as lidar:
            lidar.connect(came.set)
            assert came.wait(WAIT_S)
            scanner.unplugged = True
            deadline = time.monotonic() + WAIT_S
            while True:
                try:
                    lidar.read(0.0)
                except DeviceError as error:
                    if 'unplugged' in str(error):
                        break
                assert time.monotonic() < deadline
                time.sleep(0.005)
            scanner.unplugged = False
            came.clear()
            assert came.wait(WAIT_S)

    def test_wrong_settings_are_refused(self):
        with pytest.raises(ConfigError, match=r'RplidarSettings\.motor_pwm is 5000; allowed: 0 t'):
            RplidarSettings(motor_pwm=5000)


class TestDamagedBytes:
    """No wrong bytes stop the scans, and no scan shows what no measurement said."""

    def scans(self, spoil, turns=40):
        decoder = ScanDecoder()
        stream = b''.join(spoil(revolution_bytes()) for _ in range(turns))
        found = []
        for place in range(0, len(stream), 333):
            found += decoder.feed(stream[place:place + 333], float(place))
        return found, decoder

    def test_whole(self):
        found, decoder = self.scans(lambda content: content)
        assert len(found) == 39 and decoder.skipped_bytes == decoder.dropped == 0
        assert [turn.stamp_s for turn in found] == sorted({turn.stamp_s for turn in found})
        angles = np.arange(POINTS) * math.tau / POINTS
        assert found[0].angles_rad == pytest.approx(angles, abs=3e-4)
        assert found[0].ranges_m == pytest.approx(room_m(-angles), abs=3e-4)

    def test_a_byte_dropped_now_and_then(self):
        random = np.random.default_rng(1)

        def spoil(content):
            place = int(random.integers(len(content)))
            return content[:place] + content[place + 1:]
        found, decoder = self.scans(spoil)
        assert len(found) > 30 and decoder.skipped_bytes > 0
        for turn in found:
            self.require_room(turn, wrong_at_most=12)

    def test_bits_flipped_now_and_then(self):
        random = np.random.default_rng(2)

        def spoil(content):
            spoilt = bytearray(content)
            spoilt[random.integers(len(content))] ^= 1 << random.integers(8)
            return bytes(spoilt)
        found, _ = self.scans(spoil)
        assert len(found) > 30
        for turn in found:
            self.require_room(turn, wrong_at_most=8)

    def test_turns_cut_short_are_dropped_and_counted(self):
        found, decoder = self.scans(lambda content: content[:int(0.6 * len(content))])
        assert not found and decoder.dropped == 39

    def test_a_stream_joined_in_the_middle(self):
        decoder = ScanDecoder()
        stream = revolution_bytes()[777:] + revolution_bytes() * 2 + revolution_bytes()[:5]
        assert len(decoder.feed(stream, 0.0)) == 2

    @settings(max_examples=100)
    @given(st.binary(max_size=400), st.integers(1, 50))
    def test_noise_is_survived_in_pieces_of_any_size(self, noise, piece):
        decoder = ScanDecoder()
        stream = noise + revolution_bytes() * 3 + revolution_bytes()[:100]
        found = []
        for place in range(0, len(stream), piece * 20):
            found += decoder.feed(stream[place:place + piece * 20], 0.0)
        assert len(found) >= 2
        self.require_room(found[-1], wrong_at_most=0)

    @staticmethod
    def require_room(turn, wrong_at_most):
        wrong = np.abs(turn.ranges_m - room_m(-turn.angles_rad)) > 0.05
        # At the edges of the opening a rounded angle may fall on either side.
        wrong &= np.abs(np.abs(np.remainder(turn.angles_rad, math.tau) - math.pi) - 0.1416) > 0.02
        assert wrong.sum() <= wrong_at_most


class TestResampling:
    def turn(self, *pairs):
        """Measurements given counter-clockwise from the front, degrees and metres."""
        angles, ranges = np.array(pairs, dtype=float).T
        return Revolution(np.remainder(-np.radians(angles), math.tau), ranges, 0.0)

    def test_three_kinds_of_nothing(self):
        lidar = LidarSpec(rays=5, fov_rad=math.radians(40.0))  # -20, -10, 0, 10, 20 degrees
        turn = self.turn((-20, 0.05), (-10, 0.0), (0, 20.0), (10, 3.0))
        ranges = resample(turn, lidar, 0.0)
        assert ranges[:4].tolist() == [-math.inf, math.inf, math.inf, 3.0]
        assert math.isnan(ranges[4]), 'nothing was measured there'

    def test_the_nearest_return_in_angle_counts(self):
        lidar = LidarSpec(rays=3, fov_rad=math.radians(20.0))
        turn = self.turn((1.0, 0.0), (2.0, 5.0), (-3.0, 1.0), (4.9, 9.0), (-10.0, 2.0))
        assert resample(turn, lidar, 0.0)[:2].tolist() == [2.0, 5.0]

    def test_left_is_left(self):
        lidar = LidarSpec(rays=3, fov_rad=math.pi)
        assert resample(self.turn((-90, 1), (0, 2), (90, 3)), lidar, 0.0).tolist() == [1, 2, 3]

    def test_behind_is_one_direction(self):
        lidar = LidarSpec(rays=3, fov_rad=math.tau)
        assert resample(self.turn((179, 1), (0, 2)), lidar, 0.0).tolist() == [1, 2, 1]


def test_requests_are_as_the_manual_writes_them():
    assert request(0x25) == bytes.fromhex('A525')
    assert request(0xF0, (660).to_bytes(2, 'little')) == bytes.fromhex('A5F0029402C1')


class TestSerialPort:
    """On a pseudo-terminal: everything but the modem lines is that of a serial port."""

    @pytest.fixture
    def ends(self):
        master, slave = os.openpty()
        yield master, Path(os.ttyname(slave))
        for handle in (master, slave):
            os.close(handle)

    def test_a_scanner_on_a_port(self, ends):
        master, device = ends
        scanner, stop = Scanner(), threading.Event()

        def turn():
            os.set_blocking(master, False)
            while not stop.is_set():
                try:
                    received = os.read(master, 100)
                except BlockingIOError:
                    received = b''
                for place in range(0, len(received), 2):
                    scanner.write(received[place:place + 2])
                content = scanner.read(0.01)
                while content and not stop.is_set():
                    try:
                        content = content[os.write(master, content):]
                    except BlockingIOError:
                        time.sleep(0.001)

        thread = threading.Thread(target=turn)
        thread.start()
        came = threading.Event()
        try:
            with rplidar(RplidarSettings(device=device), time.monotonic) as lidar:
                lidar.connect(came.set)
                assert came.wait(WAIT_S)
                assert lidar.read(WAIT_S).ranges_m == pytest.approx(expected(), abs=0.03)
        finally:
            stop.set()
            thread.join()

    def test_bytes_pass_untranslated(self, ends):
        master, device = ends
        port = SerialPort(device, 115_200)
        every = bytes(range(256))
        os.write(master, every)
        received = b''
        while len(received) < 256:
            content = port.read(1.0)
            assert content
            received += content
        assert received == every
        port.write(every)
        assert os.read(master, 1000) == every
        port.set_dtr(True)
        port.close()
        port.close()

    def test_nothing_comes_within_the_time_out(self, ends):
        port = SerialPort(ends[1], 115_200)
        assert port.read(0.01) == b''
        port.close()

    def test_a_hang_up_is_a_lost_port(self):
        master, slave = os.openpty()
        port = SerialPort(Path(os.ttyname(slave)), 115_200)
        os.close(slave)
        os.close(master)
        with pytest.raises(DeviceError, match=r'serial port /dev/pts/\d+ is lost: .*check its pl'):
            port.read(1.0)
        port.close()

    def test_what_is_no_port_is_refused(self, tmp_path):
        (tmp_path / 'file').touch()
        for path in (tmp_path / 'file', tmp_path / 'none'):
            with pytest.raises(DeviceError, match=r'cannot open serial port .*; check its plug'):
                SerialPort(path, 115_200)
        with pytest.raises(ConfigError, match=r'baud is 12345; allowed: a usual rate'):
            SerialPort(tmp_path / 'file', 12345)
