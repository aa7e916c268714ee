"""A car's own nodes around the embedded simulator, in lock-step, driven along the line."""

import math

import numpy as np
import pytest
from std_srvs.srv import Trigger

from racer_sim.driven_world import DrivenWorld
from racer_sim.nodes.race_control_node import RaceControlNode
from racer_sim.nodes.sim_node import SimNode
from racer_sim.nodes.sim_settings import SimSettings
from racer_sim.race_watch import RaceState
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.camera_node import CameraNode
from racer_vehicle.nodes.messages import twist_message
from racer_vehicle.nodes.motor_node import MotorNode
from racer_vehicle.signals import DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

pytestmark = pytest.mark.ros

CAR = CarSpec()
TRACK = 'pebble'


def pursue(track, x_m, y_m, yaw_rad):
    """Steer at a point of the centre line ahead."""
    ahead_m = 0.5
    s_m = float(track.project((x_m, y_m)).s_m) + ahead_m
    to_x, to_y, _ = map(float, track.pose_at(s_m))
    bearing = math.atan2(to_y - y_m, to_x - x_m) - yaw_rad
    steering = math.atan(2.0 * CAR.wheelbase_m * math.sin(bearing) / ahead_m)
    return DriveCommand(steering_rad=float(np.clip(steering, -0.5, 0.5)), speed_mps=1.5)


class Pursuit:
    """Takes the place of the inference node: an image in, a command out."""

    def __init__(self, graph, track):
        self.graph, self.track, self.driving, self.steer = graph, track, True, pursue
        self.odometry = {}
        ros.subscription(graph.probe, 'sim/odom', self._note)
        ros.subscription(graph.probe, 'camera/image_raw', self._decide)
        self.commands = ros.publisher(graph.probe, 'cmd_vel')
        self.decided = {}

    def _note(self, message):
        pose = message.pose.pose
        yaw_rad = 2.0 * math.atan2(pose.orientation.z, pose.orientation.w)
        self.odometry[ros.to_seconds(message.header.stamp)] = (pose.position.x, pose.position.y,
                                                               yaw_rad)

    def _decide(self, image):
        stamp_s = ros.to_seconds(image.header.stamp)
        truth = self.odometry.get(stamp_s)
        if truth is None or not self.driving:  # late: the simulator offers both again
            return
        self.decided[stamp_s] = truth  # once, though a machine that stalls is shown it again
        self.commands.publish(twist_message(self.steer(self.track, *truth), CAR.wheelbase_m,
                                            image.header.stamp, 'base_link'))

    @property
    def poses(self):
        """Where the car was for each image, in their order."""
        return list(self.decided.values())


@pytest.fixture
def race(graph):
    """Simulator, camera, motor and race control, with a pursuit in place of the policy."""
    graph.add(SimNode, track=TRACK, seed=5)
    graph.add(RaceControlNode, track=TRACK, laps=2, use_sim_time=True)
    graph.add(CameraNode, driver='simulated', use_sim_time=True)
    graph.add(MotorNode, driver='simulated', start_enabled=True, use_sim_time=True)
    return graph


def world():
    return DrivenWorld(SimSettings(track=TRACK, seed=5).world, CAR, 1)


def test_laps_are_driven_and_judged(race):
    states = race.listen('race/state')
    Pursuit(race, world().course.track)
    race.until(lambda: states and RaceState.from_json(states[-1].data).status == 'lap_complete',
               'two laps')
    state = RaceState.from_json(states[-1].data)
    assert state.lap_clean == (True, True)
    assert sum(state.lap_times_s) == pytest.approx(state.time_s, abs=CONTROL_PERIOD_S)


def test_the_graph_drives_as_the_simulator_does_without_it(race):
    track = world().course.track
    pursuit = Pursuit(race, track)
    race.until(lambda: len(pursuit.poses) >= 60, '60 periods')
    alone = world()
    for x_m, y_m, yaw_rad in pursuit.poses[:60]:
        pose = alone.motion(0).pose
        assert (pose.x_m, pose.y_m) == pytest.approx((x_m, y_m), abs=1e-6)
        command = pursue(track, x_m, y_m, yaw_rad)
        alone.drive(np.array([[command.steering_rad, command.speed_mps]]))


def test_a_silent_policy_stands_still_in_time_and_a_reset_begins_anew(race):
    states = race.listen('race/state')
    pursuit = Pursuit(race, world().course.track)

    def state():
        return RaceState.from_json(states[-1].data)

    race.until(lambda: states and state().steps > 20, 'it drives')
    pursuit.driving = False
    race.spin_for(0.3)
    stamp_s = state().stamp_s
    race.spin_for(0.8)
    assert state().stamp_s == stamp_s, 'time stands still'
    run = state().run
    assert race.call('race/reset', Trigger.Request()).success
    race.until(lambda: state().run == run + 1 and state().status == 'prepare', 'a new run')
    pursuit.driving = True
    race.until(lambda: state().status == 'in_progress' and state().progress_percent > 10.0,
               'it drives again')
    assert state().laps == 0


def test_a_car_that_leaves_the_track_is_held_and_put_back(graph):
    graph.add(SimNode, track=TRACK)
    graph.add(RaceControlNode, track=TRACK, resets=2, use_sim_time=True)
    graph.add(CameraNode, driver='simulated', use_sim_time=True)
    graph.add(MotorNode, driver='simulated', start_enabled=True, use_sim_time=True)
    states, track = graph.listen('race/state'), world().course.track
    pursuit = Pursuit(graph, track)

    def state():
        return RaceState.from_json(states[-1].data)

    graph.until(lambda: states and state().progress_percent > 10.0, 'it drives')
    pursuit.steer = lambda *_: DriveCommand(steering_rad=0.0, speed_mps=2.0)
    graph.until(lambda: state().status == 'pause', 'it leaves the track')
    left_at = state()
    pursuit.steer = pursue
    graph.until(lambda: state().status == 'in_progress'
                and state().progress_percent > left_at.progress_percent + 10.0, 'it goes on')
    assert state().run == left_at.run
    assert state().incidents == 1
    assert state().time_s >= left_at.time_s + 2.0 - CONTROL_PERIOD_S, 'the penalty is served'
