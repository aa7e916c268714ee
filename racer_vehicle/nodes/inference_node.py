"""Camera image in, drive command out: the policy's node."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.node import Node
from sensor_msgs.msg import Image, LaserScan
from std_msgs.msg import String, UInt8MultiArray

from racer_vehicle import contract
from racer_vehicle.errors import MessageError, ModelMismatchError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.diagnostics import Diagnostics, Drops, Level, Report
from racer_vehicle.nodes.messages import frame_of, scan_of, twist_message
from racer_vehicle.nodes.parameters import declare, declare_car, require_settings, setting
from racer_vehicle.nodes.running import run_node
from racer_vehicle.pilot import PolicyPilot
from racer_vehicle.policy import LoadedPolicy
from racer_vehicle.policy_loader import PolicyLoader, load_policy
from racer_vehicle.signals import DriveCommand
from racer_vehicle.signing import TrustedKeys
from racer_vehicle.telemetry import Flow, Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceSettings:
    """Parameters of the inference node, beside the car's, the camera's and the lidar's."""

    bundle: str = setting('', 'policy bundle (.racer file); empty: wait for one on policy/bundle')
    trusted_keys: str = setting('', 'folder of public keys (*.pem), one of which must have signed '
                                    "each policy; '': policies need no signature")

    wait_for_scan: bool = setting(False, "decide with the scan of the image's own stamp only, "
                                  'where a policy reads scans; for simulators in lock-step, '
                                  'which wait')

    def __post_init__(self) -> None:
        require_settings(self)


class InferenceNode(Node):
    """Decides once for every image; says nothing while there is no policy or no image."""

    def __init__(self, **options: Any) -> None:
        """Make the node.

        Args:
            **options: Of `Node`.

        Raises:
            ConfigError: A parameter or a trusted key cannot be used.
            ModelMismatchError: The bundle cannot.
        """
        super().__init__('inference', **options)
        settings = declare(self, InferenceSettings)
        self._car = declare_car(self)
        self._now, self._pilot, self._drops = ros.ros_clock(self), PolicyPilot(
            wait_for_scan=settings.wait_for_scan), Drops(self)
        self._waiting: Image | None = None
        self._flow, self._thinking_s = Flow(), Spread()
        self._commands = ros.publisher(self, 'cmd_vel')
        self._active = ros.publisher(self, 'policy/active')
        folder = settings.trusted_keys
        trusted = TrustedKeys.read(Path(folder)) if folder else None
        loaded = self.create_guard_condition(self._swap)
        self._loader = PolicyLoader(self._car, loaded.trigger, trusted)
        self._diagnostics = Diagnostics(self, self._report)
        if settings.bundle:
            self._install(load_policy(Path(settings.bundle), self._car, trusted))
        ros.subscription(self, 'scan', self._on_scan)
        ros.subscription(self, 'policy/bundle', self._on_bundle)
        ros.subscription(self, 'camera/image_raw', self._on_image)

    def stop(self) -> None:
        """End; without commands the motor goes neutral by itself."""
        self._loader.close()

    def _on_image(self, message: Image) -> None:
        begun_s = time.perf_counter()
        try:
            choice = self._pilot.decide(frame_of(message), self._now())
        except MessageError as error:
            self._drops.note('image', str(error))
            return
        self._waiting = message if choice.waits else None
        if choice.trouble:
            self._drops.note(choice.trouble, choice.why)
        if choice.command is not None:
            self._thinking_s.note(time.perf_counter() - begun_s)
            self._say(choice.command, message.header.stamp)

    def _say(self, command: DriveCommand, stamp: Time) -> None:
        frame_id = contract.topic('cmd_vel').frame
        self._commands.publish(twist_message(command, self._car.wheelbase_m, stamp, frame_id))
        self._flow.note(time.monotonic(), self._now() - ros.to_seconds(stamp))

    def _on_scan(self, message: LaserScan) -> None:
        try:
            self._pilot.note_scan(scan_of(message, self._car.lidar))
        except MessageError as error:
            self._drops.note('scan', str(error))
        else:
            if self._waiting is not None:
                self._on_image(self._waiting)

    def _on_bundle(self, message: UInt8MultiArray) -> None:
        label = message.layout.dim[0].label if message.layout.dim else ''
        self._loader.submit(message.data.tobytes(), label.removeprefix('sha256:'))

    def _swap(self) -> None:
        try:
            policy = self._loader.take()
        except ModelMismatchError as error:
            self._drops.note('bundle', str(error))
            self._diagnostics.publish()
        else:
            if policy is not None:
                self._install(policy)

    def _install(self, policy: LoadedPolicy) -> None:
        self._pilot.install(policy)
        card, sha256 = policy.bundle.card, policy.bundle.sha256
        said = {'model': card.model, 'sha256': sha256, 'steps': card.steps, 'since_s': self._now()}
        self._active.publish(String(data=json.dumps(said)))
        self.get_logger().info(f'driving by {card.model} ({sha256[:12]})')
        self._diagnostics.publish()

    def _report(self) -> Report:
        policy, seeing = self._pilot.policy, self._pilot.image_age.is_fresh(self._now())
        if policy is None:
            level, message = Level.ERROR, 'there is no policy yet'
        elif seeing:
            level, message = Level.OK, f'{policy.bundle.card.model} drives'
        else:
            level, message = Level.WARN, 'no camera image: the camera has stalled'
        return Report(level=level, message=message, values={
            'policy_sha256': policy.bundle.sha256 if policy else '',
            **self._flow.figures(time.monotonic()),
            'decision_p99_s': self._thinking_s.quantile(0.99), **self._drops.values(),
        })


def main() -> int:
    """Run the node."""
    return run_node(InferenceNode)


if __name__ == '__main__':
    raise SystemExit(main())
