"""The commands of `racer models` by which models leave the store, come in, and are compared."""

from __future__ import annotations

import typer

from racer_rl.cli.models_diff import diff_models
from racer_rl.cli.models_export import export_model
from racer_rl.cli.models_import import import_model

files_app = typer.Typer(add_completion=False)
files_app.command('export')(export_model)
files_app.command('import')(import_model)
files_app.command('diff')(diff_models)
