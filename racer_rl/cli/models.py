"""`racer models`: what is in the store, and what to do with it."""

from __future__ import annotations

import typer

models_app = typer.Typer(add_completion=False, no_args_is_help=True)
