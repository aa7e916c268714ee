"""`racer car`: start a car's nodes, check a car, enable and stop it. Runs without torch."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from racer_vehicle.errors import ConfigError

if TYPE_CHECKING:
    from racer_vehicle.check.outcome import Report
    from racer_vehicle.check.walk import CheckPlan
    from racer_vehicle.supervise import Program, Supervisor

car_app = typer.Typer(add_completion=False, no_args_is_help=True,
                      help="Start a car's nodes, check a car, enable and stop it.")

Started = Literal['no', 'fake', 'simulated', 'real']

LOOK_S: Final = 0.2
"""Between two looks at whether all nodes still run."""

FAILED: Final = 1

_DONE: Final = {'enable': 'the car drives as the policy says.', 'disable': 'the car is disabled.',
                'stop': 'the car is stopped, until the stop is cleared.',
                'clear': 'the stop is cleared; the car is disabled.'}


@car_app.command()
def start(
    config: Annotated[Path, typer.Option(
        help='Folder with camera.yaml, lidar.yaml, motor.yaml and inference.yaml.')],
    namespace: Annotated[str, typer.Option(help='Of the car; empty for a car alone.')] = '',
) -> None:
    """Run the four nodes of a car until Ctrl-C, or until one of them ends.

    For a car without `ros2 launch`; with it, that starts the same nodes. The car starts disabled.
    """
    from racer_rl.cli.drive import require_ros
    from racer_vehicle.car_programs import car_programs
    from racer_vehicle.supervise import Supervisor

    require_ros()
    programs = car_programs(config, {}, namespace)
    with _interrupts() as interrupts, Supervisor(None, os.environ) as supervisor:
        _start_all(supervisor, programs)
        while not interrupts.numbers:
            supervisor.require_alive()
            time.sleep(LOOK_S)


@car_app.command()
def order(
    what: Annotated[Literal['enable', 'disable', 'stop', 'clear'], typer.Argument(
        help='enable: let the car drive; disable: hold it neutral; stop: emergency stop; clear: '
             'take the emergency stop back, which leaves the car disabled.')],
    namespace: Annotated[str, typer.Option(help='Of the car; empty for a car alone.')] = '',
) -> None:
    """Give a running car an order, as `ros2 service call` does where there is one."""
    from racer_rl.cli.drive import require_ros
    from racer_vehicle.nodes.check_link import linked_car

    require_ros()
    with linked_car({'motor'}, namespace) as link:
        if what in {'stop', 'clear'}:
            link.emergency_stop(what == 'stop')
        elif refusal := link.enable(what == 'enable'):
            raise ConfigError(f'the car is not enabled: {refusal}; racer car order clear.')
    typer.echo(_DONE[what])


@car_app.command()
def check(
    policy: Annotated[str, typer.Argument(
        metavar='[POLICY]', help="A .racer file or a model's name; by default what the car's "
                                 'inference node drives by.')] = '',
    started: Annotated[Started, typer.Option(
        '--start', help='Start a car for the check: fake (no devices), simulated, or real '
                        '(needs --config).')] = 'no',
    config: Annotated[Path | None, typer.Option(
        help='With --start: folder of the parameter files.')] = None,
    track: Annotated[str, typer.Option(help='With --start simulated: name or file.')] = 'oval',
    read_only: Annotated[bool, typer.Option(
        '--read-only', help='Look only, move nothing.')] = False,
    wheels_up: Annotated[bool, typer.Option(
        '--wheels-up', help='All wheels are in the air: do not ask.')] = False,
    without: Annotated[list[str] | None, typer.Option(
        help='A step to leave out; may be given several times.')] = None,
    trusted_keys: Annotated[Path | None, typer.Option(
        help="Folder of public keys instead of the inference node's.")] = None,
    namespace: Annotated[str, typer.Option(help='Of the car; empty for a car alone.')] = '',
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Check a running car: computer, camera, lidar, model; then servo, motor, watchdog, e-stop.

    The last four turn the wheels, and only after a yes that they are all in the air. Exit code 1
    if anything failed.
    """
    from racer_rl.cli.drive import require_ros
    from racer_vehicle.check.walk import CheckPlan

    require_ros()
    practice = started in {'fake', 'simulated'}
    person = sys.stdin.isatty() and not practice
    _require_choices(started, config, policy, movable=read_only or wheels_up or practice or person)
    with ExitStack() as stack:
        plan = CheckPlan(
            read_only=read_only, wheels_up=wheels_up or practice, without=tuple(without or ()),
            bundle=stack.enter_context(_policy(policy)), trusted_keys=str(trusted_keys or ''))
        interrupts = stack.enter_context(_interrupts())
        supervisor = stack.enter_context(_car(started, plan.bundle, config, track, namespace))
        report, declined = _walk(plan, namespace, interrupts, person=person)
        ended = _ended(supervisor)
    typer.echo(json.dumps(report.as_dict(), indent=2) if as_json else '\n'.join(report.lines()))
    if ended or declined or not report.passed:
        raise typer.Exit(FAILED)


def _require_choices(started: Started, config: Path | None, policy: str, *,
                     movable: bool) -> None:
    """Refuse options that do not go together, before anything is started.

    Raises:
        ConfigError: Saying which, and what to add.
    """
    if started == 'real' and config is None:
        raise ConfigError('--start real needs the settings of the car; add --config FOLDER, with '
                          'camera.yaml, lidar.yaml, motor.yaml and inference.yaml.')
    if started == 'simulated' and not policy:
        raise ConfigError('--start simulated needs a policy; name a model or a .racer file.')
    if not movable:
        raise ConfigError('the check turns the wheels, and there is no terminal to ask whether '
                          'they are in the air; allowed: --wheels-up if they are, --read-only.')


def _walk(plan: CheckPlan, namespace: str, interrupts: _Interrupts, *,
          person: bool) -> tuple[Report, bool]:
    """The check; and whether a person said that the wheels are on the ground."""
    from racer_vehicle.check.walk import LIFT, walk
    from racer_vehicle.nodes.check_link import linked_car

    answers: dict[str, bool] = {}

    def ask(question: str) -> bool:
        with interrupts.raised():
            answers[question] = typer.confirm(question, err=True)
        return answers[question]

    def tell(step: str) -> None:
        typer.echo(f'checking: {step}', err=True)

    tell('which nodes are there')
    with linked_car(plan.nodes, namespace, interrupts.numbers) as link:
        report = walk(plan, link, ask if person else None, tell)
    return report, answers.get(LIFT) is False


@contextmanager
def _car(started: Started, bundle: str, config: Path | None, track: str,
         namespace: str) -> Iterator[Supervisor | None]:
    """The car to check: one that runs already, or one started for it and taken down again."""
    if started == 'no':
        yield None
        return
    from racer_rl.drive.domain import private_domain
    from racer_vehicle.car_programs import FAKE, car_programs
    from racer_vehicle.supervise import Supervisor

    with tempfile.TemporaryDirectory(prefix='racer-car-') as name, ExitStack() as stack:
        folder = Path(name)
        if started == 'real':
            programs = car_programs(config, {}, namespace)
        else:
            stack.enter_context(private_domain(folder))
            programs = (_simulated(bundle, track, folder) if started == 'simulated' else
                        car_programs(config, {**FAKE, 'inference': {'bundle': bundle}}, namespace))
        supervisor = stack.enter_context(Supervisor(folder, os.environ))
        _start_all(supervisor, programs)
        yield supervisor


def _simulated(bundle: str, track: str, folder: Path) -> tuple[Program, ...]:
    """The car's nodes and the embedded simulator by the clock, as for `racer drive`."""
    from racer_rl.drive.graph import NODES, DrivePlan, programs
    from racer_rl.evaluation.laps import EvaluationPlan

    plan = DrivePlan(bundle=Path(bundle), track=track, mode='realtime',
                     judged=EvaluationPlan(laps=1, starts=1))
    return programs(plan, folder, [name for name in NODES if name != 'race_control'])


def _start_all(supervisor: Supervisor, programs: Sequence[Program]) -> None:
    for program in programs:
        supervisor.start(program)


def _ended(supervisor: Supervisor | None) -> bool:
    """Whether a node ended that should not have; its last words go to stderr."""
    from racer_vehicle.supervise import ProgramError

    try:
        if supervisor is not None:
            supervisor.require_alive()
    except ProgramError as error:
        typer.echo(str(error), err=True)
        return True
    return False


@contextmanager
def _policy(policy: str) -> Iterator[str]:
    """Path of a policy bundle, exported for the time of this context; empty for none."""
    from racer_rl.cli.drive import bundle_file

    if not policy:
        yield ''
        return
    with bundle_file(policy, 'best') as path:
        yield str(path)


class _Interrupts:
    """Signals that ask to stop: noted, so that the car is left neutral, not torn through.

    Attributes:
        numbers: Of those that have come.
    """

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._raising = False

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self.numbers.append(number)
        if self._raising:
            raise KeyboardInterrupt

    @contextmanager
    def raised(self) -> Iterator[None]:
        """While a person is asked: nothing moves, and nobody would look at the numbers."""
        self._raising = True
        try:
            yield
        finally:
            self._raising = False


@contextmanager
def _interrupts() -> Iterator[_Interrupts]:
    """Collect SIGINT, SIGTERM and SIGHUP, which comes when a connection to the car breaks."""
    interrupts = _Interrupts()
    before = {number: signal.signal(number, interrupts.note)
              for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
