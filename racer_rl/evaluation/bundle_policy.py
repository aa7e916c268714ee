"""A policy bundle where a model would drive: many cars at once, with the car's own network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from racer_rl.envs.batch import Observation
from racer_rl.envs.build import RaceSetup
from racer_rl.training.networks import NETWORKS
from racer_vehicle.action import DiscreteActions
from racer_vehicle.errors import ConfigError
from racer_vehicle.observation import ObservationSpec
from racer_vehicle.policy import OUTPUT, PolicyBundle, session_of
from racer_vehicle.policy_card import PolicyCard


class BundlePolicy:
    """Drives N cars by a bundle's network; see `racer_rl.evaluation.laps.Policy`."""

    def __init__(self, bundle: PolicyBundle) -> None:
        """Make the network ready.

        Args:
            bundle: The policy; its codecs are those of the setup that it drives in.

        Raises:
            ModelMismatchError: The network does not load.
        """
        self._session = session_of(bundle.onnx)
        self._inputs = tuple(part.name for part in self._session.get_inputs())
        self._discrete = isinstance(bundle.card.action, DiscreteActions)

    def __call__(self, observation: Observation) -> NDArray[Any]:
        """Outputs, (N,) indices or (N, 2) in [-1, 1]."""
        given = self.inputs(observation)
        output: NDArray[Any] = self._session.run([OUTPUT], given)[0]
        return output.argmax(axis=1) if self._discrete else output

    def inputs(self, observation: Observation) -> dict[str, NDArray[Any]]:
        """What the network reads of an observation."""
        return {name: observation[name] for name in self._inputs}


def setup_of(card: PolicyCard, track: str = '') -> RaceSetup:
    """What a bundle was trained for, as far as its card tells; the reward is not in it.

    Args:
        card: Of the bundle.
        track: Name or file, instead of the card's tracks.

    Raises:
        ConfigError: No network of the catalogue sees such images.
    """
    spec = card.observation
    setup = RaceSetup(track=track or card.track, actions=card.action, sensors=spec.sensors,
                      lidar=spec.lidar, colour=spec.camera.colour, stack=spec.stack,
                      car=card.fitting_car)
    return replace(setup, network=_network(spec, setup))


def _network(spec: ObservationSpec, setup: RaceSetup) -> str:
    """The first network of the catalogue that sees such images; which of them does not matter."""
    for name in NETWORKS:
        if replace(setup, network=name).observation == spec:
            return name
    size = f'{spec.camera.width_px}x{spec.camera.height_px}'
    raise ConfigError(f'policy bundle sees images of {size} px below row '
                      f'{spec.camera.crop_top_px}; allowed: what a network of the catalogue sees: '
                      f'{", ".join(NETWORKS)}.')
