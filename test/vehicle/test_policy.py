"""Policy bundles: what goes in comes out, and everything that does not fit is refused by name."""

import hashlib
import io
import json
import math
import pathlib
import pickle
import zipfile
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from onnx import TensorProto, helper, numpy_helper

from racer_vehicle import policy_archive
from racer_vehicle.action import ContinuousActions, DiscreteActions
from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.observation import CameraEncoding, ObservationSpec, Sensor
from racer_vehicle.policy import LoadedPolicy, PolicyBundle
from racer_vehicle.policy_card import CarDimensions, PolicyCard
from racer_vehicle.signals import DriveCommand
from racer_vehicle.spec import CameraSpec, CarSpec, LidarSpec

CAR = CarSpec()
SMALL = CameraEncoding(width_px=4, height_px=2)
TABLE = DiscreteActions(steering_rad=(-0.5, 0.0, 0.5), speed_mps=(1.0, 2.0, 3.0))


def observation(**changes):
    return ObservationSpec(camera=SMALL, **changes)


def card(**changes):
    fields = {
        'model': 'toy', 'observation': observation(), 'action': ContinuousActions(),
        'car': CarDimensions.of(CAR), 'onnx_sha256': '0' * 64, 'track': ('oval', 'eight'),
        'reward_sha256': 'ab' * 32, 'seed': 7, 'steps': 1000, 'versions': {'torch': '2.13'},
        'git_hash': '',
    }
    return PolicyCard(**(fields | changes))


def network(spec=None, *, outputs=2, scale=1 / 255, edit=None, camera_type=TensorProto.UINT8,
            output='action'):
    """action[k] = mean of channel k of the camera (lidar: column k) x scale, as an ONNX model."""
    spec = spec or observation()
    inputs = [helper.make_tensor_value_info('camera', camera_type, ['cars', *spec.camera_shape])]
    if spec.lidar_size:
        inputs.append(
            helper.make_tensor_value_info('lidar', TensorProto.FLOAT, ['cars', spec.lidar_size]))
    channels = spec.camera_shape[0]
    weights = np.zeros((channels + spec.lidar_size, outputs), np.float32)
    for k in range(outputs):
        weights[(channels + k if spec.lidar_size else k % channels), k] = scale
    initializers = [numpy_helper.from_array(weights, 'weights'),
                    numpy_helper.from_array(np.array([2, 3], np.int64), 'axes')]
    nodes = [helper.make_node('Cast', ['camera'], ['floats'], to=TensorProto.FLOAT),
             helper.make_node('ReduceMean', ['floats', 'axes'], ['means'], keepdims=0)]
    if spec.lidar_size:
        nodes.append(helper.make_node('Concat', ['means', 'lidar'], ['features'], axis=1))
    nodes.append(helper.make_node('MatMul', ['features' if spec.lidar_size else 'means',
                                             'weights'], [output]))
    ends = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ['cars', outputs])]
    graph = helper.make_graph(nodes, 'toy', inputs, ends, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    if edit:
        edit(model)
    return model.SerializeToString()


def bundle(the_card=None, onnx_bytes=None):
    the_card = the_card or card()
    return PolicyBundle.pack(the_card, onnx_bytes or network(the_card.observation))


def grey(value):
    return np.full((120, 160), value, np.uint8)


def zipped(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def refusal(content, pattern):
    with pytest.raises(ModelMismatchError, match=pattern):
        PolicyBundle.read(content)


def loading(the_bundle, pattern, car=CAR):
    with pytest.raises(ModelMismatchError, match=pattern):
        LoadedPolicy(the_bundle, car)


class TestCard:
    @pytest.mark.parametrize('changes', [
        {},
        {'action': TABLE, 'git_hash': 'f' * 40, 'versions': {}},
        {'observation': observation(sensors=(Sensor.FRONT_FACING_CAMERA, Sensor.LIDAR), stack=3)},
        {'car': CarDimensions(wheelbase_m=0.1 + 0.2, track_width_m=1 / 3, max_steering_rad=0.5)},
    ])
    def test_comes_back_exactly(self, changes):
        written = card(**changes)
        assert PolicyCard.from_json(written.to_json()) == written
        assert PolicyCard.from_json(written.to_json()).to_json() == written.to_json()

    @pytest.mark.parametrize(('path', 'value', 'message'), [
        (('format',), 2, r'format 2; allowed: 1\. Install the racer that wrote it'),
        (('model',), 3, r'the card\.model is 3; allowed: a str'),
        (('seed',), True, r'the card\.seed is True; allowed: a int'),
        (('seed',), -1, r'PolicyCard\.seed is -1; allowed: 0 to'),
        (('onnx_sha256',), 'x', r"onnx_sha256 is 'x'; allowed: 64 hexadecimal digits"),
        (('track',), 'oval', r"the card\.track is 'oval'; allowed: a list"),
        (('versions',), {'torch': 2}, r'the card\.versions\.torch is 2; allowed: a str'),
        (('observation', 'stack'), 0, r'ObservationSpec\.stack is 0; allowed: 1 to 16'),
        (('observation', 'sensors'), ['SONAR'], r"observation\.sensors\[0\] is 'SONAR'; allowed"),
        (('observation', 'camera', 'colour'), 'red', r"camera\.colour is 'red'; allowed: grey, r"),
        (('observation', 'native_camera', 'z_m'), '1', r"native_camera\.z_m is '1'; allowed: a f"),
        (('action', 'kind'), 'Levers', r"action\.kind is 'Levers'; allowed: DiscreteActions, Con"),
        (('precision',), 'int4', r"the card\.precision is 'int4'; allowed: float32, int8"),
        (('car', 'wheels'), 4, r'the card\.car has unknown wheels; allowed: exactly wheelbase_m'),
    ])
    def test_refuses_a_wrong_field_by_its_path(self, path, value, message):
        content = json.loads(card().to_json())
        place = content
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
        with pytest.raises(ModelMismatchError, match=message):
            PolicyCard.from_json(json.dumps(content))

    @pytest.mark.parametrize('name', [name for name in json.loads(card().to_json())
                                      if name not in {'format', 'precision'}])
    def test_refuses_a_missing_field(self, name):
        content = json.loads(card().to_json())
        del content[name]
        with pytest.raises(ModelMismatchError, match=f'lacks {name}; allowed: exactly format'):
            PolicyCard.from_json(json.dumps(content))

    def test_a_card_from_before_there_were_other_precisions_is_of_float32(self):
        content = json.loads(card().to_json())
        del content['precision']
        assert PolicyCard.from_json(json.dumps(content)) == card(precision='float32')

    @pytest.mark.parametrize('text', [
        '', 'hello', '[1]', 'null', '{"format": NaN}', '{"format": 1' + '0' * 400 + '}',
        '[' * 100_000, b'\xff\xfe\xff', '{"format": Infinity}',
    ])
    def test_refuses_what_is_no_card(self, text):
        with pytest.raises(ModelMismatchError, match='the card'):
            PolicyCard.from_json(text)


class TestBundle:
    def test_comes_back_from_bytes_and_from_a_file(self, tmp_path):
        written = bundle()
        written.write(tmp_path / 'folder' / 'toy.racer')
        assert PolicyBundle.read(written.content) == written
        assert PolicyBundle.read(tmp_path / 'folder' / 'toy.racer') == written
        assert written.sha256 == hashlib.sha256(written.content).hexdigest()
        assert written.card.onnx_sha256 == hashlib.sha256(written.onnx).hexdigest()

    def test_the_same_policy_has_the_same_identity(self):
        assert bundle().sha256 == bundle().sha256
        assert bundle(card(steps=1001)).sha256 != bundle().sha256

    def test_refuses_what_is_no_zip(self):
        refusal(b'hello', r"begins with b'hell'; allowed: a zip archive")
        refusal(b'', r"begins with b''; allowed")

    def test_refuses_a_bare_network(self):
        refusal(network(), r"begins with b'.x08.*'; allowed: a zip archive as racer writes it")

    def test_refuses_a_truncated_one(self):
        content = bundle().content
        for size in (len(content) - 1, len(content) // 2, 40):
            refusal(content[:size], 'truncated or damaged')

    def test_refuses_missing_and_foreign_members(self):
        whole = {'card.json': card().to_json(), 'policy.onnx': network()}
        for name in whole:
            refusal(zipped({key: value for key, value in whole.items() if key != name}),
                    r'the bundle holds \S+; allowed: exactly card\.json and policy\.onnx')
        refusal(zipped(whole | {'run.py': 'x'}),
                r"holds \['card\.json', 'policy\.onnx', 'run\.py'\]; allow")

    def test_refuses_compression_which_could_unpack_to_anything(self):
        whole = {'card.json': card().to_json(), 'policy.onnx': bytes(10_000_000)}
        refusal(zipped(whole, zipfile.ZIP_DEFLATED), 'card.json is compressed or encrypted')

    def test_refuses_a_card_too_long_to_be_read(self):
        refusal(zipped({'card.json': '[' + '0,' * 2**20, 'policy.onnx': network()}),
                r'card\.json has 2097153 bytes; allowed: at most 1048576')

    def test_refuses_a_list_of_members_too_long_to_be_read(self):
        entry = b'PK\x01\x02' + bytes(42)
        refusal(b'PK\x03\x04' + entry * 100_000, 'holds more than 100 files; allowed: card')

    def test_refuses_another_network_under_the_same_card(self):
        good = bundle()
        refusal(zipped({'card.json': good.card.to_json(), 'policy.onnx': network(scale=0.5)}),
                rf'has SHA-256 [0-9a-f]+; allowed by its card: {good.card.onnx_sha256}')

    def test_refuses_a_card_that_is_not_json(self):
        refusal(zipped({'card.json': 'hello', 'policy.onnx': network()}), 'the card is not JSON')

    def test_refuses_too_many_bytes(self, monkeypatch, tmp_path):
        content = bundle().content
        (tmp_path / 'toy.racer').write_bytes(content)
        monkeypatch.setattr(policy_archive, 'MAX_BYTES', len(content) - 1)
        for source in (content, tmp_path / 'toy.racer'):
            refusal(source, f'more than {len(content) - 1} bytes; allowed: at most that')

    def test_refuses_a_file_that_is_not_there(self, tmp_path):
        refusal(tmp_path / 'nothing.racer', r'cannot read policy bundle .*nothing\.racer: No such')
        refusal(tmp_path, 'cannot read policy bundle')

    @settings(max_examples=500)
    @given(st.data())
    def test_any_changed_byte_is_refused(self, data):
        content = bytearray(bundle().content)
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        assume(content != bundle().content)
        with pytest.raises(ModelMismatchError, match=r'; allowed: |truncated or damaged|not JSON'):
            PolicyBundle.read(bytes(content))

    @pytest.mark.parametrize('where', ['in the date', 'as a comment', 'behind the end'])
    def test_a_byte_beside_the_members_is_refused(self, where):
        content = bytearray(bundle().content)
        if where == 'in the date':
            content[10] ^= 1
        else:
            content += b'x'
            content[-3] = 1 if where == 'as a comment' else content[-3]
        refusal(bytes(content), 'has bytes beside its members that racer does not write')


class TestUnsafeNetworks:
    def refused(self, edit, pattern):
        with pytest.raises(ModelMismatchError, match=pattern):
            bundle(onnx_bytes=network(edit=edit))

    def test_external_data(self):
        def edit(model):
            tensor = model.graph.initializer[0]
            onnx.external_data_helper.set_external_data(tensor, '/etc/passwd', 0, 32)
            tensor.ClearField('raw_data')
        self.refused(edit, r'has (external_data|data_location) .*; allowed: one self-contained')

    def test_external_data_in_a_constant_of_a_branch(self):
        def edit(model):
            tensor = numpy_helper.from_array(np.zeros(4, np.float32), 'x')
            onnx.external_data_helper.set_external_data(tensor, 'x.bin')
            branch = helper.make_graph(
                [helper.make_node('Constant', [], ['c'], value=tensor)], 'b', [],
                [helper.make_tensor_value_info('c', TensorProto.FLOAT, [4])])
            model.graph.node.append(helper.make_node('If', ['camera'], ['z'], then_branch=branch,
                                                     else_branch=branch))
        self.refused(edit, r'has (external_data|data_location)')

    @pytest.mark.parametrize('domain', ['com.microsoft', 'my.own'])
    def test_foreign_operators(self, domain):
        def edit(model):
            model.graph.node[0].domain = domain
            model.opset_import.append(helper.make_opsetid(domain, 1))
        self.refused(edit, f"has domain b'{domain}'; allowed: one self-contained graph of standa")

    def test_functions(self):
        def edit(model):
            model.functions.add().name = 'f'
        self.refused(edit, 'has functions')

    def test_bytes_that_are_no_network(self):
        for content in (b'\xff' * 50, b'\x3a\xff\xff\xff\xff\x0f', b'\x0b', b'\x38\x01', b'\x80'):
            with pytest.raises(ModelMismatchError, match='is not an ONNX model'):
                bundle(onnx_bytes=content)

    @settings(max_examples=200)
    @given(st.binary(max_size=60))
    def test_any_bytes_are_refused_or_passed_on(self, content):
        try:
            loaded = bundle(onnx_bytes=content or b'\x80')
        except ModelMismatchError:
            return
        with pytest.raises(ModelMismatchError, match=r'policy\.onnx does not load|has inputs'):
            LoadedPolicy(loaded, CAR)


class Planted:
    """Runs a program when it is unpickled: it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


class TestNothingIsRun:
    """Whatever loads a pickle would leave a file behind."""

    @pytest.fixture
    def trace(self, tmp_path):
        return tmp_path / 'it was run'

    @pytest.fixture(params=range(pickle.HIGHEST_PROTOCOL + 1))
    def planted(self, request, trace):
        content = pickle.dumps(Planted(trace), request.param)
        pickle.loads(content)  # noqa: TID251
        assert trace.exists(), 'the plant works'
        trace.unlink()
        return content

    def test_a_pickle_renamed_to_racer(self, planted, trace, tmp_path):
        (tmp_path / 'a.racer').write_bytes(planted)
        refusal(tmp_path / 'a.racer', r'the bundle (is a Python pickle, whose load|begins with b)')
        assert not trace.exists()

    def test_a_pickle_renamed_to_onnx(self, planted, trace):
        with pytest.raises(ModelMismatchError,
                           match=r'policy\.onnx is (a Python pickle|not an ONNX model)'):
            bundle(onnx_bytes=planted)
        assert not trace.exists()

    def test_a_checkpoint_renamed_to_racer(self, planted, trace):
        refusal(zipped({'archive/data.pkl': planted, 'archive/version': '3'}),
                r"the bundle holds \['archive/data\.pkl', 'archive/version'\]; allowed: exactly")
        assert not trace.exists()

    def test_a_checkpoint_renamed_to_onnx(self, planted, trace):
        with pytest.raises(ModelMismatchError, match=r'policy\.onnx is a zip archive, as PyTorch'):
            bundle(onnx_bytes=zipped({'data.pkl': planted}))
        assert not trace.exists()

    def test_a_pickle_in_place_of_the_card(self, planted, trace):
        refusal(zipped({'card.json': planted, 'policy.onnx': network()}), 'card is not JSON')
        assert not trace.exists()

    def test_a_pickle_beside_the_members(self, planted, trace):
        refusal(zipped({'card.json': card().to_json(), 'policy.onnx': network(),
                        'policy.pkl': planted}), 'the bundle holds')
        assert not trace.exists()


class TestFit:
    def test_a_camera_other_than_the_cars(self):
        spec = replace(observation(), native_camera=CameraSpec(hfov_rad=math.radians(100.0)))
        loading(bundle(card(observation=spec)),
                r"'toy' was trained for camera hfov_rad 1\.74533; this car's is 2\.0944; allowed: "
                r'the same; .*or train for this camera')
        tall = replace(observation(), native_camera=CameraSpec(height_px=240))
        loading(bundle(card(observation=tall)), "camera height_px 240; this car's is 120")

    def test_a_parameter_file_may_be_rounded(self):
        rounded = replace(CAR, camera=replace(CAR.camera, hfov_rad=2.094, pitch_rad=0.262))
        LoadedPolicy(bundle(), rounded)

    def test_a_car_of_other_dimensions(self):
        loading(bundle(), "car wheelbase_m 0.164; this car's is 0.26; .*train for this car",
                replace(CAR, wheelbase_m=0.26))
        loading(bundle(), 'car max_steering_rad', replace(CAR, max_steering_rad=0.4))

    def test_an_image_without_a_scan_is_not_remembered(self):
        spec = observation(sensors=(Sensor.FRONT_FACING_CAMERA, Sensor.LIDAR), stack=2)
        loaded = LoadedPolicy(bundle(card(observation=spec)), CAR)
        scan = np.ones(CAR.lidar.rays, np.float32)
        loaded.encode(grey(1), scan, True)
        with pytest.raises(ConfigError, match='there is no scan; start the lidar node'):
            loaded.encode(grey(2), None, False)
        seen = loaded.encode(grey(3), scan, False)['camera'][0, :, 0, 0].tolist()
        assert seen == [1, 3]

    def test_a_lidar_matters_to_policies_that_read_it(self):
        other = replace(CAR, lidar=LidarSpec(rays=32))
        LoadedPolicy(bundle(), other)
        sensors = (Sensor.FRONT_FACING_CAMERA, Sensor.SECTOR_LIDAR)
        loading(bundle(card(observation=observation(sensors=sensors))),
                "lidar rays 64; this car's is 32", other)

    def test_two_cameras(self):
        spec = observation(sensors=(Sensor.STEREO_CAMERAS,))
        loading(bundle(card(observation=spec)), 'wants STEREO_CAMERAS; the car has one camera')


class TestInterface:
    @pytest.mark.parametrize(('changes', 'pattern'), [
        ({'spec': observation(stack=2)}, r"inputs \{'camera': \('tensor\(uint8\)', \(2, 2, 4\)"),
        ({'camera_type': TensorProto.FLOAT}, r"inputs \{'camera': \('tensor\(float\)'"),
        ({'outputs': 3}, r"outputs \{'action': \('tensor\(float\)', \(3,\)\)\}; allowed by its"),
        ({'output': 'steer'}, r"outputs \{'steer'"),
        ({'spec': observation(sensors=(Sensor.FRONT_FACING_CAMERA, Sensor.LIDAR))}, "'lidar'"),
    ])
    def test_a_network_that_is_not_its_cards(self, changes, pattern):
        loading(bundle(onnx_bytes=network(**changes)), pattern)

    def test_a_network_that_does_not_load(self):
        def edit(model):
            model.graph.node[0].op_type = 'Frobnicate'
        loading(bundle(onnx_bytes=network(edit=edit)), r'policy\.onnx does not load')

    def test_a_network_that_does_not_run(self):
        def edit(model):
            model.graph.initializer[1].raw_data = np.array([2, 9], np.int64).tobytes()
            del model.graph.output[0].type.tensor_type.shape.dim[:]
        loading(bundle(onnx_bytes=network(edit=edit)), r'does not (load|run)|has outputs')


class TestActing:
    def test_continuous(self):
        loaded = LoadedPolicy(bundle(), CAR)
        low = loaded.act(grey(0), None, True)
        assert low == DriveCommand(steering_rad=0.0, speed_mps=1.25)
        high = loaded.act(grey(255), None, False)
        assert high.steering_rad == pytest.approx(math.radians(30.0))
        assert high.speed_mps == pytest.approx(2.0)

    def test_discrete_takes_the_largest(self):
        spec = observation(sensors=(Sensor.FRONT_FACING_CAMERA, Sensor.LIDAR))
        loaded = LoadedPolicy(bundle(card(observation=spec, action=TABLE),
                                     network(spec, outputs=3, scale=1.0)), CAR)
        for index in range(3):
            scan = np.full(64, 0.2, np.float32)
            scan[index] = np.inf
            command = loaded.act(grey(9), scan, True)
            assert command == DriveCommand(TABLE.steering_rad[index], TABLE.speed_mps[index])

    def test_colour_images_serve_a_grey_policy(self):
        loaded = LoadedPolicy(bundle(), CAR)
        colour = np.full((120, 160, 3), 255, np.uint8)
        assert loaded.act(colour, None, True) == loaded.act(grey(255), None, True)

    def test_frames_stack_until_a_fresh_drive(self):
        spec = observation(stack=2)
        loaded = LoadedPolicy(bundle(card(observation=spec)), CAR)
        seen = [loaded.encode(grey(value), None, fresh)['camera'][0, :, 0, 0].tolist()
                for value, fresh in ((10, True), (20, False), (30, False), (40, True))]
        assert seen == [[10, 10], [10, 20], [20, 30], [40, 40]]

    def test_colour_channels_are_red_green_blue(self):
        spec = replace(observation(), camera=replace(SMALL, colour='rgb'))
        loaded = LoadedPolicy(bundle(card(observation=spec)), CAR)
        image = np.empty((120, 160, 3), np.uint8)
        image[:] = (1, 2, 3)
        assert loaded.encode(image, None, True)['camera'][0, :, 0, 0].tolist() == [1, 2, 3]

    @pytest.mark.parametrize(('scale', 'action'), [(float('nan'), ContinuousActions()),
                                                   (float('inf'), TABLE)])
    def test_output_that_is_not_finite_is_refused(self, scale, action):
        outputs = 3 if action is TABLE else 2
        loaded = LoadedPolicy(bundle(card(action=action), network(outputs=outputs, scale=scale)),
                              CAR)
        with pytest.raises(ModelMismatchError, match=r"policy 'toy' \(.*gave \[(nan|inf)"):
            loaded.act(grey(1), None, True)

    @pytest.mark.parametrize('image', [
        np.zeros((60, 80), np.uint8), np.zeros((120, 160, 4), np.uint8), np.zeros(5, np.uint8),
        np.zeros((120, 160), np.float32),
    ])
    def test_a_wrong_image_is_refused(self, image):
        with pytest.raises(ConfigError, match='image'):
            LoadedPolicy(bundle(), CAR).act(image, None, True)

    def test_a_missing_or_wrong_scan_is_refused(self):
        spec = observation(sensors=(Sensor.FRONT_FACING_CAMERA, Sensor.LIDAR))
        loaded = LoadedPolicy(bundle(card(observation=spec)), CAR)
        with pytest.raises(ConfigError, match='reads LIDAR and there is no scan'):
            loaded.act(grey(1), None, True)
        with pytest.raises(ConfigError, match='lidar ranges have shape'):
            loaded.act(grey(1), np.zeros(10, np.float32), True)
