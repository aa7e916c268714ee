"""The catalogue: shapes, names, and that each network is what DeepRacer's is."""

import pytest
import torch
from torch import nn

from racer_rl.training.hyperparameters import PPOHyperparameters, SACHyperparameters
from racer_rl.training.networks import DEEP, DEEPEST, FAST, NETWORKS, SHALLOW, find_network
from racer_vehicle.errors import ConfigError, UnknownNameError

EVERY = pytest.mark.parametrize('spec', NETWORKS.values(), ids=NETWORKS)


def layers(torso, kind):
    return [layer for layer in torso.modules() if isinstance(layer, kind)]


def convolutions(torso):
    return [(layer.out_channels, layer.kernel_size[0], layer.stride[0])
            for layer in layers(torso, nn.Conv2d)]


def dense(torso):
    return [layer.out_features for layer in layers(torso, nn.Linear)]


@EVERY
@pytest.mark.parametrize('lidar_size', [0, 64])
@pytest.mark.parametrize('channels', [1, 2, 12])
def test_features_have_the_promised_shape(spec, lidar_size, channels):
    torso = spec.build(channels, spec.height_px, spec.width_px, lidar_size).eval()
    camera = torch.randint(0, 256, (3, channels, spec.height_px, spec.width_px), dtype=torch.uint8)
    features = torso(camera, torch.rand(3, lidar_size) if lidar_size else None)
    assert features.shape == (3, spec.feature_width)
    assert features.isfinite().all()


@EVERY
def test_raw_bytes_and_floats_mean_the_same(spec):
    torso = spec.build(1, spec.height_px, spec.width_px).eval()
    camera = torch.randint(0, 256, (2, 1, spec.height_px, spec.width_px), dtype=torch.uint8)
    assert torch.equal(torso(camera), torso(camera.float()))


@EVERY
def test_the_camera_and_the_lidar_are_both_seen(spec):
    torso = spec.build(1, spec.height_px, spec.width_px, 8).eval()
    camera = torch.randint(0, 200, (1, 1, spec.height_px, spec.width_px), dtype=torch.uint8)
    lidar = torch.rand(1, 8)
    seen = torso(camera, lidar)
    assert not torch.equal(seen, torso(camera + 50, lidar))
    assert not torch.equal(seen, torso(camera, lidar / 2))


@EVERY
def test_the_image_is_what_a_native_image_reduces_to(spec):
    rows, columns = 120 - spec.crop_top_px, 160
    assert rows % spec.height_px == 0
    assert columns % spec.width_px == 0


@EVERY
def test_recommended_settings_are_allowed(spec):
    assert PPOHyperparameters(**spec.ppo).learning_rate == spec.ppo['learning_rate']
    assert SACHyperparameters(**spec.sac).learning_rate == spec.sac['learning_rate']


def test_the_range_of_pixels_is_scaled_inside():
    torso = FAST.build(1, 10, 20)
    torso.camera, torso.middleware = nn.Flatten(), nn.Identity()
    camera = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 1, 2)
    assert torso(camera).tolist() == [[-1.0, 1.0]]


def test_layers_of_the_deepracer_networks():
    shallow, deep, deepest = (spec.build(1, 120, 160, 64) for spec in (SHALLOW, DEEP, DEEPEST))
    assert convolutions(shallow) == [(32, 8, 4), (64, 4, 2), (64, 3, 1)]
    assert dense(shallow) == [256, 256, 512]
    assert convolutions(deep) == [(32, 5, 2), (32, 3, 1), (64, 3, 2), (64, 3, 1)]
    assert dense(deep) == [64, 256, 256, 512]
    assert convolutions(deepest) == [(32, 8, 4), (32, 4, 2), (64, 4, 2), (64, 3, 1)]
    assert dense(deepest) == [512, 512, 256, 256, 256, 128]
    assert [layer.p for layer in layers(deepest, nn.Dropout)] == [0.5] * 4
    assert len(layers(deepest, nn.BatchNorm2d)) == 4
    assert not layers(shallow, nn.BatchNorm2d) + layers(deep, nn.Dropout)
    assert layers(deep, nn.Tanh)
    assert not layers(deep, nn.ReLU)


def test_shallow_is_as_large_as_published():
    torso = SHALLOW.build(1, 120, 160)
    assert sum(weights.numel() for weights in torso.parameters()) == pytest.approx(5.8e6, rel=0.02)


def test_a_name_is_found_or_its_neighbour_offered():
    assert find_network('FAST') is FAST
    with pytest.raises(UnknownNameError, match=r"unknown network 'SHALOW'; .*SHALLOW"):
        find_network('SHALOW')


def test_an_image_too_small_for_the_convolutions_is_refused():
    with pytest.raises(ConfigError, match=r'a 20x10 image is too small .* 160x120; use that size'):
        SHALLOW.build(1, 10, 20)
