"""The process in which Gazebo's services are called; `transport.Requests` starts it."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection
from typing import Any

from racer_sim.gazebo import wire
from racer_sim.gazebo.transport import bindings


def serve(link: Connection) -> None:
    """Pass requests on to Gazebo, and its answers back, until the other end is closed.

    Args:
        link: Takes service, types of request and answer, milliseconds, request; gives the answer,
            empty if none came in time.
    """
    node: Any = bindings().Node()
    while True:
        try:
            message = link.recv_bytes()
        except EOFError:
            return
        service, kind, answer_kind, patience_ms, request = (
            bytes(wire.as_bytes(content)) for _, content in wire.fields(message))
        answered, answer = node.request_raw(service.decode(), request, kind.decode(),
                                            answer_kind.decode(), int(patience_ms))
        link.send_bytes(answer if answered else b'')


if __name__ == '__main__':
    serve(Connection(int(sys.argv[1])))
