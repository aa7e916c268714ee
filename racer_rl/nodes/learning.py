"""The trainer node in this process, for whoever wants to know what came of it."""

from __future__ import annotations

from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from racer_rl.nodes.trainer_node import Outcome, TrainerNode


def learn(**parameters: Any) -> Outcome:
    """Train over topics until a limit is reached.

    Args:
        **parameters: Of the trainer node.

    Raises:
        RacerError: A parameter cannot be used, or the cars fall silent.
    """
    context = rclpy.Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor(context=context)
    try:
        node = TrainerNode(context=context, parameter_overrides=[
            Parameter(name, value=value) for name, value in parameters.items()])
        executor.add_node(node)
        try:
            return node.train(executor)
        finally:
            node.stop()
            executor.remove_node(node)
            node.destroy_node()
    finally:
        executor.shutdown()
        rclpy.try_shutdown(context=context)
