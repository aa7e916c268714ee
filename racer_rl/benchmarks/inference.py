"""What a decision costs, from the camera's image to the limited command, on one core or less."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from racer_rl.benchmarks.cost import Spread, Tell, run_python
from racer_rl.benchmarks.cpu_share import cpu_share, period_us, require_share
from racer_rl.benchmarks.decisions import RAW_PX, Found, Order, Times
from racer_rl.benchmarks.node_budget import NodeResult, measure_node
from racer_rl.benchmarks.subjects import Subject
from racer_rl.benchmarks.views import write_views
from racer_vehicle.spec import CONTROL_PERIOD_S, require_range

WARM_UP: Final = 200
"""Decisions before the first that counts."""

COUNTED: Final = (
    'decision: the code of the inference node and the limiter behind it, without ROS, from a '
    'native camera image to the command; one process, one thread, one core'
)

NODE_COUNTED: Final = (
    'node: the process of inference_node, all threads, at 15 Hz; time to answer: from publishing '
    'an image in another process to the arrival of the command there'
)

_PROGRAM: Final = 'import sys; from racer_rl.benchmarks.decisions import main; main(sys.argv[1:])'


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpreads:
    """`Times` of several processes, milliseconds."""

    p50_ms: Spread
    p95_ms: Spread
    p99_ms: Spread
    max_ms: Spread
    mean_ms: Spread
    cpu_mean_ms: Spread
    cpu_p99_ms: Spread

    @classmethod
    def of(cls, times: Sequence[Times]) -> TimeSpreads:
        """Median and range of each figure."""
        return cls(**{item.name: Spread.of(getattr(found, item.name) for found in times)
                      for item in dataclasses.fields(Times)})


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceResult:
    """One policy with one share of a core.

    Attributes:
        name: Of the policy.
        precision: Of its weights.
        network_bytes: Size of the network.
        cpu_share: Of one core; 1 is a whole one.
        decided: From the camera's image to the limited command.
        rectified: From a raw image of a wide lens to the camera's: work of the camera node.
        core_percent: Of the core at full speed, for decisions at 15 Hz, by CPU time.
        load_s: From the file to a policy that is ready.
        memory_mib: Of the process, at most.
    """

    name: str
    precision: str
    network_bytes: int
    cpu_share: float
    decided: TimeSpreads
    rectified: TimeSpreads
    core_percent: Spread
    load_s: Spread
    memory_mib: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceFigures:
    """Result of `InferenceBenchmark`.

    Attributes:
        count: Decisions of a repetition.
        repeats: Repetitions, each a process of its own, in turns.
        image_px: Width and height of the camera's images.
        raw_px: Of the images before their lens is rectified.
        period_ms: In which a quota runs and pauses, by share of a core; empty without a quota.
        counted: What the figures include.
        results: By policy, then share.
        nodes: The same policies in the real node; empty unless asked for.
        node_seconds: Of each of those measurements.
        node_counted: What those figures include.
    """

    count: int
    repeats: int
    image_px: tuple[int, int]
    raw_px: tuple[int, int]
    period_ms: dict[float, float]
    counted: str = COUNTED
    results: tuple[InferenceResult, ...]
    nodes: tuple[NodeResult, ...] = ()
    node_seconds: float = 0.0
    node_counted: str = NODE_COUNTED


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceBenchmark:
    """What is measured.

    Attributes:
        subjects: The policies.
        count: Decisions of a repetition.
        repeats: Repetitions.
        shares: Of one core, besides a whole one.
        track: Name or file: what the camera sees.
        node_seconds: How long to drive the real node for each policy and share; 0: not at all.
    """

    subjects: tuple[Subject, ...]
    count: int = 3000
    repeats: int = 5
    shares: tuple[float, ...] = ()
    track: str = 'kidney'
    node_seconds: float = 0.0

    def __post_init__(self) -> None:
        require_range(self, count=(10, 10_000_000), repeats=(1, 1000),
                      node_seconds=(0.0, 86_400.0))
        for share in self.shares:
            require_share(share)

    def run(self, tell: Tell) -> InferenceFigures:
        """Measure in turns: a busy minute then falls on all policies and shares.

        Args:
            tell: Hears of each repetition.

        Raises:
            ConfigError: This system gives no share of a core.
            RacerError: A process failed.
        """
        for share in self.shares:
            # Where there are no groups, to be told now and not after minutes.
            with _group(share):
                pass
        found: dict[tuple[int, float], list[Found]] = {}
        with tempfile.TemporaryDirectory(prefix='racer-bench-') as name:
            orders = [self._order(Path(name) / str(index), subject)
                      for index, subject in enumerate(self.subjects)]
            for repeat in range(self.repeats):
                tell(f'inference: repetition {repeat + 1} of {self.repeats}')
                for share in (1.0, *self.shares):
                    for index, order in enumerate(orders):
                        found.setdefault((index, share), []).append(_measured(order, share))
        nodes = []
        for share in (1.0, *self.shares) if self.node_seconds else ():
            for subject in self.subjects:
                tell(f'inference node: {subject.name}, {share:.0%} of a core')
                nodes.append(measure_node(subject, share, self.node_seconds, self.track))
        camera = self.subjects[0].bundle.card.observation.native_camera
        return InferenceFigures(
            count=self.count, repeats=self.repeats,
            image_px=(camera.width_px, camera.height_px), raw_px=RAW_PX,
            period_ms={share: period_us(share) / 1e3 for share in self.shares},
            results=tuple(_result(self.subjects[index], share, rows)
                          for (index, share), rows in sorted(found.items(), key=_by_subject)),
            nodes=tuple(nodes), node_seconds=self.node_seconds,
        )

    def _order(self, folder: Path, subject: Subject) -> Order:
        """Write what a process reads."""
        folder.mkdir()
        subject.bundle.write(folder / 'policy.racer')
        write_views(folder / 'views.npz', subject.bundle.card, self.track)
        core = max(os.sched_getaffinity(0)) if sys.platform == 'linux' else -1
        return Order(bundle=str(folder / 'policy.racer'), views=str(folder / 'views.npz'),
                     count=self.count, warm_up=min(WARM_UP, self.count), core=core, group='')


def _measured(order: Order, share: float) -> Found:
    with _group(share) as group:
        limited = dataclasses.replace(order, group=group)
        output, _ = run_python(_PROGRAM, (json.dumps(asdict(limited)),), {'OMP_NUM_THREADS': '1'})
    return Found.from_json(output)


@contextmanager
def _group(share: float) -> Iterator[str]:
    """The file that takes a process in; none for a whole core."""
    if share == 1.0:
        yield ''
    else:
        with cpu_share(share) as file:
            yield str(file)


def _by_subject(item: tuple[tuple[int, float], list[Found]]) -> tuple[int, float]:
    (index, share), _ = item
    return index, -share


def _result(subject: Subject, share: float, found: Sequence[Found]) -> InferenceResult:
    return InferenceResult(
        name=subject.name, precision=subject.bundle.card.precision,
        network_bytes=len(subject.bundle.onnx), cpu_share=share,
        decided=TimeSpreads.of([row.decided for row in found]),
        rectified=TimeSpreads.of([row.rectified for row in found]),
        core_percent=Spread.of(row.decided.cpu_mean_ms / CONTROL_PERIOD_S / 10.0 for row in found),
        load_s=Spread.of(row.load_s for row in found),
        memory_mib=Spread.of(row.memory_mib for row in found),
    )
