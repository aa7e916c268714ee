"""A drive through the whole graph: starts it, has the car race, and takes everything down."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool, Trigger

from racer_rl.drive.bag import Bag
from racer_rl.drive.domain import private_domain
from racer_rl.drive.graph import DrivePlan, programs
from racer_rl.drive.result import DriveResult, run_of
from racer_rl.drive.timing import Timing
from racer_rl.evaluation.laps import Evaluation, Run
from racer_rl.interruption import interrupt_flag
from racer_rl.nodes.operator import Operator
from racer_sim.race_watch import OVER, RaceState
from racer_vehicle.nodes.calls import call, spin_until
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.supervise import Supervisor

Tell = Callable[[str], None]
"""Takes a line of progress."""

PATIENCE_S: Final = 120.0
"""For six programs, one of which may be Gazebo, to start and find each other, on a machine that
does other things too."""

SILENCE_S: Final = 15.0
"""Longest time without a word of race control while the car races."""

LOOK_S: Final = 0.5
"""Between two looks at whether all programs still run."""


class Drive:
    """A running graph with a car that is ready to race; `running_graph` makes it.

    Attributes:
        supervisor: Of the programs.
        operator: Listens.
        timing: Of images and commands, while the car races.
    """

    def __init__(self, plan: DrivePlan, supervisor: Supervisor, executor: SingleThreadedExecutor,
                 operator: Operator, timing: Timing, interrupted: Sequence[int] = ()) -> None:
        """Take over what has been started.

        Args:
            plan: What to drive.
            supervisor: Of the programs, started.
            executor: Of the operator.
            operator: Listens.
            timing: The operator tells it of images and commands.
            interrupted: See `interrupt_flag`; what comes in there ends the drive.
        """
        self.plan, self.supervisor, self.operator = plan, supervisor, operator
        self.timing, self._executor = timing, executor
        self._control = AsyncParameterClient(operator, 'race_control')
        self._looked_s, self._interrupted = 0.0, interrupted

    def until(self, done: Callable[[], bool], patience_s: float, what: str) -> None:
        """Listen until something is true.

        Raises:
            SilenceError: It took longer than `patience_s`.
            ProgramError: A program has ended.
            KeyboardInterrupt: Ctrl-C. Raised amid a callback, rclpy might not let it through.
        """
        def alive_and_done() -> bool:
            if self._interrupted:
                raise KeyboardInterrupt
            if time.monotonic() - self._looked_s > LOOK_S:
                self._looked_s = time.monotonic()
                self.supervisor.require_alive()
            return done()

        spin_until(self._executor, alive_and_done, patience_s, what)

    def get_ready(self) -> None:
        """Wait until all parts speak; the motor stays disabled until a run begins."""
        wanted = PolicyBundle.read(self.plan.bundle).sha256
        self.until(lambda: self.operator.active.get('sha256') == wanted, PATIENCE_S,
                   'word that the policy is loaded')
        self.until(lambda: self.operator.race is not None, PATIENCE_S, 'word of race control')
        self.until(self._control.services_are_ready, PATIENCE_S, "race control's parameters")
        self.until(lambda: self.timing.hears_all, PATIENCE_S, 'an image and commands on it')

    def enable(self, wanted: bool = True) -> None:
        """Let commands through to the motor, or hold it neutral."""
        call(self.operator, 'motor/enable', SetBool.Request(data=wanted), self._executor,
             PATIENCE_S)

    def start_run(self, share: float) -> int:
        """Have race control put the car to a share of the lap and begin a run; its number.

        The car stands meanwhile: so every run begins with the first motion from its start, at
        whatever moment somebody asks for it.
        """
        self.enable(False)
        before = self.race.run
        choice = self._control.set_parameters([Parameter('start_share', value=share)])
        self.until(choice.done, SILENCE_S, 'an answer of race control')
        call(self.operator, 'race/reset', Trigger.Request(), self._executor, SILENCE_S)
        self.until(lambda: self.race.run > before and not self.race.lifting, SILENCE_S,
                   'a new run')
        self.enable()
        return self.race.run

    def run(self, share: float, tell: Tell) -> Run:
        """Race from a share of the lap until race control says that it is over."""
        self.start_run(share)
        self.timing.begin()
        while self.race.status not in OVER:
            self._await_news(self.race)
            tell(self.race.headline)
        self.timing.end()
        course = self.plan.course
        return run_of(self.race, course.track, reverse=course.reverse, share=share,
                      laps=self.plan.judged.laps)

    def _await_news(self, known: RaceState) -> None:
        self.until(lambda: self.race is not known, SILENCE_S, 'word of race control')

    @property
    def race(self) -> RaceState:
        """What race control said last."""
        assert self.operator.race is not None
        return self.operator.race


@contextmanager
def running_graph(plan: DrivePlan, bag: Bag | None = None) -> Iterator[Drive]:
    """Start everything, in a ROS domain of its own, and leave nothing behind.

    Args:
        plan: What to drive.
        bag: Records every topic.

    Yields:
        The graph, its car ready to race.

    Raises:
        RacerError: A program does not start, or the parts do not find each other.
    """
    with (tempfile.TemporaryDirectory(prefix='racer-drive-') as name,
          private_domain(Path(name))):
        folder, timing = Path(name), Timing(lockstep=plan.mode == 'lockstep')
        wanted = programs(plan, folder)
        with interrupt_flag() as interrupted, Supervisor(folder, os.environ) as supervisor:
            for program in wanted:
                supervisor.start(program)
            with _listening(timing, bag) as (executor, operator):
                drive = Drive(plan, supervisor, executor, operator, timing, interrupted)
                drive.get_ready()
                yield drive


@contextmanager
def _listening(timing: Timing,
               bag: Bag | None) -> Iterator[tuple[SingleThreadedExecutor, Operator]]:
    """A node of this process, in a ROS context of its own."""
    context = rclpy.Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor(context=context)
    try:
        operator = Operator(timing, bag, context=context)
        executor.add_node(operator)
        yield executor, operator
        executor.remove_node(operator)
        operator.destroy_node()
    finally:
        executor.shutdown()
        rclpy.try_shutdown(context=context)


def drive(plan: DrivePlan, tell: Tell, bag: Bag | None = None) -> DriveResult:
    """Drive all runs of a plan, one after another.

    Args:
        plan: What to drive.
        tell: Takes race control's headline, each control period.
        bag: Records every topic.

    Raises:
        RacerError: A program does not start or ends, or falls silent.
    """
    bundle = PolicyBundle.read(plan.bundle)
    with running_graph(plan, bag) as graph:
        begun_s = time.monotonic()
        runs = tuple(graph.run(start / plan.judged.starts, tell)
                     for start in range(plan.judged.starts))
        seconds = time.monotonic() - begun_s
    return DriveResult(
        model=bundle.card.model, sha256=bundle.sha256, simulator=plan.simulator, mode=plan.mode,
        factor=plan.factor, race=plan.race, evaluation=Evaluation(plan.judged, runs),
        timing=graph.timing.figures, seconds=seconds)
