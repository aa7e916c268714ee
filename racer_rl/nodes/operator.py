"""What a person at the graph sees: the race, the policy that drives, how long things take."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final

from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import String

from racer_rl.drive.bag import Bag
from racer_rl.drive.timing import Timing, stamp_ns_of
from racer_sim.race_watch import RaceState
from racer_vehicle import contract
from racer_vehicle.contract import Topic
from racer_vehicle.nodes import ros

DEPTH: Final = 200
"""Messages that wait while this node is busy: whoever measures must not lose any itself."""


UNRECORDED: Final = ('camera/image_raw/compressed',)
"""Made only while somebody listens; the image itself is in the bag."""


class Operator(Node):
    """Listens to one car.

    Attributes:
        race: What race control said last; None before it did.
        active: What the inference node said last about the policy that drives; empty before.
    """

    def __init__(self, timing: Timing, bag: Bag | None = None, **options: Any) -> None:
        """Begin to listen.

        Args:
            timing: Told when images and commands come.
            bag: Records the topics of the contract.
            **options: Of `Node`.
        """
        super().__init__('operator', **options)
        self.race: RaceState | None = None
        self.active: dict[str, Any] = {}
        # First, because who hears that a run is over may stop to listen: then it is in the bag.
        if bag is not None:
            for row in contract.TOPICS:
                if row.name not in UNRECORDED and self.resolve_topic_name(row.name) not in bag:
                    self._record(row, bag)
        ros.subscription(self, 'race/state', self._on_race)
        ros.subscription(self, 'policy/active', self._on_active)
        for name, note in (('sim/camera/image_raw', timing.sensed), ('cmd_vel', timing.decided),
                           ('sim/cmd_vel', timing.applied)):
            self._measure(name, note)

    def _on_race(self, message: String) -> None:
        self.race = RaceState.from_json(message.data)

    def _on_active(self, message: String) -> None:
        self.active = json.loads(message.data)

    def _measure(self, name: str, note: Callable[[int, float], None]) -> None:
        self._listen(contract.topic(name),
                     lambda serialized: note(stamp_ns_of(serialized), time.monotonic()))

    def _record(self, row: Topic, bag: Bag) -> None:
        name = self.resolve_topic_name(row.name)
        bag.add(name, row)
        self._listen(row, lambda serialized: bag.write(
            name, serialized, self.get_clock().now().nanoseconds))

    def _listen(self, row: Topic, take: Callable[[bytes], None]) -> None:
        """Subscribe to the bytes of messages, which nobody here has to unpack."""
        qos: QoSProfile = ros.qos_profile(row.qos)
        qos.depth = DEPTH
        self.create_subscription(ros.interface(row.type), row.name, take, qos, raw=True)
