"""The process in which a person's reward function runs; `sandbox` starts it and talks to it.

It imports no more than the function needs. Messages: a setup as JSON; an empty answer once all
libraries are there; an answer as JSON once the function is loaded; then work and answers until the
other side goes.
"""

from __future__ import annotations

import ast
import faulthandler
import io
import json
import os
import random
import signal
import struct
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from racer_rl.reward.channel import Channel, ChannelClosedError
from racer_rl.reward.confinement import Confinement
from racer_rl.reward.loading import RewardFile
from racer_rl.reward.params import CAR, OBJECT, DictionaryMaker, Numbers
from racer_vehicle.errors import RewardError

WORK: Final = struct.Struct('<QQ')
"""Before the numbers of a piece of work: how many cars and objects; no cars: report memory."""

ELAPSED: Final = struct.Struct('<d')
"""Before the rewards of an answer: seconds that the calls took."""

LINES_A_STEP: Final = 20
LINE_LENGTH: Final = 300


class Printed(io.TextIOBase):
    """Stands for standard output: keeps the first lines, each with its car, counts the rest."""

    def __init__(self) -> None:
        """Begin with nothing, while the file is loaded."""
        self.car = -1
        self._partial, self._lines, self._dropped = '', list[tuple[int, str]](), 0

    def write(self, text: str) -> int:
        """Take what `print` gives."""
        *lines, rest = text.split('\n')
        for line in lines:
            self._keep(self._partial + line)
            self._partial = ''
        self._partial = (self._partial + rest)[:LINE_LENGTH]
        return len(text)

    def _keep(self, line: str) -> None:
        if len(self._lines) < LINES_A_STEP:
            self._lines.append((self.car, line[:LINE_LENGTH]))
        else:
            self._dropped += 1

    def end_of_call(self, next_car: int) -> None:
        """Close a line that was left open, and go on with another car."""
        if self._partial:
            self._keep(self._partial)
            self._partial = ''
        self.car = next_car

    def take(self) -> dict[str, Any]:
        """What was printed since the last time; empty if nothing."""
        if not self._lines:
            return {}
        said = {'lines': self._lines, 'dropped': self._dropped}
        self._lines, self._dropped = [], 0
        return said


class Worker:
    """The function's instances, one a car, and what they see."""

    def __init__(self, setup: dict[str, Any], printed: Printed) -> None:
        """Load the file once for every car.

        Raises:
            RewardError: It does not load.
        """
        random.seed(setup['seed'])
        np.random.seed(setup['seed'] % 2**32)
        file = RewardFile(path=Path(setup['path']), source=setup['source'],
                          sha256=setup['sha256'])
        self._functions = [file.load().reward_of for _ in range(setup['cars'])]
        self._maker = DictionaryMaker(
            [[(x, y) for x, y in course] for course in setup['waypoints']])
        self._printed = printed

    def pay(self, numbers: Numbers) -> tuple[float, np.ndarray[Any, Any], dict[str, Any]]:
        """Call every car's function.

        Returns:
            Seconds of the calls, rewards (NaN where one failed), and what else is to be said.
        """
        params = self._maker.make(numbers)
        rewards, failures = np.full(len(params), np.nan), []
        began = time.perf_counter()
        for car, entry in enumerate(params):
            self._printed.car = car
            try:
                rewards[car] = self._functions[car](entry)
            except RewardError as error:
                failures.append((car, str(error)))
            self._printed.end_of_call(car + 1)
        elapsed = time.perf_counter() - began
        said = self._printed.take()
        return elapsed, rewards, {**said, 'failures': failures} if failures else said


def _channel() -> Channel:
    """Take the pipes away from where the person's code would find them."""
    channel = Channel(os.dup(0), os.dup(1), bell=int(sys.argv.pop()))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return channel


def _import_what_is_named(source: str) -> None:
    """Import the libraries that a file uses, before the limits and the clock apply.

    What fails here will fail again where the file says so, with its line.
    """
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes
              if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    for name in sorted(names):
        with suppress(ImportError):
            import_module(name)


def _serve(channel: Channel, setup: dict[str, Any]) -> None:
    printed = Printed()
    sys.stdout = sys.stderr = printed
    confinement = Confinement(setup['memory_bytes'], setup['cpu_s'])
    confinement.begin_work()
    try:
        worker, answer = Worker(setup, printed), {}
    except RewardError as error:
        worker, answer = None, {'error': str(error)}
    printed.end_of_call(0)
    confinement.end_work()
    channel.send(json.dumps(answer).encode())
    while worker is not None:
        request = channel.receive()
        cars, objects = WORK.unpack_from(request)
        if not cars:
            channel.send(struct.pack('<Q', sys.getallocatedblocks()))
            continue
        values = np.frombuffer(request, offset=WORK.size)
        split = len(CAR) * cars
        numbers = Numbers(values[:split].reshape(len(CAR), cars),
                          values[split:].reshape(len(OBJECT), objects))
        confinement.begin_work()
        elapsed, rewards, said = worker.pay(numbers)
        confinement.end_work()
        channel.send(ELAPSED.pack(elapsed), rewards.tobytes(),
                     json.dumps(said).encode() if said else b'')


def main() -> None:
    """Serve until the other side goes."""
    channel = _channel()
    faulthandler.enable(file=2, all_threads=False)
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=False)
    sys.dont_write_bytecode = True
    setup = json.loads(channel.receive())
    _import_what_is_named(setup['source'])
    channel.send(b'')
    with suppress(ChannelClosedError):
        _serve(channel, setup)
