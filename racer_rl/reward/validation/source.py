"""A reward file as a tree, with what its names stand for as far as reading can tell."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from racer_rl.reward.loading import ENTRY_POINT, RewardFile

FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef

_DEEPEST = 8
"""Variables that stand for variables are followed no further."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What the checks look at.

    Attributes:
        file: The file.
        tree: Its module.
        functions: Functions of the module by name.
        imported: Local name to what it stands for, e.g. `np` to `numpy`.
        params: Names under which functions receive the dictionary.
        values: Variable to the only expression that is ever assigned to it.
    """

    file: RewardFile
    tree: ast.Module
    functions: dict[str, FunctionDef]
    imported: dict[str, str]
    params: frozenset[str]
    values: dict[str, ast.expr]

    @property
    def entry_point(self) -> FunctionDef | None:
        """The reward function."""
        return self.functions.get(ENTRY_POINT)

    def qualified(self, node: ast.expr) -> str | None:
        """Dotted name of something imported or built in, e.g. `numpy.save`; None of all else."""
        if isinstance(node, ast.Attribute):
            owner = self.qualified(node.value) if isinstance(
                node.value, ast.Name | ast.Attribute) else None
            return f'{owner}.{node.attr}' if owner else None
        if not isinstance(node, ast.Name) or node.id in self.functions or node.id in self.values:
            return None
        return self.imported.get(node.id, node.id)

    def resolved(self, node: ast.expr) -> ast.expr:
        """The expression behind a variable that has only one value."""
        for _ in range(_DEEPEST):
            if not isinstance(node, ast.Name) or node.id not in self.values:
                break
            node = self.values[node.id]
        return node

    def key(self, node: ast.expr) -> str | None:
        """The key of `params['key']` or `params.get('key')`, also through a variable."""
        node = self.resolved(node)
        if isinstance(node, ast.Subscript) and self._is_params(node.value):
            return _text(node.slice)
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
                and node.func.attr == 'get' and self._is_params(node.func.value)):
            return _text(node.args[0])
        return None

    def keys_in(self, node: ast.AST) -> set[str]:
        """All keys that an expression reads, variables followed."""
        found = {self.key(part) for part in ast.walk(node) if isinstance(part, ast.expr)}
        return {key for key in found if key is not None}

    def _is_params(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self.params


def parse(file: RewardFile) -> Source:
    """Parse a file and collect its names.

    Raises:
        SyntaxError: It is no Python.
    """
    tree = ast.parse(file.source, str(file.path))
    functions = {node.name: node for node in tree.body if isinstance(node, FunctionDef)}
    return Source(file=file, tree=tree, functions=functions, imported=dict(_imported(tree)),
                  params=_params_names(tree, functions), values=_single_values(tree))


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition('.')[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, f'{node.module}.{alias.name}'


def _params_names(tree: ast.Module, functions: dict[str, FunctionDef]) -> frozenset[str]:
    """The argument of the reward function, and those of functions to which it is handed on."""
    entry = functions.get(ENTRY_POINT)
    if entry is None or not (entry.args.posonlyargs or entry.args.args):
        return frozenset()
    names = {_argument_names(entry)[0]}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for _ in functions:  # a chain of calls is no longer than there are functions
        for call in calls:
            if isinstance(call.func, ast.Name) and call.func.id in functions:
                arguments = _argument_names(functions[call.func.id])
                names |= {name for name, given in zip(arguments, call.args, strict=False)
                          if isinstance(given, ast.Name) and given.id in names}
    return frozenset(names)


def _argument_names(function: FunctionDef) -> list[str]:
    return [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]


def _single_values(tree: ast.Module) -> dict[str, ast.expr]:
    stored = Counter(node.id for node in ast.walk(tree)
                     if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return {node.targets[0].id: node.value for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and len(node.targets) == 1
            and isinstance(node.targets[0], ast.Name) and stored[node.targets[0].id] == 1}


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
