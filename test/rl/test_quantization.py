"""8-bit weights: the same policy, standard operators, and what is lost is driven and said."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from racer_rl.benchmarks.subjects import untrained
from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.bundle_policy import BundlePolicy, setup_of
from racer_rl.evaluation.laps import Evaluation, EvaluationPlan, Run, evaluate
from racer_rl.evaluation.precision import (
    PrecisionComparison,
    PrecisionFigures,
    compare_precisions,
)
from racer_rl.export import Origin, export_bundle, make_bundle
from racer_rl.quantization import quantized
from racer_rl.store.models import ModelFolder
from racer_rl.training.hyperparameters import load_hyperparameters
from racer_rl.training.networks import NETWORKS
from racer_rl.training.plan import Limits, TrainingPlan
from racer_rl.training.train import train
from racer_sim.rules import Status
from racer_vehicle.action import DiscreteActions
from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.observation import CameraEncoding, Sensor
from racer_vehicle.policy import LoadedPolicy, session_of
from racer_vehicle.signing import PrivateKey, sign
from racer_vehicle.spec import CarSpec

TABLE = DiscreteActions(steering_rad=(-0.4, 0.0, 0.4), speed_mps=(1.0, 1.0, 1.0))
QUANTIZED = {'QuantizeLinear', 'DequantizeLinear'}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A policy of FAST that laps the oval, and its 8-bit twin."""
    folder = ModelFolder(tmp_path_factory.mktemp('models') / 'laps')
    settings, _ = load_hyperparameters(None, 'ppo', 'FAST')
    train(folder, TrainingPlan(setup=RaceSetup(), hyperparameters=settings, seed=1,
                               limits=Limits(time_s=120.0, until_laps=True)), lambda _: None)
    bundle = export_bundle(folder, folder.path / 'laps.racer')
    return bundle, quantized(bundle)


def graph_of(bundle):
    return onnx.load_from_string(bundle.onnx)


def test_it_drives_the_same_laps(trained):
    comparison = compare_precisions(*trained)
    assert comparison.float32.evaluation.is_clean
    assert comparison.int8.evaluation.completion >= 0.95
    assert comparison.int8.network_bytes < 0.45 * comparison.float32.network_bytes
    assert comparison.summary.startswith('float32 12 of 12 laps clean, int8 ')
    assert comparison.as_dict()['int8']['clean_laps'] == comparison.int8.evaluation.clean_laps


def test_it_is_made_of_standard_operators_and_runs_where_the_first_did(trained):
    before, after = map(graph_of, trained)
    assert [(part.domain, part.version) for part in after.opset_import] == [
        (part.domain, part.version) for part in before.opset_import]
    assert after.ir_version == before.ir_version
    known = {node.op_type for node in before.graph.node} | QUANTIZED
    assert {node.op_type for node in after.graph.node} <= known
    assert {node.domain for node in after.graph.node} <= {'', 'ai.onnx'}


def test_all_weights_have_8_bits_but_the_last_layers(trained):
    graph = graph_of(trained[1]).graph
    kinds = {part.name: part.data_type for part in graph.initializer if len(part.dims) == 2}
    assert sorted(kinds.values()) == [TensorProto.FLOAT, TensorProto.INT8, TensorProto.INT8]
    assert kinds['head.weight'] == TensorProto.FLOAT


def test_the_card_says_so_and_nothing_else_changes(trained):
    before, after = (bundle.card for bundle in trained)
    assert (before.precision, after.precision) == ('float32', 'int8')
    assert replace(after, precision='float32', onnx_sha256=before.onnx_sha256) == before


def test_the_same_policy_gives_the_same_bytes(trained):
    assert quantized(trained[0]).sha256 == trained[1].sha256


def test_another_network_is_not_signed_by_the_first_ones_key(trained):
    assert quantized(sign(trained[0], PrivateKey.generate())).signature is None


def test_a_second_time_is_refused(trained):
    with pytest.raises(ModelMismatchError, match=r"'laps' has int8 weights already; allowed: fl"):
        quantized(trained[1])


def test_a_network_without_layers_is_refused(toy):
    with pytest.raises(ModelMismatchError, match=r'has 0 layers with weights; allowed for int8'):
        quantized(toy())


def test_a_bundle_drives_many_cars_as_it_drives_one(trained):
    setup, seen = setup_of(trained[0].card), []

    class Kept(BundlePolicy):
        def __call__(self, observation):
            output = super().__call__(observation)
            seen.append((observation['camera'].copy(), output))
            return output

    evaluate(Kept(trained[0]), setup, EvaluationPlan(laps=1, starts=3))
    session = session_of(trained[0].onnx)
    for camera, output in seen[:20]:
        alone = [session.run(None, {'camera': camera[[car]]})[0][0] for car in range(3)]
        assert np.allclose(alone, output, atol=1e-6)


@pytest.mark.parametrize('network', ['DEEP_CONVOLUTIONAL_NETWORK_SHALLOW', 'FINE'])
def test_other_networks_lose_most_of_their_size(network):
    bundle = untrained(network)
    small = quantized(bundle)
    assert len(small.onnx) < 0.4 * len(bundle.onnx)
    camera = np.random.default_rng(1).integers(
        0, 256, (20, *bundle.card.observation.camera_shape), dtype=np.uint8)
    outputs = [session_of(part.onnx).run(None, {'camera': camera})[0] for part in (bundle, small)]
    assert np.abs(outputs[0] - outputs[1]).max() < 0.05


def test_lidar_stacked_frames_and_tables_of_actions_come_along():
    from racer_rl.envs.build import build_batch
    from racer_rl.envs.vector import RaceVecEnv
    from racer_rl.training.algorithms import build_model
    from racer_rl.training.hyperparameters import PPOHyperparameters

    setup = RaceSetup(actions=TABLE, stack=2,
                      sensors=(Sensor.FRONT_FACING_CAMERA, Sensor.SECTOR_LIDAR))
    env = RaceVecEnv(build_batch(setup, cars=1, seed=0))
    model = build_model(PPOHyperparameters(n_envs=1, n_steps=64, batch_size=64), setup.network,
                        env, 0)
    small = quantized(make_bundle(model, Origin(model='toy', setup=setup, reward_sha256='0' * 64,
                                                seed=0, versions={})))
    loaded = LoadedPolicy(small, CarSpec())
    command = loaded.act(np.zeros((120, 160), np.uint8), np.full(64, np.inf, np.float32), True)
    assert command.steering_rad in TABLE.steering_rad


class TestSetup:
    @pytest.mark.parametrize('network', NETWORKS)
    @pytest.mark.parametrize('changes', [
        {}, {'colour': 'rgb', 'stack': 3},
        {'sensors': (Sensor.FRONT_FACING_CAMERA, Sensor.LIDAR), 'actions': TABLE},
        {'car': CarSpec(wheelbase_m=0.2), 'track': ('eight', 'kidney')},
    ])
    def test_a_card_tells_what_the_codecs_need(self, toy, network, changes):
        setup = RaceSetup(network=network, **changes)
        card = replace(toy().card, observation=setup.observation, action=setup.actions,
                       track=setup.tracks, car=replace(toy().card.car,
                                                       wheelbase_m=setup.car.wheelbase_m))
        again = setup_of(card)
        assert again.observation == setup.observation
        assert (again.actions, again.tracks, again.car) == (setup.actions, setup.tracks, setup.car)
        card.require_fits(again.car)

    def test_another_track_takes_the_place_of_the_cards(self, toy):
        assert setup_of(toy().card, 'eight').tracks == ('eight',)

    def test_images_of_no_known_network_are_refused(self, toy):
        camera = CameraEncoding(width_px=4, height_px=2)
        card = replace(toy().card, observation=replace(toy().card.observation, camera=camera))
        with pytest.raises(ConfigError, match=r'sees images of 4x2 px below row 0; allowed: what'):
            setup_of(card)


class TestAdvice:
    def comparison(self, *, clean, p50_ms):
        def figures(p50_ms, clean):
            run = Run(track='oval', direction='forward', start=0.0, status=Status.LAP_COMPLETE,
                      incidents=0, completion=clean, time_s=10.0, laps=())
            return PrecisionFigures(evaluation=Evaluation(EvaluationPlan(laps=1), (run,)),
                                    network_bytes=2_500_000, p50_ms=p50_ms, p99_ms=2.0)
        return PrecisionComparison(float32=figures(1.0, 1.0), int8=figures(p50_ms, clean))

    def test_what_is_no_faster_is_not_recommended(self):
        advice = self.comparison(clean=1.0, p50_ms=1.25).advice
        assert advice.startswith('Not faster on this machine (0.80 times the speed): use float32')

    def test_what_drives_worse_is_told(self):
        comparison = self.comparison(clean=0.5, p50_ms=0.5)
        assert 'drives worse: use float32' in comparison.advice
        assert comparison.lost_completion == pytest.approx(0.5)
        assert 'completion 100.0% -> 50.0%' in comparison.summary
        assert '2.5 MB -> 2.5 MB' in comparison.summary

    def test_a_gain_without_a_loss(self):
        advice = self.comparison(clean=1.0, p50_ms=0.5).advice
        assert advice == '2.0 times as fast on this machine, and drives as well.'
