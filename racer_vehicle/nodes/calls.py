"""Services of the graph, called by somebody who can wait for the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from rclpy.client import Client
from rclpy.executors import Executor
from rclpy.node import Node

from racer_vehicle.errors import RacerError
from racer_vehicle.nodes import ros

WAKE_S: Final = 0.1

ASK_AGAIN_S: Final = 4.0
"""A server may hear a request before DDS has shown it where the answer goes, which is then lost.
Every service of the contract sets a state, so that asking twice does no harm."""


class SilenceError(RacerError):
    """Something that a node of the graph should have said did not come."""


class RefusedError(RacerError):
    """A service was asked for what it does not do.

    Attributes:
        reason: As its server gave it.
    """

    def __init__(self, name: str, reason: str) -> None:
        """Compose the message.

        Args:
            name: Of the service.
            reason: Of its server.
        """
        super().__init__(f'{name} was refused: {reason}')
        self.reason = reason


def spin_until(executor: Executor, done: Callable[[], bool], patience_s: float, what: str) -> None:
    """Serve topics until something is true.

    Args:
        executor: To spin.
        done: Looked at after every message.
        patience_s: Longest wait, seconds.
        what: Is waited for, for the message.

    Raises:
        SilenceError: It took longer.
    """
    until_s = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > until_s:
            raise SilenceError(f'{what} did not come for {patience_s:g} s; check that all nodes '
                               'run, in one ROS domain.')
        executor.spin_once(timeout_sec=WAKE_S)


def call(node: Node, name: str, request: Any, executor: Executor, patience_s: float,
         namespace: str = '') -> Any:
    """Call a service of the contract.

    Args:
        node: That calls; added to the executor.
        name: Of the service.
        request: Its request.
        executor: To spin meanwhile.
        patience_s: Longest wait for the server, and for its answer.
        namespace: Below the node's own.

    Returns:
        The response.

    Raises:
        SilenceError: There is no such server, or no answer.
        RefusedError: The server refuses, with its reason.
    """
    client = ros.client(node, name, namespace)
    try:
        return ask(client, name, request, executor, patience_s)
    finally:
        node.destroy_client(client)


def ask(client: Client, name: str, request: Any, executor: Executor, patience_s: float) -> Any:
    """Call a service by a client that is kept, and so need not be found anew each time.

    Args:
        client: Of the service.
        name: Of the service, for messages.
        request: As of `call`, and so the rest.
        executor: As of `call`.
        patience_s: As of `call`.

    Raises:
        SilenceError: There is no such server, or no answer.
        RefusedError: The server refuses.
    """
    spin_until(executor, client.service_is_ready, patience_s, f'service {name}')
    asked: list[Any] = []
    ask_s = time.monotonic()

    def is_answered() -> bool:
        if time.monotonic() >= ask_s + len(asked) * ASK_AGAIN_S:
            asked.append(client.call_async(request))
        return any(future.done() for future in asked)

    spin_until(executor, is_answered, patience_s, f'an answer of {name}')
    response = next(future.result() for future in asked if future.done())
    if not response.success:
        raise RefusedError(name, response.message)
    return response
