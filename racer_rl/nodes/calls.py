"""Services of the graph, called by somebody who can wait for the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

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
        RacerError: The server refuses, with its reason.
    """
    client = ros.client(node, name, namespace)
    try:
        spin_until(executor, client.service_is_ready, patience_s, f'service {name}')
        asked: list[Any] = []
        ask_s = time.monotonic()

        def is_answered() -> bool:
            if time.monotonic() >= ask_s + len(asked) * ASK_AGAIN_S:
                asked.append(client.call_async(request))
            return any(future.done() for future in asked)

        spin_until(executor, is_answered, patience_s, f'an answer of {name}')
        response = next(future.result() for future in asked if future.done())
    finally:
        node.destroy_client(client)
    if not response.success:
        raise RacerError(f'{name} was refused: {response.message}')
    return response
