"""Ways through a program: lines that none reaches, and ways that end without a `return`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import pairwise

_LEAVING = (ast.Return, ast.Raise, ast.Break, ast.Continue)


def unreachable(tree: ast.AST) -> Iterator[ast.stmt]:
    """First statement of every block that follows one which never goes on."""
    for node in ast.walk(tree):
        for name in ('body', 'orelse', 'finalbody'):
            block = getattr(node, name, None)
            if isinstance(block, list):
                for statement, after in pairwise(block):
                    if isinstance(statement, _LEAVING) or not _goes_on(statement):
                        yield after
                        break


def falls_through(block: Sequence[ast.stmt]) -> bool:
    """Whether a block may reach its end, as far as reading can tell."""
    return all(_goes_on(statement) for statement in block)


def _goes_on(statement: ast.stmt) -> bool:
    """Whether the statement after this one may be reached."""
    match statement:
        case ast.Return() | ast.Raise():
            return False
        case ast.If(body=body, orelse=orelse):
            return falls_through(body) or falls_through(orelse)
        case ast.With(body=body) | ast.AsyncWith(body=body):
            return falls_through(body)
        case ast.While(test=ast.Constant(value=value), body=body) if value:
            return any(isinstance(node, ast.Break) for part in body for node in ast.walk(part))
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
            if not falls_through(finalbody):
                return False
            done = falls_through([*body, *orelse])
            return done or any(falls_through(handler.body) for handler in handlers)
        case ast.Match(cases=cases):
            last = cases[-1].pattern
            is_complete = isinstance(last, ast.MatchAs) and last.pattern is None
            return not is_complete or any(falls_through(case.body) for case in cases)
        case _:
            return True
