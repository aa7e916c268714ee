"""Cars behind topics are the cars of the embedded simulator: same motion, rules, interface."""

import numpy as np
import pytest

pytest.importorskip('rclpy')

import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import SetBool

from racer_rl.envs.batch import RaceBatch
from racer_rl.envs.build import RaceSetup, build_simulator
from racer_rl.envs.vector import RaceVecEnv
from racer_rl.evaluation.laps import EvaluationPlan, evaluate
from racer_rl.nodes.car_link import CarLink
from racer_rl.nodes.topic_env import TopicSimulator
from racer_sim.simulator_config import SimulatorConfig, StartPolicy
from racer_sim.starting_grid import one_course
from racer_vehicle.nodes.calls import SilenceError, call
from racer_vehicle.spec import CarSpec

pytestmark = pytest.mark.ros

PATIENCE_S = 120.0
CAR = CarSpec()
SETUP = RaceSetup(image_age_s=(0.0, 0.0))
STRAIGHT = StartPolicy(lateral=0.0, heading_rad=0.0)


def config_of(cars):
    return SimulatorConfig(cars=cars, cars_per_world=cars, image_age_s=(0.0, 0.0), start=STRAIGHT)


class Trainer:
    """A node with links, as the trainer has, and the nodes that its cars need."""

    def __init__(self, graph, namespaces=('',), nodes=('camera', 'motor')):
        graph.start('racer_sim.nodes.sim_node', namespaces=list(namespaces), image_age_max_s=0.0)
        for namespace in namespaces:
            inside = ['--ros-args', '-r', f'__ns:=/{namespace}'] if namespace else []
            for node in nodes:
                graph.start(f'racer_vehicle.nodes.{node}_node', *inside, driver='simulated',
                            use_sim_time=True)
        self.context = rclpy.Context()
        self.context.init()
        self.node = rclpy.create_node('trainer', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.links = [CarLink(self.node, name, CAR, SETUP.observation) for name in namespaces]
        self.namespaces = namespaces

    def simulator(self, patience_s=PATIENCE_S):
        return TopicSimulator(one_course('oval', 'forward'), CAR, config_of(len(self.links)), 0,
                              self.links, self.executor, patience_s)

    def enable(self):
        for namespace in self.namespaces:
            call(self.node, 'motor/enable', SetBool.Request(data=True), self.executor, PATIENCE_S,
                 namespace)

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def trainer(graph):
    made = []

    def make(*arguments, **settings):
        made.append(Trainer(graph, *arguments, **settings))
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            one.close()


def keep_to_the_middle(observation):
    """A policy by the truth alone."""
    privileged = observation['privileged']
    offset, error, bend = privileged[:, 0], privileged[:, 2], privileged[:, 14]
    steering = np.clip(-0.7 * offset - 1.5 * error + 0.5 * bend, -1.0, 1.0)
    return np.column_stack((steering, np.zeros(len(steering))))


def test_the_same_commands_drive_the_same_way(trainer):
    remote = trainer()
    remote.enable()
    there, here = remote.simulator(), build_simulator(SETUP, cars=1, seed=0)
    for simulator in (here, there):
        simulator.place(np.array([0]), np.array([0]), np.array([1.0]))
    for _ in range(60):
        assert np.array_equal(there.images(), here.images())
        command = SETUP.actions.decode(keep_to_the_middle({'privileged': here.privileged()}))
        assert not here.step(command).ended and not there.step(command).ended
        for key in ('x_m', 'y_m', 'yaw_rad', 'vx_mps', 'vy_mps', 'yaw_rate_radps'):
            assert there.state[key] == pytest.approx(here.state[key], abs=1e-9), key
    assert there.places['s_m'] == pytest.approx(here.places['s_m'], abs=1e-9)
    assert there.periods == 60


def test_episodes_end_and_begin_anew_by_themselves(trainer):
    remote = trainer()
    remote.enable()
    env = RaceVecEnv(RaceBatch(remote.simulator(), SETUP.observation, SETUP.actions, None))
    first = env.reset()
    assert first['camera'].shape == (1, *SETUP.observation.camera_shape)
    assert env.observation_space.contains({key: value[0] for key, value in first.items()})
    endings = []
    for _ in range(150):
        observation, _, dones, infos = env.step(np.array([[1.0, 1.0]]))
        if dones[0]:
            endings.extend(env.endings)
            last = infos[0]['terminal_observation']
            assert not np.array_equal(last['camera'], observation['camera'][0])
            speed = env.batch.simulator.state['vx_mps'][0]
            assert speed == 0.0, 'the next episode begins at rest'
        if len(endings) == 2:
            break
    assert [ending.status.label for ending in endings] == ['off_track', 'off_track']


def test_two_cars_share_a_world_and_learn_apart(trainer):
    remote = trainer(('car1', 'car2'))
    remote.enable()
    simulator = remote.simulator()
    simulator.place(np.arange(2), np.zeros(2, dtype=np.int64), np.array([0.0, 5.0]))
    before = simulator.images()
    assert not np.array_equal(before[0], before[1])
    places = simulator.places['s_m'].copy()
    for _ in range(20):
        simulator.step(np.array([[0.0, 1.0], [0.0, 0.5]]))
    driven = simulator.places['s_m'] - places
    assert driven[0] > driven[1] > 0.1


def test_an_evaluation_over_topics_judges_as_ever(trainer):
    remote = trainer()
    remote.enable()
    simulator = remote.simulator()
    rules = simulator.control.rules
    plan = EvaluationPlan(laps=1, starts=1)
    over_topics = evaluate(keep_to_the_middle, SETUP, plan, simulator=simulator)
    embedded = evaluate(keep_to_the_middle, SETUP, plan)
    assert over_topics.is_clean
    assert over_topics.mean_lap_s == pytest.approx(embedded.mean_lap_s, abs=0.1)
    assert simulator.control.rules is rules


def test_silence_is_told_by_what_is_missing(trainer):
    remote = trainer(nodes=('motor',))
    remote.enable()
    with pytest.raises(SilenceError, match='an image from where the car was put did not come'):
        simulator = remote.simulator(patience_s=2.0)
        simulator.reset()
        simulator.images()
