"""Faults that reading a reward file shows, each with its line and what to do; nothing is run."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from typing import Final

from racer_rl.reward.loading import ENTRY_POINT, RewardFile
from racer_rl.reward.params import RewardParams
from racer_rl.reward.validation.findings import Finding, Severity
from racer_rl.reward.validation.flow import falls_through, unreachable
from racer_rl.reward.validation.source import FunctionDef, Source, parse
from racer_rl.reward.validation.zeros import divisions

KEYS: Final = tuple(RewardParams.__annotations__)

ALLOWED_IMPORTS: Final = frozenset({
    '__future__', 'abc', 'bisect', 'cmath', 'collections', 'contextlib', 'copy', 'dataclasses',
    'decimal', 'enum', 'fractions', 'functools', 'heapq', 'itertools', 'math', 'numbers', 'numpy',
    'operator', 'random', 'scipy', 'shapely', 'statistics', 'string', 'typing', 'types',
    'warnings',
})
"""DeepRacer's five, and what of Python's own library only computes."""

REMEDY_OF_IMPORT: Final = {
    'time': "Use params['sim_time'] or params['steps']: they count simulated time.",
    'datetime': "Use params['sim_time'] or params['steps']: they count simulated time.",
    'logging': 'Use print(): it goes to the log of the run.',
}

BANNED_CALLS: Final = {
    **dict.fromkeys(('open', 'numpy.save', 'numpy.savez', 'numpy.savez_compressed',
                     'numpy.savetxt', 'numpy.load', 'numpy.loadtxt', 'numpy.fromfile',
                     'numpy.genfromtxt', 'numpy.memmap'),
                    'Leave files alone; print() goes to the log of the run.'),
    **dict.fromkeys(('exec', 'eval', 'compile', '__import__'),
                    'Write the code itself instead of text that becomes code.'),
    **dict.fromkeys(('input', 'breakpoint'), 'Nobody is there to answer; use print() to look in.'),
    **dict.fromkeys(('exit', 'quit'), 'Return a reward instead; the episode ends by its rules.'),
}
"""Name -> what to do instead."""

TRIGONOMETRY: Final = frozenset(f'{library}.{name}' for library in ('math', 'numpy')
                                for name in ('sin', 'cos', 'tan'))
TO_DEGREES: Final = frozenset({'math.degrees', 'numpy.degrees', 'numpy.rad2deg'})
IN_RADIANS: Final = frozenset({'math.atan2', 'math.atan', 'math.asin', 'math.acos',
                               'numpy.arctan2', 'numpy.arctan', 'numpy.arcsin', 'numpy.arccos',
                               'math.radians', 'numpy.radians', 'numpy.deg2rad'})
IN_DEGREES: Final = frozenset({'heading', 'steering_angle'})


def check(file: RewardFile) -> tuple[Finding, ...]:
    """Read a file for faults.

    Args:
        file: The file; it is not run.

    Returns:
        In order of lines.
    """
    try:
        source = parse(file)
    except (SyntaxError, ValueError) as error:  # ValueError: Python 3.11 of a null byte
        line = getattr(error, 'lineno', None) or 1
        said = getattr(error, 'msg', None) or str(error)
        return (Finding(file=str(file.path), line=line, code='syntax', severity='error',
                        message=f'Python cannot read this line: {said}.',
                        remedy=f'Correct `{file.line(line)}`, or the line before it.'),)
    checks = (_entry_point, _imports, _calls, _unreachable, _keys, _divisions, _returns, _angles,
              _state)
    found = [finding for check in checks for finding in check(source)]
    return tuple(sorted(found, key=lambda finding: finding.line or 0))


def _at(source: Source, node: ast.AST, code: str, message: str, remedy: str,
        severity: Severity = 'error') -> Finding:
    return Finding(file=str(source.file.path), line=getattr(node, 'lineno', None), code=code,
                   severity=severity, message=message, remedy=remedy)


def _entry_point(source: Source) -> Iterator[Finding]:
    function = source.entry_point
    if function is None:
        # Bound by an assignment or an import: loading it will tell.
        if ENTRY_POINT in source.values or ENTRY_POINT in source.imported:
            return
        near = difflib.get_close_matches(ENTRY_POINT, source.functions, n=1, cutoff=0.5)
        node = source.functions[near[0]] if near else source.tree
        hint = f'Rename {near[0]} to {ENTRY_POINT}.' if near else f'Define {ENTRY_POINT}(params).'
        yield _at(source, node, 'entry-point', f'There is no function {ENTRY_POINT}.', hint)
        return
    arguments, remedy = function.args, f'Write: def {ENTRY_POINT}(params):'
    required = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    takes_one = bool(arguments.posonlyargs or arguments.args or arguments.vararg)
    if required > 1 or not takes_one or None in arguments.kw_defaults:
        yield _at(source, function, 'signature',
                  f'{ENTRY_POINT} is called with one argument, the dictionary.', remedy)
    if isinstance(function, ast.AsyncFunctionDef):
        yield _at(source, function, 'signature', f'{ENTRY_POINT} is async; nobody awaits it.',
                  remedy)


def _imports(source: Source) -> Iterator[Finding]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f'{"." * node.level}{node.module or ""}']
        else:
            continue
        for name in names:
            top = name.partition('.')[0]
            if top not in ALLOWED_IMPORTS or name.startswith('scipy.io'):
                yield _at(source, node, 'import-not-allowed',
                          f'A reward function may not import {name}.', REMEDY_OF_IMPORT.get(
                              top, 'Compute with math, random, numpy, scipy or shapely.'))


def _calls(source: Source) -> Iterator[Finding]:
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        name = source.qualified(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr == 'tofile':
            name, remedy = 'tofile', BANNED_CALLS['numpy.save']
        else:
            remedy = BANNED_CALLS.get(name or '', '')
        if remedy:
            yield _at(source, node, 'banned-call', f'A reward function may not call {name}().',
                      remedy)


def _unreachable(source: Source) -> Iterator[Finding]:
    for node in unreachable(source.tree):
        yield _at(source, node, 'unreachable', 'This line never runs: the one before it leaves.',
                  'Delete it, or move it up.', 'warning')


def _keys(source: Source) -> Iterator[Finding]:
    written = {source.key(node) for node in ast.walk(source.tree)
               if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Subscript | ast.Call):
            continue
        key = source.key(node)
        if key is not None and key not in KEYS and key not in written:
            near = difflib.get_close_matches(key, KEYS, n=1)
            remedy = (f'Did you mean {near[0]!r}?' if near else
                      f'The keys are: {", ".join(KEYS)}.')
            yield _at(source, node, 'unknown-key', f'The dictionary has no key {key!r}.', remedy)


def _divisions(source: Source) -> Iterator[Finding]:
    for node, when in divisions(source):
        text = ast.unparse(node)
        yield _at(source, node, 'division-by-zero', f'`{text}` is 0 {when}, and dividing by 0 '
                  'is an error.', f'Divide by max({text}, 0.01) or check it with `if` before.',
                  'warning')


def _returns(source: Source) -> Iterator[Finding]:
    function = source.entry_point
    if function is None:
        return
    returns = [node for node in _own_nodes(function) if isinstance(node, ast.Return)]
    for node in returns:
        if node.value is None or (isinstance(node.value, ast.Constant)
                                  and node.value.value is None):
            yield _at(source, node, 'returns-none', 'This returns no number.',
                      'Return a number, for example 0.0.')
    if not returns:
        yield _at(source, function, 'returns-none', f'{ENTRY_POINT} never returns a number.',
                  'End it with `return float(reward)`.')
    elif falls_through(function.body):
        yield _at(source, function, 'returns-none',
                  f'A way through {ENTRY_POINT} may end without `return`; that gives None.',
                  'End it with `return float(reward)`.', 'warning')


def _own_nodes(function: FunctionDef) -> Iterator[ast.AST]:
    """All nodes of a function but those of functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, FunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def _angles(source: Source) -> Iterator[Finding]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and node.args and (
                source.qualified(node.func) in TRIGONOMETRY):
            key, name = source.key(node.args[0]), source.qualified(node.func)
            if key in IN_DEGREES:
                yield _at(source, node, 'degrees-for-radians',
                          f'{key!r} is in degrees, but {name} wants radians.',
                          f"Write math.radians(params['{key}']).")
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Add):
            sides = (node.left, node.right)
            degrees = any(source.key(side) in IN_DEGREES for side in sides)
            if degrees and any(_in_radians(source, side) for side in sides):
                yield _at(source, node, 'degrees-for-radians',
                          f'`{ast.unparse(node)}` mixes degrees with radians.',
                          'Convert one of them: math.degrees(...) or math.radians(...).')


def _in_radians(source: Source, node: ast.expr) -> bool:
    node = source.resolved(node)
    return isinstance(node, ast.Call) and source.qualified(node.func) in IN_RADIANS


def _state(source: Source) -> Iterator[Finding]:
    """Memory that is not cleared when an episode begins."""
    if 'steps' in source.keys_in(source.tree):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Global):
            yield _at(source, node, 'module-state',
                      f'{", ".join(node.names)} keeps its value when an episode ends, and the '
                      'next one begins with it.',
                      "Set it anew where params['steps'] <= 1.", 'warning')
