"""Drive for long through a bad network, and kill the inference node again and again.

    python benchmarks/soak.py --minutes 10 --out docs/soak.md

A policy drives in real time through the car's nodes. Between them stands a relay that loses one
message in a hundred, on every hop from the simulated sensors to the simulated motor. Ten times the
inference node is killed outright (SIGKILL) and, once the car stands, started again. Watched are
what the motor applies, what the simulated car does, and the memory of every process.
"""

from __future__ import annotations

import math
import os
import random
import tempfile
import time
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final

import rclpy
import typer
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from racer_rl.benchmarks.machine import Machine
from racer_rl.drive.domain import private_domain
from racer_rl.drive.graph import DrivePlan, programs
from racer_rl.drive.timing import Timing
from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import EvaluationPlan
from racer_rl.export import export_bundle
from racer_rl.nodes.drive import Drive
from racer_rl.nodes.operator import Operator
from racer_rl.store.models import ModelFolder
from racer_rl.training.hyperparameters import load_hyperparameters
from racer_rl.training.plan import Limits, TrainingPlan
from racer_rl.training.train import train
from racer_vehicle import contract
from racer_vehicle.errors import RacerError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.messages import command_of
from racer_vehicle.nodes.running import run_node
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec
from racer_vehicle.storage import write_atomically
from racer_vehicle.supervise import Program, Supervisor

LOST_SHARE: Final = 0.01
KILLS: Final = 10
NEUTRAL_WITHIN_S: Final = 0.250
SCHEDULING_S: Final = 0.050
"""What the motor may be late by, on a machine that others use too."""

AT_REST_MPS: Final = 0.1
BRAKES_WITHIN_S: Final = 1.5
"""Longest that a neutral car rolls from 2 m/s."""

LOOK_S: Final = 5.0
UNHEARD: Final = 1000
"""Messages that wait for a watcher that stalls."""

WARM_UP_SHARE: Final = 0.15
"""Of the time; until then processes may grow: libraries load, caches fill."""

FLAT: Final = 0.05
LIFETIME_S: Final = 20.0
"""Age at which incarnations of the killed node are compared: they start over each time."""

LOSSY: Final = {
    'sim/camera/image_raw': 'camera', 'sim/scan': 'lidar', 'camera/image_raw': 'inference',
    'scan': 'inference', 'cmd_vel': 'motor', 'sim/cmd_vel': 'sim',
}
"""Topic to the node that hears it through the relay."""


class Relay(Node):
    """Passes messages on as they are, but for one in a hundred."""

    def __init__(self) -> None:
        super().__init__('relay')
        self._random = random.Random(0)
        for name in LOSSY:
            self._join(contract.topic(name))

    def _join(self, row: contract.Topic) -> None:
        kind, qos = ros.interface(row.type), ros.qos_profile(row.qos)
        onward = self.create_publisher(kind, f'lossy/{row.name}', qos)

        def pass_on(serialized: bytes) -> None:
            if self._random.random() >= LOST_SHARE:
                onward.publish(serialized)

        self.create_subscription(kind, row.name, pass_on, qos, raw=True)

    def stop(self) -> None:
        """Nothing is held."""


@dataclass
class Kill:
    """One kill of the inference node, by the system's clock."""

    at_s: float
    speed_mps: float
    neutral_after_s: float = math.nan
    stands_after_s: float = math.nan
    drives_after_s: float = math.nan


@dataclass
class Log:
    """What was seen.

    Attributes:
        begin_s: When the drive began, by the system's clock, as all times here.
        decided_s: Stamps of the images that commands came on.
        moved_s: When the motor was told to move.
        truth_s: When the car was seen, once a control period.
        rolled_s: Those of them when it was in motion.
        violations: What must not happen, in words.
        kills: Every kill.
        memory_mib: Program and process id -> (seconds since its start, MiB).
    """

    begin_s: float = 0.0
    decided_s: list[float] = field(default_factory=list)
    moved_s: list[float] = field(default_factory=list)
    truth_s: list[float] = field(default_factory=list)
    rolled_s: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    memory_mib: dict[tuple[str, int], list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list))


class Watch(Operator):
    """Notes what the policy says, what the motor applies and what the car does.

    By the stamps of the messages, all of this machine's clock, and not by when they are heard: a
    watcher that stalls hears late, and one topic before another.
    """

    def __init__(self, timing: Timing, log: Log, **options: Any) -> None:
        super().__init__(timing, **options)
        self._log, self._car, self.now_s = log, CarSpec(), ros.ros_clock(self)
        self.neutral_s = -math.inf
        self.is_neutral, self.speed_mps = True, 0.0
        # What reaches the motor: a restarted node is found by the motor and by us not at once.
        qos = ros.qos_profile(contract.topic('cmd_vel').qos)
        qos.depth = UNHEARD
        self.create_subscription(TwistStamped, 'lossy/cmd_vel', self._on_policy, qos)
        ros.subscription(self, 'cmd_vel/applied', self._on_applied)
        ros.subscription(self, 'sim/odom', self._on_truth)

    def _on_policy(self, message: TwistStamped) -> None:
        self._log.decided_s.append(ros.to_seconds(message.header.stamp))

    def _on_applied(self, message: TwistStamped) -> None:
        stamp_s = ros.to_seconds(message.header.stamp)
        command = command_of(message.twist, 0.0, self._car.wheelbase_m)
        is_neutral = message.twist.linear.x == 0.0
        if is_neutral and not self.is_neutral:
            self.neutral_s = stamp_s
        self.is_neutral = is_neutral
        if not is_neutral:
            self._log.moved_s.append(stamp_s)
        if (abs(command.speed_mps) > self._car.max_speed_mps + 1e-9
                or abs(command.steering_rad) > self._car.max_steering_rad + 1e-9):
            self._log.violations.append(f'the motor was told {command}')

    def _on_truth(self, message: Odometry) -> None:
        self.speed_mps = math.hypot(message.twist.twist.linear.x, message.twist.twist.linear.y)
        self._log.truth_s.append(ros.to_seconds(message.header.stamp))
        if self.speed_mps > AT_REST_MPS:
            self._log.rolled_s.append(self._log.truth_s[-1])


def motion_without_cause(log: Log) -> list[str]:
    """What moved though it should not have, in words; to be asked once all has been heard.

    A motor drives only by a command on a fresh image, and a car rolls only after its motor; it
    does not brake while its simulator stands still, so its periods count.
    """
    found = [f'the motor drove {after_s:.3f} s after the last image with a command'
             for at_s, since_s in _since(log.moved_s, log.decided_s, log.begin_s)
             if (after_s := at_s - since_s) > NEUTRAL_WITHIN_S]
    seen_s, brakes = sorted(log.truth_s), BRAKES_WITHIN_S / CONTROL_PERIOD_S
    return found + [f'the car rolled {periods} control periods after its last command'
                    for at_s, since_s in _since(log.rolled_s, log.moved_s, log.begin_s)
                    if (periods := bisect_right(seen_s, at_s) - bisect_right(seen_s, since_s))
                    > brakes]


def _since(times_s: list[float], causes_s: list[float],
           begin_s: float) -> list[tuple[float, float]]:
    """Each time since the begin, and the last cause before it; minus infinity without one."""
    ordered_s = [-math.inf, *sorted(causes_s)]
    return [(at_s, ordered_s[bisect_right(ordered_s, at_s) - 1])
            for at_s in times_s if at_s >= begin_s]


class Soak:
    """The whole run."""

    def __init__(self, drive: Drive, watch: Watch, inference: Program, log: Log) -> None:
        self.drive, self.watch, self.log = drive, watch, log
        self._inference, self._looked_s = inference, -math.inf
        self._born_s = dict.fromkeys(drive.supervisor.names, time.monotonic())

    def until(self, done: Any, patience_s: float, what: str) -> None:
        """Wait, and look at the memory now and then."""
        def look_and_see() -> bool:
            now_s = time.monotonic()
            if now_s - self._looked_s >= LOOK_S:
                self._looked_s = now_s
                for name in self.drive.supervisor.names:
                    number = self.drive.supervisor.process_id(name)
                    self.log.memory_mib[name, number].append(
                        (now_s - self._born_s[name], resident_mib(number)))
            return bool(done())

        self.drive.until(look_and_see, patience_s, what)

    def kill(self) -> None:
        """Kill the inference node while the car drives, wait until it stands, start it again."""
        watch = self.watch
        self.until(lambda: watch.speed_mps > 0.5 and not watch.is_neutral, 60.0, 'a driving car')
        kill = Kill(at_s=watch.now_s(), speed_mps=watch.speed_mps)
        self.drive.supervisor.kill('inference')
        self.log.kills.append(kill)
        self.until(lambda: watch.is_neutral and watch.neutral_s > kill.at_s, 60.0,
                   'neutral after a kill')
        kill.neutral_after_s = watch.neutral_s - kill.at_s
        self.until(lambda: watch.speed_mps < AT_REST_MPS, 60.0, 'a standing car after a kill')
        kill.stands_after_s = watch.now_s() - kill.at_s
        self.drive.supervisor.start(self._inference)
        self._born_s['inference'] = time.monotonic()
        self.until(lambda: not watch.is_neutral, 60.0, 'the policy after its restart')
        kill.drives_after_s = watch.now_s() - kill.at_s

    def run(self, seconds: float, kills: int) -> None:
        """Drive for so long, kills spread evenly."""
        self.drive.start_run(0.0)
        # DDS introduces the watcher to each publisher in its own time: without this the motor
        # is seen to drive while its commands are not heard yet.
        self.until(lambda: self.log.decided_s, 60.0, 'a command that we hear too')
        self.drive.timing.begin()
        begin_s, self.log.begin_s = time.monotonic(), self.watch.now_s()
        for number in range(1, kills + 1):
            at_s = begin_s + seconds * number / (kills + 1)
            self.until(lambda at_s=at_s: time.monotonic() >= at_s, seconds, 'the next kill')
            self.kill()
            typer.echo(f'kill {number}: neutral after '
                       f'{self.log.kills[-1].neutral_after_s * 1e3:.0f} ms', err=True)
        self.until(lambda: time.monotonic() >= begin_s + seconds, seconds, 'the end')
        self.drive.timing.end()
        self.log.violations += motion_without_cause(self.log)


def resident_mib(process_id: int) -> float:
    """Memory that a process holds."""
    pages = int(Path(f'/proc/{process_id}/statm').read_text('utf-8').split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


def growth(log: Log, seconds: float) -> dict[str, tuple[float, float]]:
    """Program -> MiB at first and at last.

    Of programs that run all the time, medians of the first and the last tenth after warming up; of
    the killed one, its first and its last incarnation at the same age.
    """
    result = {}
    for name in dict.fromkeys(name for name, _ in log.memory_mib):
        lives = [life for (owner, _), life in log.memory_mib.items() if owner == name]
        if len(lives) == 1:
            life = [mib for age_s, mib in lives[0] if age_s > WARM_UP_SHARE * seconds]
            tenth = max(1, len(life) // 10)
            result[name] = median(life[:tenth]), median(life[-tenth:])
        else:
            ripe = [[mib for age_s, mib in life if age_s > LIFETIME_S] for life in lives]
            grown = [life[0] for life in ripe if life]
            result[name] = (grown[0], grown[-1]) if grown else (math.nan, math.nan)
    return result


def policy(folder: Path) -> Path:
    """A policy with some practice, as a bundle."""
    settings, _ = load_hyperparameters(None, 'ppo', 'FAST')
    model = ModelFolder(folder / 'soak')
    train(model, TrainingPlan(setup=RaceSetup(track='oval'), hyperparameters=settings, seed=1,
                              limits=Limits(steps=40_000)), lambda standing: None)
    path = folder / 'soak.racer'
    export_bundle(model, path)
    return path


def through_the_relay(program: Program) -> Program:
    """A node that hears the lossy topics instead of the original ones."""
    remaps = [word for name, reader in LOSSY.items() if reader == program.name
              for word in ('-r', f'{name}:=lossy/{name}')]
    return replace(program, arguments=(*program.arguments, *remaps))


def soak(minutes: float, bundle: Path, kills: int = KILLS) -> tuple[Log, Drive]:
    """Drive on the oval; returns what was seen, and the drive, which has ended."""
    log, timing = Log(), Timing()
    with tempfile.TemporaryDirectory(prefix='racer-soak-') as name:
        folder = Path(name)
        plan = DrivePlan(bundle=bundle, track='oval', mode='realtime',
                         judged=EvaluationPlan(laps=1000, starts=1, resets=1_000_000))
        with (private_domain(folder),
              Supervisor(folder, {**os.environ, 'PYTHONPATH': str(Path(__file__).parent)})
              as supervisor):
            wanted = [through_the_relay(program) for program in programs(plan, folder)]
            for program in (Program(name='relay', module='soak', arguments=('--relay',)), *wanted):
                supervisor.start(program)
            context = rclpy.Context()
            rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
            executor = SingleThreadedExecutor(context=context)
            try:
                watch = Watch(timing, log, context=context)
                executor.add_node(watch)
                drive = Drive(plan, supervisor, executor, (watch,), timing)
                drive.get_ready()
                inference = next(one for one in wanted if one.name == 'inference')
                typer.echo(f'driving for {minutes:g} minutes', err=True)
                try:
                    Soak(drive, watch, inference, log).run(60.0 * minutes, kills)
                except RacerError:
                    for name in supervisor.names:
                        typer.echo(f'{name}: {supervisor.last_words(name)}', err=True)
                    raise
            finally:
                executor.shutdown()
                rclpy.try_shutdown(context=context)
    return log, drive


def report(log: Log, drive: Drive, minutes: float) -> tuple[str, list[str]]:
    """The report as Markdown, and what failed."""
    machine, timing, race = Machine.here(), drive.timing.figures, drive.race
    held = growth(log, 60.0 * minutes)
    slow = [kill for kill in log.kills
            if not kill.neutral_after_s <= NEUTRAL_WITHIN_S + SCHEDULING_S]
    grown = [name for name, (first, last) in held.items() if not last <= first * (1.0 + FLAT)]
    failures = [*log.violations, *(f'neutral {kill.neutral_after_s:.3f} s after a kill'
                                   for kill in slow),
                *(f'{name} grew by more than {FLAT:.0%}' for name in grown)]
    applied = timing.applied
    assert applied is not None
    worst_ms = max(kill.neutral_after_s for kill in log.kills) * 1e3
    lines = [
        '# Soak report', '',
        f'{minutes:g} minutes in real time through the nodes of the car, {LOST_SHARE:.0%} of the '
        'messages lost on each of six hops, the inference node killed (SIGKILL) '
        f'{len(log.kills)} times. Written by `benchmarks/soak.py`, which says what is watched.',
        '',
        f'Machine: {machine.cpu}, {machine.usable_cores} cores, load {machine.load[0]:g} at the '
        f'end (others use it too); Python {machine.python}.', '',
        '| what | allowed | seen |', '|---|---|---|',
        f'| uncontrolled motion, commands beyond the limits | none | {len(log.violations)} |',
        f'| kill to neutral, the slowest of {len(log.kills)} | {NEUTRAL_WITHIN_S * 1e3:.0f} ms, '
        f'and {SCHEDULING_S * 1e3:.0f} ms for this machine to run the motor | {worst_ms:.0f} ms '
        '|',
        f'| memory of any process, growth | {FLAT:.0%} | '
        f'{max(last / first - 1.0 for first, last in held.values()):+.1%} at most |', '',
        f'{timing.images:,} images left the simulator while the car was to race, restarts of the '
        f'killed node included; on {timing.images - timing.dropped:,} of them a command reached '
        f'the motor. From image to motor p50 {applied.p50_ms:.1f} ms, p99 {applied.p99_ms:.1f} '
        f"ms, longest {applied.max_ms:.0f} ms, the relay's three hops included. {race.laps} laps, "
        f'{race.incidents} incidents; a car that stands for a second, as after a kill, is one.',
        '',
        '## Kills', '', '| at, s | speed, m/s | neutral after, ms | stands after, s | '
        'drives again after, s |', '|---|---|---|---|---|',
    ]
    lines += [f'| {kill.at_s - log.begin_s:.0f} | {kill.speed_mps:.2f} | '
              f'{kill.neutral_after_s * 1e3:.0f} | {kill.stands_after_s:.2f} | '
              f'{kill.drives_after_s:.1f} |' for kill in log.kills]
    lines += ['', '## Memory', '', '| process | MiB at first | MiB at last | growth |',
              '|---|---|---|---|']
    lines += [f'| {name} | {first:.1f} | {last:.1f} | {last / first - 1.0:+.1%} |'
              for name, (first, last) in held.items()]
    lines += ['', f'The inference node starts over with every kill; its first and last lives are '
              f'compared at an age of {LIFETIME_S:g} s. The others: medians of the first and last '
              'tenth, after warming up.', '']
    return '\n'.join(lines), failures


def main(
    minutes: Annotated[float, typer.Option(help='How long to drive.')] = 10.0,
    out: Annotated[Path | None, typer.Option(help='Write the report to this file.')] = None,
    relay: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Drive for long through a bad network, and kill the inference node again and again."""
    if relay:
        raise typer.Exit(run_node(Relay))
    with tempfile.TemporaryDirectory(prefix='racer-soak-') as folder:
        typer.echo('training a policy', err=True)
        log, drive = soak(minutes, policy(Path(folder)))
    text, failures = report(log, drive, minutes)
    if out is not None:
        write_atomically(out, text.encode())
    typer.echo(text)
    if failures:
        raise RacerError('the soak failed: ' + '; '.join(failures[:10]))


if __name__ == '__main__':
    typer.run(main)
