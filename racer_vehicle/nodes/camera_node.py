"""Camera device in, rectified images out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from rclpy.node import Node

from racer_vehicle import contract
from racer_vehicle.lens import Lens, Rectifier
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.devices import CameraSettings, make_camera
from racer_vehicle.nodes.diagnostics import Drops
from racer_vehicle.nodes.messages import camera_info_message, compressed_message, image_message
from racer_vehicle.nodes.parameters import declare, declare_car
from racer_vehicle.nodes.running import run_node
from racer_vehicle.nodes.sensing import Sensing
from racer_vehicle.signals import Frame

FRAME_ID: Final = contract.topic('camera/image_raw').frame


class CameraNode(Node):
    """Publishes what the policy's camera model would see."""

    def __init__(self, **options: Any) -> None:
        """Make the node and begin to look for the camera.

        Args:
            **options: Of `Node`.

        Raises:
            ConfigError: A parameter or the lens's file cannot be used.
        """
        super().__init__('camera', **options)
        settings, self._camera = declare(self, CameraSettings), declare_car(self).camera
        lens = Lens.from_yaml(Path(settings.lens)) if settings.lens else Lens.pinhole(self._camera)
        self._rectifier, drops = Rectifier(lens, self._camera), Drops(self)
        self._images = ros.publisher(self, 'camera/image_raw')
        self._compressed = ros.publisher(self, 'camera/image_raw/compressed')
        self._info = ros.publisher(self, 'camera/camera_info')
        camera = make_camera(self, settings, self._camera, drops)
        self._sensing = Sensing(self, 'camera/image_raw', camera, self._publish, drops)

    def stop(self) -> None:
        """Let go of the camera."""
        self._sensing.close()

    def _publish(self, raw: Frame) -> None:
        frame = Frame(image=self._rectifier.rectify(raw.image), stamp_s=raw.stamp_s)
        message = image_message(frame, FRAME_ID)
        self._images.publish(message)
        if self._info.get_subscription_count():
            self._info.publish(camera_info_message(self._camera, frame.stamp_s, FRAME_ID))
        if self._compressed.get_subscription_count():
            self._compressed.publish(compressed_message(frame, FRAME_ID))


def main() -> int:
    """Run the node."""
    return run_node(CameraNode)


if __name__ == '__main__':
    raise SystemExit(main())
