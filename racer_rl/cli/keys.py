"""`racer keys`: make, list and show the keys that sign policies."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from racer_rl.store.keys import KeyPair, key_names, new_key, open_key

keys_app = typer.Typer(
    add_completion=False, no_args_is_help=True,
    help='Make, list and show the keys that sign policies.',
)

Name = Annotated[str, typer.Argument(help='Of the key.')]
AsJson = Annotated[bool, typer.Option('--json', help='Print JSON.')]


@keys_app.command()
def new(name: Name, as_json: AsJson = False) -> None:
    """Make a key: NAME.pem signs and stays here, NAME.pub.pem goes to the cars that trust it."""
    pair = new_key(name)
    if as_json:
        typer.echo(json.dumps(_described(pair)))
        return
    typer.echo(f'{name}  {grouped(pair.public.key_id)}')
    typer.echo(f'signs, and stays here:  {pair.private_path}')
    typer.echo(f'for the cars:           {pair.public_path}')


@keys_app.command('list')
def list_keys(as_json: AsJson = False) -> None:
    """List the keys."""
    rows = [_described(open_key(name)) for name in key_names()]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        typer.echo('There is no key yet. Make one: racer keys new NAME', err=True)
        return
    table = Table('key', 'id', 'signs here', box=None, header_style='bold', pad_edge=False)
    for row in rows:
        table.add_row(row['name'], grouped(row['key_id']), 'yes' if row['can_sign'] else 'no')
    Console().print(table, soft_wrap=True)


@keys_app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a key's id, which people compare before a car trusts it, and its public half."""
    pair = open_key(name)
    described = _described(pair)
    if as_json:
        typer.echo(json.dumps(described))
        return
    typer.echo(f'{name}  {grouped(pair.public.key_id)}')
    typer.echo(f"public half, for a car's trusted_keys folder: {pair.public_path}")
    typer.echo(described['public_pem'], nl=False)


def grouped(key_id: str) -> str:
    """A key's id in groups of four, as people read it out."""
    return ' '.join(key_id[place:place + 4] for place in range(0, len(key_id), 4))


def _described(pair: KeyPair) -> dict[str, Any]:
    return {
        'name': pair.name, 'key_id': pair.public.key_id, 'can_sign': pair.private_path.is_file(),
        'private_path': str(pair.private_path), 'public_path': str(pair.public_path),
        'public_pem': pair.public_path.read_text('utf-8'),
    }
