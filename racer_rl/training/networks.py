"""The catalogue of networks: what turns the car's sensors into features for the action layer.

A network is data (`NetworkSpec`), so that it can be listed, compared and written on a model card;
`NetworkSpec.build` makes the torch module. Layers of the three DeepRacer networks: AWS's
`aws-deepracer-community/deepracer-simapp`, `markov/sensors/utils.py` and
`markov/architecture/custom_architectures.py`.

Pixels are scaled inside the module, so that an exported graph takes the camera's raw bytes and no
second implementation of the scaling can disagree with this one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal

import torch
from torch import Tensor, nn

from racer_vehicle.errors import ConfigError, UnknownNameError

_ACTIVATIONS: Final[Mapping[str, type[nn.Module]]] = {'relu': nn.ReLU, 'tanh': nn.Tanh}


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """One unpadded convolution: number of filters, side of the kernel, stride (pixels)."""

    filters: int
    kernel: int
    stride: int


class Torso(nn.Module):
    """Camera and lidar in, features out.

    The camera is embedded, the lidar (if the car has one) is embedded beside it, both are
    concatenated and pass the middleware.
    """

    def __init__(self, camera: nn.Module, lidar: nn.Module | None, middleware: nn.Module,
                 pixel_range: tuple[float, float]) -> None:
        """Join the parts.

        Args:
            camera: (batch, channels, height, width) scaled pixels to (batch, width).
            lidar: (batch, rays) to (batch, width), or None for a car without lidar.
            middleware: The concatenated embeddings to (batch, features).
            pixel_range: What byte 0 and byte 255 become.
        """
        super().__init__()
        self.camera = camera
        self.lidar = lidar
        self.middleware = middleware
        self._pixel_offset = pixel_range[0]
        self._pixel_scale = (pixel_range[1] - pixel_range[0]) / 255.0

    def forward(self, camera: Tensor, lidar: Tensor | None = None) -> Tensor:
        """Features of a batch.

        Args:
            camera: uint8 or float32, (batch, channels, height, width), 0 to 255.
            lidar: float32, (batch, rays), about 0 to 1; None exactly when built without lidar.

        Returns:
            float32, (batch, features).
        """
        embedded: Tensor = self.camera(camera.float() * self._pixel_scale + self._pixel_offset)
        if self.lidar is not None:
            embedded = torch.cat((embedded, self.lidar(lidar)), dim=1)
        features: Tensor = self.middleware(embedded)
        return features


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """One network of the catalogue.

    Attributes:
        name: As DeepRacer's `model_metadata.json` writes it, or `FAST`.
        summary: One line for a listing.
        width_px: Width of the camera image it expects.
        height_px: Height of that image.
        crop_top_px: Rows cut from the top of the native 160x120 image (sky) before it is reduced
            to `width_px` x `height_px`.
        convolutions: On the camera, first to last.
        camera_dense: Widths of dense layers after the convolutions.
        lidar_dense: Widths of the lidar's dense layers.
        middleware: Widths of the dense layers after concatenation; the last is the feature width.
        activation: After every layer.
        batch_norm: After every convolution, before its activation.
        dropout: Probability, after every dense layer except the lidar's; 0 is none.
        pixel_range: What byte 0 and byte 255 become inside the module.
        ppo: Recommended PPO settings, by field name of `PPOHyperparameters`.
        sac: Recommended SAC settings, by field name of `SACHyperparameters`.
    """

    name: str
    summary: str
    width_px: int
    height_px: int
    crop_top_px: int
    convolutions: tuple[Convolution, ...] = ()
    camera_dense: tuple[int, ...] = ()
    lidar_dense: tuple[int, ...]
    middleware: tuple[int, ...]
    activation: Literal['relu', 'tanh']
    batch_norm: bool = False
    dropout: float = 0.0
    pixel_range: tuple[float, float] = (0.0, 1.0)
    ppo: Mapping[str, float] = field(default_factory=dict)
    sac: Mapping[str, float] = field(default_factory=dict)

    @property
    def threads(self) -> int:
        """Torch threads worth learning with: convolutions use every core, dense layers only one.

        Measured on two cores: SHALLOW updates 1.8 times as fast with two threads, FAST slower.
        """
        return (os.cpu_count() or 1) if self.convolutions else 1

    @property
    def feature_width(self) -> int:
        """Length of the feature vector."""
        return self.middleware[-1]

    def build(self, channels: int, height_px: int, width_px: int, lidar_size: int = 0) -> Torso:
        """Make the torch module, freshly initialised from torch's global random state.

        Args:
            channels: Of the camera: stack x views x colours.
            height_px: Of the camera image; need not be the recommended one.
            width_px: Of the camera image.
            lidar_size: Length of the lidar vector; 0 for a car without lidar.

        Raises:
            ConfigError: The image is too small for the convolutions.
        """
        filters, height, width = self._convolved_shape(channels, height_px, width_px)
        convolved = filters * height * width
        camera = nn.Sequential(*self._convolution_layers(channels), nn.Flatten(),
                               *self._dense_layers((convolved, *self.camera_dense), self.dropout))
        embedded = self.camera_dense[-1] if self.camera_dense else convolved
        lidar = None
        if lidar_size:
            lidar = nn.Sequential(*self._dense_layers((lidar_size, *self.lidar_dense), 0.0))
            embedded += self.lidar_dense[-1]
        middleware = self._dense_layers((embedded, *self.middleware), self.dropout)
        return Torso(camera, lidar, nn.Sequential(*middleware), self.pixel_range)

    def _convolved_shape(self, channels: int, height_px: int,
                         width_px: int) -> tuple[int, int, int]:
        filters, height, width = channels, height_px, width_px
        for layer in self.convolutions:
            filters = layer.filters
            height = (height - layer.kernel) // layer.stride + 1
            width = (width - layer.kernel) // layer.stride + 1
            if height < 1 or width < 1:
                raise ConfigError(
                    f'a {width_px}x{height_px} image is too small for network {self.name}; '
                    f'allowed: large enough for its convolutions, e.g. {self.width_px}x'
                    f'{self.height_px}; use that size or network {FAST.name}.'
                )
        return filters, height, width

    def _convolution_layers(self, channels: int) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for layer in self.convolutions:
            layers.append(nn.Conv2d(channels, layer.filters, layer.kernel, layer.stride))
            if self.batch_norm:
                layers.append(nn.BatchNorm2d(layer.filters))
            layers.append(_ACTIVATIONS[self.activation]())
            channels = layer.filters
        return layers

    def _dense_layers(self, widths: tuple[int, ...], dropout: float) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), _ACTIVATIONS[self.activation]()]
            if dropout > 0.0:
                layers.append(nn.Dropout(dropout))
        return layers


def _convolutions(*layers: tuple[int, int, int]) -> tuple[Convolution, ...]:
    return tuple(Convolution(filters=filters, kernel=kernel, stride=stride)
                 for filters, kernel, stride in layers)


# A large network costs about a thousand times more per sample than FAST and diverges at its rate:
# fewer passes over each rollout, smaller steps. (AWS's console default is 3e-4 as well.)
_LARGE_PPO: Final = MappingProxyType({
    'learning_rate': 3e-4, 'n_envs': 16, 'n_steps': 64, 'batch_size': 128, 'n_epochs': 3,
    'gamma': 0.97, 'gae_lambda': 0.9, 'ent_coef': 0.0, 'init_std': 0.5,
})
_LARGE_SAC: Final = MappingProxyType({
    'learning_rate': 3e-4, 'batch_size': 128, 'buffer_size': 20_000,
})

FAST: Final = NetworkSpec(
    name='FAST',
    summary='two dense layers on a 20x10 image of the road; trains in seconds on one core',
    width_px=20, height_px=10, crop_top_px=40,
    lidar_dense=(32,), middleware=(64, 64), activation='tanh', pixel_range=(-1.0, 1.0),
    ppo=MappingProxyType({
        'learning_rate': 2e-3, 'n_envs': 16, 'n_steps': 64, 'batch_size': 256, 'n_epochs': 4,
        'gamma': 0.97, 'gae_lambda': 0.9, 'ent_coef': 0.0, 'init_std': 0.5,
    }),
    sac=MappingProxyType({'learning_rate': 1e-3, 'n_envs': 8, 'gamma': 0.97}),
)

FINE: Final = NetworkSpec(
    name='FINE',
    summary='as FAST, wider and on a 40x20 image: precise at race pace',
    width_px=40, height_px=20, crop_top_px=40,
    lidar_dense=(32,), middleware=(128, 64), activation='tanh', pixel_range=(-1.0, 1.0),
    ppo=FAST.ppo, sac=FAST.sac,
)

SHALLOW: Final = NetworkSpec(
    name='DEEP_CONVOLUTIONAL_NETWORK_SHALLOW',
    summary="DeepRacer's default: three convolutions, one dense layer",
    width_px=160, height_px=120, crop_top_px=0,
    convolutions=_convolutions((32, 8, 4), (64, 4, 2), (64, 3, 1)),
    lidar_dense=(256, 256), middleware=(512,), activation='relu', ppo=_LARGE_PPO, sac=_LARGE_SAC,
)

DEEP: Final = NetworkSpec(
    name='DEEP_CONVOLUTIONAL_NETWORK',
    summary='DeepRacer: four convolutions, two dense layers, tanh',
    width_px=160, height_px=120, crop_top_px=0,
    convolutions=_convolutions((32, 5, 2), (32, 3, 1), (64, 3, 2), (64, 3, 1)), camera_dense=(64,),
    lidar_dense=(256, 256), middleware=(512,), activation='tanh', pixel_range=(-1.0, 1.0),
    ppo=_LARGE_PPO, sac=_LARGE_SAC,
)

DEEPEST: Final = NetworkSpec(
    name='DEEP_CONVOLUTIONAL_NETWORK_DEEP',
    summary='DeepRacer: four convolutions with batch norm, four dense layers with dropout',
    width_px=160, height_px=120, crop_top_px=0,
    convolutions=_convolutions((32, 8, 4), (32, 4, 2), (64, 4, 2), (64, 3, 1)),
    camera_dense=(512, 512), lidar_dense=(256, 256), middleware=(256, 128), activation='relu',
    batch_norm=True, dropout=0.5,
    ppo=_LARGE_PPO, sac=_LARGE_SAC,
)

NETWORKS: Final[Mapping[str, NetworkSpec]] = MappingProxyType({
    spec.name: spec for spec in (FAST, FINE, SHALLOW, DEEP, DEEPEST)
})
"""Every network by name."""


def find_network(name: str) -> NetworkSpec:
    """The network called `name`.

    Raises:
        UnknownNameError: There is none; the message names the nearest.
    """
    try:
        return NETWORKS[name]
    except KeyError:
        raise UnknownNameError('network', name, NETWORKS) from None
