"""Films: what the file holds, when it appears, and what stays after an exception."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_rl.envs.build import RaceSetup, build_simulator
from racer_rl.evaluation.film import CODEC, Film
from racer_rl.evaluation.film_frame import (
    FRAME_SHAPE,
    PANE_HEIGHT_PX,
    PANE_WIDTH_PX,
    Caption,
    compose,
    speed_colours,
)
from racer_rl.evaluation.laps import EvaluationPlan, evaluate
from racer_sim.randomization import NONE, STRONG
from racer_sim.rules import RaceRules, Status
from racer_vehicle.action import ContinuousActions
from racer_vehicle.observation import Sensor
from racer_vehicle.spec import CONTROL_PERIOD_S

HELD = 15
"""Pictures in the second for which the last one stands."""


def full_left(observation):
    """A policy that leaves any track."""
    return np.tile((1.0, 1.0), (len(observation['camera']), 1))


def frames_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]


def film_of(path, setup, *, policy=full_left, car=0, **plan):
    with Film(path, car=car) as film:
        return evaluate(policy, setup, EvaluationPlan(**plan), watch=film)


def differs(first, second):
    """Share of pixels that are clearly not the same; video coding changes all of them a little."""
    return np.mean(np.abs(first.astype(int) - second).max(axis=2) > 60)


@pytest.fixture
def setup():
    actions = ContinuousActions(speed_low_mps=0.5, speed_high_mps=1.5)
    return RaceSetup(track='oval', actions=actions, image_age_s=(0.0, 0.0))


def test_film_runs_in_real_time_and_holds_its_end(setup, tmp_path):
    path = tmp_path / 'new' / 'drive.mp4'
    run = film_of(path, setup, laps=1, starts=1).runs[0]
    frames = frames_of(path)
    assert len(frames) == round(run.time_s / CONTROL_PERIOD_S) + 1 + HELD
    assert all(differs(frame, frames[-1]) < 1e-3 for frame in frames[-HELD:])
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.height, stream.width, 3) == FRAME_SHAPE
        assert stream.pix_fmt == 'yuv420p'
        assert stream.codec_context.name == {'libx264': 'h264', 'mpeg4': 'mpeg4'}[CODEC]
        seconds = float(stream.duration * stream.time_base)
        assert seconds == pytest.approx(len(frames) * CONTROL_PERIOD_S, abs=0.01)


def test_index_comes_before_the_pictures(setup, tmp_path):
    film_of(tmp_path / 'drive.mp4', setup, laps=1, starts=1)
    content = (tmp_path / 'drive.mp4').read_bytes()
    assert 0 < content.index(b'moov') < content.index(b'mdat')


def test_camera_pane_shows_the_camera_in_whole_squares(setup, tmp_path):
    seen = []
    with Film(tmp_path / 'drive.mp4') as film:

        def watch(simulator):
            film(simulator)
            seen.append(simulator.images()[0, 0])

        evaluate(full_left, setup, EvaluationPlan(laps=1, starts=1), watch=watch)
    pane = frames_of(tmp_path / 'drive.mp4')[4][:PANE_HEIGHT_PX, :PANE_WIDTH_PX].mean(axis=2)
    shown = pane.reshape(120, 4, 160, 4).mean(axis=(1, 3))
    # Below the words in the corner.
    assert np.abs(shown[20:] - seen[4][20:].astype(float)).mean() < 4.0


def test_colour_camera_is_filmed_in_colour(setup, tmp_path):
    def colourfulness(colour):
        path = tmp_path / f'{colour}.mp4'
        coloured = RaceSetup(track='oval', colour=colour, actions=setup.actions)
        film_of(path, coloured, laps=1, starts=1)
        pane = frames_of(path)[0][PANE_HEIGHT_PX // 2:PANE_HEIGHT_PX, :PANE_WIDTH_PX].astype(int)
        return np.ptp(pane, axis=2).max()

    assert colourfulness('rgb') > 80
    assert colourfulness('grey') < 20


def test_stereo_camera_and_long_track_can_be_filmed(tmp_path):
    setup = RaceSetup(track='gauntlet', sensors=(Sensor.STEREO_CAMERAS,))
    film_of(tmp_path / 'drive.mp4', setup, laps=1, starts=1)
    assert frames_of(tmp_path / 'drive.mp4')


def test_film_ends_with_its_cars_run_not_with_the_last_cars(setup, tmp_path):
    def first_leaves(observation):
        """The first car goes off to the left, the second creeps straight on."""
        return np.array(((1.0, 1.0), (0.0, -1.0)))

    result = film_of(tmp_path / 'drive.mp4', setup, policy=first_leaves, laps=1, starts=2)
    steps = [round(run.time_s / CONTROL_PERIOD_S) for run in result.runs]
    assert steps[0] < steps[1]
    assert len(frames_of(tmp_path / 'drive.mp4')) == steps[0] + 1 + HELD


def test_chosen_car_is_the_one_filmed(setup, tmp_path):
    for car in (0, 1):
        film_of(tmp_path / f'{car}.mp4', setup, car=car, laps=1, starts=2)
    first, second = (frames_of(tmp_path / f'{car}.mp4')[0] for car in (0, 1))
    assert differs(first, second) > 0.001


def test_time_limit_ends_a_film_and_penalties_do_not(setup, tmp_path):
    path = tmp_path / 'drive.mp4'
    run = film_of(path, setup, laps=1, starts=1, resets=100, lap_time_limit_s=8.0).runs[0]
    assert run.status.label == 'time_up'
    assert run.incidents > 1
    assert len(frames_of(path)) == round(run.time_s / CONTROL_PERIOD_S) + 1 + HELD


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
def test_interrupted_film_leaves_the_older_file(setup, tmp_path, error):
    path = tmp_path / 'drive.mp4'
    path.write_bytes(b'older')

    def interrupted(observation):
        raise error

    with pytest.raises(error):
        film_of(path, setup, policy=interrupted, laps=1, starts=1)
    assert [file.name for file in tmp_path.iterdir()] == ['drive.mp4']
    assert path.read_bytes() == b'older'


def test_film_appears_only_when_it_is_finished(setup, tmp_path):
    path = tmp_path / 'drive.mp4'
    with Film(path) as film:
        evaluate(full_left, setup, EvaluationPlan(laps=1, starts=1), watch=film)
        assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ['drive.mp4']


def test_nothing_filmed_makes_no_file(tmp_path):
    with Film(tmp_path / 'drive.mp4'):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('randomization', [NONE, STRONG])
def test_filming_changes_no_step_of_a_run(setup, tmp_path, randomization):
    def driven(*films):
        steps = []

        def watch(simulator):
            steps.append(simulator.state.tobytes())
            for film in films:
                film(simulator)

        return evaluate(full_left, setup, EvaluationPlan(
            laps=1, starts=2, resets=3, lap_time_limit_s=10.0, randomization=randomization,
        ), watch=watch), steps

    plain = driven()
    with Film(tmp_path / 'drive.mp4') as film:
        assert driven(film) == plain


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in '\.gif'; allowed: \.mp4\."):
        Film(tmp_path / 'drive.gif')


@pytest.mark.parametrize('car', [-1, 2])
def test_missing_car_is_refused(setup, tmp_path, car):
    simulator = build_simulator(setup, cars=2, seed=0, rules=RaceRules())
    with pytest.raises(ValueError, match=rf'film of car {car}; allowed: 0 to 1'), \
            Film(tmp_path / 'drive.mp4', car=car) as film:
        film(simulator)
    assert list(tmp_path.iterdir()) == []


def painted(**changes):
    caption = {'title': 'oval', 'status': Status.IN_PROGRESS, 'lap': 1, 'laps': 3, 'clock_s': 1.0,
               'last_lap_s': None, 'speed_mps': 1.0, 'top_mps': 2.0, 'steering': 0.0} | changes
    camera = np.zeros((120, 160), dtype=np.uint8)
    top_view = np.zeros((PANE_HEIGHT_PX, PANE_WIDTH_PX, 3), dtype=np.uint8)
    return compose(camera, top_view, Caption(**caption))


@pytest.mark.parametrize('change', [
    {'title': 'pebble'}, {'status': Status.OFF_TRACK}, {'lap': 2}, {'laps': 4}, {'clock_s': 1.01},
    {'last_lap_s': 9.5}, {'speed_mps': 1.01}, {'top_mps': 3.0}, {'steering': 0.1},
])
def test_every_part_of_the_caption_is_shown(change):
    assert (painted(**change) != painted()).any()


def test_steering_bar_grows_to_the_side_of_the_turn():
    straight = painted()
    left, right = (np.flatnonzero((painted(steering=turn) != straight).any(axis=(0, 2)))
                   for turn in (0.5, -0.5))
    assert left.max() < right.min()
    assert len(left) == pytest.approx(len(right), abs=2)


@given(speeds=st.lists(st.floats(0.0, 10.0), min_size=1, max_size=9), top=st.floats(0.1, 5.0))
def test_speeds_have_bright_colours_and_saturate(speeds, top):
    colours = speed_colours(np.array(speeds), top)
    assert colours.shape == (len(speeds), 3)
    assert (colours.max(axis=1) > 150).all()
    fast = np.array(speeds) >= top
    assert (colours[fast] == speed_colours(np.array([top]), top)).all()


@pytest.mark.parametrize('size', [(8, 8), (120, 160), (1080, 1920), (400, 30)])
def test_any_camera_fits_its_pane(size):
    camera = np.full(size, 200, dtype=np.uint8)
    top_view = np.zeros((PANE_HEIGHT_PX, PANE_WIDTH_PX, 3), dtype=np.uint8)
    caption = Caption(title='', status=Status.PAUSE, lap=1, laps=1, clock_s=0.0, last_lap_s=None,
                      speed_mps=0.0, top_mps=1.0, steering=0.0)
    frame = compose(camera, top_view, caption)
    assert frame.shape == FRAME_SHAPE
    bright = (frame[:PANE_HEIGHT_PX, :PANE_WIDTH_PX] == 200).all(axis=2)
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert height == PANE_HEIGHT_PX or width == PANE_WIDTH_PX
    assert width / height == pytest.approx(size[1] / size[0], rel=0.03)
