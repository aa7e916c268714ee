"""`racer bench`: what its report holds, and that its figures agree with each other."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from racer_rl.benchmarks import training as training_benchmark
from racer_rl.benchmarks.cost import Cost, Spread, cost_of, run_python
from racer_rl.benchmarks.machine import Machine
from racer_rl.benchmarks.report import Report, print_report
from racer_rl.benchmarks.simulator import SimulatorBenchmark
from racer_rl.benchmarks.training import TrainingBenchmark
from racer_rl.benchmarks.workloads import WORKLOADS, Driver
from racer_rl.cli.main import run
from racer_sim.track_files import save_npy
from racer_sim.track_generator import generate_track
from racer_vehicle.errors import ConfigError, RacerError, UnknownNameError


@pytest.fixture(scope='module')
def simulator():
    told = []
    figures = SimulatorBenchmark(track='oval', seeds=2, cars=(3, 2), share=1e-3).run(told.append)
    return figures, told


@pytest.fixture(scope='module')
def training(tmp_path_factory):
    path = tmp_path_factory.mktemp('tracks') / 'mine.npy'
    save_npy(generate_track(4), path)
    return TrainingBenchmark(track=str(path), seeds=1, stop=('--steps', '1')).run(lambda _: None)


def with_kernels_that_are_there(home):
    """Settings of the processes; to compile anew, as the other training does, takes long."""
    return {'RACER_HOME': str(home)}


def written(report):
    console = Console(width=120, file=io.StringIO())
    print_report(report, console)
    return console.file.getvalue()


def test_spread_is_median_and_range():
    assert Spread.of([3.0, 1.0, 2.00049]) == Spread(median=2.0, low=1.0, high=3.0)
    assert Spread.of([4.0]) == Spread(4.0, 4.0, 4.0)


def test_cost_counts_this_process():
    cost = cost_of(lambda: sum(range(200_000)))
    assert cost.wall_s > 0.0
    assert cost.cpu_s > 0.0


def test_a_process_gets_its_arguments_and_settings_and_is_counted():
    program = 'import os, sys; print(sys.argv[1:], os.environ["COLOUR"])'
    output, cost = run_python(program, ('a', 'b'), {'COLOUR': 'red'})
    assert output == "['a', 'b'] red\n"
    assert cost.wall_s > 0.0
    assert cost.cpu_s > 0.0


def test_a_process_that_fails_says_what_it_said():
    with pytest.raises(RacerError, match=r'\(racer train\) left with code 3; .* no fuel'):
        run_python('import sys; print("no fuel", file=sys.stderr); sys.exit(3)', ('train',), {})


def test_machine_names_itself():
    machine = Machine.here()
    assert machine.cpu
    assert 1 <= machine.usable_cores <= machine.cores
    assert machine.memory_gib > 0.1
    assert {'torch', 'numba', 'numpy'} <= machine.versions.keys()


@pytest.mark.parametrize('workload', WORKLOADS, ids=lambda workload: workload.name)
def test_driver_drives_on_and_off_the_track(workload):
    simulator, advance = workload.prepare('kidney', 16, 1)
    driver, ended = Driver(simulator, 1), 0
    travelled = np.zeros(16)
    for _ in range(400):
        ended += advance(driver())
        travelled = np.maximum(travelled, simulator.control.race['travelled_m'])
    assert ended > 0
    assert np.median(travelled) > 5.0


def test_same_seed_drives_the_same():
    ends = []
    for seed in (1, 1, 2):
        simulator, advance = WORKLOADS[0].prepare('kidney', 8, seed)
        driver = Driver(simulator, seed)
        for _ in range(50):
            advance(driver())
        ends.append(simulator.state.copy())
    assert np.array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])


def test_simulator_reports_every_workload_and_batch(simulator):
    figures, told = simulator
    assert [(row.cars, row.name) for row in figures.results] == [
        (cars, workload.name) for cars in (3, 2) for workload in WORKLOADS
    ]
    assert figures.seeds == (0, 1)
    assert all(row.steps % row.cars == 0 for row in figures.results)
    assert all(len(row.episodes) == 2 for row in figures.results)
    for rate in (row.cpu_steps_per_s for row in figures.results):
        assert 0.0 < rate.low <= rate.median <= rate.high
    assert told[-1] == 'simulator: 2 cars, seed 1 of 0-1'
    assert [share.cars for share in figures.reward_share] == [3, 2]
    assert all(share.percent.high < 100.0 for share in figures.reward_share)


def test_training_runs_the_command_on_a_file(training, racer_home):
    assert [run.seed for run in training.runs] == [0]
    assert training.runs[0].steps == 1024
    assert training.runs[0].total_laps == 12
    assert training.clean_runs == int(training.runs[0].clean_laps == 12)
    assert (training.track, training.network) == ('mine', 'FAST')
    assert training.command == 'racer train --track mine --steps 1'
    assert (training.runs[0].examined_laps, training.examined_on) == (48, ())
    assert training.wall_s.low == training.wall_s.median == training.wall_s.high
    assert list(racer_home.iterdir()) == []


@pytest.mark.parametrize(('settings', 'message'), [
    ({'track': 'ovla'}, "unknown track 'ovla'; did you mean oval"),
    ({'track': 'oval', 'network': 'FASTER'}, "unknown network 'FASTER'; did you mean FAST"),
    ({'track': 'oval', 'method': 'distil'}, "unknown method 'distil'; did you mean distill"),
    ({'track': 'oval', 'goal': 'rase'}, "unknown goal 'rase'; did you mean generalise or race"),
    ({'track': 'oval', 'elsewhere': ('ovla',)}, "unknown track 'ovla'; did you mean oval"),
])
def test_unknown_names_are_refused_before_anything_runs(settings, message):
    told = []
    with pytest.raises(UnknownNameError, match=message):
        TrainingBenchmark(**settings).run(told.append)
    assert told == []


def test_models_are_examined_where_it_is_said(monkeypatch):
    monkeypatch.setattr(training_benchmark, '_settings', with_kernels_that_are_there)
    told = []
    figures = TrainingBenchmark(track='practice:2', seeds=1, elsewhere=('oval',),
                                stop=('--steps', '1', '--no-early-stop')).run(told.append)
    assert figures.track == 'practice:2' and figures.examined_on == ('oval',)
    assert figures.runs[0].examined_laps == 12
    assert told[-1].endswith(f'examined: {figures.runs[0].examined_clean} of 12')


def test_a_goal_without_tracks_wants_one():
    with pytest.raises(ConfigError, match='no track was given for goal race; name one'):
        TrainingBenchmark(track='', goal='race').run(lambda _: None)


def test_no_seeds_are_refused():
    with pytest.raises(ConfigError, match=r'seeds is 0; allowed: 1 to 1000'):
        SimulatorBenchmark(track='oval', seeds=0)


def test_json_holds_all_of_the_report(simulator, training):
    report = Report(machine=Machine.here(), simulator=simulator[0], training=training)
    data = json.loads(json.dumps(report.as_dict()))
    assert data.keys() == {'machine', 'simulator', 'training', 'ros', 'inference', 'references'}
    assert data['simulator'].keys() == {
        'track', 'length_m', 'seeds', 'threads', 'cold_start', 'warm_start', 'results',
        'reward_share',
    }
    assert data['simulator']['results'][0].keys() == {
        'name', 'counted', 'cars', 'steps', 'episodes', 'cpu_steps_per_s', 'wall_steps_per_s'
    }
    assert data['training']['wall_s'].keys() == {'median', 'low', 'high'}
    assert data['training']['cold_start'].keys() == {'wall_s', 'cpu_s'}
    assert data['training']['runs'][0].keys() == {
        'seed', 'wall_s', 'cpu_s', 'steps', 'clean_laps', 'total_laps', 'mean_lap_s',
        'examined_clean', 'examined_laps', 'ratio', 'stopped_because',
    }
    assert all(reference['source'] for reference in data['references'])


def test_tables_name_every_part_asked_for(simulator, training):
    machine = Machine.here()
    text = written(Report(machine=machine, simulator=simulator[0], training=training))
    assert all(name in text for name in ('Machine', 'Simulator', 'Training', 'not measured here'))
    assert all(workload.name in text for workload in WORKLOADS)
    alone = written(Report(machine=machine, simulator=None, training=training))
    assert 'Simulator' not in alone


def test_command_prints_one_object_and_writes_the_same(monkeypatch, simulator, tmp_path, capsys):
    monkeypatch.setattr(SimulatorBenchmark, 'run', lambda self, tell: simulator[0])
    path = tmp_path / 'new' / 'report.json'
    assert run(['bench', 'simulator', '--seeds', '1', '--json', '--out', str(path)]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads(path.read_text('utf-8'))
    assert json.loads(out)['training'] is None
    assert str(path) in err


def test_command_refuses_an_unknown_part(capsys):
    assert run(['bench', 'everything']) == 2
    assert "'everything' is not one of" in capsys.readouterr().err


def test_costs_are_to_the_microsecond():
    cost = cost_of(lambda: None)
    assert cost == Cost(round(cost.wall_s, 6), round(cost.cpu_s, 6))
