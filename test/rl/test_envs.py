import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.vec_env import VecMonitor

from racer_rl.envs.build import RaceSetup, build_batch
from racer_rl.envs.gym import RacerEnv
from racer_rl.envs.vector import RaceVecEnv
from racer_sim.rules import RaceRules
from racer_vehicle.action import DiscreteActions
from racer_vehicle.errors import ConfigError, UnknownNameError
from racer_vehicle.observation import Sensor

SETUPS = {
    'camera': {},
    'lidar': {'sensors': (Sensor.FRONT_FACING_CAMERA, Sensor.LIDAR)},
    'sectors': {'sensors': (Sensor.FRONT_FACING_CAMERA, Sensor.SECTOR_LIDAR)},
    'discrete': {'actions': DiscreteActions(steering_rad=(-0.5, 0.0, 0.5),
                                            speed_mps=(1.0, 2.0, 1.0))},
    'stereo': {'sensors': (Sensor.STEREO_CAMERAS,)},
    'rgb': {'colour': 'rgb'},
    'stack': {'stack': 3},
}
STRAIGHT, LEFT = np.array([0.0, 0.0]), np.array([1.0, 1.0])


def vector(cars=4, seed=0, **options):
    return RaceVecEnv(build_batch(RaceSetup(**options), cars=cars, seed=seed))


def kept(observation):
    return {key: value.copy() for key, value in observation.items()}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize('options', SETUPS.values(), ids=SETUPS.keys())
def test_gymnasium_finds_nothing_wrong(options):
    env = gymnasium.make('racer/Racer-v0', **options)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        # What a critic knows has no bounds.
        warnings.filterwarnings('ignore', message='.*observation space (min|max)imum value.*')
        check_env(env.unwrapped, skip_render_check=True)
    env.close()


@pytest.mark.parametrize('colour', ['grey', 'rgb'])
def test_the_rendered_image_is_the_cameras(colour):
    env = RacerEnv(render_mode='rgb_array', colour=colour)
    env.reset(seed=1)
    image = env.render()
    assert image.shape == (120, 160, 3)
    assert image.dtype == np.uint8
    assert image.std() > 5.0
    assert (np.ptp(image, axis=2).max() == 0) == (colour == 'grey')
    assert RacerEnv().render() is None


def test_options_that_are_not_usable_are_refused():
    with pytest.raises(UnknownNameError, match=r"unknown track 'ovall'; did you mean oval\?"):
        RacerEnv(track='ovall')
    with pytest.raises(ConfigError, match=r"direction is 'up'; allowed: forward"):
        RacerEnv(direction='up')


def episode(env, action):
    """The last step of an episode of one action, and how many steps it took."""
    for count in range(1, 4000):
        step = env.step(action)
        assert not (step[2] and step[3])
        if step[2] or step[3]:
            return step, count
        assert step[4] == {}
    raise AssertionError('the episode has no end')


def test_leaving_the_track_terminates():
    env = RacerEnv()
    env.reset(seed=0)
    (_, _, terminated, truncated, info), _ = episode(env, LEFT)
    assert (terminated, truncated) == (True, False)
    assert info['episode_status'] == 'off_track'
    assert 0.0 <= info['progress'] < 50.0


def test_running_out_of_time_truncates():
    env = RacerEnv(rules=RaceRules(time_limit_s=0.3))
    env.reset(seed=0)
    (_, _, terminated, truncated, info), steps = episode(env, STRAIGHT)
    assert (terminated, truncated) == (False, True)
    assert info['episode_status'] == 'time_up'
    assert steps == 5


def test_stepping_needs_a_running_episode():
    env = RacerEnv()
    with pytest.raises(RuntimeError, match=r'call reset\(\) before step\(\)'):
        env.step(STRAIGHT)
    env.reset(seed=0)
    episode(env, LEFT)
    with pytest.raises(RuntimeError, match=r'the episode has ended'):
        env.step(STRAIGHT)
    env.reset()
    env.step(STRAIGHT)


def test_a_seed_repeats_everything_and_none_does_not():
    first, second = RacerEnv(), RacerEnv()
    assert same(first.reset(seed=5)[0], second.reset(seed=5)[0])
    for _ in range(10):
        one, other = first.step(LEFT / 3), second.step(LEFT / 3)
        assert same(one[0], other[0])
        assert one[1:] == other[1:]
    again = RacerEnv()
    again.reset(seed=5)
    assert same(first.reset()[0], again.reset()[0])
    assert not same(RacerEnv().reset()[0], RacerEnv().reset()[0])


def test_observations_of_one_environment_do_not_change_later():
    env = RacerEnv(stack=2)
    first, _ = env.reset(seed=0)
    before = kept(first)
    for _ in range(3):
        env.step(STRAIGHT)
    assert same(first, before)


def test_stable_baselines_has_nothing_to_warn_of():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        env = VecMonitor(vector())
        env.reset()
        env.step(np.zeros((4, 2)))
    assert env.render_mode is None
    assert env.num_envs == 4
    assert env.get_attr('num_envs') == [4] * 4
    assert not env.has_attr('tyre_pressure')
    env.close()


def until_some_end(env, actions, limit=400):
    for _ in range(limit):
        observation, rewards, dones, infos = env.step(actions)
        if dones.any():
            return observation, rewards, dones, infos
        assert infos == [{}] * env.num_envs
    raise AssertionError('no episode ended')


@pytest.mark.parametrize('stack', [1, 3])
def test_an_ended_car_begins_anew_and_hands_over_its_last_observation(stack):
    env, shadow = vector(stack=stack), vector(stack=stack)
    env.reset()
    shadow.reset()
    actions = np.zeros((4, 2), dtype=np.float32)
    actions[0] = LEFT
    observation, rewards, dones, infos = until_some_end(env, actions)
    steps = infos[0]['episode']['l']
    for _ in range(steps - 1):
        shadow.step(actions)
    shadow.batch.step(actions)
    last = shadow.batch.peek()

    assert dones.tolist() == [True, False, False, False]
    assert same(infos[0]['terminal_observation'], {key: value[0] for key, value in last.items()})
    assert infos[1:] == [{}] * 3
    assert infos[0]['TimeLimit.truncated'] is False
    assert env.batch.simulator.control.race['steps'].tolist() == [0, steps, steps, steps]
    assert not np.array_equal(observation['camera'][0], last['camera'][0])
    assert np.array_equal(observation['camera'][1:], last['camera'][1:])
    frames = observation['camera'][0].reshape(stack, -1)
    assert (frames == frames[0]).all()  # nothing of the last episode shows
    assert rewards.shape == (4,)
    ending, = env.endings
    assert (ending.car, ending.status.label, ending.steps) == (0, 'off_track', steps)


def test_the_clock_is_told_as_a_truncation_with_the_episodes_return():
    env = vector(rules=RaceRules(time_limit_s=0.3))
    env.reset()
    actions = np.zeros((4, 2))
    returns = np.zeros(4)
    for _ in range(5):
        _, rewards, dones, infos = env.step(actions)
        returns += rewards
    assert dones.all()
    for info, total in zip(infos, returns, strict=True):
        assert info['TimeLimit.truncated'] is True
        assert info['episode']['r'] == pytest.approx(total, abs=1e-6)
        assert info['episode']['l'] == 5
    _, _, dones, _ = env.step(actions)
    assert not dones.any()
    assert env.endings == ()


def test_a_step_is_never_both_terminated_and_truncated():
    batch = build_batch(RaceSetup(rules=RaceRules(time_limit_s=2.0)), cars=16, seed=0)
    batch.reset()
    random = np.random.default_rng(0)
    for _ in range(40):
        step = batch.step(random.uniform(-1.0, 1.0, (16, 2)))
        assert not (step.terminated & step.truncated).any()
        ended = np.flatnonzero(step.terminated | step.truncated)
        assert [ending.car for ending in step.endings] == ended.tolist()
        batch.reset(ended)


@pytest.mark.parametrize('options', SETUPS.values(), ids=SETUPS.keys())
def test_observations_are_within_their_space_and_stay_as_they_were(options):
    env = vector(cars=3, **options)
    observation = env.reset()
    before = kept(observation)
    actions = np.array([env.action_space.sample() for _ in range(3)])
    after, *_ = env.step(actions)
    env.step(actions)
    assert same(observation, before)
    for car in range(3):
        for seen in (observation, after):
            assert env.observation_space.contains({key: part[car] for key, part in seen.items()})


def test_what_cars_share_is_not_set_for_one_of_them():
    env = vector()
    with pytest.raises(NotImplementedError, match='build another batch'):
        env.set_attr('speed', 1.0)
    with pytest.raises(NotImplementedError, match='use `batch`'):
        env.env_method('render')
    assert env.env_is_wrapped(VecMonitor, [0, 2]) == [False, False]
