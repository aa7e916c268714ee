"""Entry point of the `racer` command: finds the command, turns errors into one line and a code."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from racer_vehicle.errors import RacerError
from racer_vehicle.storage import racer_home

COMMANDS: Final = {
    'demo': 'Train a car, race it and film it: the first minute with racer.',
    'tracks': 'List, show, import and generate tracks.',
    'validate': 'Find what is wrong with a reward function, without training.',
    'train': 'Teach a model to drive a track.',
    'clone': 'Begin a new model with what another one knows.',
    'evaluate': 'Drive laps with a model, judge them, film and draw them.',
    'analyze': 'Report on a training log: what the car did, where, and what to change.',
    'jobs': 'List, follow, stop and resume trainings, in the background or not.',
    'models': 'List, show, compare, rename, delete, export and import models.',
    'drive': "Race a model through the car's own ROS 2 nodes, with no ROS installation.",
    'race': 'Race models against the clock, boxes, bots and each other, and check results.',
    'league': 'Seasons of races that anybody may enter with a policy, and who leads.',
    'keys': 'Make, list and show the keys that sign policies.',
    'calibrate': "Find the pulses of a car's servo and speed controller.",
    'deploy': 'Put a model onto a car: a package that installs offline, or all of it over ssh.',
    'car': "Start a car's nodes, and check a car before it drives.",
    'advise': 'Say what is worth money next for a model.',
    'clean': 'Free space, and end what killed processes left behind.',
    'budget': 'Show what runs cost, and limit what they may.',
    'bench': 'Measure the simulator and training on this machine.',
}
"""Command to its line in `racer --help`.

Module `racer_rl.cli.<command>` holds it as `<command>_app`, a `Typer(add_completion=False)`.
"""

ALERTS: Final = 'alerts.sqlite'
"""Below `$RACER_HOME`, once there was an alert; without it, nothing of alerts is imported."""

EXIT_OK: Final = 0
EXIT_STOPPED: Final = 1
EXIT_REFUSED: Final = 2

COLLECT_AFTER: Final = 50_000
"""New objects between two garbage collections. What the libraries define stays, half a million
objects, and to look through it every 700 objects takes half a second of a short run."""


class _Deferred(TyperCommand):
    """Stands for a command in listings; its module is imported when the command is used.

    Some commands import torch, and `racer --help` should not wait for it.
    """

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        module = import_module(f'racer_rl.cli.{self.name}')
        return get_command(getattr(module, f'{self.name}_app')).make_context(*args, **kwargs)


class _Root(TyperGroup):
    """The top command, listing every other one without importing it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, summary in COMMANDS.items():
            self.add_command(_Deferred(name, help=summary))


app = typer.Typer(cls=_Root, no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f'racer {version("racer")}')
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option('--version', callback=_print_version, is_eager=True,
                           help='Print the version and leave.')] = False,
) -> None:
    """Reinforcement-learning racing for a 1/18-scale car: tracks, training, races."""


def run(arguments: Sequence[str], application: typer.Typer = app) -> int:
    """Run one command line; what a person can put right becomes one line on stderr.

    Args:
        arguments: The words after `racer`.
        application: Whose commands they are.

    Returns:
        Exit code: 0 done, 1 the person declined to go on, 2 refused (an error of `racer` or a
        command line that does not parse), 130 interrupted, or what the command itself set.
    """
    try:
        code = application(list(arguments), prog_name='racer', standalone_mode=False,
                           obj=tuple(arguments))
    except RacerError as error:
        return _refuse(str(error))
    except typer.TyperException as error:
        return _refuse(_usage_message(error))
    except typer.Abort:
        typer.echo('stopped.', err=True)
        return EXIT_STOPPED
    return code if isinstance(code, int) else EXIT_OK


def _usage_message(error: typer.TyperException) -> str:
    """The parser's message with the command that explains more; empty when help was shown."""
    message = error.format_message().strip()
    context = getattr(error, 'ctx', None)
    if not message or context is None:
        return message
    end = '' if message.endswith(('.', '?')) else '.'
    return f'{message}{end} See: {context.command_path} --help'


def _refuse(message: str) -> int:
    if message:
        typer.echo(f'error: {" ".join(message.split())}', err=True)
    return EXIT_REFUSED


@contextlib.contextmanager
def _alerts_retried() -> Iterator[None]:
    """Meanwhile, send alerts that no server took before; a command does not fail for them."""
    if not (racer_home() / ALERTS).exists():
        yield
        return
    from racer_rl.budget.alerts import retrying_alerts

    with retrying_alerts(tell=lambda line: typer.echo(line, err=True)):
        yield


def main() -> None:
    """Run the command line of this process."""
    gc.set_threshold(COLLECT_AFTER)
    with _alerts_retried():
        code = run(sys.argv[1:])
    # Otherwise the collector goes through half a million objects of libraries, for a second, to
    # free what the end of the process frees anyway.
    gc.freeze()
    sys.exit(code)
