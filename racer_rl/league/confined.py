"""Races of policies that nobody trusts, each in a process of its own that may not use much.

One process is started for any number of races: it has the libraries and the compiled simulator,
never looks at a policy, and forks for each race. What the fork does to itself ends with it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from racer_rl.league.names import one_line
from racer_rl.league.ranking import LapFigures, Ranking
from racer_rl.league.submissions import Outcome, Verdict
from racer_rl.races.plan import RacePlan
from racer_rl.races.result import EntryResult, RaceResult
from racer_rl.reward.channel import Channel, ChannelClosedError
from racer_sim.rules import Status
from racer_vehicle.children import owned
from racer_vehicle.errors import RacerError
from racer_vehicle.spec import require_range
from racer_vehicle.strict_json import to_json

_BOOT: Final = ('import json, sys; sys.path[:] = json.loads(sys.argv.pop()); '
                'from racer_rl.league.race_process import main; main()')

_MEMORY_WORDS: Final = ('MemoryError', 'bad_alloc', 'Failed to allocate', 'Cannot allocate')
"""What Python, C++, ONNX Runtime and the C library say when there is no more."""


class RaceProcessError(RacerError):
    """The process that starts races has ended or hangs: that is nobody's submission's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceLimits:
    """What a submission may use.

    Attributes:
        memory_mib: Beyond that of the libraries.
        load_cpu_s: CPU time until its network is ready, and longest time of one decision.
        decision_s: CPU time of a control period, on average.
        wall_s: By the clock, for the whole race, on a machine that is busy with others.
        film_mib: Size of a film.
    """

    memory_mib: int = 1024
    load_cpu_s: float = 10.0
    decision_s: float = 0.066
    wall_s: float = 1800.0
    film_mib: int = 512

    def __post_init__(self) -> None:
        require_range(self, memory_mib=(64, 1 << 20), load_cpu_s=(1.0, 600.0),
                      decision_s=(1e-3, 10.0), wall_s=(1.0, 1e5), film_mib=(1, 1 << 14))


@dataclass(frozen=True, slots=True, kw_only=True)
class Raced:
    """What came of a race.

    Attributes:
        outcome: For the standings.
        result: That anyone can repeat; None if it was not driven to its end.
        line: The driven line of the best lap: `lap`, `time_s`, `period_s`, and lists `x_m`, `y_m`
            and `speed_mps`; empty without a lap.
    """

    outcome: Outcome
    result: RaceResult | None = None
    line: Mapping[str, Any] = field(default_factory=dict)


class ConfinedRaces:
    """The process, from the first race until it is closed."""

    def __init__(self, limits: RaceLimits | None = None) -> None:
        """Start nothing yet.

        Args:
            limits: Of each race.
        """
        self._limits = limits or RaceLimits()
        self._process: subprocess.Popen[bytes] | None = None
        self._close: weakref.finalize[[subprocess.Popen[bytes]], ConfinedRaces] | None = None
        self._channel: Channel | None = None

    def race(self, plan: RacePlan, bundle: Path, sha256: str, name: str, ranking: Ranking,
             video: Path | None = None) -> Raced:
        """Race one policy; see `racer_rl.league.race_process.opponents_of`.

        Args:
            plan: Of the race.
            bundle: File of the policy.
            sha256: Of its bytes, hexadecimal.
            name: Of the entrant.
            ranking: What is to be found out.
            video: Where its film is put; None: it is not filmed.

        Raises:
            RaceProcessError: The process that starts races has ended.
        """
        channel = self._channel or self._start()
        if video is not None:
            video.parent.mkdir(parents=True, exist_ok=True)
        request = {'plan': to_json(plan), 'bundle': str(bundle), 'sha256': sha256, 'name': name,
                   'video': '' if video is None else str(video), 'limits': asdict(self._limits)}
        try:
            channel.send(json.dumps(request).encode())
            # It keeps the time of the race itself; this is for starting and compiling.
            answer = json.loads(channel.receive(self._limits.wall_s + 600.0))
        except (ChannelClosedError, TimeoutError):
            complaint = self.close()
            raise RaceProcessError(f'the process that starts races has ended ({complaint}); free '
                                   'memory, and race again.') from None
        except BaseException:
            self.close()  # an answer that nobody waits for must not be taken for the next one
            raise
        return _raced(answer, ranking, name)

    @property
    def process_id(self) -> int:
        """Of the process; 0: there is none."""
        return 0 if self._process is None else self._process.pid

    def close(self) -> str:
        """End the process; a second time does nothing.

        Returns:
            What it complained of last.
        """
        if self._process is None or self._close is None:
            return ''
        self._process.kill()
        assert self._process.stderr is not None
        said = self._process.stderr.read().decode(errors='replace').strip()
        self._close()
        self._process = self._channel = self._close = None
        return one_line(said.rpartition('\n')[2])

    def _start(self) -> Channel:
        environment = {'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1',
                       **{name: os.environ[name] for name in ('LD_LIBRARY_PATH', 'HOME',
                                                              'RACER_HOME', 'NUMBA_CACHE_DIR')
                          if name in os.environ}}
        path = json.dumps([os.path.abspath(entry) for entry in sys.path if entry])
        self._process = subprocess.Popen(
            [sys.executable, '-s', '-P', '-c', _BOOT, path], env=owned(environment), bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True)  # Ctrl-C is for the one who asks
        self._close = weakref.finalize(self, _end, self._process)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._channel = Channel(self._process.stdout.fileno(), self._process.stdin.fileno())
        return self._channel


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # what it has forked sees its end, and ends
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _raced(answer: Mapping[str, Any], ranking: Ranking, name: str) -> Raced:
    """What a race process has told."""
    told: Mapping[str, Any] = answer['told']
    if not told:
        return Raced(outcome=_broken(answer))
    if 'result' not in told:
        verdict, reason = Verdict(told['verdict']), one_line(told['reason'])
        if any(word in reason for word in _MEMORY_WORDS):
            verdict = Verdict.TOO_MUCH_MEMORY
        return Raced(outcome=Outcome(verdict=verdict, reason=reason))
    result = RaceResult.from_json(told['result'])
    own, = (entry for entry in result.entries if entry.name == name)
    return Raced(outcome=outcome_of(own, ranking), result=result, line=told['line'])


def outcome_of(entry: EntryResult, ranking: Ranking) -> Outcome:
    """What an entry's result means for the standings."""
    driven = Outcome(
        verdict=Verdict.RANKED, figures=ranking.figures(entry), laps=len(entry.lap_times_s),
        resets=sum(entry.incidents.values()),
        collisions=entry.incidents.get(Status.CRASHED.label, 0),
        off_tracks=entry.incidents.get(Status.OFF_TRACK.label, 0))
    if entry.failure:
        return replace(driven, verdict=Verdict.NO_NUMBERS, reason=one_line(entry.failure),
                       figures=LapFigures())
    if ranking.score_of(driven.figures) is None:
        return replace(driven, verdict=Verdict.TOO_FEW_LAPS, reason=(
            f'ended as {entry.status} after {driven.laps} laps, {entry.completion:.0%} of the '
            f'way; what counts is the {ranking}.'))
    return driven


def _broken(answer: Mapping[str, Any]) -> Outcome:
    """Why a race process ended without a word."""
    number, said = answer['signal'], one_line(answer['said'])
    if answer['late'] or number == signal.SIGXCPU:
        limit = 'time by the clock' if answer['late'] else 'CPU time of one decision'
        return Outcome(verdict=Verdict.TOO_SLOW,
                       reason=f'it used up its {limit}; submit a smaller network.')
    if any(word in said for word in _MEMORY_WORDS):
        return Outcome(verdict=Verdict.TOO_MUCH_MEMORY, reason=said)
    how = signal.Signals(number).name if number else 'an error'
    return Outcome(verdict=Verdict.BROKE_DOWN, reason=f'{how}: {said}' if said else how)
