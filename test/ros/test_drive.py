"""`racer drive` for real: a trained car laps through its nodes, and nothing stays behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from racer_rl.cli.main import run
from racer_rl.drive.graph import NODES, DrivePlan
from racer_rl.drive.timing import stamp_ns_of
from racer_rl.evaluation.laps import EvaluationPlan
from racer_rl.nodes.drive import running_graph
from racer_sim.race_watch import RaceState
from racer_vehicle import contract
from racer_vehicle.supervise import ProgramError

pytestmark = [pytest.mark.ros, pytest.mark.slow]

PATIENCE_S = 120.0


@pytest.fixture
def bundle(trained, tmp_path):
    path = tmp_path / 'laps.racer'
    trained.write(path)
    return path


def processes_with(word):
    """Process ids whose command line or environment holds a word."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            content = (folder / 'cmdline').read_bytes() + (folder / 'environ').read_bytes()
        except OSError:
            continue
        if word.encode() in content and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


class Story:
    """What a bag tells of a drive."""

    def __init__(self, path):
        typesys, rosbag2 = (pytest.importorskip(f'rosbags.{name}')
                            for name in ('typesys', 'rosbag2'))
        store = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
        with rosbag2.Reader(path) as reader:
            self.counts = {connection.topic: connection.msgcount
                           for connection in reader.connections}
            told = [(connection.topic, data) for connection, _, data in reader.messages()]
        self.commands_ns = [stamp_ns_of(data) for topic, data in told if topic == '/sim/cmd_vel']
        self.states = [
            RaceState.from_json(store.deserialize_cdr(data, 'std_msgs/msg/String').data)
            for topic, data in told if topic == '/race/state']

    def must_be_that_of(self, run_record):
        """Require all topics, in their order, and the end that was printed."""
        assert self.counts.keys() == {f'/{row.name.lstrip("/")}' for row in contract.TOPICS
                                      if row.name != 'camera/image_raw/compressed'}
        for topic in ('/camera/image_raw', '/scan', '/cmd_vel', '/cmd_vel/applied', '/sim/odom'):
            assert self.counts[topic] > 20, topic
        assert self.commands_ns == sorted(self.commands_ns), 'none is older than the one before'
        stamps_s, last = [state.stamp_s for state in self.states], self.states[-1]
        assert stamps_s == sorted(stamps_s)
        assert (last.status, last.incidents) == (run_record['status'], run_record['incidents'])
        assert run_record['lap_times_s'] == pytest.approx(last.lap_times_s, abs=1e-5)


def test_a_trained_model_drives_every_lap_clean_and_its_bag_tells_so(bundle, trained, capsys,
                                                                      tmp_path):
    path = tmp_path / 'drive.mcap'
    assert run(['drive', str(bundle), '--laps', '2', '--bag', str(path), '--json']) == 0
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert (record['clean_laps'], record['total_laps'], record['starts']) == (8, 8, 4), record
    assert (record['model'], record['sha256'], record['mode']) == (
        'laps', trained.sha256, 'lockstep')
    assert record['timing']['dropped'] == 0
    assert record['timing']['images'] > 8 * 100
    assert record['timing']['applied']['p50_ms'] > 0.0
    assert 'in progress' in err
    assert f'wrote {path}' in err
    Story(path).must_be_that_of(record['runs'][-1])


def test_two_cars_race_each_other(bundle, capsys):
    assert run(['drive', str(bundle), '--cars', '2', '--starts', '2', '--laps', '1',
                '--resets', '9', '--json']) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record['race'], record['cars'], record['total_laps']) == ('head-to-head', 2, 2)
    assert record['completion'] == 1.0, record
    assert {run['status'] for run in record['runs']} == {'lap_complete'}
    assert all(run['overtakes'] is not None for run in record['runs'])


def test_in_real_time_it_drives_by_what_it_gets_and_its_bag_tells_so(bundle, capsys, tmp_path):
    """A machine that stalls misses images, and the car may leave the track; it is judged."""
    path = tmp_path / 'drive.mcap'
    assert run(['drive', str(bundle), '--mode', 'realtime', '--factor', '3', '--laps', '1',
                '--starts', '1', '--resets', '100', '--bag', str(path), '--json']) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record['mode'], record['factor']) == ('realtime', 3.0)
    Story(path).must_be_that_of(record['runs'][0])


def test_nothing_is_left_behind_by_ctrl_c(bundle, tmp_path, repository):
    marker = f'mark-{os.getpid()}-{time.monotonic_ns()}'
    command = [sys.executable, '-c', 'from racer_rl.cli.main import main; main()', 'drive',
               str(bundle), '--laps', '1000']
    folder = tmp_path / 'temporary'
    folder.mkdir()
    child = subprocess.Popen(command, cwd=repository, stderr=subprocess.PIPE, text=True,
                             stdout=subprocess.DEVNULL, start_new_session=True,
                             env={**os.environ, 'RACER_MARK': marker, 'TMPDIR': str(folder)})
    try:
        assert 'lap 1' in child.stderr.readline()
        assert len(processes_with(marker)) == 1 + len(NODES)
        child.send_signal(signal.SIGINT)
        assert child.wait(PATIENCE_S) == 130
        assert child.stderr.read() == ''
    finally:
        for process_id in processes_with(marker):
            os.kill(process_id, signal.SIGKILL)
        child.wait(PATIENCE_S)
        child.stderr.close()
    assert processes_with(marker) == []
    left = [path.name for path in folder.iterdir() if not path.name.startswith('.')]
    assert left == [], 'a library leaves a hidden file there, we leave nothing'


@pytest.mark.parametrize('victim', ['camera', 'sim'])
def test_the_death_of_a_node_ends_the_drive_by_name(bundle, victim):
    plan = DrivePlan(bundle=bundle, track='oval', judged=EvaluationPlan(laps=1000, starts=1))
    with (pytest.raises(ProgramError, match=f'{victim} has ended with status -9; allowed: to run'),
          running_graph(plan) as drive):
        others = [drive.supervisor.process_id(name) for name in NODES]
        os.kill(drive.supervisor.process_id(victim), signal.SIGKILL)
        drive.run(0.0, lambda headline: None)
    assert not any(Path(f'/proc/{process_id}').exists() for process_id in others)


def test_two_drives_at_once_do_not_hear_each_other(bundle):
    plan = DrivePlan(bundle=bundle, track='oval', judged=EvaluationPlan(laps=1, starts=1))
    with running_graph(plan) as one:
        first = one.race.run
        with running_graph(plan) as two:
            assert two.run(0.0, lambda headline: None)[0].laps[0].clean
        assert one.race.run == first


def test_a_damaged_bundle_is_one_line_and_two(bundle, capsys):
    bundle.write_bytes(bundle.read_bytes()[:-100])
    assert run(['drive', str(bundle)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count('\n')) == ('', 1)
    assert 'truncated or damaged' in err
