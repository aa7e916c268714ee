"""Runs a node as a process, and lets it stop in order on every way out."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Final, Protocol

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from racer_vehicle.contract import TRANSPORT
from racer_vehicle.errors import RacerError

WAKE_S: Final = 0.05
"""Longest time until a signal is seen: Python runs its handlers between two waits."""

FAILED: Final = 2
"""Exit status after an error that its message explains."""


class Stoppable(Protocol):
    """What `run_node` runs: a `Node` with an end."""

    def stop(self) -> None:
        """Leave everything safe: motor neutral, devices closed."""
        ...

    @property
    def context(self) -> Context:
        """As of `Node`."""
        ...

    def destroy_node(self) -> None:
        """As of `Node`."""
        ...


def run_node(make: Callable[[], Stoppable], arguments: list[str] | None = None) -> int:
    """Spin a node until a signal, a shutdown or an error; its `stop` runs on each of them.

    rclpy's own signal handlers are not used: they shut the context down first, and then a
    simulated motor could not be told to be neutral any more.

    Args:
        make: Makes the node, inside an initialised rclpy.
        arguments: Of the command line; those of the process by default.

    Returns:
        Exit status: 0 after a signal, `FAILED` after a `RacerError`.
    """
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    os.environ.setdefault(*TRANSPORT)
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        spin(make(), stopping)
    except RacerError as error:
        get_logger('racer').fatal(str(error))
        return FAILED
    finally:
        rclpy.try_shutdown()
    return 0


def spin(node: Stoppable, stopping: threading.Event) -> None:
    """Spin a node until the event, or until its context is shut down, and stop it.

    Raises:
        Exception: Whatever a callback raised, after the node was stopped.
    """
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    try:
        # A context that is shut down while somebody waits raises; one shut down before does not.
        while node.context.ok() and not stopping.is_set():
            executor.spin_once(timeout_sec=WAKE_S)
    except ExternalShutdownException:
        get_logger('racer').info('the context was shut down')
    finally:
        node.stop()
        executor.shutdown()
        node.destroy_node()
