"""`racer bench inference`: what is timed is a decision, and the figures agree with each other."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console

from racer_rl.benchmarks.cpu_share import ROOT, cpu_share, period_us
from racer_rl.benchmarks.decisions import Found, Times
from racer_rl.benchmarks.inference import InferenceBenchmark
from racer_rl.benchmarks.machine import Machine
from racer_rl.benchmarks.node_budget import NodeResult
from racer_rl.benchmarks.report import Report, print_report
from racer_rl.benchmarks.subjects import Subject, subjects_of
from racer_rl.cli.main import run
from racer_rl.drive.timing import Percentiles
from racer_vehicle.errors import ConfigError, ModelMismatchError, RacerError, UnknownNameError


@pytest.fixture(scope='module')
def figures(toy):
    told = []
    benchmark = InferenceBenchmark(
        subjects=(Subject('a', toy()), Subject('b', toy(steering=-0.5))), count=40, repeats=2)
    return benchmark.run(told.append), told


def written(report):
    console = Console(width=80, file=io.StringIO())
    print_report(report, console)
    return console.file.getvalue()


def test_each_policy_is_timed_in_every_repetition(figures):
    found, told = figures
    assert [(row.name, row.precision, row.cpu_share) for row in found.results] == [
        ('a', 'float32', 1.0), ('b', 'float32', 1.0)]
    assert told == ['inference: repetition 1 of 2', 'inference: repetition 2 of 2']
    assert (found.image_px, found.raw_px) == ((160, 120), (640, 480))
    for row in found.results:
        for times in (row.decided, row.rectified):
            assert 0.0 < times.p50_ms.median <= times.p95_ms.median <= times.p99_ms.median
            assert times.p99_ms.low <= times.p99_ms.high <= times.max_ms.high
            assert times.cpu_mean_ms.median > 0.0
        assert row.core_percent.median == pytest.approx(
            row.decided.cpu_mean_ms.median / 66.0 * 100.0, rel=0.2, abs=0.01)


def test_the_measuring_process_is_no_larger_than_a_cars(figures):
    """torch alone would be 200 MiB more."""
    assert all(20.0 < row.memory_mib.high < 200.0 for row in figures[0].results)


def test_the_measuring_process_imports_nothing_of_the_trainer():
    program = ('import sys, racer_rl.benchmarks.decisions\n'
               "print([name for name in ('torch', 'gymnasium', 'stable_baselines3', 'onnx', "
               "'numba', 'rclpy') if name in sys.modules])")
    result = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                            check=True)
    assert result.stdout.strip() == '[]'


def test_a_policy_that_gives_no_command_is_not_timed(toy):
    broken = Subject('broken', toy(steering=float('nan')))
    with pytest.raises(RacerError, match=r'left with code 1; .*does not decide'):
        InferenceBenchmark(subjects=(broken,), count=10, repeats=1).run(lambda _: None)


def test_times_are_percentiles_in_milliseconds():
    wall_ns = np.arange(1, 101, dtype=np.int64) * 1_000_000
    times = Times.of(wall_ns, wall_ns // 2)
    assert (times.p50_ms, times.max_ms, times.mean_ms) == (50.5, 100.0, 50.5)
    assert times.p99_ms == pytest.approx(99.01)
    assert times.cpu_mean_ms == pytest.approx(25.0, abs=0.3)
    found = Found(decided=times, rectified=times, load_s=0.1, memory_mib=90.0)
    text = json.dumps({'decided': {name: getattr(times, name) for name in times.__slots__},
                       'rectified': {name: getattr(times, name) for name in times.__slots__},
                       'load_s': 0.1, 'memory_mib': 90.0})
    assert Found.from_json(text) == found


class TestSubjects:
    def test_untrained_networks_and_their_8_bit_twins(self):
        subjects = subjects_of(None, ('FAST',), int8=True)
        assert [(one.name, one.bundle.card.precision) for one in subjects] == [
            ('FAST', 'float32'), ('FAST', 'int8')]

    def test_a_bundle_file(self, toy, tmp_path):
        path = tmp_path / 'a.racer'
        toy().write(path)
        (subject,) = subjects_of(str(path), ('FAST',), int8=False)
        assert subject.bundle == toy()

    @pytest.mark.usefixtures('racer_home')
    def test_what_is_not_there(self, tmp_path):
        with pytest.raises(ModelMismatchError, match='cannot read policy bundle'):
            subjects_of(str(tmp_path / 'no.racer'), (), int8=False)
        with pytest.raises(ConfigError, match="unknown model 'no'"):
            subjects_of('no', (), int8=False)
        with pytest.raises(UnknownNameError, match='did you mean FAST'):
            subjects_of(None, ('FASTER',), int8=False)


class TestShare:
    def test_the_quota_is_the_shortest_and_the_period_follows(self):
        assert (period_us(0.25), period_us(0.5), period_us(0.125)) == (4000, 2000, 8000)

    @pytest.mark.parametrize('share', [0.0, -1.0, 1.0, 2.0, float('nan')])
    def test_other_shares_are_refused_before_anything_is_measured(self, toy, share):
        with pytest.raises(ConfigError, match=r'CPU share is .*; allowed: 0\.01 to 0\.99 of one'):
            InferenceBenchmark(subjects=(Subject('a', toy()),), shares=(share,))

    def test_the_second_version_of_control_groups(self, tmp_path):
        """Its files, where a test may write; no kernel behind them."""
        (tmp_path / 'cgroup.controllers').write_text('cpu memory')
        with pytest.raises(OSError, match='not empty'), cpu_share(0.25, tmp_path) as file:
            assert (tmp_path / 'cgroup.subtree_control').read_text() == '+cpu'
            assert (file.parent / 'cpu.max').read_text() == '1000 4000'
            assert file == tmp_path / f'racer-bench-{os.getpid()}' / 'cgroup.procs'

    def test_a_system_that_gives_no_group_is_told(self, tmp_path):
        with (pytest.raises(ConfigError, match=r'cannot make control group .*allowed: Linux with'),
              cpu_share(0.25, tmp_path / 'nothing')):
            pass

    def test_a_process_of_a_real_group_is_paused(self):
        try:
            with cpu_share(0.1) as file:
                program = ('import os, pathlib, sys, time\n'
                           'pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n'
                           'while time.process_time() < 0.2: pass\n')
                subprocess.run([sys.executable, '-c', program, str(file)], check=True)
                counts = dict(line.split() for line in
                              (file.parent / 'cpu.stat').read_text().splitlines())
        except ConfigError as error:
            pytest.skip(f'NOT TESTED with a real control group: {error}')
        assert int(counts['nr_throttled']) > 0
        assert not list(ROOT.glob(f'**/racer-bench-{os.getpid()}'))


def test_tables_name_policies_lens_and_node(figures):
    node = NodeResult(name='a', precision='float32', cpu_share=0.25, images=300, unanswered=2,
                      answered=Percentiles(p50_ms=2.1, p99_ms=7.2, max_ms=8.3),
                      core_percent=3.6, memory_mib=126.2)
    from dataclasses import replace
    shown = replace(figures[0], nodes=(node,), node_seconds=20.0, period_ms={0.25: 4.0})
    report = Report(machine=Machine.here(), simulator=None, training=None, inference=shown)
    text = written(report)
    for part in ('ms from a 160x120 image', '640x480 to 160x120', 'node, 20 s', '126',
                 '25.0% of a core: 1 ms of every 4 ms', '3.6 %'):
        assert part in text
    assert '…' not in text, 'it fits into 80 columns'
    json.dumps(report.as_dict())


def test_the_command_prints_one_object(toy, tmp_path, capsys):
    toy().write(tmp_path / 'a.racer')
    assert run(['bench', 'inference', str(tmp_path / 'a.racer'), '--count', '20', '--seeds', '1',
                '--json']) == 0
    report = json.loads(capsys.readouterr().out)
    assert report['training'] is None
    assert [row['network_bytes'] for row in report['inference']['results']] == [len(toy().onnx)]
    assert report['inference']['nodes'] == []


@pytest.mark.ros
def test_the_real_node_answers_and_is_weighed(toy):
    pytest.importorskip('rclpy')
    from racer_rl.benchmarks.node_budget import measure_node

    found = measure_node(Subject('a', toy()), 1.0, 3.0, 'oval')
    assert found.images >= 5, 'of 45 at most: this machine may stall'
    assert found.unanswered < found.images
    assert found.answered.p50_ms > 0.0
    assert found.core_percent > 0.0
    assert 50.0 < found.memory_mib < 500.0
