"""Divisors that can be zero while a car drives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from racer_rl.reward.validation.source import FunctionDef, Source

CAN_BE_ZERO: Final = {
    'speed': 'while the car stands, at the start of every episode',
    'progress': 'at the start line',
    'steering_angle': 'while the wheels point straight ahead',
    'distance_from_center': 'on the centre line',
    'heading': 'while the car points along the x axis',
    'x': 'on the y axis',
    'y': 'on the x axis',
    'projection_distance': 'at the start line',
}
"""Key -> when it is zero."""

_CAN_BE_EMPTY: Final = (
    'objects_distance', 'objects_heading', 'objects_left_of_center', 'objects_location',
    'objects_speed', 'objects_distance_from_center',
)
_SAME_ZEROS: Final = ('abs', 'float', 'int', 'round', 'math.sqrt', 'math.fabs', 'math.radians',
                      'math.sin', 'math.tan', 'numpy.abs', 'numpy.sqrt', 'numpy.radians')


def divisions(source: Source) -> Iterator[tuple[ast.expr, str]]:
    """Divisors without a guard, each with the moment at which it is zero."""
    for function in source.functions.values():
        for node in ast.walk(function):
            if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(
                    node.op, ast.Div | ast.FloorDiv | ast.Mod):
                divisor = node.right if isinstance(node, ast.BinOp) else node.value
                if _is_text(node):
                    continue
                when = _zero(source, divisor)
                if when and not _is_guarded(source, function, divisor):
                    yield divisor, when


def _is_text(node: ast.BinOp | ast.AugAssign) -> bool:
    """Whether `%` puts values into text here."""
    return (isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant)
            and isinstance(node.left.value, str))


def _zero(source: Source, node: ast.expr) -> str | None:
    """When an expression is zero; None if not, or if one cannot tell."""
    key = source.key(node)
    if key is not None:
        return CAN_BE_ZERO.get(key)
    node = source.resolved(node)
    if isinstance(node, ast.UnaryOp):
        return _zero(source, node.operand)
    if isinstance(node, ast.Call):
        return _zero_call(source, node)
    if not isinstance(node, ast.BinOp):
        return None
    left, right = _zero(source, node.left), _zero(source, node.right)
    if isinstance(node.op, ast.Mult):
        return left or right
    if isinstance(node.op, ast.Div | ast.Pow):
        return left
    if isinstance(node.op, ast.Add):
        return left if left and right else None
    if isinstance(node.op, ast.Sub) and source.key(node.left) == 'steps':
        count = getattr(source.resolved(node.right), 'value', None)
        return f'at step {count}' if isinstance(count, int) and count >= 1 else None
    return None


def _zero_call(source: Source, node: ast.Call) -> str | None:
    name = source.qualified(node.func)
    if name == 'len' and node.args and source.key(node.args[0]) in _CAN_BE_EMPTY:
        return 'where there are no objects'
    if name in _SAME_ZEROS and node.args:
        return _zero(source, node.args[0])
    return None


def _is_guarded(source: Source, function: FunctionDef, divisor: ast.expr) -> bool:
    """Whether a condition before the division looks at what it divides by."""
    keys = source.keys_in(divisor)
    if isinstance(divisor, ast.Name) and divisor.id in source.values:
        keys |= source.keys_in(source.values[divisor.id])
    names = {part.id for part in ast.walk(divisor) if isinstance(part, ast.Name)} - source.params
    for node in ast.walk(function):
        tests = (node.test,) if isinstance(node, ast.If | ast.IfExp | ast.While) else ()
        for test in tests:
            if test.lineno <= divisor.lineno and (keys & source.keys_in(test) or names & {
                    part.id for part in ast.walk(test) if isinstance(part, ast.Name)}):
                return True
    return False
