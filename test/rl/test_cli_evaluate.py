"""`racer evaluate` with a scripted driver in place of a trained model."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

import racer_rl.cli.evaluate as command
from racer_rl.cli import bound_search, suite_view
from racer_rl.cli.main import run
from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.suite import SuitePlan
from racer_rl.traces.laps import episodes_of
from racer_rl.traces.log import read_log
from racer_sim.lap_bound import LapBound, compute_lap_bound, lap_bound
from racer_sim.track_library import find_track
from racer_vehicle.action import ContinuousActions
from racer_vehicle.errors import ModelMismatchError, TrackError
from racer_vehicle.spec import CarSpec


class ScriptedModel:
    """A model of the store as far as the command needs one."""

    name = 'alpha'
    setup = RaceSetup(track='oval', image_age_s=(0.0, 0.066),
                      actions=ContinuousActions(speed_low_mps=1.0, speed_high_mps=2.0))

    def __init__(self, path):
        self.path, self.run = path, {'id': 'a1'}
        self.checkpoints = []
        self.robustness = {}

    def write_robustness(self, result):
        self.robustness = result

    def policy(self, checkpoint):
        self.checkpoints.append(checkpoint)
        return getattr(self, checkpoint)

    @staticmethod
    def best(observation):
        """Keeps to the centre by the privileged features."""
        privileged = observation['privileged']
        offset, error, bend = privileged[:, 0], privileged[:, 2], privileged[:, 14]
        steering = np.clip(-0.7 * offset - 1.5 * error + 0.5 * bend, -1.0, 1.0)
        return np.column_stack((steering, np.zeros(len(steering))))

    @staticmethod
    def last(observation):
        """Leaves every track."""
        return np.tile((1.0, 0.0), (len(observation['camera']), 1))


def fast_answer(track, car, max_speed_mps, report):
    """The centre line at full speed, as if it had been computed."""
    report('searching')
    lap_s = track.length_m / max_speed_mps
    return LapBound(bound_s=lap_s, margin_s=0.0, max_speed_mps=max_speed_mps, qss_s=lap_s,
                    line=track.centre_m, speed_mps=np.full(len(track.centre_m), max_speed_mps))


@pytest.fixture
def model(monkeypatch, racer_home):
    """A model, and bounds that take no time; those of the oval are known."""
    monkeypatch.setattr('racer_sim.lap_bound.compute_lap_bound', fast_answer)
    for track in (find_track('oval'), find_track('oval').reversed()):
        lap_bound(track, CarSpec(), 2.0, lambda words: None)
    scripted = ScriptedModel(racer_home / 'models' / 'alpha')
    scripted.path.mkdir(parents=True)
    monkeypatch.setattr(command, 'open_model', {'alpha': scripted}.__getitem__)
    return scripted


def json_of(capsys, *arguments):
    assert run(['evaluate', 'alpha', '--json', *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_table_has_a_row_a_run_and_a_summary(model, capsys):
    assert run(['evaluate', 'alpha', '--laps', '2', '--starts', '2', '--direction', 'both']) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ['track', 'direction', 'start', 'status', 'laps', 'lap', 'times',
                                's', 'best', 's', 'ratio']
    starts = [line.split()[:6] for line in lines[1:5]]
    assert starts == [['oval', way, start, 'lap', 'complete', '2/2']
                      for way in ('forward', 'reverse') for start in ('0%', '50%')]
    assert lines[5].startswith('8 of 8 laps clean, 4 of 4 runs, 100.0% of the distance, mean lap ')
    assert err == ''
    assert model.checkpoints == ['best']


def test_laps_that_are_not_clean_are_no_error(model, capsys):
    assert run(['evaluate', 'alpha', '--checkpoint', 'last', '--starts', '1']) == 0
    out = capsys.readouterr().out
    assert 'off track' in out
    assert '0 of 3 laps clean' in out
    assert 'mean lap' not in out
    assert model.checkpoints == ['last']


def test_lap_with_an_incident_is_starred(model, capsys, monkeypatch):
    def sleepy(observation):
        """Stops steering in the first bend, once."""
        sleepy.steps += 1
        outputs = ScriptedModel.best(observation)
        return outputs * (0.0 if 30 < sleepy.steps < 60 else 1.0)

    sleepy.steps = 0
    monkeypatch.setattr(model, 'best', sleepy, raising=False)
    assert run(['evaluate', 'alpha', '--starts', '1', '--laps', '2', '--resets', '9']) == 0
    out = capsys.readouterr().out
    assert '1 of 2 laps clean' in out
    assert out.splitlines()[2].endswith(', *: with an incident')
    assert out.splitlines()[1].count('*') == 1


def test_json_is_one_object_and_the_same_again(model, capsys):
    first, second = (
        (run(['evaluate', 'alpha', '--json', '--laps', '1', '--seed', '7']), capsys.readouterr())
        for _ in range(2))
    assert first == second
    code, (out, err) = first
    record = json.loads(out)
    assert (code, err) == (0, '')
    assert (record['model'], record['checkpoint'], record['seed']) == ('alpha', 'best', 7)
    assert (record['clean_laps'], record['total_laps']) == (4, 4)
    assert [run['start'] for run in record['runs']] == [0.0, 0.25, 0.5, 0.75]


def test_seed_changes_the_laps(model, capsys):
    times = [json_of(capsys, '--laps', '1', '--seed', seed)['mean_lap_s'] for seed in '12']
    assert times[0] != times[1]


def test_runs_differ_in_what_is_asked_for(model, capsys, tmp_path):
    small_wheels = tmp_path / 'small_wheels.json'
    small_wheels.write_text('{"profile": "none", "wheel_radius": [0.85, 0.85]}')
    plain, small = (json_of(capsys, '--laps', '1', *options)
                   for options in ((), ('--randomization', str(small_wheels))))
    assert small['mean_lap_s'] > 1.05 * plain['mean_lap_s'], 'smaller wheels go slower'


def test_an_unknown_profile_is_one_line(model, capsys):
    assert run(['evaluate', 'alpha', '--randomization', 'wild']) == 2
    assert "unknown randomization 'wild'" in capsys.readouterr().err


def test_track_and_direction_replace_the_models_own(model, capsys):
    record = json_of(capsys, '--track', 'pebble', '--direction', 'reverse', '--starts', '1')
    assert [(run['track'], run['direction']) for run in record['runs']] == [('pebble', 'reverse')]


def test_pictures_are_written_and_named_on_stderr(model, capsys, tmp_path):
    video, plot = tmp_path / 'drive.mp4', tmp_path / 'line.png'
    arguments = ('--laps', '1', '--starts', '2', '--resets', '1')
    plain = json_of(capsys, *arguments)
    assert run(['evaluate', 'alpha', '--json', *arguments, '--video', str(video),
                '--plot', str(plot)]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == plain
    assert err == f'wrote {video}\nwrote {plot}\n'
    assert video.read_bytes()[4:8] == b'ftyp'
    assert plot.read_bytes().startswith(b'\x89PNG')


OVAL_S = find_track('oval').length_m / 2.0


def test_flying_laps_are_compared_with_the_bound(model, capsys):
    assert run(['evaluate', 'alpha', '--laps', '3', '--starts', '2']) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    record = json_of(capsys, '--laps', '3', '--starts', '2')
    flying = [time for each in record['runs'] for time in each['lap_times_s'][1:]]
    mean_s = sum(flying) / len(flying)
    assert record['lap_bound_s'] == pytest.approx(OVAL_S, abs=1e-6)
    assert record['ratio'] == pytest.approx(mean_s / OVAL_S, abs=1e-6)
    assert [each['lap_bound_s'] for each in record['runs']] == 2 * [record['lap_bound_s']]
    for each in record['runs']:
        assert each['ratio'] == pytest.approx(sum(each['lap_times_s'][1:]) / 2 / OVAL_S, abs=1e-6)
    assert said == f'mean flying lap {mean_s:.2f} s = {mean_s / OVAL_S:.2f} x the bound 8.69 s'


def test_without_a_flying_lap_there_is_no_ratio(model, capsys):
    assert run(['evaluate', 'alpha', '--laps', '1', '--starts', '1']) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith('lap bound 8.69 s: no lap to compare was flying')
    record = json_of(capsys, '--laps', '1', '--starts', '1')
    assert (record['ratio'], record['runs'][0]['ratio']) == (None, None)
    assert record['lap_bound_s'] == record['runs'][0]['lap_bound_s'] == pytest.approx(8.685, 1e-3)


def test_several_courses_have_a_ratio_a_run(model, capsys):
    arguments = ('--laps', '2', '--starts', '1', '--direction', 'both')
    assert run(['evaluate', 'alpha', *arguments]) == 0
    heading, *rows, _, said = capsys.readouterr().out.splitlines()
    record = json_of(capsys, *arguments)
    assert heading.endswith('  ratio')
    assert [row.split()[-1] for row in rows] == [f'{each["ratio"]:.2f}' for each in record['runs']]
    assert record['ratio'] == pytest.approx(sum(each['ratio'] for each in record['runs']) / 2)
    assert record['lap_bound_s'] is None
    assert said.startswith(f'mean flying lap {record["ratio"]:.2f} x the bound of its course')


def test_a_bound_is_computed_once_and_says_so(model, capsys):
    words = ['evaluate', 'alpha', '--track', 'pebble', '--starts', '1', '--laps', '2']
    assert run(words) == 0
    first = capsys.readouterr()
    assert first.err == 'computing the lap bound of pebble, once\n'
    assert run(words) == 0
    assert capsys.readouterr() == (first.out, '')


def test_no_bound_is_looked_for_if_nobody_wants_it(model, capsys, monkeypatch):
    monkeypatch.setattr(command, 'find_bounds', lambda *_, **__: pytest.fail('it looked'))
    assert run(['evaluate', 'alpha', '--starts', '1', '--laps', '2', '--no-bound']) == 0
    out, err = capsys.readouterr()
    assert ('bound' in out, err) == (False, '')
    record = json_of(capsys, '--starts', '1', '--laps', '2', '--no-bound')
    assert (record['lap_bound_s'], record['ratio']) == (None, None)
    assert record['runs'][0]['ratio'] is record['runs'][0]['lap_bound_s'] is None


def refuses(*_):
    raise TrackError("track 'pebble' is up to 9.00 m wide.")


@pytest.mark.parametrize(('target', 'value', 'message'), [
    ('racer_sim.lap_bound.Corridor.of', refuses, "track 'pebble' is up to 9.00 m wide."),
    ('racer_sim.lap_bound.fastest_lap', lambda *_: None, 'no fastest lap of track'),
])
def test_a_track_without_a_bound_is_a_line_and_no_error(model, capsys, monkeypatch, target, value,
                                                        message):
    monkeypatch.setattr('racer_sim.lap_bound.compute_lap_bound', compute_lap_bound)
    monkeypatch.setattr(target, value)
    record, err = refused_bound(capsys)
    assert err.startswith(f'no lap bound of pebble: {message}')
    assert (record['lap_bound_s'], record['ratio']) == (None, None)


def test_without_casadi_evaluation_goes_on(model, capsys, monkeypatch):
    monkeypatch.setattr('racer_sim.lap_bound.compute_lap_bound', compute_lap_bound)
    monkeypatch.setitem(sys.modules, 'casadi', None)
    record, err = refused_bound(capsys)
    assert 'needs CasADi, which is not installed; install it with: pip install casadi' in err
    assert (record['clean_laps'], record['ratio']) == (2, None)


def refused_bound(capsys):
    """An evaluation on pebble, and its second line on stderr."""
    words = ('--track', 'pebble', '--starts', '1', '--laps', '2')
    assert run(['evaluate', 'alpha', '--json', *words]) == 0
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert first == 'computing the lap bound of pebble, once'
    return json.loads(out), second


def test_many_courses_are_not_computed_unasked(model, capsys, monkeypatch):
    monkeypatch.setattr(bound_search, 'MOST_COURSES', 1)
    monkeypatch.setattr(model, 'setup', replace(model.setup, track=('oval', 'pebble', 'kidney')))
    words = ['evaluate', 'alpha', '--starts', '1', '--laps', '2']
    assert run(words) == 0
    out, err = capsys.readouterr()
    assert err == ('2 of 3 courses have no lap bound yet; --bound computes them, some seconds '
                   'each.\n')
    assert [row.split()[-1] == '-' for row in out.splitlines()[1:4]] == [False, True, True]
    assert out.splitlines()[-1].startswith('ratio: mean flying lap over the lap bound')
    assert run([*words, '--bound']) == 0
    out, err = capsys.readouterr()
    assert err.count('computing the lap bound of ') == 2
    assert 'x the bound of its course' in out


@pytest.mark.parametrize(('option', 'name', 'message'), [
    ('--video', 'drive.avi', "ends in '.avi'; allowed: .mp4."),
    ('--plot', 'line.gif', "ends in '.gif'; allowed: .png, .svg, .pdf."),
])
def test_wrong_picture_is_refused_before_a_lap_is_driven(model, capsys, tmp_path, monkeypatch,
                                                         option, name, message):
    monkeypatch.setattr(command, 'evaluate', lambda *_, **__: pytest.fail('it drove'))
    assert run(['evaluate', 'alpha', option, str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.endswith(f'{message}\n')
    assert not (tmp_path / name).exists()


def test_missing_checkpoint_is_one_line_and_two(model, capsys, monkeypatch):
    def missing(checkpoint):
        raise ModelMismatchError(f'no {checkpoint} checkpoint; train first.')

    monkeypatch.setattr(model, 'policy', missing)
    assert run(['evaluate', 'alpha']) == 2
    assert capsys.readouterr() == ('', 'error: no best checkpoint; train first.\n')


@pytest.mark.parametrize(('arguments', 'message'), [
    (('--laps', '0'), 'laps is 0; allowed: 1 to 1000'),
    (('--starts', '0'), 'starts is 0; allowed: 1 to 256'),
    (('--resets', '-1'), 'resets is -1; allowed: 0 to'),
    (('--direction', 'up'), "'up' is not one of 'forward', 'reverse', 'both'"),
    (('--track', 'ovla'), "unknown track 'ovla'; did you mean oval?"),
])
def test_wrong_value_is_one_line_and_two(model, capsys, arguments, message):
    assert run(['evaluate', 'alpha', *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ''
    assert message in err
    assert err.count('\n') == 1


def test_unknown_model_is_one_line_and_two(racer_home, capsys):
    assert run(['evaluate', 'alpha']) == 2
    out, err = capsys.readouterr()
    assert (out, err.count('\n')) == ('', 1)
    assert err.startswith("error: unknown model 'alpha'; there is none yet.")


def test_every_evaluation_keeps_its_steps_for_analysis(model, capsys):
    shown = json_of(capsys, '--starts', '2', '--laps', '2')
    json_of(capsys, '--starts', '1', '--laps', '1')
    log = read_log(model.path)
    driven = episodes_of(log.evaluation)
    assert list(driven['iteration']) == [0, 0, 0, 0, 1]
    lap_times_s = [lap_s for row in shown['runs'] for lap_s in row['lap_times_s']]
    assert driven['complete'].all() and len(lap_times_s) == 4
    told_ms = log.episodes['elapsed_time_in_milliseconds']
    assert list(told_ms[:4] / 1e3) == pytest.approx(lap_times_s, abs=1e-3)
    # Steps tell time in whole control periods.
    assert list(driven['time_s'][:4]) == pytest.approx(lap_times_s, abs=0.067)


def test_steps_are_not_kept_where_nobody_wants_them(model, capsys):
    json_of(capsys, '--starts', '1', '--laps', '1', '--no-trace')
    assert not list(model.path.glob('evaluation-*'))


def test_a_folder_that_cannot_be_written_to_costs_nobody_the_result(model, capsys):
    (model.path / 'evaluations').write_text('in the way')
    assert run(['evaluate', 'alpha', '--starts', '1', '--laps', '1']) == 0
    told = capsys.readouterr()
    assert 'note: the evaluation was not kept' in told.err
    assert '1 of 1 laps clean' in told.out


@pytest.fixture
def short_suite(monkeypatch):
    """A suite that a test has time for."""
    monkeypatch.setattr(suite_view, 'SuitePlan', lambda seed: SuitePlan(
        seed=seed, starts=1, tracks=1, single=False, lap_time_limit_s=5.0))


def test_the_suite_is_a_matrix_for_people(model, short_suite, capsys):
    assert run(['evaluate', 'alpha', '--suite', 'robust', '--checkpoint', 'last']) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].split() == ['condition', 'as', 'is', 'mild', 'hard']
    assert all(name in shown for name in ('all at once', 'the other way round', 'unknown tracks'))
    assert 'robust score 0.00: the mean share of clean laps' in shown
    assert model.checkpoints == ['last']


def test_the_suite_is_one_object_for_programs(model, short_suite, capsys):
    record = json_of(capsys, '--suite', 'robust')
    assert (record['model'], record['checkpoint'], record['suite']) == ('alpha', 'best', 'robust')
    assert 0.0 <= record['score'] <= 1.0
    assert record['conditions'][0]['condition'] == 'as specified'
    assert record['conditions'][0].keys() == {
        'condition', 'strength', 'clean_share', 'completion', 'mean_lap_s', 'runs'}
    assert model.robustness == record  # for the report
    assert json_of(capsys, '--suite', 'robust') == record


def test_a_model_of_many_tracks_shows_a_few_of_them(model, capsys):
    model.setup = RaceSetup(track=('oval', 'pebble', 'kidney', 'dogbone', 'boomerang', 'clover',
                                   'needle'), actions=model.setup.actions)
    assert run(['evaluate', 'alpha', '--laps', '1', '--starts', '1', '--no-bound']) == 0
    out, err = capsys.readouterr()
    assert 'of 7 tracks that it was trained on, 6; name another with --track' in err
    assert 'clover' in out and 'needle' not in out
    assert run(['evaluate', 'alpha', '--laps', '1', '--starts', '1', '--no-bound', '--track',
                'needle']) == 0
    assert 'trained on' not in capsys.readouterr().err
