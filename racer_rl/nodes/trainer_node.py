"""Trains a policy on cars behind topics, and publishes each better one as a bundle."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any, NamedTuple

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool

from racer_rl.export import Origin, make_bundle
from racer_rl.nodes.bundles import bundle_message
from racer_rl.nodes.car_link import CarLink
from racer_rl.nodes.topic_env import TopicSimulator
from racer_rl.nodes.trainer_settings import TrainerSettings
from racer_rl.store.models import model_folder
from racer_rl.training.checkpoint import Model
from racer_rl.training.plan import StopReason
from racer_rl.training.standing import Standing
from racer_rl.training.train import train
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.starting_grid import one_course
from racer_vehicle.contract import TRANSPORT
from racer_vehicle.errors import ConfigError, RacerError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.calls import call
from racer_vehicle.nodes.parameters import declare, declare_car
from racer_vehicle.nodes.running import FAILED, spin


class Outcome(NamedTuple):
    """Why training ended, where it stands, and steps of all cars, those of evaluations too."""

    reason: StopReason
    standing: Standing
    car_steps: int


class TrainerNode(Node):
    """Drives, learns and evaluates over topics; `train` is the whole of it."""

    def __init__(self, **options: Any) -> None:
        """Make the node.

        Args:
            **options: Of `Node`.

        Raises:
            ConfigError: A parameter cannot be used.
        """
        super().__init__('trainer', **options)
        self._settings, car = declare(self, TrainerSettings), declare_car(self)
        self._plan, self._folder = self._settings.plan(car), model_folder(self._settings.model)
        self._links = [CarLink(self, namespace, car, self._plan.setup.observation)
                       for namespace in self._settings.namespaces]
        self._bundles = ros.publisher(self, 'policy/bundle')

    def stop(self) -> None:
        """Leave the cars neutral."""
        for link in self._links:
            link.rest()

    def train(self, executor: Executor) -> Outcome:
        """Train as the parameters say.

        Args:
            executor: That this node was added to; it is spun while the cars drive.

        Raises:
            RacerError: The parameters cannot be used, or the cars fall silent.
        """
        settings, setup = self._settings, self._plan.setup
        if self._folder.exists and not settings.resume:
            raise ConfigError(f'model {settings.model!r} exists already; choose another name, or '
                              'set resume.')
        cars = len(self._links)
        config = SimulatorConfig(cars=cars, cars_per_world=cars, rgb=setup.colour == 'rgb',
                                 image_age_s=setup.image_age_s)
        simulator = TopicSimulator(one_course(settings.track, settings.direction), setup.car,
                                   config, settings.seed, self._links, executor,
                                   settings.patience_s)
        for namespace in settings.namespaces:
            call(self, 'motor/enable', SetBool.Request(data=True), executor,
                 settings.patience_s, namespace)
        reason, standing = train(self._folder, self._plan, self._say, elsewhere=simulator,
                                 resume=settings.resume, improved=self._improved)
        self._say(standing)
        self.get_logger().info(f'stopped: {reason}; saved in {self._folder.path}')
        return Outcome(reason, standing, simulator.periods * cars)

    def _say(self, standing: Standing) -> None:
        rate = standing.session_steps / max(standing.seconds, 1e-9)
        judged = standing.evaluation.completion if standing.evaluation else 0.0
        self.get_logger().info(f'{standing.steps} steps, {rate:.0f} a second, '
                               f'{standing.episodes} episodes, evaluated distance {judged:.0%}')

    def _improved(self, model: Model) -> None:
        bundle = make_bundle(model, Origin.of(self._folder))
        self._bundles.publish(bundle_message(bundle))
        self.get_logger().info(f'published the policy of {bundle.card.steps} steps '
                               f'({bundle.sha256[:12]})')


def main() -> int:
    """Train, then stay for those who want the last policy, until a signal."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    os.environ.setdefault(*TRANSPORT)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor()
    try:
        node = TrainerNode()
        executor.add_node(node)
        if node.train(executor).reason is StopReason.INTERRUPTED:
            stopping.set()
        executor.remove_node(node)
        spin(node, stopping)
    except RacerError as error:
        get_logger('racer').fatal(str(error))
        return FAILED
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
