"""A graph of a test's own: one domain, local discovery, nodes in this process and in others."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

collect_ignore_glob = [] if find_spec('rclpy') else ['test_*.py']

PATIENCE_S = 120.0
"""For what comes in the end: test machines are shared, and may stand still for seconds."""

ATTEMPTS = 5
"""To meet a deadline by the clock on the wall, on a machine that may be late itself."""

FIRST_PORT = 33_400
"""A listening socket on FIRST_PORT + domain reserves the domain on this machine."""


def _require_in_time(limit_s: float, attempt: Callable[[], float]) -> float:
    """Require that something takes no longer than it may, once the machine keeps up.

    Args:
        limit_s: Longest time.
        attempt: Has it happen, and gives how long it took; that it happens it checks itself.

    Returns:
        How long it took in the end.
    """
    took_s: list[float] = []
    for _ in range(ATTEMPTS):
        took_s.append(attempt())
        if took_s[-1] < limit_s:
            return took_s[-1]
    pytest.fail(f'it took {took_s} s; allowed: {limit_s:g} s')


@pytest.fixture(scope='session')
def in_time() -> Callable[..., float]:
    """See `_require_in_time`."""
    return _require_in_time


def reserve_domain() -> tuple[int, socket.socket]:
    """A ROS domain that no other test of this machine uses, and what keeps it so."""
    domains = list(range(1, 100))
    random.SystemRandom().shuffle(domains)
    for domain in domains:
        holder = socket.socket()
        try:
            holder.bind(('127.0.0.1', FIRST_PORT + domain))
        except OSError:
            holder.close()
        else:
            return domain, holder
    raise RuntimeError('all ROS domains from 1 to 99 are in use')


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[int]:
    """A domain of the test's own, in the environment of this process and its children."""
    number, holder = reserve_domain()
    with holder:
        monkeypatch.setenv('ROS_DOMAIN_ID', str(number))
        monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'ros_log'))
        yield number


class Process:
    """A node in a process and session of its own; its standard error is in a file."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        with log.open('wb') as stream:
            self._child = subprocess.Popen(command, stdout=stream, stderr=stream,
                                           start_new_session=True)

    @property
    def output(self) -> str:
        return self.log.read_text('utf-8', errors='replace')

    def send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def wait(self) -> int:
        return self._child.wait(PATIENCE_S)

    def is_running(self) -> bool:
        return self._child.poll() is None

    def kill(self) -> None:
        if self.is_running():
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait(PATIENCE_S)


class Graph:
    """A probe on the graph, with nodes under test beside it.

    Nodes in this process have a context of their own, so that what they say goes through DDS, and
    share one executor with the probe, so that nothing runs but inside `until`.
    """

    def __init__(self, folder: Path) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self._folder, self._nodes, self._processes, self._contexts = folder, [], [], []
        self._executor_kind, self._executors = SingleThreadedExecutor, []
        self.context = self._new_context(rclpy)
        self.probe = rclpy.create_node('probe', context=self.context)
        self._spin_also(self.probe)

    def _new_context(self, rclpy: Any) -> Any:
        context = rclpy.Context()
        context.init()
        self._contexts.append(context)
        return context

    def _spin_also(self, node: Any) -> None:
        executor = self._executor_kind(context=node.context)
        executor.add_node(node)
        self._executors.append(executor)

    def add(self, kind: Callable[..., Any], **parameters: Any) -> Any:
        """Start a node in this process."""
        import rclpy
        from rclpy.parameter import Parameter

        options = {name.replace('__', '.'): value for name, value in parameters.items()}
        node = kind(context=self._new_context(rclpy), parameter_overrides=[
            Parameter(name, value=value) for name, value in options.items()])
        self._nodes.append(node)
        self._spin_also(node)
        return node

    def start(self, node: str | Path, *arguments: str, **parameters: Any) -> Process:
        """Start a node, a module or a script, in a process of its own."""
        which = [str(node)] if isinstance(node, Path) else ['-m', node]
        command = [sys.executable, *which, *arguments, '--ros-args']
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ['-p', f'{name.replace("__", ".")}:={text}']
        return self.run(command)

    def run(self, command: list[str]) -> Process:
        """Start a program that is no node."""
        process = Process(command, self._folder / f'process_{len(self._processes)}.log')
        self._processes.append(process)
        return process

    def listen(self, name: str, kind: Any = None) -> list[Any]:
        """Messages of a topic of the contract, from now on."""
        from racer_vehicle.nodes import ros

        heard: list[Any] = []
        ros.subscription(self.probe, name, heard.append)
        return heard

    def publisher(self, name: str, readers: int = 1) -> Any:
        """A publisher of a topic of the contract that has found its readers."""
        from racer_vehicle.nodes import ros

        publisher = ros.publisher(self.probe, name)
        self.until(lambda: publisher.get_subscription_count() >= readers,
                   f'{name} has {readers} readers')
        return publisher

    def call(self, name: str, request: Any) -> Any:
        """Answer of a service of the contract."""
        from racer_vehicle.nodes import ros

        client = ros.client(self.probe, name)
        self.until(client.service_is_ready, f'{name} is served')
        future = client.call_async(request)
        self.until(future.done, f'{name} answers')
        return future.result()

    def spin_once(self) -> None:
        """Let every node of this process do what it has to do."""
        for executor in self._executors:
            executor.spin_once(timeout_sec=0.001)

    def until(self, condition: Callable[[], Any], what: str,
              patience_s: float = PATIENCE_S) -> Any:
        """Spin until a condition holds, and return what it gave."""
        end_s = time.monotonic() + patience_s
        while not (result := condition()):
            self.spin_once()
            if time.monotonic() > end_s:
                logs = '\n'.join(process.output[-2000:] for process in self._processes)
                pytest.fail(f'not within {patience_s:g} s: {what}\n{logs}')
        return result

    def spin_for(self, duration_s: float) -> None:
        """Let time pass, where nothing is to happen."""
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s:
            self.spin_once()

    def close(self) -> None:
        """Stop all nodes and processes."""
        try:
            for node in self._nodes:
                node.stop()
        finally:
            for process in self._processes:
                process.kill()
            for executor in self._executors:
                executor.shutdown()
            for node in (*self._nodes, self.probe):
                node.destroy_node()
            for context in self._contexts:
                context.try_shutdown()


@pytest.fixture
def graph(domain: int, tmp_path: Path) -> Iterator[Graph]:
    """An empty graph with a probe."""
    graph = Graph(tmp_path)
    try:
        yield graph
    finally:
        graph.close()


@pytest.fixture
def toy_file(tmp_path: Path) -> Callable[[Any], str]:
    """Writes a bundle to a file and gives its path."""
    def write(bundle: Any) -> str:
        path = tmp_path / f'{bundle.sha256[:12]}.racer'
        bundle.write(path)
        return str(path)

    return write


@pytest.fixture(scope='session')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A bundle of a policy that laps the oval."""
    from racer_rl.envs.build import RaceSetup
    from racer_rl.export import export_bundle
    from racer_rl.store.models import ModelFolder
    from racer_rl.training.hyperparameters import load_hyperparameters
    from racer_rl.training.plan import Limits, StopReason, TrainingPlan
    from racer_rl.training.train import train

    folder = ModelFolder(tmp_path_factory.mktemp('trained') / 'laps')
    settings, _ = load_hyperparameters(None, 'ppo', 'FAST')
    plan = TrainingPlan(setup=RaceSetup(track='oval'), hyperparameters=settings, seed=1,
                        limits=Limits(time_s=1200.0, until_laps=True))
    assert train(folder, plan, lambda standing: None)[0] is StopReason.LAPS
    return export_bundle(folder, folder.path / 'laps.racer')


def _shown(folder: Path, names: set[str]) -> Path:
    """A folder that holds what distributions put into site-packages, and nothing else."""
    site = Path(next(path for path in sys.path if path.endswith('site-packages')))
    folder.mkdir(parents=True)
    for found in distributions(path=[str(site)]):
        if found.name.lower() in names or found.name.startswith('ros-'):
            for file in found.files or ():
                path = Path(os.path.normpath(found.locate_file(file)))
                top = site / path.relative_to(site).parts[0] if path.is_relative_to(site) else None
                link = folder / top.name if top else None
                if link and top.suffix != '.pth' and top.name != '__pycache__' and (
                        not link.exists()):
                    link.symlink_to(top)
    return folder


@pytest.fixture(scope='session')
def show_ros() -> Callable[..., Path]:
    """Makes a setup.sh as of a ROS installation, out of the wheels of this machine.

    What it shows is ROS and, by name, other packages; never the rest of this environment.
    """
    def show_ros(folder: Path, names: set[str] = frozenset()) -> Path:
        python = _shown(folder / 'python', names)
        file = folder / 'setup.sh'
        # The wheels start Python anew to set the path of their libraries; an installation sets it.
        file.write_text(f'export PYTHONPATH={python}\nexport AMENT_PREFIX_PATH={sys.prefix}\n'
                        f'export LD_LIBRARY_PATH={os.environ.get("LD_LIBRARY_PATH", "")}\n'
                        'export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1\n')
        return file

    return show_ros


@pytest.fixture(scope='session')
def ready_car(tmp_path_factory: pytest.TempPathFactory, show_ros: Callable[..., Path]) -> Path:
    """A car that has ROS and every Python package already: only racer is to be installed."""
    from racer_rl.deployment import wheels

    return show_ros(tmp_path_factory.mktemp('ready') / 'ros', wheels._closure(wheels.NEEDED))
