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

SILENCE_S: Final = 60.0
"""Longest time without a word of race control while the car races."""

LOOK_S: Final = 0.5
"""Between two looks at whether all programs still run."""


class Drive:
    """A running graph with cars that are ready to race; `running_graph` makes it.

    Attributes:
        supervisor: Of the programs.
        operator: Listens to the first car.
        timing: Of its images and commands, while the cars race.
    """

    def __init__(self, plan: DrivePlan, supervisor: Supervisor, executor: SingleThreadedExecutor,
                 operators: Sequence[Operator], timing: Timing,
                 interrupted: Sequence[int] = ()) -> None:
        """Take over what has been started.

        Args:
            plan: What to drive.
            supervisor: Of the programs, started.
            executor: Of the operators.
            operators: Listen, one to each car.
            timing: The first of them tells it of images and commands.
            interrupted: See `interrupt_flag`; what comes in there ends the drive.
        """
        self.plan, self.supervisor, self.operator = plan, supervisor, operators[0]
        self.timing, self._executor = timing, executor
        self._cars = [(operator, AsyncParameterClient(operator, 'race_control'))
                      for operator in operators]
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
        for operator, control in self._cars:
            self._await_car(operator, control, wanted)
        self.until(lambda: self.timing.hears_all, PATIENCE_S, 'an image and commands on it')

    def _await_car(self, operator: Operator, control: AsyncParameterClient, sha256: str) -> None:
        self.until(lambda: operator.active.get('sha256') == sha256, PATIENCE_S,
                   'word that the policy is loaded')
        self.until(lambda: operator.race is not None, PATIENCE_S, 'word of race control')
        self.until(control.services_are_ready, PATIENCE_S, "race control's parameters")

    def enable(self, wanted: bool = True) -> None:
        """Let commands through to the motors, from the first car to the last, or hold them."""
        for operator, _ in self._cars:
            call(operator, 'motor/enable', SetBool.Request(data=wanted), self._executor,
                 PATIENCE_S)

    def start_run(self, share: float) -> int:
        """Have race control put the cars to a share of the lap and begin a run; its number.

        The cars stand meanwhile: so every run begins with the first motion from its start, at
        whatever moment somebody asks for it.
        """
        self.enable(False)
        for operator, control in self._cars:
            self._begin_run(operator, control, share)
        self.enable()
        return self.race.run

    def _begin_run(self, operator: Operator, control: AsyncParameterClient, share: float) -> None:
        before = _race_of(operator).run
        choice = control.set_parameters([Parameter('start_share', value=share)])
        self.until(choice.done, SILENCE_S, 'an answer of race control')
        call(operator, 'race/reset', Trigger.Request(), self._executor, SILENCE_S)
        self.until(lambda: (_race_of(operator).run > before
                            and not _race_of(operator).lifting), SILENCE_S, 'a new run')

    def run(self, share: float, tell: Tell) -> tuple[Run, ...]:
        """Race from a share of the lap until race control says that it is over; a run a car."""
        self.start_run(share)
        self.timing.begin()
        while racing := [race for race in self._races if race.status not in OVER]:
            self._await_news(self._races)
            tell(racing[0].headline)
        self.timing.end()
        course = self.plan.course
        return tuple(run_of(state, course.track, reverse=course.reverse, share=share,
                            laps=self.plan.judged.laps,
                            can_overtake=self.plan.race.can_overtake)
                     for state in self._races)

    def _await_news(self, known: Sequence[RaceState]) -> None:
        self.until(lambda: any(race is not before for race, before in zip(
            self._races, known, strict=True)), SILENCE_S, 'word of race control')

    @property
    def _races(self) -> list[RaceState]:
        return [_race_of(operator) for operator, _ in self._cars]

    @property
    def race(self) -> RaceState:
        """What race control said last of the first car."""
        return _race_of(self.operator)


def _race_of(operator: Operator) -> RaceState:
    assert operator.race is not None
    return operator.race


@contextmanager
def running_graph(plan: DrivePlan, bag: Bag | None = None) -> Iterator[Drive]:
    """Start everything, in a ROS domain of its own, and leave nothing behind.

    Args:
        plan: What to drive.
        bag: Records every topic.

    Yields:
        The graph, its cars ready to race.

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
            with _listening(plan.namespaces, timing, bag) as (executor, operators):
                drive = Drive(plan, supervisor, executor, operators, timing, interrupted)
                drive.get_ready()
                yield drive


@contextmanager
def _listening(namespaces: Sequence[str], timing: Timing, bag: Bag | None,
               ) -> Iterator[tuple[SingleThreadedExecutor, list[Operator]]]:
    """Nodes of this process, one a car, in a ROS context of their own."""
    context = rclpy.Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor(context=context)
    try:
        # Only the first car's times are told.
        operators = [Operator(Timing() if place else timing, bag, context=context,
                              namespace=namespace)
                     for place, namespace in enumerate(namespaces)]
        for operator in operators:
            executor.add_node(operator)
        yield executor, operators
        for operator in operators:
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
        races = plan.judged.starts // plan.race.cars
        runs = tuple(run for start in range(races) for run in graph.run(start / races, tell))
        seconds = time.monotonic() - begun_s
    return DriveResult(
        model=bundle.card.model, sha256=bundle.sha256, simulator=plan.simulator, mode=plan.mode,
        factor=plan.factor, race=plan.race, evaluation=Evaluation(plan.judged, runs),
        timing=graph.timing.figures, seconds=seconds)
