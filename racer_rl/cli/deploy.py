"""`racer deploy`: a trained model as a package that a car installs, or onto the car over ssh."""

from __future__ import annotations

import json
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from racer_vehicle.errors import ConfigError

if TYPE_CHECKING:
    from racer_rl.deployment.package import PackagePlan
    from racer_rl.deployment.remote import Transfer
    from racer_vehicle.policy import PolicyBundle

deploy_app = typer.Typer(add_completion=False)


@deploy_app.command()
def deploy(
    model: Annotated[str, typer.Argument(
        metavar='MODEL', help='Name of a trained model, or a .racer file.')],
    to: Annotated[str, typer.Option(help='A folder to make, or user@car[:folder] for ssh.')],
    checkpoint: Annotated[str, typer.Option(
        help='best, last, or the steps of an earlier one.')] = 'best',
    sign: Annotated[str | None, typer.Option(
        metavar='KEY', help='Sign the policy, and have the car drive only what this key signed: '
                            'by name (racer keys list) or file.')] = None,
    int8: Annotated[bool, typer.Option('--int8', help='Round the network to 8 bits.')] = False,
    camera: Annotated[Literal['v4l2', 'fake'], typer.Option(help='Driver.')] = 'v4l2',
    lidar: Annotated[Literal['rplidar', 'fake'], typer.Option(help='Driver.')] = 'rplidar',
    motor: Annotated[Literal['pwm', 'pca9685', 'fake'], typer.Option(help='Driver.')] = 'pwm',
    max_speed: Annotated[float, typer.Option(help='Cap, m/s; begin low.', min=0.0)] = 1.0,
    calibration: Annotated[Path | None, typer.Option(
        help="File of racer calibrate; without it, DeepRacer's pulses.")] = None,
    lens: Annotated[Path | None, typer.Option(
        help='YAML file of camera_calibration; without it, the lens is the pinhole.')] = None,
    config: Annotated[Path | None, typer.Option(
        help="Folder with the car's own camera.yaml, lidar.yaml, motor.yaml, inference.yaml, "
             'for those that it holds.')] = None,
    parameters: Annotated[list[str] | None, typer.Option(
        '--set', metavar='NODE.NAME=VALUE', help='A parameter; may be given several times.')] = (
        None),
    spec: Annotated[list[str] | None, typer.Option(
        metavar='PART.NAME=VALUE', help='The car as built, e.g. car.wheelbase_m=0.17, for every '
                                        'node; may be given several times.')] = None,
    platform: Annotated[Literal['none', 'this', 'linux-aarch64', 'linux-x86_64'], typer.Option(
        help="Whose Python packages to bring: none, this machine's, or downloaded ones.")] = (
        'none'),
    python: Annotated[Literal['3.11', '3.12'], typer.Option(
        help="The car's Python, for downloaded packages.")] = '3.12',
    prefix: Annotated[str, typer.Option(
        help='ssh: install there, without root; by default into /opt/racer with sudo.')] = '',
    ros_setup: Annotated[str, typer.Option(
        help="ssh: setup.sh of the car's ROS 2; by default the newest below /opt/ros.")] = '',
    ssh_config: Annotated[Path | None, typer.Option(
        help='ssh: settings instead of your own.')] = None,
    dry_run: Annotated[bool, typer.Option(
        '--dry-run', help='Make and check everything, keep and send nothing; show what would '
                          'be.')] = False,
    as_json: Annotated[bool, typer.Option('--json', help='Print the manifest as JSON.')] = False,
) -> None:
    """Put a model onto a car.

    The package holds the policy, the car's settings, racer, a systemd unit and an installer that
    needs no network and no torch, and goes back to the old release if the new one is refused.
    """
    from racer_rl.deployment.package import PackagePlan
    from racer_rl.deployment.remote import Car
    from racer_rl.deployment.settings import CarChoices
    from racer_rl.store.keys import find_private_key

    key = None if sign is None else find_private_key(sign)
    car = Car.parse(to)
    bundle = _bundle(model, checkpoint, int8=int8)
    if key is not None:
        from racer_vehicle.signing import sign as signed

        bundle = signed(bundle, key)
    choices = CarChoices(camera=camera, lidar=lidar, motor=motor, max_speed_mps=max_speed,
                         calibration=calibration, lens=lens, parameters=tuple(parameters or ()),
                         spec=tuple(spec or ()))
    plan = PackagePlan(bundle=bundle, choices=choices, config=config, wheels=platform,
                       trusted=None if key is None else key.public, python=python)
    if car is None:
        manifest = _to_folder(plan, Path(to), dry_run=dry_run)
    else:
        from racer_rl.deployment.remote import Transfer

        transfer = Transfer(car=car, name=f'racer-{plan.model}', prefix=prefix,
                            ros_setup=ros_setup, ssh_config=ssh_config)
        manifest = _to_car(plan, transfer, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(manifest))


def _bundle(model: str, checkpoint: str, *, int8: bool) -> PolicyBundle:
    from racer_rl.cli.drive import BUNDLE_SUFFIX
    from racer_vehicle.policy import PolicyBundle

    if model.endswith(BUNDLE_SUFFIX):
        if int8:
            raise ConfigError(f'--int8 with {model}; allowed: models of the store; or '
                              'racer models export --int8.')
        return PolicyBundle.read(Path(model))
    from racer_rl.evaluation.laps import few_tracks
    from racer_rl.export import Origin, make_bundle
    from racer_rl.store.models import open_model
    from racer_rl.training.checkpoint import load_checkpoint

    folder = open_model(model)
    _tell(f'exporting {model}')
    bundle = make_bundle(load_checkpoint(folder.require_checkpoint(checkpoint))[0],
                         Origin.of(folder))
    if not int8:
        return bundle
    from racer_rl.quantization import quantized

    _tell('rounding to 8 bits; what that costs in laps: racer models export --int8')
    return quantized(bundle, few_tracks(folder.setup))


def _to_folder(plan: PackagePlan, folder: Path, *, dry_run: bool) -> dict[str, Any]:
    from racer_rl.deployment.package import make_package

    if dry_run:
        with tempfile.TemporaryDirectory(prefix='racer-deploy-') as name:
            made = Path(name) / folder.name
            manifest = make_package(plan, made, _tell)
            _list(made)
        _tell(f'nothing was kept; without --dry-run this is written to {folder}')
        return manifest
    manifest = make_package(plan, folder, _tell)
    _tell(f'wrote {folder}. Carry it to the car, and there: sudo sh {folder.name}/install.sh')
    return manifest


def _to_car(plan: PackagePlan, transfer: Transfer, *, dry_run: bool) -> dict[str, Any]:
    from racer_rl.deployment.package import make_package

    if not dry_run:
        _tell(f'making room on {transfer.car.login}')
        transfer.prepare()
    with tempfile.TemporaryDirectory(prefix='racer-deploy-') as name:
        made = Path(name) / transfer.name
        manifest = make_package(plan, made, _tell)
        if dry_run:
            _list(made)
            _tell('nothing was sent; without --dry-run these run:')
            for command in transfer.commands(made):
                _tell(f'  {shlex.join(command)}')
        else:
            _tell(f'copying to {transfer.car.login}')
            transfer.run(made)
    return manifest


def _list(folder: Path) -> None:
    """What a package holds, with sizes."""
    for path in sorted(path for path in folder.rglob('*') if path.is_file()):
        _tell(f'{path.stat().st_size:>12,}  {path.relative_to(folder)}')


def _tell(line: str) -> None:
    typer.echo(line, err=True)
