"""What the inference node takes at 15 Hz: share of a core, memory, and time to answer."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from racer_rl.benchmarks.cpu_share import cpu_share
from racer_rl.benchmarks.machine import peak_memory_mib
from racer_rl.benchmarks.subjects import Subject
from racer_rl.benchmarks.views import write_views
from racer_rl.drive.domain import private_domain
from racer_rl.drive.graph import car_parameters, write_parameters
from racer_rl.drive.timing import Percentiles
from racer_vehicle.supervise import Program, Supervisor

SETTLE_S: Final = 2.0
"""Before counting: by then the node has found everybody, and the first decisions are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """One policy in the real node, with one share of a core.

    Attributes:
        name: Of the policy.
        precision: Of its weights.
        cpu_share: Of one core, that the node's process was allowed; 1 is without a quota.
        images: Shown at 15 Hz.
        unanswered: Of them, those without a command.
        answered: From publishing an image to the arrival of the command, by one clock; transport
            both ways included.
        core_percent: Of one core at full speed that the process used, all its threads.
        memory_mib: Main memory of the process, at most.
    """

    name: str
    precision: str
    cpu_share: float
    images: int
    unanswered: int
    answered: Percentiles | None
    core_percent: float
    memory_mib: float


def measure_node(subject: Subject, share: float, seconds: float, track: str) -> NodeResult:
    """Start an inference node, show it images at 15 Hz and see what it takes.

    Args:
        subject: The policy.
        share: Of one core, that the node gets once it decides; 1: as much as it likes.
        seconds: Of driving.
        track: What the camera sees.

    Raises:
        ConfigError: This system gives no share of a core.
        RacerError: The node does not start, or falls silent.
    """
    from racer_rl.nodes.inference_load import under_load

    card = subject.bundle.card
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix='racer-bench-')))
        subject.bundle.write(folder / 'policy.racer')
        write_views(folder / 'views.npz', card, track)
        parameters = car_parameters(card) | {'bundle': str(folder / 'policy.racer')}
        file = write_parameters(folder, 'inference', parameters)
        stack.enter_context(private_domain(folder))
        group = stack.enter_context(cpu_share(share)) if share < 1.0 else None
        supervisor = stack.enter_context(Supervisor(folder, os.environ))
        with np.load(folder / 'views.npz') as views:
            node = stack.enter_context(under_load(card, views['images'], views['scans']))
        supervisor.start(Program(name='inference', module='racer_vehicle.nodes.inference_node',
                                 arguments=('--ros-args', '--params-file', str(file))))
        node.await_answer(supervisor.require_alive)
        process = supervisor.process_id('inference')
        if group is not None:
            group.write_text(str(process), encoding='ascii')
        node.drive(SETTLE_S)
        before_s = _cpu_s(process)
        images, unanswered, answered = node.drive(seconds)
        used_s = _cpu_s(process) - before_s
        return NodeResult(
            name=subject.name, precision=card.precision, cpu_share=share, images=images,
            unanswered=unanswered, answered=answered,
            core_percent=round(100.0 * used_s / seconds, 1), memory_mib=peak_memory_mib(process),
        )


def _cpu_s(process: int) -> float:
    """CPU time of a process, all threads, by `/proc` (fields 14 and 15 of proc_pid_stat(5))."""
    text = Path(f'/proc/{process}/stat').read_text('ascii')
    fields = text.rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
