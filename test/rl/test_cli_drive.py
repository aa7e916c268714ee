"""`racer drive` before anything starts: what it refuses, and how it says so."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from racer_rl.cli import drive as command
from racer_rl.cli.main import run
from racer_rl.drive.graph import DrivePlan
from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import EvaluationPlan
from racer_sim.lap_bound import LapBound, lap_bound
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.spec import CarSpec
from racer_vehicle.supervise import Supervisor


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch):
    monkeypatch.setattr(Supervisor, 'start', lambda *_: pytest.fail('it started a program'))


@pytest.fixture
def bundle(tiny_bundle, tmp_path):
    path = tmp_path / 'tiny.racer'
    tiny_bundle.write(path)
    return str(path)


def refused(capsys, *arguments):
    assert run(['drive', *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count('\n')) == ('', 1)
    return err


def test_without_ros_it_says_where_to_get_it(bundle, capsys, monkeypatch):
    monkeypatch.setattr(command, 'find_spec', lambda name: None)
    assert 'rclpy is not installed; source an installation of ROS 2' in refused(capsys, bundle)


@pytest.mark.parametrize(('arguments', 'message'), [
    (('--laps', '0'), 'laps is 0; allowed: 1 to 1000'),
    (('--starts', '0'), 'starts is 0; allowed: 1 to 256'),
    (('--factor', '2'), 'factor is 2 in lock-step; allowed there: none'),
    (('--factor', '0', '--mode', 'realtime'), 'factor is 0.0; allowed: 0.01 to 100'),
    (('--mode', 'fast'), "'fast' is not one of 'lockstep', 'realtime'"),
    (('--simulator', 'webots'), "'webots' is not one of 'embedded', 'gazebo'"),
    (('--direction', 'both'), "'both' is not one of 'forward', 'reverse'"),
    (('--track', 'ovla'), "unknown track 'ovla'; did you mean oval?"),
    (('--race', 'objects'), "unknown race 'objects'; did you mean object-avoidance?"),
    (('--cars', '3'), 'starts is 4 in a race of 3 cars; allowed: 3, or a multiple'),
    (('--obstacles', '2', '--bots', '1'), '--bots is given for a race of type object-avoidance'),
    (('--place', '0.25,left', '--place', '0.26,right', '--track', 'oval'),
     'two obstacles would stand 0.17 m apart'),
    (('--obstacles', '7'), 'count is 7; allowed: 0 to 6'),
    (('--bag', 'drive.bag'), 'allowed: a file *.mcap in a folder that exists'),
])
def test_wrong_value_is_one_line_and_two(bundle, capsys, arguments, message):
    pytest.importorskip('rclpy')
    assert message in refused(capsys, bundle, *arguments)


def test_a_missing_bundle_is_one_line_and_two(capsys, tmp_path):
    pytest.importorskip('rclpy')
    assert 'cannot read policy bundle' in refused(capsys, str(tmp_path / 'absent.racer'))


def test_an_unknown_model_is_one_line_and_two(capsys, racer_home):
    pytest.importorskip('rclpy')
    assert "unknown model 'alpha'; there is none yet." in refused(capsys, 'alpha')


@pytest.fixture
def plan(bundle):
    return DrivePlan(bundle=Path(bundle), track='pebble', direction='reverse',
                     judged=EvaluationPlan())


def test_laps_are_compared_with_a_bound_that_is_known(plan, racer_home, monkeypatch):
    card, course = PolicyBundle.read(plan.bundle).card, plan.course.track
    assert command._kept_bounds(plan, card) == (None,)
    found = LapBound(bound_s=4.5, margin_s=0.0, max_speed_mps=2.0, qss_s=4.5,
                     line=course.centre_m, speed_mps=np.ones(len(course.centre_m)))
    monkeypatch.setattr('racer_sim.lap_bound.compute_lap_bound', lambda *_: found)
    lap_bound(course, CarSpec(), RaceSetup().actions.top_speed_mps)
    assert [bound.bound_s for bound in command._kept_bounds(plan, card)] == [4.5]
    assert command._kept_bounds(replace(plan, simulator='gazebo'), card) == ()
