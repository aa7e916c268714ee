"""The package that a car installs: policy, settings, wheels, scripts, and a digest of each."""

from __future__ import annotations

import hashlib
import json
import platform as machine
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from racer_rl.deployment.parameter_files import ParameterFile
from racer_rl.deployment.settings import NODES, CarChoices, car_settings
from racer_rl.deployment.wheels import (
    NEEDED,
    PLATFORMS,
    downloaded_wheels,
    own_wheels,
    racer_wheel,
)
from racer_rl.export import source_git_hash
from racer_vehicle.drivers.pulses import STEERING_CHANNEL, THROTTLE_CHANNEL
from racer_vehicle.errors import ConfigError
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.signing import PUBLIC_SUFFIX, PublicKey

FORMAT: Final = 1

MANIFEST: Final = 'manifest.json'
SUMS: Final = 'SHA256SUMS'
INSTALLER: Final = 'install.sh'
SERVICE: Final = 'racer.service'

NO_WHEELS, THIS_MACHINE = 'none', 'this'
WHEELS: Final = (NO_WHEELS, THIS_MACHINE, *PLATFORMS)
"""Whose wheels a package may bring, beside racer's own."""

_SCRIPTS: Final = ('environment', 'python', 'racer', 'start', 'neutral')

Tell = Callable[[str], None]
"""Takes a line of progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagePlan:
    """What to put into a package.

    Attributes:
        bundle: The policy.
        choices: What a person says of their car.
        config: Folder of the car's own parameter files, for those that it holds; None: racer's.
        trusted: Public key that policies of this car must be signed by; None: none need be.
        wheels: Of `WHEELS`.
        python: Version of the car's Python, where the wheels depend on it.
    """

    bundle: PolicyBundle
    choices: CarChoices
    config: Path | None = None
    trusted: PublicKey | None = None
    wheels: str = NO_WHEELS
    python: str = '3.12'

    @property
    def model(self) -> str:
        """Its name, as a folder on the car can have it."""
        return re.sub(r'[^A-Za-z0-9_-]', '-', self.bundle.card.model)[:40] or 'model'

    @property
    def required_python(self) -> str:
        """Version that the car must have; empty: any that racer runs on."""
        if self.wheels == THIS_MACHINE:
            return '{}.{}'.format(*sys.version_info)
        return self.python if self.wheels in PLATFORMS else ''

    @property
    def required_machine(self) -> str:
        """What `uname -m` must say on the car; empty: anything."""
        return {THIS_MACHINE: machine.machine(), **PLATFORMS}.get(self.wheels, '')


def make_package(plan: PackagePlan, folder: Path, tell: Tell) -> dict[str, Any]:
    """Make a package in one step: the folder is there with all of it, or as it was before.

    Args:
        plan: What to put in.
        folder: To make; a package that is there is replaced, anything else is not.
        tell: Takes a line of progress.

    Returns:
        Its manifest.

    Raises:
        ConfigError: Something that was given cannot be used.
        ModelMismatchError: The policy is not for this car.
        PackagingError: The wheels cannot be had.
        OSError: The disk refused.
    """
    _require_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix='.racer-package-') as name:
        made = Path(name) / folder.name
        made.mkdir()
        manifest = _fill(plan, made, tell)
        made.chmod(0o755)
        if folder.exists():
            folder.rename(Path(name) / 'replaced')
        made.rename(folder)
    return manifest


def _fill(plan: PackagePlan, folder: Path, tell: Tell) -> dict[str, Any]:
    wheels = folder / 'wheels'
    wheels.mkdir()
    tell('packing racer')
    racer = racer_wheel(wheels)
    files = car_settings(_templates(racer, plan.config), plan.choices, plan.bundle.card,
                         signed=plan.trusted is not None)
    _add_wheels(plan, wheels, tell)
    tell('writing settings and scripts')
    _write_settings(plan, folder / 'config', files)
    plan.bundle.write(folder / 'policy.racer')
    if plan.trusted is not None:
        plan.trusted.write(folder / 'keys' / f'{plan.trusted.key_id}{PUBLIC_SUFFIX}')
    manifest = _manifest(plan, wheels)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + '\n', encoding='utf-8')
    _write_scripts(folder, _words(plan, files))
    _write_sums(folder)
    return manifest


def _require_free(folder: Path) -> None:
    if folder.exists() and not ((folder / SUMS).is_file() and (folder / INSTALLER).is_file()):
        raise ConfigError(f'{folder} exists and is no package of racer deploy; allowed: a new '
                          'folder, or a package to replace.')


def _templates(wheel: Path, config: Path | None) -> dict[str, str]:
    """Parameter files, a person's before racer's; racer's come out of the wheel itself."""
    if config is not None and not any((config / f'{node}.yaml').is_file() for node in NODES):
        raise ConfigError(f'{config} holds none of {", ".join(f"{node}.yaml" for node in NODES)}; '
                          'allowed: a folder with at least one of them.')
    found = {}
    with zipfile.ZipFile(wheel) as archive:
        inside = {Path(name).name: name for name in archive.namelist() if '/config/' in name}
        for node in NODES:
            own = config / f'{node}.yaml' if config else None
            found[node] = (own.read_text('utf-8') if own and own.is_file() else
                           archive.read(inside[f'{node}.yaml']).decode())
    return found


def _add_wheels(plan: PackagePlan, folder: Path, tell: Tell) -> None:
    if plan.wheels == THIS_MACHINE:
        tell('packing wheels of this machine')
        own_wheels(folder)
    elif plan.wheels != NO_WHEELS:
        tell(f'downloading wheels for {plan.wheels}, Python {plan.python}')
        downloaded_wheels(folder, plan.wheels, plan.python)


def _write_settings(plan: PackagePlan, folder: Path, files: Mapping[str, ParameterFile]) -> None:
    folder.mkdir()
    for node, file in files.items():
        (folder / f'{node}.yaml').write_text(file.text, encoding='utf-8')
    for source, name in ((plan.choices.calibration, 'calibration.json'),
                         (plan.choices.lens, 'lens.yaml')):
        if source is not None:
            shutil.copyfile(source, folder / name)


def _manifest(plan: PackagePlan, wheels: Path) -> dict[str, Any]:
    card, choices = plan.bundle.card, plan.choices
    return {
        'format': FORMAT, 'model': card.model, 'bundle_sha256': plan.bundle.sha256,
        'signed_by': plan.bundle.signature.key_id if plan.bundle.signature else '',
        'trusts': plan.trusted.key_id if plan.trusted else '', 'racer': version('racer'),
        'git_hash': source_git_hash(), 'camera': choices.camera, 'lidar': choices.lidar,
        'motor': choices.motor, 'max_speed_mps': choices.max_speed_mps,
        'calibrated': choices.calibration is not None, 'python': plan.required_python,
        'machine': plan.required_machine, 'wheels': sorted(path.name for path in wheels.iterdir()),
    }


def _words(plan: PackagePlan, files: Mapping[str, ParameterFile]) -> dict[str, Any]:
    """What the templates of the scripts say."""
    signature = plan.bundle.signature
    return {
        'model': plan.model, 'sha256': plan.bundle.sha256, 'version': version('racer'),
        'signed': f'signed by {signature.key_id}' if signature else 'not signed',
        'python': plan.required_python, 'machine': plan.required_machine,
        'wheels': plan.wheels != NO_WHEELS, 'needed': ', '.join(NEEDED),
        'camera': plan.choices.camera, 'lidar': plan.choices.lidar, 'motor': plan.choices.motor,
        'max_speed_mps': plan.choices.max_speed_mps,
        'neutral': ' '.join(_neutral(plan.choices, files['motor'])),
    }


def _neutral(choices: CarChoices, motor: ParameterFile) -> tuple[str, ...]:
    """What `racer_vehicle.drivers.deadman` is told, to leave servo and motor in neutral."""
    places = {'pwm': ('pwm_chip',), 'pca9685': ('i2c_bus', 'i2c_address')}
    if choices.motor not in places:
        return ()
    device = (choices.motor, *(str(motor.require(name)) for name in places[choices.motor]))
    pulses = choices.pulses
    # The motor first.
    channels = ((motor.values.get('throttle_channel', THROTTLE_CHANNEL), pulses.throttle),
                (motor.values.get('steering_channel', STEERING_CHANNEL), pulses.steering))
    return (*device, *(f'{channel}={pulse.mid_ns}' for channel, pulse in channels))


def _write_scripts(folder: Path, words: Mapping[str, Any]) -> None:
    templates = Environment(loader=PackageLoader('racer_rl.deployment'), autoescape=False,
                            undefined=StrictUndefined, keep_trailing_newline=True)
    (folder / 'bin').mkdir()
    places = {f'{name}.j2': folder / name for name in (INSTALLER, SERVICE, 'README.txt')}
    places |= {f'{name}.j2': folder / 'bin' / name for name in _SCRIPTS}
    for template, path in places.items():
        path.write_text(templates.get_template(template).render(words), encoding='utf-8')
        path.chmod(0o644 if template.startswith(('README', 'racer.s', 'env')) else 0o755)


def _write_sums(folder: Path) -> None:
    """One line a file, as sha256sum reads them."""
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    lines = [f'{hashlib.sha256(path.read_bytes()).hexdigest()}  '
             f'{path.relative_to(folder).as_posix()}\n' for path in files]
    (folder / SUMS).write_text(''.join(lines), encoding='utf-8')
