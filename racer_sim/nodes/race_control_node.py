"""Race control on the graph: watches ground truth, tells the race, puts the car where it belongs.

It knows `sim/odom`, the track, and `sim/objects` where there are any; nothing of the simulator
behind them.
"""

from __future__ import annotations

from typing import Any, Final

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from racer_sim.moments import Moment, Moments
from racer_sim.nodes.markers import car_markers, line_path, marker_array, track_markers
from racer_sim.nodes.objects import objects_of
from racer_sim.nodes.poses import pose_of, stamped_pose
from racer_sim.nodes.race_settings import RaceSettings
from racer_sim.race_watch import RaceWatch
from racer_sim.starting_grid import Pose, one_course
from racer_vehicle import contract
from racer_vehicle.errors import MessageError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.diagnostics import Diagnostics, Drops, Level, Report
from racer_vehicle.nodes.parameters import declare, declare_car
from racer_vehicle.nodes.running import run_node

DRAWN_S: Final = 1.0 / (contract.topic('race/markers').rate_hz or 1.0)
SHARE: Final = 'start_share'
"""The one parameter that may change while the node runs."""


class RaceControlNode(Node):
    """Judges one car."""

    def __init__(self, **options: Any) -> None:
        """Begin to watch.

        Args:
            **options: Of `Node`.

        Raises:
            ConfigError: A parameter cannot be used.
        """
        super().__init__('race_control', **options)
        settings, self._car = declare(self, RaceSettings), declare_car(self)
        self.declare_parameter(SHARE, 0.0, ParameterDescriptor(
            description='of the lap, where a reset puts the car; the next one goes by it',
            floating_point_range=[FloatingPointRange(from_value=0.0, to_value=1.0)]))
        course = one_course(settings.track, settings.direction)
        self._watch = RaceWatch(course, settings.rules, self._car, leaves=settings.leaves)
        self._track_markers, self._pose = track_markers(course.track), Pose(0.0, 0.0, 0.0)
        self._drops, self._last_status, self._moments = Drops(self), '', Moments()
        self._grid_place = settings.place
        self._state_out = ros.publisher(self, 'race/state')
        self._place_out = ros.publisher(self, 'sim/place')
        self._markers_out = ros.publisher(self, 'race/markers')
        self._line_out = ros.publisher(self, 'race/racing_line')
        ros.subscription(self, 'sim/odom', self._on_odometry)
        ros.subscription(self, 'sim/objects', self._on_objects)
        ros.subscription(self, 'initialpose', self._on_initial_pose)
        ros.service(self, 'race/reset', self._on_reset)
        Diagnostics(self, self._report)
        self.create_timer(DRAWN_S, self._draw, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def stop(self) -> None:
        """End."""

    def _on_odometry(self, message: Odometry) -> None:
        pose = self._pose_of(message.pose.pose, message, 'sim/odom')
        if pose is not None:
            self._moments.put_pose(pose, ros.to_seconds(message.header.stamp))
            self._judge()

    def _on_objects(self, message: MarkerArray) -> None:
        try:
            self._moments.put_objects(*objects_of(message))
        except MessageError as error:
            self._drops.note('sim/objects', str(error))
        else:
            self._judge()

    def _judge(self) -> None:
        for moment in self._moments.complete():
            self._observe(moment)

    def _observe(self, moment: Moment) -> None:
        self._pose = moment.pose
        hold = self._watch.observe(*moment)
        state = self._watch.state
        self._state_out.publish(String(data=state.to_json()))
        if state.status != self._last_status:
            self._last_status = state.status
            self.get_logger().info(state.headline)
        if hold is not None:
            self._place(hold)

    def _on_initial_pose(self, message: PoseWithCovarianceStamped) -> None:
        pose = self._pose_of(message.pose.pose, message, 'initialpose')
        if pose is not None:
            self._place(self._watch.begin_at(pose))

    def _on_reset(self, request: Any, response: Any) -> Any:
        self._place(self._watch.begin(self.get_parameter(SHARE).value, self._grid_place))
        response.success, response.message = True, f'run {self._watch.state.run} is prepared'
        return response

    def _place(self, pose: Pose) -> None:
        row = contract.topic('sim/place')
        self._place_out.publish(stamped_pose(pose, self._watch.state.stamp_s, row.frame))

    def _pose_of(self, pose: Any, message: Any, topic: str) -> Pose | None:
        """The pose of a message of a topic; None, and counted, where it is none."""
        try:
            return pose_of(pose, message.header.frame_id, contract.topic(topic).frame)
        except MessageError as error:
            self._drops.note(topic, str(error))
            return None

    def _draw(self) -> None:
        state, line_m = self._watch.state, self._watch.line_m
        self._markers_out.publish(marker_array(
            [*self._track_markers, *car_markers(self._pose, self._car, state.headline)],
            state.stamp_s))
        if len(line_m):
            self._line_out.publish(line_path(line_m, state.stamp_s))

    def _report(self) -> Report:
        state = self._watch.state
        return Report(level=Level.OK, message=state.headline, values={
            'run': state.run, 'laps': state.laps, 'incidents': state.incidents,
            **self._drops.values()})


def main() -> int:
    """Run the node."""
    return run_node(RaceControlNode)


if __name__ == '__main__':
    raise SystemExit(main())
