"""A teacher that sees the truth, and a model that learns from it what to do with a camera."""

import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.logger import Logger

from racer_rl.envs.build import RaceSetup, build_batch, build_simulator
from racer_rl.envs.vector import RaceVecEnv
from racer_rl.evaluation.laps import EvaluationPlan, evaluate
from racer_rl.export import Origin, make_bundle
from racer_rl.reward.library import find_reward
from racer_rl.reward.log import RewardLog
from racer_rl.store.models import ModelFolder
from racer_rl.training import teacher as teacher_module
from racer_rl.training.acting import deterministic_policy
from racer_rl.training.algorithms import build_model
from racer_rl.training.checkpoint import load_checkpoint
from racer_rl.training.curriculum import SpeedCurriculum
from racer_rl.training.distillation import Distillation, Lessons, Student
from racer_rl.training.hyperparameters import PPOHyperparameters, SACHyperparameters
from racer_rl.training.networks import FAST
from racer_rl.training.plan import Limits, Method, StopReason, TrainingPlan, find_method
from racer_rl.training.routes import PRACTICE, STUDENT, TEACHER, TEACHER_SHARE, TaughtRoute
from racer_rl.training.standing import Meter
from racer_rl.training.teacher import Teacher, teacher_settings
from racer_rl.training.train import train
from racer_sim.privileged import PRIVILEGED_SIZE
from racer_sim.simulator import Simulator
from racer_sim.track_library import find_track
from racer_vehicle.action import DiscreteActions
from racer_vehicle.errors import ConfigError, RewardError, UnknownNameError
from racer_vehicle.policy import LoadedPolicy

PPO = PPOHyperparameters(n_envs=4, n_steps=32, batch_size=64, n_epochs=2)
SHORT = EvaluationPlan(laps=1, starts=2)
THREE_ACTIONS = DiscreteActions(steering_rad=(-math.radians(30), 0.0, math.radians(30)),
                                speed_mps=(1.0, 1.5, 1.0))
SETUPS = {'continuous': {}, 'discrete': {'actions': THREE_ACTIONS}}
both = pytest.mark.parametrize('setup', SETUPS.values(), ids=SETUPS)

STEPS = 1500
"""Five rollouts of the teacher, which are its share, and seven lessons."""


def plan_for(steps=STEPS, seed=3, **setup):
    return TrainingPlan(setup=RaceSetup(**setup), hyperparameters=PPO, evaluation=SHORT, seed=seed,
                        limits=Limits(steps=steps), distillation=Distillation())


def teacher_for(plan):
    return Teacher(plan, find_reward(plan.setup.reward), RewardLog())


def taught_route(model, env, plan, teacher, spent):
    return TaughtRoute(model, env, plan, Meter(), lambda: spent, held_back(env, plan), teacher)


def held_back(env, plan):
    return SpeedCurriculum(env.batch, plan.hyperparameters.start_speed_mps)


def quiet():
    return Logger(None, [])


def watch(standing):
    """Nobody looks."""


def model_of(folder, which='last'):
    return load_checkpoint(folder.checkpoint(which))[0]


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def folder(tmp_path):
    return ModelFolder(tmp_path / 'model')


@pytest.fixture(scope='module')
def taught(tmp_path_factory):
    folder = ModelFolder(tmp_path_factory.mktemp('taught') / 'model')
    seen = []
    reason, _ = train(folder, plan_for(), seen.append)
    return folder, reason, seen


def blinded(*_):
    raise AssertionError('something was drawn')


@both
def test_the_teacher_sees_no_camera_and_none_is_drawn(monkeypatch, setup):
    monkeypatch.setattr(Simulator, 'images', blinded)
    monkeypatch.setattr(Simulator, 'scans', blinded)
    teacher = teacher_for(plan_for(**setup))
    assert list(teacher.env.observation_space.spaces) == ['privileged']
    teacher.learn(Meter(), quiet())
    assert teacher.model.num_timesteps == teacher.rollout_steps == PPO.rollout_steps
    teacher.model.num_timesteps = 10_000
    assert not teacher.is_ready(in_a_hurry=True), 'examined, and found wanting'
    teacher.close()


def test_the_teacher_learns_between_nearer_borders_and_is_examined_between_the_drawn_ones(
        monkeypatch):
    teacher = teacher_for(plan_for())
    margin_m = Distillation().margin_m
    narrow, drawn = teacher.env.batch.simulator.geometry, find_track('oval')
    assert margin_m > 0.0 and np.allclose(narrow.left_m, drawn.left_m - margin_m)
    seen = []
    judge = teacher_module.judge
    monkeypatch.setattr(teacher_module, 'judge', lambda policy, plan, *rest, **how: seen.append(
        build_simulator(plan.setup, cars=1, seed=0)) or judge(policy, plan, *rest, **how))
    teacher.model.num_timesteps = 10_000
    teacher.is_ready(in_a_hurry=True)
    assert np.array_equal(seen[0].geometry.left_m, drawn.left_m)
    teacher.close()


@both
def test_what_the_teacher_does_depends_on_the_truth_alone(setup):
    plan = plan_for(**setup)
    teacher = teacher_for(plan)
    batch = build_batch(plan.setup, cars=4, seed=1)
    batch.reset()
    seen = batch.observe(np.ones(4, dtype=np.bool_))
    acted = teacher.act(seen)
    assert np.array_equal(acted, teacher.act({'privileged': seen['privileged']}))
    truth = {'privileged': torch.from_numpy(seen['privileged'])}
    most_likely = teacher.policy.get_distribution(truth).get_actions(deterministic=True)
    assert np.array_equal(acted, np.clip(most_likely.detach().numpy(), -1, 2))
    assert batch.action_space.contains(acted[0])
    assert all(batch.action_space.contains(one) for one in teacher.explore(seen))
    batch.close(), teacher.close()


def test_the_teacher_is_paid_as_the_run_says():
    own = PPOHyperparameters(gamma=0.9, gae_lambda=0.8, ent_coef=0.02, learning_rate=1e-5,
                             n_envs=2, n_steps=32, batch_size=64)
    assert teacher_settings(own, 'FAST') == own, 'its network is as large as the model'
    settings = teacher_settings(own, 'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW')
    assert (settings.gamma, settings.gae_lambda, settings.ent_coef) == (0.9, 0.8, 0.02)
    assert settings.learning_rate == FAST.ppo['learning_rate']
    assert settings.rollout_steps == FAST.ppo['n_envs'] * FAST.ppo['n_steps']


def test_an_examination_after_a_clean_one_makes_a_teacher(monkeypatch):
    teacher = teacher_for(plan_for())
    paces = iter([None, -20.0, -19.9, -19.8, -15.0, None, -15.0, None])
    monkeypatch.setattr(teacher, '_examine', lambda: next(paces))

    def ready(steps, in_a_hurry):
        teacher.model.num_timesteps = steps
        return teacher.is_ready(in_a_hurry=in_a_hurry)
    assert not ready(7_999, True), 'not due'
    assert not ready(8_000, True), 'not clean'
    assert not ready(9_999, True), 'not due'
    assert not ready(10_000, True), 'clean once'
    assert not ready(19_999, True), 'not due'
    assert ready(20_000, True)
    assert ready(40_000, False), 'hardly faster than before'
    assert not ready(80_000, False), 'much faster than before'
    assert not ready(160_000, False), 'not clean'
    assert not ready(200_000, True), 'clean once'
    assert ready(400_000, True), 'not clean, but the one before was, and is kept'
    teacher.close()


def frames(values):
    """Pictures of one brightness each."""
    camera = np.broadcast_to(np.asarray(values, np.uint8)[:, None, None, None],
                             (len(values), 1, 120, 160))
    return {'camera': camera, 'privileged': np.zeros((len(values), PRIVILEGED_SIZE), np.float32)}


def test_lessons_keep_to_their_memory_and_each_label_stays_with_its_frame():
    space = spaces.Dict({'camera': spaces.Box(0, 255, (1, 120, 160), np.uint8)})
    lessons = Lessons(space, 1, np.random.default_rng(0))
    assert lessons.capacity == 2**20 // (120 * 160) == 54
    for begin in range(0, 200, 20):
        values = np.arange(begin, begin + 20)
        lessons.add(frames(values), values)
    assert lessons.size == 54
    kept = []
    for seen, labels in lessons.batches(108, 18):
        assert seen['camera'].shape == (18, 1, 120, 160)
        assert torch.equal(seen['camera'][:, 0, 60, 80], labels.to(torch.uint8))
        kept += labels.tolist()
    assert len(kept) == 108 and sorted(kept[:54]) == sorted(kept[54:])
    assert max(kept) >= 180 and min(kept) < 100, 'new ones came, old ones stayed'


def test_few_lessons_are_learnt_from_as_well():
    space = spaces.Dict({'camera': spaces.Box(0, 255, (1, 120, 160), np.uint8)})
    lessons = Lessons(space, 1, np.random.default_rng(0))
    lessons.add(frames([1, 2, 3]), np.arange(3))
    assert [len(labels) for _, labels in lessons.batches(9, 4)] == [4, 4]


@both
def test_a_student_learns_what_it_is_shown(setup):
    plan = plan_for(**setup)
    env = RaceVecEnv(build_batch(plan.setup, cars=4, seed=1))
    model = build_model(PPO, 'FAST', env, seed=1)
    student = Student(model.policy, Distillation(batch_size=32))
    critic = {name: value.clone() for name, value in
              model.policy.mlp_extractor.critic.state_dict().items()}
    lessons = Lessons(env.observation_space, 1, np.random.default_rng(0))
    seen = env.reset()
    labels = (np.array([0, 1, 2, 1]) if env.action_space.shape == () else
              np.array([[0.5, -0.5], [-0.2, 1.0], [0.0, 0.3], [1.0, 1.0]], np.float32))
    for _ in range(8):
        lessons.add(seen, labels)
    first, *_, last = [student.learn(lessons, 320) for _ in range(30)]
    assert last < 0.1 * first
    assert np.allclose(student.act(seen), labels, atol=0.2)
    assert np.array_equal(student.act(seen), deterministic_policy(model)(seen))
    assert_same(model.policy.mlp_extractor.critic.state_dict(), critic)
    env.close()


def test_a_tanh_unit_of_many_inputs_is_not_driven_to_saturation():
    plan = plan_for(network='DEEP_CONVOLUTIONAL_NETWORK')
    env = RaceVecEnv(build_batch(plan.setup, cars=4, seed=1))
    model = build_model(PPO, plan.setup.network, env, seed=1)
    student, lessons = Student(model.policy, Distillation()), Lessons(
        env.observation_space, 4, np.random.default_rng(0))
    seen = env.reset()
    labels = np.array([[0.5, -0.5], [-0.2, 1.0], [0.0, 0.3], [1.0, 1.0]], np.float32)
    for _ in range(8):
        lessons.add(seen, labels)
    first, *_, last = [student.learn(lessons, 64) for _ in range(12)]
    assert last < 0.3 * first, 'with one rate for all layers it learns the mean and no more'
    env.close()


@both
def test_labels_are_the_teachers(monkeypatch, setup):
    plan = plan_for(**setup)
    env = RaceVecEnv(build_batch(plan.setup, cars=4, seed=1))
    model, teacher = build_model(PPO, 'FAST', env, seed=1), teacher_for(plan)
    model.set_logger(quiet())
    route, given, driven = taught_route(model, env, plan, teacher, 0.5), [], []
    monkeypatch.setattr(Lessons, 'add', lambda _, seen, labels: given.append((seen, labels)))
    monkeypatch.setattr(Student, 'learn', lambda *_: 0.0)
    monkeypatch.setattr(Lessons, 'size', property(lambda _: len(given), lambda *_: None),
                        raising=False)
    step = env.step
    monkeypatch.setattr(env, 'step', lambda actions: driven.append(actions) or step(actions))
    route.learn()
    assert (route.phase, given) == (STUDENT, [])
    for _ in range(2):
        route.learn()
    assert len(given) == 2 * PPO.n_steps
    assert all(np.array_equal(labels, teacher.act(seen)) for seen, labels in given)
    student = deterministic_policy(model)
    by_student = [np.array_equal(actions, student(seen))
                  for (seen, _), actions in zip(given, driven, strict=True)]
    if not setup:  # of three discrete actions, both may choose the same
        assert not any(by_student[:PPO.n_steps])
    assert all(by_student[PPO.n_steps:])
    route.close(), env.close()


def test_the_learning_rate_falls_over_the_teachers_share_and_over_the_rest(monkeypatch):
    plan = replace(plan_for(), hyperparameters=replace(PPO, learning_rate_decay=1.0))
    env = RaceVecEnv(build_batch(plan.setup, cars=4, seed=1))
    model, teacher = build_model(PPO, 'FAST', env, seed=1), teacher_for(plan)
    model.set_logger(quiet())
    spent, shares = [0.0], []
    monkeypatch.setattr(teacher, 'learn', lambda meter, logger, share: shares.append(share))
    monkeypatch.setattr(teacher, 'is_ready', lambda **how: True)
    monkeypatch.setattr(Student, 'learn',
                        lambda student, lessons, samples, share: shares.append(share) or 0.0)
    route = TaughtRoute(model, env, plan, Meter(), lambda: spent[0], held_back(env, plan), teacher)
    for spent[0] in (0.0, 0.2, TEACHER_SHARE, 0.7, 1.0):
        route.learn()
    assert shares == pytest.approx([1.0, 0.5, 0.0, 0.5, 0.0])
    assert route.phase == STUDENT, 'and the teacher was ready long before'
    route.close(), env.close()


PRACTISING = Distillation(practice_share=0.25, practice_rate=2e-4, practice_margin_m=0.03)


def practising():
    return replace(plan_for(), distillation=PRACTISING)


@pytest.fixture(scope='module')
def practised(tmp_path_factory):
    folder = ModelFolder(tmp_path_factory.mktemp('practised') / 'whole')
    train(folder, practising(), lambda standing: None)
    return model_of(folder)


def test_a_model_that_is_to_practise_learns_by_trial_at_last_with_a_rate_of_its_own(monkeypatch):
    plan = practising()
    env = RaceVecEnv(build_batch(plan.setup, cars=4, seed=1))
    model, teacher = build_model(PPO, 'FAST', env, seed=1), teacher_for(plan)
    model.set_logger(quiet())
    spent, shares, rates = [0.5], [], []
    monkeypatch.setattr(Student, 'learn',
                        lambda student, lessons, samples, share: shares.append(share) or 0.0)
    monkeypatch.setattr(model, 'learn', lambda *_, **__: rates.append(
        model.rate_share * model.learning_rate))
    route = TaughtRoute(model, env, plan, Meter(), lambda: spent[0], held_back(env, plan), teacher)
    phases, margins = [], []
    for spent[0] in (0.5, 0.5, 0.7, 0.75, 0.875, 1.0):
        route.learn()
        phases.append(route.phase)
        margins.append(env.batch.simulator.body_margin_m)
    assert phases == [STUDENT] * 3 + [PRACTICE] * 3
    assert margins == [0.0] * 3 + [0.03] * 3
    assert rates == pytest.approx([2e-4, 1e-4, 0.0])
    assert len(shares) == 2
    route.close(), env.close()


@pytest.mark.parametrize(('stop_at', 'phases', 'same'), [
    (256, {TEACHER, STUDENT, PRACTICE}, False), (896, {PRACTICE}, False),
    (1280, {PRACTICE}, True),
])
def test_a_run_that_was_stopped_goes_on_and_in_practice_as_if_it_had_not_been(
        tmp_path, practised, stop_at, phases, same):
    def interrupt(standing):
        if standing.steps == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
    folder, plan, seen = ModelFolder(tmp_path / 'stopped'), practising(), []
    assert train(folder, plan, interrupt)[0] is StopReason.INTERRUPTED
    train(folder, plan, seen.append, resume=True)
    assert {standing.phase for standing in seen} == phases
    if same:  # a teacher is not kept, nor what it taught from
        assert_same(model_of(folder).policy.state_dict(), practised.policy.state_dict())


def test_the_run_goes_from_teacher_to_student(taught):
    folder, reason, seen = taught
    assert reason is StopReason.STEPS
    assert [standing.phase for standing in seen] == [TEACHER] * 4 + [STUDENT] * 8
    assert [standing.steps for standing in seen] == list(range(128, 1537, 128))
    assert seen[4].evaluation is None, 'the model has not learnt anything yet'
    assert seen[-1].evaluation is not None
    assert folder.run['method'] == 'distill'
    assert folder.metadata.training_algorithm.value == 'clipped_ppo'


def test_a_taught_model_is_a_model_like_any_other(taught):
    folder, _, seen = taught
    model = model_of(folder)
    assert model._n_updates > 0
    assert model.num_timesteps == folder.progress['steps'] == seen[-1].steps
    shown = evaluate(folder.policy('best'), folder.setup, SHORT).as_dict()
    assert {key: folder.progress['best'][key] for key in shown} == shown


def test_the_car_acts_as_the_taught_model_does(taught):
    folder, *_ = taught
    setup, model = folder.setup, model_of(folder)
    loaded = LoadedPolicy(make_bundle(model, Origin.of(folder)), setup.car)
    batch = build_batch(setup, cars=4, seed=9)
    batch.reset()
    seen, images = batch.observe(np.ones(4, dtype=np.bool_)), batch.simulator.images()
    expected = setup.actions.decode(deterministic_policy(model)(seen))
    for image, (steering_rad, speed_mps) in zip(images, expected, strict=True):
        command = loaded.act(image[0], None, True)
        assert (command.steering_rad, command.speed_mps) == pytest.approx(
            (steering_rad, speed_mps), abs=1e-5)
    batch.close()


def test_the_critic_and_the_exploration_are_the_teachers(folder):
    plan = plan_for(1100)
    train(folder, plan, watch)
    teacher = teacher_for(plan)
    for _ in range(4):  # 512 steps: the first that are more than its share
        teacher.learn(Meter(), quiet())
    policy = model_of(folder).policy
    assert_same(policy.mlp_extractor.critic.state_dict(),
                teacher.policy.latents.critic.state_dict())
    assert_same(policy.value_net.state_dict(), teacher.policy.value_net.state_dict())
    assert torch.equal(policy.log_std, teacher.policy.log_std)
    teacher.close()


def test_a_taught_model_is_resumed_by_trial(folder):
    train(folder, plan_for(1100), watch)
    before, seen = model_of(folder), []
    train(folder, plan_for(1200), seen.append, resume=True)
    after = model_of(folder)
    assert {standing.phase for standing in seen} == {None}
    assert after.num_timesteps == before.num_timesteps + PPO.rollout_steps
    assert after._n_updates == before._n_updates + PPO.n_epochs
    critic = after.policy.mlp_extractor.critic.state_dict()
    assert not torch.equal(critic['1.weight'],
                           before.policy.mlp_extractor.critic.state_dict()['1.weight'])


@both
def test_a_seed_decides_everything(tmp_path, setup):
    named = [('one', 3), ('again', 3), ('other', 4)]
    folders = [ModelFolder(tmp_path / name) for name, _ in named]
    for folder, (_, seed) in zip(folders, named, strict=True):
        train(folder, plan_for(1200, seed, **setup), watch)
    one, again, other = (model_of(folder).policy.state_dict() for folder in folders)
    assert_same(one, again)
    assert not torch.equal(one['action_net.weight'], other['action_net.weight'])
    assert folders[0].progress == folders[1].progress


FAILING = """calls = {'count': 0}


def reward_function(params):
    calls['count'] += 1
    return None if calls['count'] > LIMIT else 1.0
"""


def failing_after(tmp_path, calls):
    """Every car has its own count, and the teacher's are not the model's."""
    path = tmp_path / 'reward.py'
    path.write_text(FAILING.replace('LIMIT', str(calls)))
    return plan_for(reward=str(path))


def test_a_reward_that_fails_the_teacher_leaves_the_name_free(folder, tmp_path):
    with pytest.raises(RewardError, match=r'reward\.py: reward_function returned None'):
        train(folder, failing_after(tmp_path, 40), watch)
    assert not folder.path.exists()


def test_a_reward_that_fails_the_student_keeps_what_was_learnt(folder, tmp_path):
    seen = []
    with pytest.raises(RewardError, match=r'reward\.py: reward_function returned None'):
        train(folder, failing_after(tmp_path, 170), seen.append)
    assert [standing.steps for standing in seen] == list(range(128, 1281, 128))
    assert model_of(folder).num_timesteps == 1280
    assert evaluate(folder.policy('last'), folder.setup, SHORT).runs


@pytest.mark.parametrize('phase', [TEACHER, STUDENT])
def test_ctrl_c_in_either_phase_saves_and_can_be_resumed(folder, phase):
    def interrupt(standing):
        if standing.phase == phase and (phase == TEACHER or standing.evaluation):
            os.kill(os.getpid(), signal.SIGINT)
    plan = plan_for(10_000)
    assert train(folder, plan, interrupt)[0] is StopReason.INTERRUPTED
    assert folder.progress['steps'] == model_of(folder).num_timesteps > 0
    seen = []
    more = folder.progress['steps'] + 1
    train(folder, plan_for(more), seen.append, resume=True)
    # Nothing was learnt from the teacher yet, so one is needed again.
    assert seen[0].phase == (STUDENT if phase == TEACHER else None)


def test_only_ppo_has_a_teacher():
    with pytest.raises(ConfigError, match=r'distillation is given with settings of SAC; allowed'):
        TrainingPlan(setup=RaceSetup(), hyperparameters=SACHyperparameters(), limits=Limits(),
                     distillation=Distillation())


@pytest.mark.parametrize('wrong', [{'learning_rate': 0.0}, {'samples': 0.0}, {'memory_mib': 0},
                                   {'batch_size': 1}])
def test_settings_are_checked(wrong):
    with pytest.raises(ConfigError, match=r'Distillation\..* allowed: '):
        Distillation(**wrong)


SHALLOW = 'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW'


@pytest.mark.parametrize(('name', 'algorithm', 'network', 'method'), [
    ('auto', None, 'FAST', Method.PPO), ('auto', 'ppo', 'FAST', Method.PPO),
    ('auto', None, SHALLOW, Method.DISTILL), ('auto', 'clipped_ppo', SHALLOW, Method.DISTILL),
    ('auto', 'sac', SHALLOW, Method.SAC), ('sac', None, 'FAST', Method.SAC),
    ('distill', 'ppo', 'FAST', Method.DISTILL), ('ppo', None, SHALLOW, Method.PPO),
])
def test_auto_goes_by_algorithm_and_network(name, algorithm, network, method):
    assert find_method(name, algorithm, network) is method


@pytest.mark.parametrize(('name', 'algorithm', 'allowed'), [
    ('ppo', 'sac', 'auto, sac'), ('distill', 'sac', 'auto, sac'),
    ('sac', 'ppo', 'auto, ppo, distill'),
])
def test_a_method_agrees_with_the_algorithm(name, algorithm, allowed):
    with pytest.raises(ConfigError, match=rf'--method is {name}, but the algorithm is '
                                          rf'{algorithm}; allowed with that: {allowed}; leave'):
        find_method(name, algorithm, 'FAST')


@pytest.mark.parametrize(('name', 'algorithm', 'message'), [
    ('distil', None, "unknown method 'distil'; did you mean distill"),
    ('auto', 'pppo', "unknown algorithm 'pppo'; did you mean .*ppo"),
])
def test_unknown_methods_and_algorithms_are_refused(name, algorithm, message):
    with pytest.raises(UnknownNameError, match=message):
        find_method(name, algorithm, 'FAST')
