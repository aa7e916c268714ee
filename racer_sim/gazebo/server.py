"""A Gazebo server as a child process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from racer_sim.gazebo.transport import ADDRESS, PARTITION, GazeboError
from racer_vehicle.children import ending_with_parent, owned

PATIENCE_S: Final = (5.0, 2.0, 2.0)
"""How long it gets to leave after SIGINT, after SIGTERM, and after SIGKILL."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
_INSTALL: Final = ('gz is not installed, or not in the PATH; allowed: Gazebo Harmonic (gz sim 8). '
                   'Install gz-harmonic, or source a ROS 2 Jazzy with ros_gz.')


def gz_program() -> str:
    """Path of `gz`.

    Raises:
        GazeboError: It is not there.
    """
    path = shutil.which('gz')
    if path is None:
        raise GazeboError(_INSTALL)
    return path


class GazeboServer:
    """`gz sim` with one world, in a partition of its own; a context that ends it."""

    def __init__(self, world: Path, partition: str, *, paused: bool, gui: bool) -> None:
        """Start it; it needs seconds until it answers.

        Args:
            world: SDF file; what the server prints goes into a file beside it.
            partition: Who can hear it; empty: that of the environment.
            paused: Whether it waits to be stepped.
            gui: Show it, or render without a screen.

        Raises:
            GazeboError: There is no Gazebo.
        """
        gz = gz_program()
        self._log = world.with_suffix('.log')
        # -v 3, because the default does not even tell of a joint that it cannot find.
        words = [gz, 'sim', '-v', '3', *([] if paused else ['-r']),
                 *([] if gui else ['-s', '--headless-rendering']), str(world)]
        environment = owned({**dict([ADDRESS]), **os.environ})
        if partition:
            environment[PARTITION] = partition
        with self._log.open('wb') as log:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=environment, cwd=world.parent, start_new_session=True,
                preexec_fn=ending_with_parent(signal.SIGINT))

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._log.read_text(encoding='utf-8', errors='replace')

    def require_alive(self) -> None:
        """Refuse to go on without it.

        Raises:
            GazeboError: With its exit status and the last lines that it printed.
        """
        status = self._process.poll()
        if status is not None:
            last = ' | '.join(self.output.strip().splitlines()[-4:]) or 'nothing'
            raise GazeboError(f'gz sim has ended with status {status}; allowed: to run until it '
                              f'is told to stop. It said: {last}')

    def close(self) -> None:
        """End it: ask, ask again, kill. A second time does nothing."""
        for number, patience_s in zip(_SIGNALS, PATIENCE_S, strict=True):
            if self._process.poll() is not None:
                return
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(patience_s)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close."""
        self.close()
