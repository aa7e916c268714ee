"""A yardstick bot drives among boxes and bots in Gazebo, judged by race control."""

import numpy as np
import pytest

from racer_rl.races.bots import bot
from racer_rl.races.drivers import View
from racer_sim.bodies import Box
from racer_sim.driven_world import DrivenWorldConfig
from racer_sim.gazebo.gazebo_world import GazeboConfig, GazeboWorld
from racer_sim.race_format import STANDARD_FORMATS, RaceType
from racer_sim.race_watch import RaceWatch
from racer_sim.rules import RaceRules
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_vehicle.spec import CarSpec

pytestmark = pytest.mark.slow

CAR = CarSpec()
RULES = RaceRules(laps=2, resets=20, off_track_penalty_s=0.3)
TRACK = 'oval'
MOST_PERIODS = 900


class Truth:
    """What is true in Gazebo, as the embedded simulator tells it to a bot."""

    def __init__(self, world):
        self.world = world
        boxes = (Box(x_m=0.0, y_m=0.0),) * len(world.objects(0, world.time_ns))
        self.simulator = Simulator([world.course], CAR, SimulatorConfig(
            cars=1, boxes=boxes, image_age_s=(0.0, 0.0)), 0)

    def view(self):
        motion = self.world.motion(0)
        self.simulator.put_boxes(self.world.objects(0, self.world.time_ns))
        self.simulator.set_pose(np.zeros(1, np.int64), motion.pose.x_m, motion.pose.y_m,
                                motion.pose.yaw_rad)
        state = self.simulator.state
        state['vx_mps'], state['vy_mps'] = motion.vx_mps, motion.vy_mps
        state['yaw_rate_radps'] = motion.yaw_rate_radps
        return View(self.simulator, 0, None, None, self.simulator.met()[0], False)


@pytest.mark.parametrize('race', [RaceType.OBJECT_AVOIDANCE, RaceType.HEAD_TO_BOT])
def test_a_bot_of_ours_laps_among_them_without_a_crash(race, tmp_path):
    config = DrivenWorldConfig(track=TRACK, image_age_max_s=0.0, race=STANDARD_FORMATS[race],
                               seed=1)
    with GazeboWorld(GazeboConfig(world=config), CAR, ('',), tmp_path) as world:
        watch = RaceWatch(world.course, RULES, CAR)
        driver, truth, places = bot('medium', world.course, CAR), Truth(world), []
        for _ in range(MOST_PERIODS):
            objects = world.objects(0, world.time_ns)
            hold = watch.observe(world.motion(0).pose, world.time_ns / 1e9, objects)
            assert watch.state.cause != 'crashed', watch.state
            if not watch.state.lifting:
                world.hold(0, world.time_ns, held=watch.state.held)
            if hold is not None:
                world.lift(0, hold)
                continue
            if watch.state.status == 'lap_complete':
                break
            world.follow(watch.state.run, watch.state.laps, waiting=False)
            places.append(tuple(objects['x_m'].tolist()))
            command = driver.act(truth.view())
            world.drive(np.array([[command.steering_rad, command.speed_mps]]), np.zeros(1))
        assert watch.state.status == 'lap_complete', watch.state
        kept = len(set(places))
        assert kept > 100 if race is RaceType.HEAD_TO_BOT else kept in {2, 3}, 'once a lap'
