"""Lidar encodings, and what the non-finite readings of REP-117 mean in each."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from racer_vehicle.errors import ConfigError
from racer_vehicle.lidar_encoding import (
    LidarConfig,
    encode_discretized,
    encode_plain,
    encode_sectors,
    finite_ranges,
)

any_scan = npst.arrays(np.float32, st.tuples(st.integers(1, 3), st.just(64)),
                       elements=st.floats(0.0, 20.0, width=32)
                       | st.sampled_from([math.inf, -math.inf, math.nan]))


def scan(rays=64, far=12.0, **returns):
    """One scan of 12 m everywhere, but for the rays given as r3=0.2."""
    ranges = np.full((1, rays), far, dtype=np.float32)
    for name, value in returns.items():
        ranges[0, int(name[1:])] = value
    return ranges


def test_three_non_finite_readings_three_decisions():
    ranges = np.array([[math.inf, -math.inf, math.nan, 0.7]], dtype=np.float32)
    assert finite_ranges(ranges, far_m=5.0).tolist() == [[5.0, 0.0, 5.0, pytest.approx(0.7)]]
    assert math.isinf(ranges[0, 0]), 'the scan itself stays as it came'


def test_plain_clips_to_the_range_of_the_networks():
    ranges = np.array([[0.0, 0.15, 0.5, 3.0, math.inf, -math.inf, math.nan]], dtype=np.float32)
    assert encode_plain(ranges)[0] == pytest.approx([0.15, 0.15, 0.5, 1.0, 1.0, 0.15, 1.0])


def test_sectors_mark_where_something_is_near():
    encoded = encode_sectors(scan(r0=0.5, r15=0.51, r63=0.2))
    assert encoded.tolist() == [[1, 0, 0, 0, 0, 0, 0, 1]]


def test_sectors_read_rep_117():
    encoded = encode_sectors(scan(r0=math.inf, r8=-math.inf, r16=math.nan, r25=math.nan, r24=0.3))
    assert encoded.tolist() == [[0, 1, 0, 1, 0, 0, 0, 0]]


@pytest.mark.parametrize(('range_m', 'place'), [
    (0.0, 0), (0.24, 0), (0.25, 1), (1.0, 4), (1.99, 7), (2.0, None), (9.0, None),
    (math.inf, None), (-math.inf, 0), (math.nan, None),
])
def test_discretized_puts_the_nearest_return_into_its_bin(range_m, place):
    encoded = encode_discretized(scan(r20=range_m), LidarConfig())
    assert np.flatnonzero(encoded).tolist() == ([] if place is None else [2 * 8 + place])


def test_discretized_takes_the_nearest_of_a_sector_with_its_own_settings():
    config = LidarConfig(num_sectors=2, num_values_per_sector=3, clipping_dist_m=3.0)
    encoded = encode_discretized(scan(rays=6, r0=2.5, r1=1.5, r5=0.1), config)
    assert encoded.tolist() == [[0, 1, 0, 1, 0, 0]]


def test_each_car_has_its_own_row():
    scans = np.concatenate([scan(r0=0.2), scan(), scan(r63=0.2)])
    assert encode_sectors(scans).sum(axis=1).tolist() == [1, 0, 1]
    assert np.argmax(encode_sectors(scans)[2]) == 7


@given(any_scan)
def test_every_scan_encodes_to_finite_float32_of_the_stated_size(ranges):
    config = LidarConfig(num_sectors=16, num_values_per_sector=5)
    for encoded, size in ((encode_plain(ranges), 64), (encode_sectors(ranges), 8),
                          (encode_discretized(ranges, config), config.size)):
        assert encoded.dtype == np.float32
        assert encoded.shape == (len(ranges), size)
        assert np.isfinite(encoded).all()
    per_sector = encode_discretized(ranges, config).reshape(-1, 16, 5).sum(axis=2)
    assert (per_sector <= 1).all()


def test_rays_that_do_not_divide_and_scans_without_rows_are_refused():
    with pytest.raises(ConfigError, match='60 lidar rays do not divide into 8 sectors'):
        encode_sectors(scan(rays=60))
    with pytest.raises(ConfigError, match=r'shape \(64,\); allowed: \(N, rays\)'):
        encode_plain(scan()[0])


@pytest.mark.parametrize(('settings', 'message'), [
    ({'num_sectors': 0}, 'num_sectors is 0; allowed: 1 to'),
    ({'num_values_per_sector': 0}, 'num_values_per_sector is 0; allowed: 1 to'),
    ({'clipping_dist_m': 0.1}, 'clipping_dist_m is 0.1; allowed: 0.15 to 12'),
])
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        LidarConfig(**settings)
