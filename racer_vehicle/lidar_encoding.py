"""Lidar ranges to policy input: plain, by sectors, or by discretized sectors, as in DeepRacer.

Rays come in the order of `LidarSpec.angles_rad`, counter-clockwise from the right rear; sectors
are equal runs of rays in that order, so any number of rays that the sectors divide will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import require_range

PLAIN_NEAR_M: Final = 0.15
PLAIN_FAR_M: Final = 1.0
"""LIDAR clips to 0.15 to 1.0 m: the range of DeepRacer's networks, not of the sensor."""

SECTORS: Final = 8
SECTOR_NEAR_M: Final = 0.5
"""SECTOR_LIDAR says of each of 8 sectors whether anything stands within half a metre."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LidarConfig:
    """Settings of DISCRETIZED_SECTOR_LIDAR, `lidar_config` of model_metadata.json.

    Attributes:
        num_sectors: Equal runs of rays.
        num_values_per_sector: Distance bins of each sector, nearest first.
        clipping_dist_m: Upper end of the last bin; from here on a sector counts as empty.
    """

    num_sectors: int = 8
    num_values_per_sector: int = 8
    clipping_dist_m: float = 2.0

    def __post_init__(self) -> None:
        require_range(self, num_sectors=(1, 4096), num_values_per_sector=(1, 1000),
                      clipping_dist_m=(0.15, 12.0))

    @property
    def size(self) -> int:
        """Numbers in the encoded scan."""
        return self.num_sectors * self.num_values_per_sector


def finite_ranges(ranges_m: NDArray[np.float32], far_m: float) -> NDArray[np.float32]:
    """Decide what the three non-finite readings of REP-117 mean to a policy.

    +inf, no return: nothing up to the sensor's reach, so `far_m`.
    -inf, too close to measure: the nearest thing there can be, so 0.
    NaN, invalid: the ray saw nothing, so `far_m`, which leaves its sector to its neighbours. The
    alternative, an obstacle, would let one speck of dust steer the car.

    Args:
        ranges_m: float32, (N, rays), m.
        far_m: Distance that stands for *nothing there*.

    Returns:
        float32, (N, rays), finite; a new array.

    Raises:
        ConfigError: Not two-dimensional.
    """
    if ranges_m.ndim != 2:
        raise ConfigError(f'lidar ranges have shape {ranges_m.shape}; allowed: (N, rays).')
    finite: NDArray[np.float32] = np.nan_to_num(
        ranges_m.astype(np.float32, copy=False), nan=far_m, posinf=far_m, neginf=0.0
    )
    return finite


def encode_plain(ranges_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """LIDAR: every ray's range, m, clipped to 0.15 to 1.0.

    Args:
        ranges_m: float32, (N, rays), m, REP-117.

    Returns:
        float32, (N, rays).
    """
    return finite_ranges(ranges_m, PLAIN_FAR_M).clip(PLAIN_NEAR_M, PLAIN_FAR_M)


def encode_sectors(ranges_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """SECTOR_LIDAR: 1 for each sector with a return within 0.5 m, else 0.

    Args:
        ranges_m: float32, (N, rays), m, REP-117; 8 divides rays.

    Returns:
        float32, (N, 8).
    """
    near = _nearest(finite_ranges(ranges_m, np.inf), SECTORS) <= SECTOR_NEAR_M
    return near.astype(np.float32)


def encode_discretized(ranges_m: NDArray[np.float32], config: LidarConfig) -> NDArray[np.float32]:
    """DISCRETIZED_SECTOR_LIDAR: one-hot bin of each sector's nearest return, all zero if empty.

    Args:
        ranges_m: float32, (N, rays), m, REP-117; the sectors divide rays.
        config: Sectors, bins and reach.

    Returns:
        float32, (N, sectors * values), sector by sector.
    """
    far_m, values = config.clipping_dist_m, config.num_values_per_sector
    nearest = np.clip(_nearest(finite_ranges(ranges_m, far_m), config.num_sectors), 0.0, far_m)
    bins = np.floor(nearest * (values / far_m))
    # A sector clipped at far_m falls into bin `values`, which has no column: the empty sector.
    one_hot = bins[:, :, np.newaxis] == np.arange(values)
    encoded: NDArray[np.float32] = one_hot.reshape(len(ranges_m), config.size).astype(np.float32)
    return encoded


def _nearest(ranges_m: NDArray[np.float32], sectors: int) -> NDArray[np.float32]:
    cars, rays = ranges_m.shape
    if rays % sectors:
        raise ConfigError(f'{rays} lidar rays do not divide into {sectors} sectors; '
                          f'allowed: a multiple of {sectors} rays.')
    nearest: NDArray[np.float32] = ranges_m.reshape(cars, sectors, -1).min(axis=2)
    return nearest
