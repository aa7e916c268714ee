"""`racer budget alerts`: where alerts go, and whether they arrive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from racer_rl.budget.alert_targets import AlertTarget

alerts_app = typer.Typer(add_completion=False, no_args_is_help=True,
                         help='Where alerts go, and whether they arrive.')

AsJson = Annotated[bool, typer.Option('--json', help='Print one JSON object.')]


@alerts_app.command('show')
def show_alerts(as_json: AsJson = False) -> None:
    """Show where alerts go, without names, passwords and tokens, and how many wait."""
    from racer_rl.budget.alert_box import alert_box
    from racer_rl.budget.alert_targets import alerts_file, read_targets

    targets = read_targets()
    for target in targets:
        target.service()
    waiting = len(alert_box().waiting())
    if as_json:
        typer.echo(json.dumps({'targets': [target.label for target in targets],
                               'waiting': waiting}))
        return
    for target in targets:
        typer.echo(f'{target.label}  ({target.place})')
    if not targets:
        typer.echo(f'alerts go nowhere yet; write addresses into {alerts_file()}, one a line, '
                   'readable by you only (chmod 600), or into RACER_ALERTS.')
    if waiting:
        typer.echo(f'not sent yet: {waiting}; every racer command tries again.')


@alerts_app.command('test')
def test_alerts(as_json: AsJson = False) -> None:
    """Send a message to every address now, and say which took it."""
    from racer_rl.budget.alert_targets import AlertError, alerts_file, read_targets

    targets = read_targets()
    if not targets:
        raise AlertError(f'alerts go nowhere yet; write addresses into {alerts_file()}, one a '
                         'line, readable by you only (chmod 600), or into RACER_ALERTS.')
    for target in targets:
        target.service()
    taken = {target.label: _try(target, quiet=as_json) for target in targets}
    if as_json:
        typer.echo(json.dumps({'taken': taken}))
    refusing = [label for label, is_taken in taken.items() if not is_taken]
    if refusing:
        raise AlertError(f'not taken: {", ".join(refusing)}; look at its server, port, name and '
                         'password, and whether this machine can reach it.')


def _try(target: AlertTarget, *, quiet: bool) -> bool:
    is_taken = target.send('racer: a test', 'Alerts of your budgets arrive here.')
    if not quiet:
        typer.echo(f'{target.label}: {"sent" if is_taken else "not taken"}')
    return is_taken
