"""The example notebook runs from top to bottom, and is kept without outputs."""

import ast
import json

import pandas as pd
import pytest
from matplotlib.figure import Figure


def cells(repository):
    notebook = json.loads((repository / 'docs/analysis.ipynb').read_text('utf-8'))
    return [cell for cell in notebook['cells'] if cell['cell_type'] == 'code']


def test_it_is_kept_without_outputs(repository):
    assert all(not cell['outputs'] and cell['execution_count'] is None
               for cell in cells(repository))


@pytest.mark.slow
@pytest.mark.xdist_group('analysis')
def test_every_cell_runs(repository, tiny, capsys):
    names, shown = {}, []
    for cell in cells(repository):
        lines = [line for line in ''.join(cell['source']).splitlines() if line[:1] != '%']
        code = '\n'.join(lines).replace("SOURCE = 'first'", f'SOURCE = {tiny!r}')
        shown.append(run_cell(code, names))
    assert sum(isinstance(value, Figure) for value in shown) == 2
    assert sum(isinstance(value, pd.DataFrame) for value in shown) >= 4
    assert ': ' in capsys.readouterr().out


def run_cell(code, names):
    """Run a cell; the value of its last line, as a notebook shows it."""
    *before, last = ast.parse(code).body
    shows = isinstance(last, ast.Expr)
    statements = ast.Module(before if shows else [*before, last], type_ignores=[])
    exec(compile(statements, 'cell', 'exec'), names)
    if not shows:
        return None
    return eval(compile(ast.Expression(last.value), 'cell', 'eval'), names)  # noqa: S307
