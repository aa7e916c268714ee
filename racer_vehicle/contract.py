"""Every topic and service of the graph, as data: what nodes, launch files and documents agree on.

Names are relative, so that a namespace holds one car. Types are those of standard packages. Nodes
build their publishers and subscriptions from these rows, and derive staleness and diagnostics
from them; nobody else writes a topic's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from racer_vehicle.errors import UnknownNameError
from racer_vehicle.spec import CONTROL_PERIOD_S

CONTROL_RATE_HZ: Final = 1.0 / CONTROL_PERIOD_S


TRANSPORT: Final = ('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')
"""What Fast DDS, where it is the middleware, should speak.

Its shared memory does not survive a process that was killed: about one in ten of those that took
the killed one's place was never heard again, and others fell silent with it. By UDP alone it was
none in sixty, and small images take no longer. Whoever sets the variable has it their way. With
ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST it has no effect; see `racer_rl/drive/domain.py`.
"""


class Qos(StrEnum):
    """Quality of service, by what it is for; the newest message counts in all of them."""

    SENSOR = 'sensor'
    """Best effort, volatile, depth 1: a late frame is worth nothing."""

    COMMAND = 'command'
    """Reliable, volatile, depth 1."""

    LATCHED = 'latched'
    """Reliable, transient local, depth 1: late joiners get the last message."""

    REPORT = 'report'
    """Reliable, volatile, depth 500: whoever keeps accounts may fall seconds behind and still
    misses nothing, even in lock-step at 200 periods a second."""

    @property
    def depth(self) -> int:
        """Messages kept on either end."""
        return 500 if self is Qos.REPORT else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic.

    Attributes:
        name: Relative name; absolute only where ROS convention says so.
        type: `package/msg/Name`.
        publishers: Names of the nodes that publish it; `simulator` stands for any simulator,
            `operator` for a person's tool.
        subscribers: Names of the nodes that read it.
        qos: Of both ends.
        rate_hz: Nominal; None for topics that speak when something happens.
        stale_after_s: Age at which a reader must not act on it any more; None: it does not age.
        unit: Of its numbers.
        frame: `header.frame_id`, REP-105; empty without a header.
        meaning: One line.
    """

    name: str
    type: str
    publishers: tuple[str, ...]
    subscribers: tuple[str, ...]
    qos: Qos
    rate_hz: float | None
    stale_after_s: float | None
    unit: str
    frame: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: relative name, `package/srv/Name`, the node that serves it, one line."""

    name: str
    type: str
    server: str
    meaning: str


CAMERA_STALE_S: Final = 0.2
"""Three control periods: two lost frames are bridged, a third means the camera has stopped."""

LIDAR_STALE_S: Final = 0.3
COMMAND_STALE_S: Final = 0.2
OPERATOR_STALE_S: Final = 1.0

SAME_STAMP_S: Final = 0.0005
"""Stamps that differ by less are the same: on their way they pass through seconds as floats."""


TOPICS: Final[tuple[Topic, ...]] = (
    Topic(
        name='camera/image_raw',
        type='sensor_msgs/msg/Image',
        publishers=('camera',),
        subscribers=('inference', 'trainer'),
        qos=Qos.SENSOR,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=CAMERA_STALE_S,
        unit='grey or RGB level',
        frame='camera_link_optical',
        meaning="rectified to the policy's camera model; the stamp is the exposure's",
    ),
    Topic(
        name='camera/image_raw/compressed',
        type='sensor_msgs/msg/CompressedImage',
        publishers=('camera',),
        subscribers=('operator',),
        qos=Qos.SENSOR,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=CAMERA_STALE_S,
        unit='JPEG',
        frame='camera_link_optical',
        meaning='the same image, made only while somebody reads it',
    ),
    Topic(
        name='camera/camera_info',
        type='sensor_msgs/msg/CameraInfo',
        publishers=('camera',),
        subscribers=('operator',),
        qos=Qos.SENSOR,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=CAMERA_STALE_S,
        unit='px',
        frame='camera_link_optical',
        meaning='pinhole model of the rectified image',
    ),
    Topic(
        name='scan',
        type='sensor_msgs/msg/LaserScan',
        publishers=('lidar',),
        subscribers=('inference', 'trainer'),
        qos=Qos.SENSOR,
        rate_hz=10.0,
        stale_after_s=LIDAR_STALE_S,
        unit='m, rad',
        frame='lidar_link',
        meaning='REP-117: +inf no return, -inf too close, NaN invalid',
    ),
    Topic(
        name='cmd_vel',
        type='geometry_msgs/msg/TwistStamped',
        publishers=('inference', 'trainer'),
        subscribers=('motor',),
        qos=Qos.COMMAND,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=COMMAND_STALE_S,
        unit='m/s, rad/s',
        frame='base_link',
        meaning="the policy's command; the stamp is the image's it was decided on",
    ),
    Topic(
        name='teleop/cmd_vel',
        type='geometry_msgs/msg/TwistStamped',
        publishers=('operator',),
        subscribers=('motor',),
        qos=Qos.COMMAND,
        rate_hz=None,
        stale_after_s=0.5,
        unit='m/s, rad/s',
        frame='base_link',
        meaning="a person's command, in manual mode",
    ),
    Topic(
        name='teleop/cmd_vel_unstamped',
        type='geometry_msgs/msg/Twist',
        publishers=('operator',),
        subscribers=('motor',),
        qos=Qos.COMMAND,
        rate_hz=None,
        stale_after_s=0.5,
        unit='m/s, rad/s',
        frame='',
        meaning='the same from tools that do not stamp',
    ),
    Topic(
        name='operator/alive',
        type='std_msgs/msg/Empty',
        publishers=('operator',),
        subscribers=('motor',),
        qos=Qos.COMMAND,
        rate_hz=5.0,
        stale_after_s=OPERATOR_STALE_S,
        unit='',
        frame='',
        meaning='somebody looks after the car; once heard, its end disables the motor',
    ),
    Topic(
        name='cmd_vel/applied',
        type='geometry_msgs/msg/TwistStamped',
        publishers=('motor',),
        subscribers=('operator',),
        qos=Qos.REPORT,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=None,
        unit='m/s, rad/s',
        frame='base_link',
        meaning='what the motor was told after limits and watchdog; the stamp is when',
    ),
    Topic(
        name='policy/bundle',
        type='std_msgs/msg/UInt8MultiArray',
        publishers=('trainer', 'operator'),
        subscribers=('inference',),
        qos=Qos.LATCHED,
        rate_hz=None,
        stale_after_s=None,
        unit='bytes',
        frame='',
        meaning='a policy bundle; layout.dim[0].label is `sha256:` and its hexadecimal digest',
    ),
    Topic(
        name='policy/active',
        type='std_msgs/msg/String',
        publishers=('inference',),
        subscribers=('operator',),
        qos=Qos.LATCHED,
        rate_hz=None,
        stale_after_s=None,
        unit='JSON',
        frame='',
        meaning='which bundle drives: name, SHA-256, since when',
    ),
    Topic(
        name='sim/camera/image_raw',
        type='sensor_msgs/msg/Image',
        publishers=('simulator',),
        subscribers=('camera',),
        qos=Qos.SENSOR,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=None,
        unit='grey or RGB level',
        frame='camera_link_optical',
        meaning="what the simulated camera's sensor delivers",
    ),
    Topic(
        name='sim/camera/camera_info',
        type='sensor_msgs/msg/CameraInfo',
        publishers=('simulator',),
        subscribers=('operator',),
        qos=Qos.SENSOR,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=None,
        unit='px',
        frame='camera_link_optical',
        meaning='its pinhole model',
    ),
    Topic(
        name='sim/scan',
        type='sensor_msgs/msg/LaserScan',
        publishers=('simulator',),
        subscribers=('lidar',),
        qos=Qos.SENSOR,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=None,
        unit='m, rad',
        frame='lidar_link',
        meaning='what the simulated scanner delivers',
    ),
    Topic(
        name='sim/odom',
        type='nav_msgs/msg/Odometry',
        publishers=('simulator',),
        subscribers=('race_control', 'trainer'),
        qos=Qos.REPORT,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=None,
        unit='m, m/s, rad/s',
        frame='map',
        meaning='ground truth of base_link; twist in base_link',
    ),
    Topic(
        name='sim/objects',
        type='visualization_msgs/msg/MarkerArray',
        publishers=('simulator',),
        subscribers=('race_control', 'operator'),
        qos=Qos.REPORT,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=None,
        unit='m, rad',
        frame='map',
        meaning='what the car can meet: boxes, bots, other cars; silent where there is nothing',
    ),
    Topic(
        name='sim/cmd_vel',
        type='geometry_msgs/msg/TwistStamped',
        publishers=('motor',),
        subscribers=('simulator',),
        qos=Qos.COMMAND,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=COMMAND_STALE_S,
        unit='m/s, rad/s',
        frame='base_link',
        meaning="the simulated motor; the stamp is the image's behind the command",
    ),
    Topic(
        name='sim/place',
        type='geometry_msgs/msg/PoseStamped',
        publishers=('race_control', 'trainer'),
        subscribers=('simulator',),
        qos=Qos.COMMAND,
        rate_hz=None,
        stale_after_s=None,
        unit='m, rad',
        frame='map',
        meaning='lift the car to this pose, at rest',
    ),
    Topic(
        name='/clock',
        type='rosgraph_msgs/msg/Clock',
        publishers=('simulator',),
        subscribers=('operator',),
        qos=Qos.SENSOR,
        rate_hz=None,
        stale_after_s=None,
        unit='s',
        frame='',
        meaning='simulated time, for nodes with use_sim_time',
    ),
    Topic(
        name='initialpose',
        type='geometry_msgs/msg/PoseWithCovarianceStamped',
        publishers=('operator',),
        subscribers=('race_control',),
        qos=Qos.COMMAND,
        rate_hz=None,
        stale_after_s=None,
        unit='m, rad',
        frame='map',
        meaning="rviz's 2D Pose Estimate",
    ),
    Topic(
        name='race/state',
        type='std_msgs/msg/String',
        publishers=('race_control',),
        subscribers=('simulator', 'operator'),
        qos=Qos.REPORT,
        rate_hz=CONTROL_RATE_HZ,
        stale_after_s=None,
        unit='JSON',
        frame='',
        meaning='status, progress %, laps, lap times, incidents, steps, whether the car is held',
    ),
    Topic(
        name='race/markers',
        type='visualization_msgs/msg/MarkerArray',
        publishers=('race_control',),
        subscribers=('operator',),
        qos=Qos.LATCHED,
        rate_hz=2.0,
        stale_after_s=None,
        unit='m',
        frame='map',
        meaning='track, car, lap text',
    ),
    Topic(
        name='race/racing_line',
        type='nav_msgs/msg/Path',
        publishers=('race_control',),
        subscribers=('operator',),
        qos=Qos.LATCHED,
        rate_hz=2.0,
        stale_after_s=None,
        unit='m',
        frame='map',
        meaning='where the car has driven, the last lap',
    ),
    Topic(
        name='/diagnostics',
        type='diagnostic_msgs/msg/DiagnosticArray',
        publishers=('camera', 'lidar', 'inference', 'motor', 'simulator', 'race_control'),
        subscribers=('operator',),
        qos=Qos.REPORT,
        rate_hz=1.0,
        stale_after_s=3.0,
        unit='',
        frame='',
        meaning='rates, latency, drops, state of each node',
    ),
)

SERVICES: Final[tuple[Service, ...]] = (
    Service(
        name='motor/enable',
        type='std_srvs/srv/SetBool',
        server='motor',
        meaning='let commands through, or hold neutral',
    ),
    Service(
        name='motor/emergency_stop',
        type='std_srvs/srv/SetBool',
        server='motor',
        meaning='true: neutral at once, latched; false: clear, which leaves the motor disabled',
    ),
    Service(
        name='motor/autonomous',
        type='std_srvs/srv/SetBool',
        server='motor',
        meaning='true: the policy drives; false: the operator does',
    ),
    Service(
        name='sim/reset',
        type='std_srvs/srv/Trigger',
        server='simulator',
        meaning='back to the start, at rest',
    ),
    Service(
        name='race/reset',
        type='std_srvs/srv/Trigger',
        server='race_control',
        meaning='begin a new run: car to the start, laps and clock to zero',
    ),
)


def car_namespaces(cars: int) -> tuple[str, ...]:
    """Namespaces of the cars of one graph: none for a car alone, `car1`, `car2`, ... for more."""
    return ('',) if cars == 1 else tuple(f'car{number}' for number in range(1, cars + 1))


def topic(name: str) -> Topic:
    """The row of a topic.

    Raises:
        UnknownNameError: It is not in the contract.
    """
    return _find('topic', name, {row.name: row for row in TOPICS})


def service(name: str) -> Service:
    """The row of a service.

    Raises:
        UnknownNameError: It is not in the contract.
    """
    return _find('service', name, {row.name: row for row in SERVICES})


_Row = TypeVar('_Row')


def _find(kind: str, name: str, rows: dict[str, _Row]) -> _Row:
    if name not in rows:
        raise UnknownNameError(kind, name, rows, 'See racer_vehicle/contract.py.')
    return rows[name]
