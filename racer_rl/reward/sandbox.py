"""A person's reward function in a process of its own, which cannot harm the one that asks.

One round trip pays all cars of a step. A function that does not return, or takes its process down,
becomes a `RewardError` that names the line, as does one that raises.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import select
import signal
import subprocess
import sys
import weakref
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from racer_rl.reward.channel import Channel, ChannelClosedError
from racer_rl.reward.loading import RewardFile
from racer_rl.reward.params import Numbers, Waypoints
from racer_rl.reward.worker import ELAPSED, WORK
from racer_vehicle.children import owned
from racer_vehicle.errors import RewardError
from racer_vehicle.spec import require_range

_BOOT: Final = ('import json, sys; sys.path[:] = json.loads(sys.argv.pop()); '
                'from racer_rl.reward.worker import main; main()')

_DUMP_S: Final = 0.5
"""How long a process that hangs may take to say where."""

_LIBC: Final = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """What a reward function may use.

    Attributes:
        memory_mib: Memory beyond that of its libraries.
        patience_s: Longest time for a step, or for loading the file, by the clock.
        patience_per_car_s: In addition, for every car.
        start_s: Longest time until Python and the libraries are there.
    """

    memory_mib: int = 1024
    patience_s: float = 1.0
    patience_per_car_s: float = 0.1
    start_s: float = 60.0

    def __post_init__(self) -> None:
        require_range(self, memory_mib=(16, 1 << 20), patience_s=(0.05, 3600),
                      patience_per_car_s=(0.0, 60.0), start_s=(1.0, 3600))

    def within_s(self, cars: int) -> float:
        """Longest time for a step of so many cars."""
        return self.patience_s + cars * self.patience_per_car_s


class Line(NamedTuple):
    """Something printed: by which car (-1 while the file was loaded), and what."""

    car: int
    text: str


class Paid(NamedTuple):
    """What a step brought.

    Attributes:
        rewards: float64 (N,), NaN where the function failed.
        failures: Car and what a person should read of it.
        lines: The first that were printed.
        dropped: How many lines more were printed.
        seconds: What the calls took.
    """

    rewards: NDArray[np.float64]
    failures: tuple[tuple[int, str], ...]
    lines: tuple[Line, ...]
    dropped: int
    seconds: float


class RewardSandbox:
    """The process and its instances of the function, one a car."""

    def __init__(self, reward: RewardFile, waypoints: Sequence[Waypoints], cars: int, *,
                 seed: int = 0, limits: SandboxLimits | None = None) -> None:
        """Start the process and load the file in it.

        Args:
            reward: The file.
            waypoints: Of every course, closed.
            cars: How many instances.
            seed: Of Python's and NumPy's global random numbers, and of the order of sets.
            limits: What it may use.

        Raises:
            RewardError: The file does not load.
        """
        self._reward, self._limits, self._cars = reward, limits or SandboxLimits(), cars
        bell = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_CLOEXEC)
        self._process = _start(seed, bell)
        self._close = weakref.finalize(self, _end, self._process, bell, os.getpid())
        assert self._process.stdin is not None and self._process.stdout is not None
        self._channel = Channel(self._process.stdout.fileno(), self._process.stdin.fileno(),
                                ring=bell)
        within_s = self._limits.within_s(cars)
        setup = {'path': str(reward.path), 'source': reward.source, 'sha256': reward.sha256,
                 'cars': cars, 'seed': seed, 'waypoints': waypoints, 'cpu_s': within_s,
                 'memory_bytes': self._limits.memory_mib << 20}
        self._waiting_for = 0
        self._core = _OtherCore(self._process.pid, os.sched_getaffinity(0))
        self._send(json.dumps(setup).encode())
        self._receive(self._limits.start_s)
        answer = json.loads(self._receive(within_s))
        if 'error' in answer:
            self.close()
            raise RewardError(answer['error'])

    def pay(self, numbers: Numbers) -> Paid:
        """Call the function for all cars.

        Args:
            numbers: Of as many cars as there are instances, or fewer.

        Raises:
            RewardError: It did not return in time, or ended its process.
        """
        self.ask(numbers)
        return self.answer()

    def ask(self, numbers: Numbers) -> None:
        """Have the function called, and do something else meanwhile; `answer` brings the result.

        Args:
            numbers: As for `pay`.

        Raises:
            RewardError: The process has ended.
        """
        if self._waiting_for:
            self.answer()  # of one who was interrupted before he heard it
        cars, objects = numbers.cars.shape[1], numbers.objects.shape[1]
        self._core.leave_ours()
        self._send(WORK.pack(cars, objects), numbers.cars.tobytes(), numbers.objects.tobytes())
        self._waiting_for = cars

    def answer(self) -> Paid:
        """What came of the last `ask`.

        Raises:
            RewardError: The function did not return in time, or ended its process.
        """
        cars = self._waiting_for
        answer = self._receive(self._limits.within_s(cars))
        self._waiting_for = 0
        end = ELAPSED.size + 8 * cars
        said: dict[str, Any] = json.loads(answer[end:]) if len(answer) > end else {}
        return Paid(
            rewards=np.frombuffer(answer[ELAPSED.size:end]),
            failures=tuple((car, text) for car, text in said.get('failures', ())),
            lines=tuple(Line(*line) for line in said.get('lines', ())),
            dropped=said.get('dropped', 0),
            seconds=ELAPSED.unpack_from(answer)[0],
        )

    def memory_blocks(self) -> int:
        """How many pieces of memory Python holds in the process."""
        self._send(WORK.pack(0, 0))
        return int.from_bytes(self._receive(self._limits.start_s), 'little')

    def close(self) -> None:
        """End the process; a second time does nothing."""
        self._close()

    def _send(self, *parts: bytes) -> None:
        try:
            self._channel.send(*parts)
        except ChannelClosedError:
            raise self._ended() from None

    def _receive(self, within_s: float) -> bytes:
        try:
            return self._channel.receive(within_s)
        except TimeoutError:
            raise self._late(within_s) from None
        except ChannelClosedError:
            raise self._ended() from None

    def _late(self, within_s: float) -> RewardError:
        self._process.send_signal(signal.SIGUSR1)
        place, _ = self._last_words()
        self.close()
        return RewardError(
            f'{place} did not return within {within_s:.1f} s; a call should take less than '
            'a thousandth of that. Look for a loop that never ends.'
        )

    def _ended(self) -> RewardError:
        place, said = self._last_words()
        try:
            code = self._process.wait(timeout=1.0)
            how = signal.Signals(-code).name if code < 0 else f'exit code {code}'
        except subprocess.TimeoutExpired:
            how = 'it closed its pipes'
        self.close()
        return RewardError(
            f'{place} ended the process of the reward function ({how}{said}): out of time or '
            'memory, or it left the program; let it only compute and return a number.'
        )

    def _last_words(self) -> tuple[str, str]:
        """The place in the file at which the process is or was, and what else it complained of."""
        assert self._process.stderr is not None
        stream, said = self._process.stderr.fileno(), b''
        while select.select([stream], [], [], _DUMP_S)[0] and (part := os.read(stream, 65536)):
            said += part
        path = str(self._reward.path)
        name = re.escape(path.encode('ascii', 'backslashreplace'))
        if found := re.search(rb'File "' + name + rb'", line (\d+)', said):
            line = int(found[1])
            return f'{path}:{line}: `{self._reward.line(line)}`', ''
        last = said.decode(errors='replace').strip().rpartition('\n')[2]
        return path, f': {last}' if last else ''


class _OtherCore:
    """Keeps a process off the core on which it is asked, where there is another one.

    Linux likes to wake it right there: it then takes the place of the one who asks, and both work
    in turns instead of side by side.
    """

    def __init__(self, process_id: int, cores: Collection[int]) -> None:
        """Leave the process where it is.

        Args:
            process_id: Of the process.
            cores: Both may use.
        """
        self._process_id, self._cores, self._ours = process_id, set(cores), -1

    def leave_ours(self) -> None:
        """Send the process elsewhere, if the one who asks has moved to another core."""
        ours = _LIBC.sched_getcpu()
        if ours != self._ours and len(self._cores) > 1:
            self._ours = ours
            with suppress(OSError):  # it has ended, or a container does not allow it
                os.sched_setaffinity(self._process_id, self._cores - {ours})


def _start(seed: int, bell: int) -> subprocess.Popen[bytes]:
    """A Python that finds the same modules and knows nothing else of this process."""
    environment = {'PYTHONHASHSEED': str(seed % 2**32), 'OMP_NUM_THREADS': '1',
                   'OPENBLAS_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1'}
    if 'LD_LIBRARY_PATH' in os.environ:  # some installations do not find their libraries without
        environment['LD_LIBRARY_PATH'] = os.environ['LD_LIBRARY_PATH']
    path = json.dumps([os.path.abspath(entry) for entry in sys.path if entry])
    return subprocess.Popen(
        [sys.executable, '-s', '-P', '-c', _BOOT, str(bell), path],
        env=owned(environment), cwd='/', bufsize=0, pass_fds=(bell,),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the one who asks
    )


def _end(process: subprocess.Popen[bytes], bell: int, owner: int) -> None:
    if os.getpid() != owner:  # a fork of the one who started it may forget it, not end it
        return
    process.kill()
    process.wait()
    os.close(bell)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
