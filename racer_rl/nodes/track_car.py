"""One car on the graph as a race day has it: let it drive, let it stand, hear its laps."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import rclpy
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Empty, String
from std_srvs.srv import SetBool, Trigger

from racer_rl.nodes.bundles import bundle_message
from racer_rl.nodes.rules_check import ASKED, require_rules
from racer_rl.race_day.day import Entry
from racer_rl.race_day.events import Act, Event
from racer_rl.race_day.sources import Listener, Live
from racer_sim.courses import Course
from racer_sim.race_watch import OVER, RaceState
from racer_sim.rules import RaceRules, Status
from racer_vehicle.contract import TRANSPORT
from racer_vehicle.errors import RacerError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.calls import ASK_AGAIN_S, WAKE_S, RefusedError, SilenceError
from racer_vehicle.policy import PolicyBundle

PATIENCE_S: Final = 20.0
"""For nodes to find each other, and for a policy to be loaded."""

STOP_S: Final = 2.0
"""For the motor to say that it stands; it stands anyway a second after the last sign of life."""

SILENCE_S: Final = 3.0
"""Without a word of race control in a run, the car is stopped."""

Policies = Callable[[Entry], PolicyBundle]


class TrackCar:
    """A `Source` that moves a car by the topics and services of the contract.

    It gives a sign of life only while the car is to drive, so that whatever happens to this
    process, to its threads or to the network ends with the motor in neutral.

    Attributes:
        by_hand: Whether the organiser's keys take the times, and not race control.
        has_car: True.
    """

    has_car = True

    def __init__(self, policies: Policies, course: Course, *, by_hand: bool,
                 rules: RaceRules | None = None) -> None:
        """Join the graph, in the ROS domain of the environment.

        Args:
            policies: Finds what an entry drives by.
            course: For the map.
            by_hand: See the attribute.
            rules: That race control must go by; None: whatever it goes by.
        """
        self.by_hand = by_hand
        self._policies, self._course, self._rules = policies, course, rules
        self._wanted = ''
        self._active: dict[str, Any] = {}
        self._race: RaceState | None = None
        self._race_s, self._driving, self._closing = 0.0, False, threading.Event()
        self._listener: Listener | None = None
        self._began: RaceState | None = None
        self._news = threading.Condition()
        os.environ.setdefault(*TRANSPORT)
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node('race_day', context=self._context)
        self._alive = ros.publisher(self._node, 'operator/alive')
        self._bundles = ros.publisher(self._node, 'policy/bundle')
        ros.subscription(self._node, 'policy/active', self._on_active)
        ros.subscription(self._node, 'race/state', self._on_race)
        self._enable = ros.client(self._node, 'motor/enable')
        self._reset = ros.client(self._node, 'race/reset')
        self._parameters = self._node.create_client(
            GetParameters, 'race_control/get_parameters')
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._spinner = threading.Thread(target=self._spin, name='race-day-ros', daemon=True)
        self._spinner.start()

    def _spin(self) -> None:
        """Serve topics; trouble with one message does not keep the next ones away."""
        try:
            while not self._closing.is_set():
                try:
                    self._executor.spin_once(timeout_sec=WAKE_S)
                except (RacerError, OSError) as error:
                    if self._listener is not None:
                        self._listener.trouble(str(error))
        finally:
            self._driving = False

    def _on_active(self, message: String) -> None:
        with self._news:
            self._active = json.loads(message.data)
            self._news.notify_all()

    def _on_race(self, message: String) -> None:
        state = RaceState.from_json(message.data)
        with self._news:
            before, self._race = self._race, state
            self._race_s = time.monotonic()
            listener, began = self._listener, self._began
            self._news.notify_all()
        if self.by_hand or listener is None or began is None or before is None:
            return
        if state.run == began.run:
            for event in happenings(before if before.run == state.run else began, state,
                                    self._race_s):
                listener.happened(event)
        elif before.run == began.run:
            listener.happened(Event(act=Act.END, at_s=self._race_s, status=Status.PARK.label,
                                    time_s=before.time_s))
            listener.trouble('race control has begun another run: somebody carried the car, or '
                             'reset it; this run has ended with the laps so far.')

    def prepare(self, entry: Entry) -> None:
        """Bring the entry's policy onto the car; without one the car keeps what it has.

        Raises:
            RacerError: It has not loaded it.
        """
        self._wanted = ''
        if not entry.identity:
            return
        bundle = self._policies(entry)
        self._wanted = bundle.sha256
        self._bundles.publish(bundle_message(bundle))
        self._await(lambda: self._active.get('sha256') == bundle.sha256, PATIENCE_S,
                    f'word of the car that it has loaded {entry.model or "the policy"}')

    def start(self, entry: Entry, listener: Listener) -> None:
        """Begin a run of race control's, if it takes the times, and let the car drive.

        Raises:
            RacerError: It has another policy, race control goes by other rules, or a node does
                not answer.
        """
        if self._wanted != entry.identity.removeprefix('sha256:') or (
                self._wanted and self._active.get('sha256') != self._wanted):
            self.prepare(entry)
        if not self.by_hand:
            self._new_run()
        self._listener = listener
        self.release()

    def _new_run(self) -> None:
        self._await(lambda: self._race is not None, PATIENCE_S, 'word of race control')
        assert self._race is not None
        self._require_rules()
        before = self._race.run
        self._ask(self._reset, Trigger.Request(), 'race/reset', PATIENCE_S)
        self._await(lambda: self._race is not None and self._race.run > before, PATIENCE_S,
                    'a new run')
        self._began = self._race

    def _require_rules(self) -> None:
        """Refuse a race control that goes by other rules."""
        if self._rules is not None:
            answer = self._answer(self._parameters, GetParameters.Request(names=ASKED),
                                  self._parameters.srv_name, PATIENCE_S)
            told = map(parameter_value_to_python, answer.values)
            require_rules(dict(zip(ASKED, told, strict=True)), self._rules, self._course)

    def release(self) -> None:
        """Let the car drive.

        Raises:
            RacerError: The motor node refuses, or does not answer.
        """
        self._driving = True
        self.beat()
        try:
            self._ask(self._enable, SetBool.Request(data=True), 'motor/enable', PATIENCE_S)
        except BaseException:
            self.stop()
            raise
        self._race_s = time.monotonic()

    def hold(self) -> None:
        """Let it stand.

        Raises:
            RacerError: The motor node has not confirmed it; it stands within a second.
        """
        self._driving = False
        self._ask(self._enable, SetBool.Request(data=False), 'motor/enable', STOP_S)

    def stop(self) -> None:
        """The car stands; its policy stays loaded."""
        self._driving = False
        listener, self._listener = self._listener, None
        if threading.current_thread() is self._spinner:  # which has to hear the answer itself
            self._enable.call_async(SetBool.Request(data=False))
            return
        try:
            self._ask(self._enable, SetBool.Request(data=False), 'motor/enable', STOP_S)
        except RacerError as error:
            if listener is not None:
                listener.trouble(f'the car did not confirm that it stands ({error}); it stops by '
                                 'itself a second after the last sign of life: look at it.')

    def beat(self) -> None:
        """Give a sign of life, while the car is to drive and race control is heard."""
        if not self._driving:
            return
        if not self.by_hand and time.monotonic() - self._race_s > SILENCE_S:
            self._driving = False
            if self._listener is not None:
                self._listener.trouble('race control has fallen silent: the car was stopped.')
            return
        self._alive.publish(Empty())

    @property
    def live(self) -> Live | None:
        """What race control says."""
        race, began = self._race, self._began
        if self.by_hand or race is None or began is None or race.run != began.run:
            return None
        x_m, y_m, _ = self._course.track.pose_at(
            race.progress_percent / 100.0 * self._course.track.length_m)
        return Live(time_s=race.time_s, lap_s=max(0.0, race.time_s - sum(race.lap_times_s)),
                    at_s=self._race_s, progress=race.progress_percent / 100.0,
                    pace=float(race.status in (Status.IN_PROGRESS.label, Status.PAUSE.label)),
                    place_m=(float(x_m), float(y_m)))

    def close(self) -> None:
        """Let the car stand, and leave the graph."""
        self.stop()
        self._closing.set()
        self._spinner.join(STOP_S)
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _await(self, done: Callable[[], bool], patience_s: float, what: str) -> None:
        """Wait for what callbacks bring.

        Raises:
            SilenceError: It took longer.
        """
        with self._news:
            if not self._news.wait_for(done, patience_s):
                raise SilenceError(f'{what} did not come for {patience_s:g} s; check that all '
                                   'nodes run, in one ROS domain.')

    def _ask(self, client: Any, request: Any, name: str, patience_s: float) -> None:
        """Call a service that says whether it does it.

        Raises:
            SilenceError: There is no answer.
            RefusedError: It refuses.
        """
        response = self._answer(client, request, name, patience_s)
        if not response.success:
            raise RefusedError(name, response.message)

    def _answer(self, client: Any, request: Any, name: str, patience_s: float) -> Any:
        """Call a service while another thread spins, more than once if need be.

        Raises:
            SilenceError: There is no answer.
        """
        until_s = time.monotonic() + patience_s
        if not client.wait_for_service(timeout_sec=patience_s):
            raise SilenceError(f'service {name} did not come for {patience_s:g} s; check that '
                               'its node runs, in one ROS domain.')
        while (left_s := until_s - time.monotonic()) > 0.0:
            answered = threading.Event()
            future = client.call_async(request)
            future.add_done_callback(lambda _, told=answered: told.set())
            if answered.wait(min(left_s, ASK_AGAIN_S)):
                return future.result()
        raise SilenceError(f'an answer of {name} did not come for {patience_s:g} s.')


def happenings(before: RaceState, now: RaceState, at_s: float) -> list[Event]:
    """What happened between two words of race control about one run, in order.

    Args:
        before: The earlier; of any status.
        now: The later, of the same run.
        at_s: When it came.
    """
    events = []
    if now.incidents > before.incidents:
        act = Act.COLLISION if now.cause == Status.CRASHED.label else Act.OFF_TRACK
        events += [Event(act=act, at_s=at_s, status=now.cause)] * (
            now.incidents - before.incidents)
    events += [Event(act=Act.LAP, at_s=at_s, lap_s=lap_s, clean=clean)
               for lap_s, clean in list(zip(now.lap_times_s, now.lap_clean, strict=True))[
                   len(before.lap_times_s):]]
    if now.status in OVER and before.status not in OVER:
        # The lap clock reads between two steps when the line was crossed.
        time_s = sum(now.lap_times_s) if now.status == Status.LAP_COMPLETE.label else now.time_s
        events.append(Event(act=Act.END, at_s=at_s, status=now.status, time_s=time_s))
    return events
