import numpy as np
import pytest

from racer_sim.courses import MIP_LEVELS, CourseGeometry, GroundTextures, courses_of
from racer_sim.ground import GroundStyle, paint_ground
from racer_sim.track import Track
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError

OVAL, PEBBLE = find_track('oval'), find_track('pebble')
STYLE = GroundStyle()


def square(side_m, name='square'):
    """A square track of 40 points."""
    step = np.linspace(0.0, 1.0, 10, endpoint=False)
    edges = (step, step * 0), (step * 0 + 1, step), (1 - step, step * 0 + 1), (step * 0, 1 - step)
    centre = side_m * np.concatenate([np.stack(edge, axis=1) for edge in edges])
    return Track.from_centre_line(name, centre, 0.3, 0.3)


def test_both_directions_follow_track_by_track():
    courses = courses_of([OVAL, PEBBLE], 'both')
    assert [(course.track.name, course.reverse) for course in courses] == [
        ('oval', False), ('oval', True), ('pebble', False), ('pebble', True)]
    assert courses[1].track.is_clockwise != courses[0].track.is_clockwise


@pytest.mark.parametrize(('tracks', 'direction', 'message'), [
    ([OVAL], 'sideways', r"direction is 'sideways'; allowed: forward, reverse, both"),
    ([], 'forward', r'no track was given; name at least one'),
])
def test_no_course_without_track_and_direction(tracks, direction, message):
    with pytest.raises(ConfigError, match=message):
        courses_of(tracks, direction)


def test_geometry_is_the_tracks_end_to_end():
    courses = courses_of([OVAL, PEBBLE], 'both')
    geometry = CourseGeometry.of(courses)
    for index, course in enumerate(courses):
        begin, end = geometry.first[index:index + 2]
        assert np.array_equal(geometry.points[begin:end], course.track.centre_m)
        assert np.array_equal(geometry.s_m[begin + index:end + index + 1], course.track.s_m)
        assert np.array_equal(geometry.left_m[begin:end], course.track.left_m)
        assert np.array_equal(geometry.right_m[begin:end], course.track.right_m)
        assert geometry.length_m[index] == course.track.length_m
        assert geometry.clockwise[index] == course.track.is_clockwise


def test_borders_may_be_nearer_than_drawn_by_half_at_most():
    courses = courses_of([OVAL])
    left_m = courses[0].track.left_m
    assert np.allclose(CourseGeometry.of(courses, 0.04).left_m, left_m - 0.04)
    assert np.allclose(CourseGeometry.of(courses, 10.0).right_m, courses[0].track.right_m / 2.0)


def texels(textures, ground, level):
    record = textures.levels[ground, level]
    shape = record['height'], record['width']
    return textures.texels[record['offset']:record['offset'] + shape[0] * shape[1]].reshape(shape)


def test_directions_share_a_ground_and_tracks_do_not():
    textures = GroundTextures.of(courses_of([OVAL, PEBBLE], 'both'), STYLE, rgb=False)
    assert textures.ground_of_course.tolist() == [0, 0, 1, 1]


def test_two_tracks_of_one_name_keep_their_own_grounds():
    courses = courses_of([square(2.0), square(3.0)])
    textures = GroundTextures.of(courses, STYLE, rgb=False)
    assert textures.ground_of_course.tolist() == [0, 1]
    for ground, course in enumerate(courses):
        painted = paint_ground(course.track, STYLE).luma()
        kept = texels(textures, ground, 0)[:painted.shape[0], :painted.shape[1]]
        assert np.array_equal(kept, painted)


def test_every_level_halves_the_one_before():
    textures = GroundTextures.of(courses_of([square(2.0)]), STYLE, rgb=False)
    for level in range(1, MIP_LEVELS):
        fine, coarse = (texels(textures, 0, which).astype(float) for which in (level - 1, level))
        blocks = fine.reshape(coarse.shape[0], 2, coarse.shape[1], 2).mean(axis=(1, 3))
        assert np.abs(blocks - coarse).max() <= 0.5
        assert np.divide(*textures.levels[0, level - 1:level + 1]['texels_per_m']) == 2.0


def test_colour_planes_are_those_of_the_picture():
    track = square(2.0)
    textures = GroundTextures.of(courses_of([track]), STYLE, rgb=True)
    image = paint_ground(track, STYLE).image
    height, width = (textures.levels[0, 0][name] for name in ('height', 'width'))
    planes = textures.texels[:3 * height * width].reshape(3, height, width)
    cut = planes[:, :image.shape[0], :image.shape[1]]
    assert np.array_equal(cut, image.transpose(2, 0, 1))
    assert tuple(textures.fields[0].tolist()) == STYLE.field


def test_the_same_grounds_are_painted_once():
    courses = courses_of([find_track('pebble')], 'both')
    one, same = (GroundTextures.of(courses, STYLE, rgb=False) for _ in range(2))
    assert one.texels is same.texels and not one.texels.flags.writeable
    assert GroundTextures.of(courses, STYLE, rgb=True).texels is not one.texels
