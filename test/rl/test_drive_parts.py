"""The parts of a drive that know no ROS: what is started, what it took, what came of it."""

import json
import struct
from dataclasses import fields, replace
from pathlib import Path

import pytest

from racer_rl.drive.bag import Bag
from racer_rl.drive.graph import NODES, DrivePlan, programs
from racer_rl.drive.result import DriveResult, run_of
from racer_rl.drive.timing import WAITING, Percentiles, Timing, stamp_ns_of
from racer_rl.evaluation.laps import Evaluation, EvaluationPlan
from racer_sim.race_format import STANDARD_FORMATS, Bots, Obstacles, RaceFormat, RaceType
from racer_sim.race_watch import RaceState
from racer_sim.rules import Lap, Status
from racer_sim.track_library import find_track
from racer_vehicle import contract
from racer_vehicle.errors import ConfigError

MS = 1_000_000
JUDGED = EvaluationPlan(laps=3, starts=2, resets=1, seed=5)


def plan_of(bundle, **changes):
    return DrivePlan(**{'bundle': bundle, 'track': 'oval', 'judged': JUDGED, **changes})


def test_stamp_is_read_without_unpacking():
    assert stamp_ns_of(b'\0\1\0\0' + struct.pack('<iI', 12, 345) + b'rest') == 12_000_000_345


def test_times_run_from_the_image_to_the_first_command_on_it():
    timing = Timing()
    timing.begin()
    for number in range(4):
        sent_s = 0.066 * number
        timing.sensed(number * 66 * MS, sent_s)
        timing.decided(number * 66 * MS, sent_s + 0.002)
        timing.decided(number * 66 * MS, sent_s + 0.050)
        timing.applied(number * 66 * MS, sent_s + 0.004)
        timing.applied(number * 66 * MS, sent_s + 0.060)
    figures = timing.figures
    assert (figures.images, figures.dropped) == (4, 0)
    assert figures.decided == Percentiles(p50_ms=2.0, p99_ms=2.0, max_ms=2.0)
    assert figures.applied == Percentiles(p50_ms=4.0, p99_ms=4.0, max_ms=4.0)


def test_an_image_without_a_command_is_dropped_and_one_shown_again_is_not_new():
    timing = Timing()
    timing.begin()
    timing.sensed(0, 0.0)
    timing.sensed(0, 0.5)
    for number in range(1, WAITING + 10):
        timing.sensed(number, number * 0.066)
        timing.applied(number, number * 0.066 + 0.003)
    assert timing.figures.dropped == 0, 'it may still come'
    for number in range(100, 100 + WAITING):
        timing.sensed(number, float(number))
    assert timing.figures.dropped == 1


def test_in_lock_step_no_image_is_lost_though_a_command_was_not_heard():
    timing = Timing(lockstep=True)
    timing.begin()
    for number in range(2 * WAITING):
        timing.sensed(number, float(number))
    assert (timing.figures.images, timing.figures.dropped) == (2 * WAITING, 0)


def test_nothing_can_be_missed_once_all_has_been_heard():
    timing = Timing()
    for note in (timing.sensed, timing.decided, timing.applied):
        assert not timing.hears_all
        note(1, 0.0)
    assert timing.hears_all
    assert timing.figures.images == 0


def test_only_what_happens_while_the_car_races_counts():
    timing = Timing()
    timing.sensed(1, 0.0)
    timing.applied(1, 0.1)
    assert timing.figures.applied is None
    timing.begin()
    timing.sensed(2, 1.0)
    timing.sensed(3, 1.1)
    timing.applied(2, 1.002)
    timing.end()
    timing.applied(3, 9.0)
    timing.sensed(4, 9.1)
    assert (timing.figures.images, timing.figures.dropped) == (1, 0)
    assert timing.figures.applied.max_ms == 2.0


@pytest.mark.parametrize(('changes', 'message'), [
    ({'mode': 'fast'}, "mode is 'fast'; allowed: lockstep, realtime"),
    ({'simulator': 'webots'}, "simulator is 'webots'; allowed: embedded, gazebo"),
    ({'factor': 2.0}, 'factor is 2 in lock-step; allowed there: none'),
    ({'mode': 'realtime', 'factor': 0.0}, r'factor is 0\.0; allowed: 0\.01 to 100'),
    ({'race': RaceFormat(cars=3)}, 'starts is 2 in a race of 3 cars; allowed: 3, or a multiple'),
    ({'race': RaceFormat(obstacles=Obstacles(count=6, min_gap_m=9.0))}, '6 obstacles or bots 9 m'),
])
def test_plans_are_checked(changes, message):
    with pytest.raises(ConfigError, match=message):
        plan_of(Path('m.racer'), **changes)


def parameters_of(program):
    assert program.arguments[:2] == ('--ros-args', '--params-file')
    content = json.loads(Path(program.arguments[2]).read_text('utf-8'))
    return content['/**']['ros__parameters']


@pytest.fixture
def bundle(tmp_path, tiny_bundle):
    path = tmp_path / 'tiny.racer'
    tiny_bundle.write(path)
    return path


def test_every_node_is_told_the_same_car_and_course(bundle, tmp_path, tiny_bundle):
    settings = {program.name: parameters_of(program)
                for program in programs(plan_of(bundle, direction='reverse'), tmp_path)}
    assert set(settings) == set(NODES)
    for name, told in settings.items():
        assert told['car.wheelbase_m'] == tiny_bundle.card.car.wheelbase_m
        assert told['camera.width_px'] == 160
        assert told['lidar.rays'] == 64
        assert told['use_sim_time'] == (name != 'sim')
    for name in ('sim', 'race_control'):
        assert (settings[name]['track'], settings[name]['direction']) == ('oval', 'reverse')
    assert settings['inference']['bundle'] == str(bundle)
    assert {settings[name]['driver'] for name in ('camera', 'lidar', 'motor')} == {'simulated'}
    assert (settings['race_control']['laps'], settings['race_control']['resets']) == (3, 1)
    assert settings['race_control']['time_limit_s'] == 540.0


@pytest.mark.parametrize(('factor', 'stamps', 'simulated'), [(1.0, 'system', False),
                                                             (2.0, 'simulated', True)])
def test_real_time_is_the_systems_time_as_on_a_car(bundle, tmp_path, factor, stamps, simulated):
    plan = plan_of(bundle, mode='realtime', factor=factor)
    settings = {program.name: parameters_of(program) for program in programs(plan, tmp_path)}
    assert (settings['sim']['stamps'], settings['sim']['factor']) == (stamps, factor)
    assert settings['motor']['use_sim_time'] is simulated


@pytest.mark.parametrize('mode', ['lockstep', 'realtime'])
def test_gazebo_takes_the_place_of_the_simulator_and_tells_the_time(bundle, tmp_path, mode):
    plan = plan_of(bundle, simulator='gazebo', mode=mode)
    started = {program.name: program for program in programs(plan, tmp_path)}
    assert started['sim'].module == 'racer_sim.nodes.gazebo_node'
    assert {started[name].module for name in NODES if name != 'sim'} == {
        NODES[name] for name in NODES if name != 'sim'}
    told = parameters_of(started['sim'])
    assert (told['mode'], told['track'], told['image']) == (mode, 'oval', 'mono8')
    assert 'stamps' not in told
    assert parameters_of(started['motor'])['use_sim_time'] is True


@pytest.mark.parametrize('simulator', ['embedded', 'gazebo'])
@pytest.mark.parametrize('race', [
    RaceFormat(), RaceFormat(obstacles=Obstacles(count=2, places=((0.25, 1), (0.625, -1)))),
    RaceFormat(obstacles=Obstacles(count=3, moved=False, min_gap_m=1.5)),
    RaceFormat(bots=Bots(count=2, slowest_mps=0.4, fastest_mps=0.9, changes_lanes=True)),
    STANDARD_FORMATS[RaceType.OBJECT_AVOIDANCE], STANDARD_FORMATS[RaceType.HEAD_TO_BOT],
])
def test_a_simulator_is_told_the_whole_race(bundle, tmp_path, race, simulator):
    pytest.importorskip('rclpy')
    from racer_sim.nodes.sim_settings import DrivenSettings

    plan = plan_of(bundle, race=race, simulator=simulator)
    (program,) = programs(plan, tmp_path, ('sim',))
    known = {item.name for item in fields(DrivenSettings)}
    told = {name: value for name, value in parameters_of(program).items() if name in known}
    assert DrivenSettings(**told).world.race == race


def test_every_car_of_a_race_has_its_nodes_and_its_place_on_the_grid(bundle, tmp_path):
    plan = plan_of(bundle, race=RaceFormat(cars=2))
    started = {program.name: program for program in programs(plan, tmp_path)}
    own = [name for name in NODES if name != 'sim']
    assert set(started) == {'sim', *(f'car{number}.{name}' for number in (1, 2) for name in own)}
    assert parameters_of(started['sim'])['namespaces'] == ['car1', 'car2']
    for number in (1, 2):
        assert started[f'car{number}.motor'].arguments[-2:] == ('-r', f'__ns:=/car{number}')
        judge = parameters_of(started[f'car{number}.race_control'])
        assert (judge['place'], judge['leaves']) == (number - 1, True)


def test_some_of_the_nodes_can_be_wanted(bundle, tmp_path):
    wanted = programs(plan_of(bundle), tmp_path, ('sim', 'motor'))
    assert [program.name for program in wanted] == ['sim', 'motor']


DONE = RaceState(run=1, status='lap_complete', progress_percent=100.0, laps=2,
                 lap_times_s=(13.0, 12.5), lap_clean=(True, True), steps=386, time_s=25.476)
LOST = replace(DONE, status='off_track', progress_percent=50.0, laps=1, lap_times_s=(13.0,),
               lap_clean=(True,), incidents=1, cause='off_track')


def test_a_run_is_told_as_an_evaluation_tells_it():
    track = find_track('oval')
    done = run_of(DONE, track, reverse=False, share=0.25, laps=2)
    assert done.status is Status.LAP_COMPLETE
    assert (done.completion, done.direction, done.start) == (1.0, 'forward', 0.25)
    assert done.laps == (Lap(0, 1, 13.0, True), Lap(0, 2, 12.5, True))
    lost = run_of(LOST, track, reverse=True, share=0.0, laps=2)
    assert lost.status is Status.OFF_TRACK
    assert (lost.completion, lost.direction, lost.incidents) == (0.75, 'reverse', 1)


def test_the_result_is_what_evaluate_prints_and_the_graphs_times():
    track = find_track('oval')
    plan = EvaluationPlan(laps=2, starts=2)
    runs = tuple(run_of(state, track, reverse=False, share=0.0, laps=2) for state in (DONE, LOST))
    result = DriveResult(model='m', sha256='ab', simulator='embedded', mode='lockstep', factor=1.0,
                         race=RaceFormat(bots=Bots(count=1)), seconds=10.0,
                         evaluation=Evaluation(plan, runs), timing=Timing().figures)
    record = json.loads(json.dumps(result.as_dict()))
    assert record.items() >= Evaluation(plan, runs).as_dict().items()
    assert (record['clean_laps'], record['total_laps'], record['steps']) == (3, 4, 772)
    assert record['steps_per_s'] == 77.2
    assert record['race'] == 'head-to-bot'
    assert record['timing']['applied'] is None
    assert '0 images, 0 without a command; image to policy -, to motor -' in result.timing_line


def test_a_bag_holds_what_came(tmp_path):
    rosbag2 = pytest.importorskip('rosbags.rosbag2')
    path, row = tmp_path / 'drive.mcap', contract.topic('race/state')
    said = b'\0\1\0\0\3\0\0\0hi\0'
    with Bag(path) as bag:
        bag.add('/race/state', row)
        bag.write('/race/state', said, 42)
    assert bag.messages == 1
    assert list(tmp_path.iterdir()) == [path]
    with rosbag2.Reader(path) as reader:
        assert [(connection.topic, connection.msgtype, stamp, data)
                for connection, stamp, data in reader.messages()] == [
                    ('/race/state', row.type, 42, said)]


def test_a_bag_takes_every_topic_of_the_contract(tmp_path):
    rosbag2 = pytest.importorskip('rosbags.rosbag2')
    path = tmp_path / 'all.mcap'
    with Bag(path) as bag:
        for row in contract.TOPICS:
            bag.add(f'/{row.name.lstrip("/")}', row)
    with rosbag2.Reader(path) as reader:
        assert {connection.msgtype for connection in reader.connections} == {
            row.type for row in contract.TOPICS}


def test_what_was_recorded_until_an_error_is_kept(tmp_path):
    rosbag2 = pytest.importorskip('rosbags.rosbag2')
    path = tmp_path / 'cut.mcap'
    with pytest.raises(KeyboardInterrupt), Bag(path) as bag:
        bag.add('/race/state', contract.topic('race/state'))
        bag.write('/race/state', b'\0\1\0\0\1\0\0\0\0', 1)
        raise KeyboardInterrupt
    with rosbag2.Reader(path) as reader:
        assert reader.message_count == 1


@pytest.mark.parametrize('name', ['drive.bag', 'absent/drive.mcap'])
def test_a_bag_that_cannot_be_written_is_refused_at_once(tmp_path, name):
    with pytest.raises(ConfigError, match=r'allowed: a file \*\.mcap in a folder that exists'):
        Bag(tmp_path / name)
