"""In lock-step a drive is the same drive, bit for bit, whatever stalls, and for how long."""

import os
import random
import signal
import threading
from contextlib import contextmanager, nullcontext

import pytest

pytest.importorskip('rclpy')

from racer_rl.drive.graph import NODES, DrivePlan
from racer_rl.evaluation.laps import EvaluationPlan
from racer_rl.nodes.drive import running_graph
from racer_sim.race_format import Obstacles, RaceFormat
from racer_sim.race_watch import OVER, RaceState
from racer_vehicle.nodes import ros

pytestmark = [pytest.mark.ros, pytest.mark.slow]

PATIENCE_S = 120.0
STARTS = 2
RESENT_AFTER_S = 0.5
"""A simulator that waits longer sends its sensors again; some stalls are longer."""


@contextmanager
def stalls(supervisor, seed):
    """Stop nodes at random, one or two at a time, and let them go on."""
    chance, over = random.Random(seed), threading.Event()

    def stall():
        while not over.is_set():
            victims = [supervisor.process_id(name) for name in chance.sample(sorted(NODES), 2)]
            for victim in victims[:chance.randint(1, 2)]:
                os.kill(victim, signal.SIGSTOP)
            over.wait(chance.choice((0.05, 0.3, 1.3 * RESENT_AFTER_S, 2.5 * RESENT_AFTER_S)))
            for victim in victims:
                os.kill(victim, signal.SIGCONT)
            over.wait(chance.uniform(0.0, 0.1))

    thread = threading.Thread(target=stall)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Story:
    """What a listener who misses nothing hears of a drive: ground truth and race control."""

    def __init__(self, node):
        self._truth, self._states = {}, {}
        ros.subscription(node, 'sim/odom', self._note_truth)
        ros.subscription(node, 'race/state', self._note_state)

    def _note_truth(self, message):
        self._truth[ros.to_nanoseconds(message.header.stamp)] = message.pose.pose, message.twist

    def _note_state(self, message):
        state = RaceState.from_json(message.data)
        self._states[round(state.stamp_s * 1e9)] = state

    def judged(self, run):
        """Stamps and states of a run, from its first motion to its end."""
        found = []
        for stamp, state in sorted(self._states.items()):
            if state.run == run and state.status != 'prepare':
                found.append((stamp, state))
                if state.status in OVER:
                    break
        return found

    def is_told(self, run):
        """Whether all of a run was heard, on either topic."""
        judged = self.judged(run)
        return (judged and judged[-1][1].status in OVER
                and all(stamp in self._truth for stamp, _ in judged))

    def of(self, run):
        """When, what was judged, where the car was; of each control period."""
        judged = self.judged(run)
        return [(stamp - judged[0][0], (state.status, state.progress_percent, state.laps,
                                        state.lap_times_s, state.incidents, state.cause,
                                        state.steps), self._truth[stamp])
                for stamp, state in judged]


def told(bundle, stalled_by=None):
    """The runs of a drive among boxes that move; with incidents, for which the car is held."""
    plan = DrivePlan(bundle=bundle, track='oval', race=RaceFormat(obstacles=Obstacles(count=3)),
                     judged=EvaluationPlan(laps=1, starts=STARTS, resets=1, seed=3))
    with running_graph(plan) as drive:
        story, runs = Story(drive.operator), []

        with nullcontext() if stalled_by is None else stalls(drive.supervisor, stalled_by):
            for start in range(STARTS):
                drive.run(start / STARTS, lambda headline: None)
                drive.until(lambda: story.is_told(drive.race.run), PATIENCE_S, 'the whole story')
                runs.append(story.of(drive.race.run))
    return runs


def test_a_drive_in_lock_step_is_the_same_whatever_stalls(toy, tmp_path):
    bundle = tmp_path / 'toy.racer'
    toy(steering=0.3, speed=0.0, gain=-1.0, scan_gain=0.5).write(bundle)
    undisturbed = told(bundle)
    causes = {judged[5] for run in undisturbed for _, judged, _ in run}
    assert {'off_track', 'crashed'} <= causes, 'the drive has something to tell'
    assert told(bundle, stalled_by=1) == undisturbed
