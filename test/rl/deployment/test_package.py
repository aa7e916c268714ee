"""Packages: whole or not there, each file with its digest, scripts that parse."""

import hashlib
import json
import shutil
import subprocess

import pytest
import yaml

from racer_rl.cli.main import run
from racer_rl.deployment.package import PackagePlan, make_package
from racer_rl.deployment.remote import Car, Transfer, TransferError
from racer_rl.deployment.settings import CarChoices
from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.signing import PrivateKey, TrustedKeys, sign


@pytest.fixture(scope='module')
def package(tmp_path_factory, tiny_bundle):
    """A signed policy for a car with a PCA9685, and the key that signed it."""
    key, folder = PrivateKey.generate(), tmp_path_factory.mktemp('made') / 'package'
    plan = PackagePlan(bundle=sign(tiny_bundle, key), trusted=key.public,
                       choices=CarChoices(motor='pca9685'))
    manifest = make_package(plan, folder, lambda line: None)
    return folder, manifest, key


def test_every_file_has_its_digest(package):
    folder, _, _ = package
    lines = (folder / 'SHA256SUMS').read_text().splitlines()
    listed = {line[66:]: line[:64] for line in lines}
    found = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
             for path in folder.rglob('*') if path.is_file() and path.name != 'SHA256SUMS'}
    assert listed == found
    assert {'install.sh', 'policy.racer', 'racer.service', 'config/motor.yaml'} <= set(found)


def test_the_manifest_says_what_it_is(package, tiny_bundle):
    folder, manifest, key = package
    assert json.loads((folder / 'manifest.json').read_text()) == manifest
    assert manifest['model'] == 'tiny' and manifest['motor'] == 'pca9685'
    assert manifest['trusts'] == manifest['signed_by'] == key.key_id
    assert manifest['wheels'] == ['racer-0.1.0-py3-none-any.whl']
    assert str(folder.parent) not in json.dumps(manifest)


def test_the_car_trusts_the_key_that_signed(package):
    from racer_vehicle.policy import PolicyBundle

    folder, _, _ = package
    trusted = TrustedKeys.read(folder / 'keys')
    trusted.require_signed(PolicyBundle.read(folder / 'policy.racer'))


def test_settings_are_yaml_for_the_installer_to_complete(package):
    folder, _, _ = package
    settings = yaml.safe_load((folder / 'config/inference.yaml').read_text().replace(
        '@RELEASE@', '/opt/racer/releases/tiny'))['/**']['ros__parameters']
    assert settings['bundle'] == '/opt/racer/releases/tiny/policy.racer'
    assert settings['trusted_keys'] == '/opt/racer/releases/tiny/keys'


def test_after_the_nodes_the_pulses_of_this_car_are_neutral(package):
    folder, _, _ = package
    assert 'deadman pca9685 /dev/i2c-1 64 0=1446000 1=1450000' in (
        folder / 'bin/neutral').read_text()


def scripts(folder):
    return [folder / 'install.sh', *(folder / 'bin').iterdir()]


def test_scripts_parse(package):
    for script in scripts(package[0]):
        result = subprocess.run(['sh', '-n', script], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr


def test_shellcheck_finds_nothing(package):
    # SC1090: the setup.sh of ROS is wherever ROS is.
    if shutil.which('shellcheck') is None:
        pytest.skip('NOT TESTED with shellcheck: it is not installed')
    result = subprocess.run(['shellcheck', '--shell=sh', '--severity=warning',
                             '--exclude=SC1090', *scripts(package[0])],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_what_cannot_be_packed_leaves_nothing(tmp_path, tiny_bundle):
    plan = PackagePlan(bundle=tiny_bundle, choices=CarChoices(spec=('camera.hfov_rad=1.5',)))
    with pytest.raises(ModelMismatchError):
        make_package(plan, tmp_path / 'package', lambda line: None)
    assert list(tmp_path.iterdir()) == []


def test_a_persons_own_files_go_before_racers(tmp_path, tiny_bundle):
    own = tmp_path / 'own'
    own.mkdir()
    plan = PackagePlan(bundle=tiny_bundle, choices=CarChoices(), config=own)
    with pytest.raises(ConfigError, match=r'holds none of camera\.yaml'):
        make_package(plan, tmp_path / 'package', lambda line: None)
    (own / 'motor.yaml').write_text('/**:\n  ros__parameters:\n    steering_channel: 5  # mine\n')
    with pytest.raises(ConfigError, match=r"unknown parameter of motor\.yaml 'pwm_chip'"):
        make_package(plan, tmp_path / 'package', lambda line: None)
    with (own / 'motor.yaml').open('a') as stream:
        stream.write('    pwm_chip: /sys/class/pwm/pwmchip2\n')
    make_package(plan, tmp_path / 'package', lambda line: None)
    motor = (tmp_path / 'package/config/motor.yaml').read_text()
    assert 'steering_channel: 5  # mine' in motor and 'max_speed_mps: 1.0' in motor
    assert 'pwm /sys/class/pwm/pwmchip2 0=1446000 5=1450000' in (
        tmp_path / 'package/bin/neutral').read_text()


def test_a_folder_of_something_else_is_not_replaced(tmp_path, tiny_bundle):
    (tmp_path / 'thesis.txt').write_text('x')
    plan = PackagePlan(bundle=tiny_bundle, choices=CarChoices())
    with pytest.raises(ConfigError, match='is no package of racer deploy'):
        make_package(plan, tmp_path, lambda line: None)
    assert (tmp_path / 'thesis.txt').exists()


def test_names_that_shells_would_read_become_plain(tiny_bundle):
    from dataclasses import replace
    card = replace(tiny_bundle.card, model="x'; rm -rf $HOME #")
    bundle = type(tiny_bundle).pack(card, tiny_bundle.onnx)
    assert PackagePlan(bundle=bundle, choices=CarChoices()).model == 'x---rm--rf--HOME--'


@pytest.mark.parametrize(('place', 'car'), [
    ('pi@car', Car(login='pi@car', folder='racer-packages')),
    ('pi@10.0.0.7:spare/disk', Car(login='pi@10.0.0.7', folder='spare/disk')),
    ('package', None), ('./a@b', None), ('/tmp/a@b', None), ('models/x@y', None)])
def test_places(place, car):
    assert Car.parse(place) == car


@pytest.mark.parametrize('place', ['pi@', '@car', 'pi@car:a b', 'pi@car:$(x)', "pi@c'r",
                                   'a@b:c:d'])
def test_places_that_are_none(place):
    with pytest.raises(ConfigError, match='allowed: user@host'):
        Car.parse(place)


def test_a_car_that_does_not_answer(tmp_path, tiny_bundle):
    if shutil.which('ssh') is None:
        pytest.skip('NOT TESTED with ssh: it is not installed')
    (tmp_path / 'config').write_text('Host car\n  HostName 127.0.0.1\n  Port 9\n  BatchMode yes\n')
    transfer = Transfer(car=Car(login='pi@car', folder='x'), name='racer-tiny',
                        ssh_config=tmp_path / 'config')
    with pytest.raises(TransferError, match='ended with status 255'):
        transfer.prepare()


def test_a_dry_run_shows_everything_and_keeps_nothing(tmp_path, tiny_bundle, capsys):
    policy = tmp_path / 'tiny.racer'
    tiny_bundle.write(policy)
    assert run(['deploy', str(policy), '--to', 'pi@car', '--dry-run', '--json']) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)['model'] == 'tiny'
    assert 'policy.racer' in shown.err
    assert "ssh -t pi@car 'sudo sh racer-packages/racer-tiny/install.sh'" in shown.err
    assert run(['deploy', str(policy), '--to', str(tmp_path / 'package'), '--dry-run']) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ['tiny.racer']


def test_a_key_that_does_not_exist_is_refused_first(racer_home, capsys):
    assert run(['deploy', 'x.racer', '--to', 'p', '--sign', 'nobody']) == 2
    assert "unknown key 'nobody'" in capsys.readouterr().err
