"""A user's reward file: load it, call it, and say in one line what is wrong with it and where."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import inspect
import math
import numbers
import os
import reprlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

import numpy as np

from racer_vehicle.errors import RewardError

ENTRY_POINT: Final = 'reward_function'

LARGEST_REWARD: Final = 1e5
"""DeepRacer aborts a job over a reward outside +-1e5; so do we, and say why."""

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardFile:
    """A reward file that has been read, not run.

    Attributes:
        path: The file, absolute.
        source: Its text.
        sha256: Of its bytes, hexadecimal.
    """

    path: Path
    source: str
    sha256: str

    def load(self) -> RewardFunction:
        """Run the file in this process, with module globals of its own.

        Raises:
            RewardError: It cannot be parsed or run, or has no `reward_function` of one argument.
        """
        return _run(self, _compiled(self.path, self.source))

    def line(self, number: int) -> str:
        """Text of a line, from 1."""
        return _text_of(number, self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardFunction(RewardFile):
    """A loaded reward file.

    Its module globals are its memory and belong to this object alone: cars that drive at the same
    time each need their own, from `fresh`.

    Attributes:
        function: The user's own `reward_function`, unchecked.
    """

    function: Callable[[Params], object] = field(repr=False, compare=False)

    def reward_of(self, params: Params) -> float:
        """Call the function and check what it returns.

        Args:
            params: DeepRacer's reward parameters (degrees, percent).

        Returns:
            A finite number within +-1e5.

        Raises:
            RewardError: The function raised, or returned anything else.
        """
        try:
            reward = self.function(params)
        except (Exception, SystemExit) as error:  # a stranger's code may raise anything
            raise RewardError(self._raised(error, params)) from error
        # The usual case in one line; NaN fails the comparison too.
        if type(reward) is float and -LARGEST_REWARD <= reward <= LARGEST_REWARD:
            return reward
        return self._checked(reward, params)

    __call__ = reward_of

    def fresh(self) -> RewardFunction:
        """The same source with module globals of its own, as if just loaded."""
        return self.load()

    def _checked(self, reward: object, params: Params) -> float:
        # bool, int and numpy's scalars count as numbers, as they did for DeepRacer.
        number: Any = reward if isinstance(reward, numbers.Real | np.bool_) else math.nan
        if -LARGEST_REWARD <= number <= LARGEST_REWARD:
            return float(number)
        raise RewardError(
            f'{self.path}: {ENTRY_POINT} returned {_short(reward)} at {_moment(params)}; allowed: '
            f'a finite number from {-LARGEST_REWARD:g} to {LARGEST_REWARD:g}. '
            'Make every way through the function return one.'
        )

    def _raised(self, error: BaseException, params: Params) -> str:
        line = _line_of(error, self.path)
        hint = ''
        if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
            near = difflib.get_close_matches(error.args[0], list(params), n=1)
            hint = f' Did you mean params[{near[0]!r}]?' if near else ''
        elif isinstance(error, MemoryError):
            hint = ' It asks for more memory than a reward function may have. Keep less.'
        return (f'{self.path}:{line}: `{_text_of(line, self.source)}` raised {_named(error)} '
                f'at {_moment(params)}; correct this line.{hint}')


def read_reward(path: str | os.PathLike[str]) -> RewardFile:
    """Read a reward file without running any of it.

    Args:
        path: The file.

    Raises:
        RewardError: It cannot be read as text.
    """
    resolved = Path(path).expanduser().resolve()
    try:
        content = resolved.read_bytes()
    except OSError as error:
        raise RewardError(f'{resolved}: {error.strerror or error}; '
                          f'give the path of a Python file that defines {ENTRY_POINT}.') from error
    try:
        source = importlib.util.decode_source(content)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise RewardError(f'{resolved}:1: {_named(error)}; save the file as UTF-8.') from error
    return RewardFile(path=resolved, source=source, sha256=hashlib.sha256(content).hexdigest())


def load_reward(path: str | os.PathLike[str]) -> RewardFunction:
    """Load a Python file that defines `reward_function(params)` in this process.

    The file runs with fresh globals, under its real path so that tracebacks show its lines.

    Args:
        path: The file.

    Raises:
        RewardError: It cannot be read, parsed or run, or has no such function of one argument.
    """
    return read_reward(path).load()


def _compiled(path: Path, source: str) -> CodeType:
    try:
        return compile(source, str(path), 'exec', dont_inherit=True)
    except SyntaxError as error:
        text = (error.text or '').strip()
        raise RewardError(f'{path}:{error.lineno or 1}: {error.msg} at `{text}`; '
                          'correct the syntax.') from error
    except ValueError as error:  # Python 3.11 says so of a null byte
        raise RewardError(f'{path}:1: {error}; save the file as plain text.') from error


def _run(file: RewardFile, code: CodeType) -> RewardFunction:
    path, source = file.path, file.source
    module = ModuleType(f'reward_{file.sha256[:16]}')
    module.__file__ = str(path)
    # Some decorators, dataclass for one, look for their module while it runs.
    sys.modules[module.__name__] = module
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:  # a stranger's code may raise anything
        line = _line_of(error, path)
        raise RewardError(f'{path}:{line}: `{_text_of(line, source)}` raised {_named(error)} '
                          'while the file was loaded; correct this line.') from error
    finally:
        del sys.modules[module.__name__]
    function = _entry_point(path, module)
    return RewardFunction(path=path, source=source, sha256=file.sha256, function=function)


def _entry_point(path: Path, module: ModuleType) -> Callable[[Params], object]:
    function: Callable[[Params], object] | None = getattr(module, ENTRY_POINT, None)
    defined = {name: value.__code__.co_firstlineno for name, value in vars(module).items()
               if isinstance(value, FunctionType) and value.__module__ == module.__name__}
    if not callable(function):
        near = difflib.get_close_matches(ENTRY_POINT, defined, n=1, cutoff=0.5)
        where, hint = (f':{defined[near[0]]}', f' Rename {near[0]}?') if near else ('', '')
        raise RewardError(f'{path}{where}: no function {ENTRY_POINT}; '
                          f'define {ENTRY_POINT}(params).{hint}')
    signature = inspect.signature(function)
    try:
        signature.bind({})
    except TypeError as error:
        raise RewardError(
            f'{path}:{defined.get(ENTRY_POINT, 1)}: {ENTRY_POINT}{signature} cannot be called '
            f'with one argument; define it as {ENTRY_POINT}(params).'
        ) from error
    return function


def _line_of(error: BaseException, path: Path) -> int:
    """The deepest line of the user's file that an exception passed through."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _text_of(line: int, source: str) -> str:
    # Not splitlines: Python counts only these as ends of lines.
    return source.split('\n')[line - 1].strip()


def _short(value: object) -> str:
    return f'{" ".join(reprlib.repr(value).split())} ({type(value).__name__})'


def _named(error: BaseException) -> str:
    """An exception's type and message on one line."""
    message = ' '.join(str(error).split())
    return f'{type(error).__name__}: {message}' if message else type(error).__name__


def _moment(params: Params) -> str:
    """Where in the episode a call happened, from whatever of it is there."""
    known = ('steps', 'progress', 'x', 'y')
    return ', '.join(f'{key}={params[key]}' for key in known if key in params) or 'unknown moment'
