"""The process that starts races, and what a race does once it is alone with its policy.

Messages: a request as JSON, an answer as JSON, until the other side goes.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from racer_rl.evaluation.film import Film
from racer_rl.league.submissions import Verdict
from racer_rl.races.entrants import BOTS, Entrant
from racer_rl.races.plan import RacePlan
from racer_rl.races.run import build_race, run_race
from racer_rl.reward.channel import Channel, ChannelClosedError
from racer_rl.reward.confinement import Confinement
from racer_sim.simulator import Simulator
from racer_sim.starting_grid import one_course
from racer_vehicle.children import ending_with_parent
from racer_vehicle.errors import ModelMismatchError, RacerError
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec
from racer_vehicle.strict_json import from_object, parse_object

MOST_SAID: Final = 32 << 20
"""Bytes of an answer; the line of a lap of an hour is a tenth of that."""

_GRACE_S: Final = 2.0
"""CPU time for the first steps, in which a network warms up."""

_OPEN_FILES: Final = 64
_NEW_USER_AND_NETWORK: Final = 0x10000000 | 0x40000000
"""`CLONE_NEWUSER | CLONE_NEWNET` of `linux/sched.h`."""

_ANSWER: Final = b'\0'
"""Between what a race process complains of and its answer."""


class _TooSlowError(RacerError):
    """Its decisions take longer than there is time for."""


def opponents_of(plan: RacePlan) -> tuple[Entrant, ...]:
    """Who races with a submission: nobody, or head to head the yardsticks, in front of it."""
    # No racer's name has such brackets.
    return tuple(Entrant(name=f'<{bot} {place + 1}>', bot=bot)
                 for place in range(plan.format.cars - 1) for bot in [BOTS[place % len(BOTS)]])


def main() -> None:
    """Start races until the other side goes."""
    _leave_the_network()
    channel = Channel(os.dup(0), os.dup(1))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ready = set[str]()
    with contextlib.suppress(ChannelClosedError):
        while True:
            request = json.loads(channel.receive())
            plan = from_object(RacePlan, parse_object(request['plan'], 'the plan'), 'the plan')
            if request['plan'] not in ready:
                _compile(plan)
                ready.add(request['plan'])
            channel.send(json.dumps(_watched(channel, request, plan)).encode())


def _leave_the_network() -> None:
    """Where the system lets us, have no network at all; a policy has no code that would ask."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).unshare(_NEW_USER_AND_NETWORK)


def _compile(plan: RacePlan) -> None:
    """Have the simulator's kernels and the bots ready: a race process may not write them down."""
    course = one_course(plan.track, plan.direction)
    for rgb in (False, True):
        simulator = build_race(plan, course, CarSpec(), rgb=rgb)
        everyone = np.arange(plan.format.cars)
        simulator.images(everyone)
        simulator.scans()
        simulator.step(np.zeros((plan.format.cars, 2)))
        simulator.images(everyone)
    if opponents := opponents_of(plan):
        short = replace(plan, rules=replace(plan.rules, time_limit_s=4 * CONTROL_PERIOD_S))
        run_race(short, (*opponents, Entrant(name='<ready>', bot=BOTS[0])))


def _watched(channel: Channel, request: dict[str, Any], plan: RacePlan) -> dict[str, Any]:
    """Fork for one race, and wait for what it says or for its end."""
    reading, writing = os.pipe()
    process_id = os.fork()
    if not process_id:
        os.close(reading)
        _be_raced(channel, writing, request, plan)
    os.close(writing)
    until_s = time.monotonic() + request['limits']['wall_s']
    try:
        said, late = _listen(channel, reading, until_s)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process_id, signal.SIGKILL)  # and whatever it may have started
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
        _, how = os.waitpid(process_id, 0)
    complaint, _, answer = said.partition(_ANSWER)
    return {'told': json.loads(answer) if answer and not late else {},
            'said': complaint[-4096:].decode(errors='replace').strip().rpartition('\n')[2],
            'signal': os.WTERMSIG(how) if os.WIFSIGNALED(how) else 0, 'late': late}


def _listen(channel: Channel, reading: int, until_s: float) -> tuple[bytes, bool]:
    """All that a race process says, and whether it was stopped for its time."""
    said = bytearray()
    while (left_s := until_s - time.monotonic()) > 0.0 and len(said) < MOST_SAID:
        ready, _, _ = select.select([reading, channel.reading], [], [], left_s)
        if channel.reading in ready:  # while a race goes on, there is nothing but its end
            raise ChannelClosedError
        if ready:
            part = os.read(reading, 1 << 16)
            if not part:
                return bytes(said), False
            said += part
    return bytes(said), True


def _be_raced(channel: Channel, writing: int, request: dict[str, Any], plan: RacePlan) -> NoReturn:
    """Be the process of one race, to the end."""
    code = 1
    try:
        ending_with_parent(signal.SIGKILL)()
        os.setpgid(0, 0)
        os.dup2(writing, 2)
        channel.leave()
        answer = _race(request, plan)
        with os.fdopen(writing, 'wb') as stream:
            stream.write(_ANSWER + json.dumps(answer).encode())
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is must not go on as the other process
        traceback.print_exc()
    finally:
        os._exit(code)


def _race(request: dict[str, Any], plan: RacePlan) -> dict[str, Any]:
    limits, film = request['limits'], request['video']
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    confinement = Confinement(limits['memory_mib'] << 20, limits['load_cpu_s'],
                              film_bytes=limits['film_mib'] << 20 if film else 0)
    confinement.begin_work()
    try:
        bundle = PolicyBundle.read(Path(request['bundle']))
        if bundle.sha256 != request['sha256']:
            raise ModelMismatchError('the file in the folder of the league was changed; restore '
                                     'it from a copy.')
        entrants = (*opponents_of(plan), Entrant(name=request['name'], bundle=bundle))
        with _watch_of(confinement, limits['decision_s'], Path(film) if film else None,
                       car=len(entrants) - 1) as watch:
            result = run_race(plan, entrants, watch)
            confinement.end_work()  # now the film may be put in its place
    except _TooSlowError as error:
        return {'verdict': Verdict.TOO_SLOW, 'reason': str(error)}
    except RacerError as error:
        return {'verdict': Verdict.DOES_NOT_FIT, 'reason': str(error)}
    finally:
        confinement.end_work()
    return {'result': result.to_json(), 'line': watch.line(result.entries[-1].lap_times_s)}


class _Watch:
    """Looks at a race step by step: how long it takes, and where the car is."""

    def __init__(self, confinement: Confinement, decision_s: float, film: Film | None,
                 car: int) -> None:
        self._confinement, self._decision_s = confinement, decision_s
        self._film, self._car = film, car
        self._own_s, self._since_s = 0.0, time.process_time()
        self._rows: list[tuple[float, float, float]] = []
        self._laps: list[int] = []

    def __call__(self, simulator: Simulator) -> None:
        self._own_s += time.process_time() - self._since_s
        state, steps = simulator.state[self._car], len(self._rows)
        self._rows.append((float(state['x_m']), float(state['y_m']),
                           float(np.hypot(state['vx_mps'], state['vy_mps']))))
        self._laps.append(int(simulator.control.race['laps'][self._car]))
        if self._own_s > _GRACE_S + steps * self._decision_s:
            raise _TooSlowError(f'{steps} control periods took {self._own_s:.1f} s of CPU time; '
                                f'allowed: {self._decision_s * 1000:.0f} ms each on average, and '
                                f'{_GRACE_S:.0f} s to begin; submit a smaller network.')
        self._confinement.end_work()
        if self._film is not None:
            self._film(simulator)
        self._confinement.begin_work()
        self._since_s = time.process_time()

    def line(self, lap_times_s: tuple[float, ...]) -> dict[str, Any]:
        """Where the car was in its best lap; empty without one."""
        if not lap_times_s:
            return {}
        best = int(np.argmin(lap_times_s))
        rows = np.array(self._rows)[np.array(self._laps) == best].round(4)
        return {'lap': best + 1, 'time_s': lap_times_s[best], 'period_s': CONTROL_PERIOD_S,
                'x_m': rows[:, 0].tolist(), 'y_m': rows[:, 1].tolist(),
                'speed_mps': rows[:, 2].tolist()}


@contextlib.contextmanager
def _watch_of(confinement: Confinement, decision_s: float, video: Path | None, car: int,
              ) -> Iterator[_Watch]:
    with contextlib.ExitStack() as stack:
        film = None if video is None else stack.enter_context(Film(video, car=car))
        yield _Watch(confinement, decision_s, film, car)
