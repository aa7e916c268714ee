"""Packages of `racer deploy` installed for real, without a network and without torch.

The car is a folder, a fresh virtual environment and the ROS wheels of this machine, shown to it as
the setup.sh of an installation would. Nothing needs root, systemd or a network.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from std_srvs.srv import SetBool

from racer_rl.deployment import wheels
from racer_rl.deployment.package import PackagePlan, make_package
from racer_rl.deployment.settings import CarChoices
from racer_vehicle.calibration import Calibration
from racer_vehicle.signals import NEUTRAL

pytestmark = [
    pytest.mark.ros, pytest.mark.slow,
    pytest.mark.xdist_group('cars'),  # with the other that installs, apart from those that drive
    pytest.mark.skipif('ROS_DISTRO' in os.environ, reason='NOT TESTED beside a sourced ROS: it '
                       'would hide whether the package finds ROS by itself'),
]

FAKE = CarChoices(camera='fake', lidar='fake', motor='fake')
PATIENCE_S = 180.0
PYTHON = f'{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}'
"""Of the system, which knows nothing of this environment."""


@pytest.fixture(scope='module')
def make(tmp_path_factory, toy):
    """Makes packages of a toy that drives at half a metre a second."""
    def make(choices=FAKE, steering=0.25, **options):
        folder = tmp_path_factory.mktemp('made') / 'package'
        plan = PackagePlan(bundle=toy(steering=steering, speed=-0.5), choices=choices, **options)
        make_package(plan, folder, lambda line: None)
        return folder
    return make


@pytest.fixture(scope='module')
def chip(tmp_path_factory):
    """Linux's files of a PWM chip."""
    folder = tmp_path_factory.mktemp('sys') / 'pwmchip0'
    for channel in (0, 1):
        (folder / f'pwm{channel}').mkdir(parents=True)
        for file in ('period', 'duty_cycle', 'enable'):
            (folder / f'pwm{channel}' / file).write_text('0')
    return folder


@pytest.fixture(scope='module')
def one(make, chip):
    return make(CarChoices(camera='fake', lidar='fake', parameters=(f'motor.pwm_chip={chip}',)))


@pytest.fixture(scope='module')
def two(make):
    return make(steering=-0.25)


@pytest.fixture(scope='module')
def car(tmp_path_factory, one, ready_car):
    """A folder in which the first package is installed; tests leave it so."""
    prefix = tmp_path_factory.mktemp('car') / 'opt'
    said = installed(one, prefix, ready_car)
    assert 'policy: toy' in said and 'car check --read-only' in said
    return prefix


def install(package, prefix, setup, *arguments, **options):
    """Run the installer as a person on the car would."""
    return subprocess.run(['sh', package / 'install.sh', '--prefix', prefix, '--ros-setup', setup,
                           '--python', PYTHON, '--no-service', *arguments],
                          capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                          env=bare_environment(), **options)


def bare_environment(**more):
    """Without this test's Python and ROS, and without a network for pip."""
    kept = ('PATH', 'HOME', 'ROS_DOMAIN_ID', 'ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOG_DIR')
    return {**{name: os.environ[name] for name in kept if name in os.environ},
            'PIP_NO_INDEX': '1', **more}


def installed(*arguments):
    result = install(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def refused(words, *arguments):
    result = install(*arguments)
    assert result.returncode == 1 and words in result.stderr, result.stdout + result.stderr


def releases(prefix):
    return sorted(path.name for path in (prefix / 'releases').iterdir())


def current(prefix):
    return os.readlink(prefix / 'current')


def with_sums(package):
    """Digests as they are now, as a package made so would have them."""
    files = sorted(path for path in package.rglob('*') if path.is_file()
                   and path.name != 'SHA256SUMS')
    (package / 'SHA256SUMS').write_text(''.join(
        f'{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(package)}\n'
        for path in files))
    return package


@pytest.fixture
def changed(tmp_path, two):
    """The second package, with a file changed, and digests that agree if wanted."""
    def changed(name, old, new, sums=True):
        package = tmp_path / f'changed_{len(list(tmp_path.iterdir()))}'
        shutil.copytree(two, package)
        text = (package / name).read_text()
        assert old in text
        (package / name).write_text(text.replace(old, new))
        return with_sums(package) if sums else package
    return changed


def test_a_second_time_changes_nothing(car, one, ready_car):
    before = current(car), releases(car)
    assert 'is installed already' in installed(one, car, ready_car)
    assert (current(car), releases(car)) == before and not (car / 'previous').exists()


def damage_policy(package):
    content = bytearray((package / 'policy.racer').read_bytes())
    content[len(content) // 2] ^= 1
    (package / 'policy.racer').write_bytes(content)


@pytest.mark.parametrize(('damage', 'words'), [
    (damage_policy, 'the package is damaged or was changed; nothing was touched'),
    (lambda package: (package / 'config/motor.yaml').unlink(), 'the package is damaged'),
    (lambda package: (package / 'wheels/extra.whl').write_text('x'), 'not in SHA256SUMS'),
    (lambda package: (package / 'wheels/x.whl').symlink_to('/etc/passwd'), 'not in SHA256SUMS'),
    (lambda package: (package / 'SHA256SUMS').unlink(), 'holds no SHA256SUMS'),
    (lambda package: (package / 'SHA256SUMS').write_text('what?\n'), 'the package is damaged'),
])
def test_a_damaged_package_is_refused_before_anything_is_touched(tmp_path, one, ready_car, damage,
                                                                 words):
    package = tmp_path / 'package'
    shutil.copytree(one, package)
    damage(package)
    refused(words, package, tmp_path / 'opt', ready_car)
    assert not (tmp_path / 'opt').exists()


def test_a_release_that_fails_its_check_leaves_the_old_one(car, changed, ready_car):
    before = current(car), releases(car)
    package = changed('config/inference.yaml', 'ros__parameters:',
                      'ros__parameters:\n    car.wheelbase_m: 0.3')
    result = install(package, car, ready_car)
    assert result.returncode == 1
    assert 'was trained for car wheelbase_m 0.164' in result.stderr, result.stderr
    assert f'was refused; {Path(before[0]).name} stays in place' in result.stderr
    assert (current(car), releases(car)) == before


def test_a_car_without_ros_is_told_so(tmp_path, one):
    setup = tmp_path / 'setup.sh'
    setup.write_text('')
    refused('ROS 2 for', one, tmp_path / 'opt', setup)
    refused('is missing; allowed: the setup.sh', one, tmp_path / 'opt', tmp_path / 'absent.sh')
    assert not (tmp_path / 'opt').exists()


def test_another_machine_or_python_is_refused(tmp_path, changed, ready_car):
    other = changed('install.sh', "MACHINE_WANTED=''", "MACHINE_WANTED='riscv64'")
    refused('the package is for riscv64', other, tmp_path / 'opt', ready_car)
    other = changed('install.sh', "PYTHON_WANTED=''", "PYTHON_WANTED='3.9'")
    refused("the package's wheels are for 3.9", other, tmp_path / 'opt', ready_car)
    assert not (tmp_path / 'opt').exists()


@pytest.mark.parametrize(('arguments', 'words'), [
    (('--prefix', "/opt/it's"), 'allowed: letters, digits'),
    (('--prefix', 'opt'), 'begins with /'),
    (('--user', 'a b'), 'allowed: letters'), (('--fast',), 'unknown option --fast'),
    (('--prefix',), '--prefix needs a value'), (('--rollback',), "no folder of racer's")])
def test_wrong_options_are_refused(tmp_path, one, ready_car, arguments, words):
    refused(words, one, tmp_path / 'opt', ready_car, *arguments)
    assert not (tmp_path / 'opt').exists()


def test_the_unit_is_one_and_names_what_exists(tmp_path, car):
    unit = car / 'current/racer.service'
    text = unit.read_text()
    assert 'User=racer' in text and '@' not in text
    for key in ('ExecStart', 'ExecStopPost'):
        path = Path(next(line for line in text.splitlines() if line.startswith(f'{key}='))
                    .partition('=')[2])
        assert os.access(path, os.X_OK) and path.is_relative_to(car)
    if shutil.which('systemd-analyze') is None:
        pytest.skip('NOT TESTED with systemd-analyze: it is not installed')
    verified = subprocess.run(['systemd-analyze', 'verify', unit], capture_output=True, text=True,
                              check=False)
    assert verified.returncode == 0 and 'racer.service' not in verified.stderr, verified.stderr


ROS2 = """#!/bin/sh
[ "$2" != --help ] || exit 0
printf '%s\\n' "$@" > '{file}'
"""


def test_with_ros2_launch_the_unit_starts_it(tmp_path, car, repository):
    tools = tmp_path / 'bin'
    tools.mkdir()
    (tools / 'ros2').write_text(ROS2.format(file=tmp_path / 'words'))
    (tools / 'ros2').chmod(0o755)
    subprocess.run([car / 'current/bin/start'], check=True, timeout=PATIENCE_S,
                   env=bare_environment(PATH=f'{tools}:{os.environ["PATH"]}'))
    launch, package, file, *arguments = (tmp_path / 'words').read_text().split()
    assert (launch, package) == ('launch', 'racer')
    assert (car / 'current/venv/share/racer/launch' / file).is_file()
    declared = (repository / 'launch' / file).read_text()
    values = dict(argument.split(':=') for argument in arguments)
    assert all(f"('{name}'," in declared for name in values)
    assert values['start_enabled'] == 'false'
    assert Path(values['model']).is_file() and (Path(values['config']) / 'motor.yaml').is_file()


def test_after_the_nodes_the_pulses_are_neutral(car, chip):
    subprocess.run([car / 'current/bin/neutral'], check=True, timeout=PATIENCE_S,
                   env=bare_environment())
    steering_ns, throttle_ns = Calibration().pulses_ns(NEUTRAL)
    assert int((chip / 'pwm0/duty_cycle').read_text()) == throttle_ns
    assert int((chip / 'pwm1/duty_cycle').read_text()) == steering_ns


def test_killed_repeated_rolled_back_and_removed(car, two, ready_car):
    """The last of the tests that share a car: it takes everything off it."""
    first = current(car)
    process = subprocess.Popen(
        ['sh', two / 'install.sh', '--prefix', car, '--ros-setup', ready_car, '--python',
         PYTHON, '--no-service'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=bare_environment(), start_new_session=True)
    end_s = time.monotonic() + PATIENCE_S
    while len(releases(car)) < 2:
        assert time.monotonic() < end_s
        time.sleep(0.01)
    time.sleep(random.uniform(0.0, 3.0))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)
    assert current(car) == first
    assert run_racer(car) == 0

    (car / 'units').mkdir()
    installed(two, car, ready_car, '--unit-dir', car / 'units')
    second = current(car)
    assert second != first and os.readlink(car / 'previous') == first
    assert installed(two, car, ready_car, '--list').splitlines() == sorted([
        f'{Path(first).name}  previous', f'{Path(second).name}  current'])

    script = car / 'current'
    assert 'is in place again' in installed(script, car, ready_car, '--rollback')
    assert current(car) == first and os.readlink(car / 'previous') == second
    assert run_racer(car) == 0

    (car / 'notes.txt').write_text('mine')
    assert 'holds other files and stays' in installed(script, car, ready_car, '--uninstall')
    assert sorted(path.name for path in car.iterdir()) == ['notes.txt', 'units']
    refused("is no folder of racer's", two, car, ready_car, '--uninstall')


def run_racer(car):
    return subprocess.run([car / 'current/bin/racer', '--version'], capture_output=True,
                          check=False, timeout=PATIENCE_S, env=bare_environment()).returncode


def test_a_bare_car_installs_everything_drives_and_has_no_torch(tmp_path, make, graph, show_ros,
                                                                monkeypatch):
    monkeypatch.setattr(wheels, 'COMPRESSION', zipfile.ZIP_STORED)
    package, prefix = make(wheels='this'), tmp_path / 'opt'
    installed(package, prefix, show_ros(tmp_path / 'ros'))
    release = prefix / 'current'

    def python(code):
        return subprocess.run([release / 'bin/python', '-c', code], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False, env=bare_environment(),
                              cwd=tmp_path)

    places = python('import numpy, onnxruntime, cv2, typer, racer_vehicle\n'
                    'print(*{module.__file__ for module in (numpy, onnxruntime, cv2, typer, '
                    'racer_vehicle)})').stdout.split()
    assert len(places) == 5
    assert all(Path(place).is_relative_to(release.resolve()) for place in places)
    for module in ('torch', 'stable_baselines3', 'gymnasium', 'numba'):
        assert 'ModuleNotFoundError' in python(f'import {module}').stderr

    applied = graph.listen('cmd_vel/applied')
    log = (tmp_path / 'start.log').open('w')
    nodes = subprocess.Popen([release / 'bin/start'], stdout=log, stderr=log,
                             env=bare_environment(), start_new_session=True)
    try:
        graph.until(lambda: applied, 'the motor node speaks')
        graph.spin_for(0.5)
        assert all(message.twist.linear.x == 0.0 for message in applied), 'nobody enabled it'
        assert graph.call('motor/enable', SetBool.Request(data=True)).success
        graph.until(lambda: applied[-1].twist.linear.x > 0.1, 'the policy drives')
        assert applied[-1].twist.angular.z > 0.0
        nodes.send_signal(signal.SIGINT)
        graph.until(lambda: nodes.poll() is not None, 'the nodes end')
        graph.spin_for(0.2)
        assert nodes.returncode == 0 and applied[-1].twist.linear.x == 0.0
    finally:
        if nodes.poll() is None:
            os.killpg(nodes.pid, signal.SIGKILL)
        nodes.wait(PATIENCE_S)
        log.close()
    assert 'driving by toy' in (tmp_path / 'start.log').read_text()
