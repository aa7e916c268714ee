"""Ground truth and objects of one moment, however their messages interleave."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from racer_sim.camera import BODY
from racer_sim.moments import PATIENCE, Moments
from racer_sim.starting_grid import Pose


def bodies(stamp_s):
    rows = np.zeros(1, dtype=BODY)
    rows['x_m'] = stamp_s
    return rows


def pose(stamp_s):
    return Pose(float(stamp_s), 0.0, 0.0)


def test_without_word_of_objects_nothing_waits():
    moments = Moments()
    moments.put_pose(pose(1), 1.0)
    assert [moment.objects for moment in moments.complete()] == [None]
    assert list(moments.complete()) == []


@given(st.lists(st.booleans(), max_size=60))
def test_every_pose_comes_once_in_order_with_the_objects_of_its_time(objects_next):
    moments, seen, told = Moments(), [], [0, 0]
    moments.put_objects(bodies(0.0), 0.0)
    for is_objects in objects_next:
        ahead = told[is_objects] - told[not is_objects]
        kind = (not is_objects) if ahead >= PATIENCE - 1 else is_objects
        stamp_s = float(told[kind])
        told[kind] += 1
        if kind:
            moments.put_objects(bodies(stamp_s), stamp_s)
        else:
            moments.put_pose(pose(stamp_s), stamp_s)
        seen += moments.complete()
    assert [moment.stamp_s for moment in seen] == [float(n) for n in range(len(seen))]
    assert len(seen) >= min(told)
    assert all(moment.objects['x_m'][0] == moment.stamp_s for moment in seen)


def test_poses_do_not_wait_for_objects_that_have_gone():
    moments, seen = Moments(), []
    moments.put_objects(bodies(0.0), 0.0)
    for number in range(1, PATIENCE + 2):
        assert seen == []
        moments.put_pose(pose(number), float(number))
        seen += moments.complete()
    assert [moment.objects for moment in seen] == [None] * (PATIENCE + 1)
    moments.put_pose(pose(50), 50.0)
    assert len(list(moments.complete())) == 1, 'nor does any after them'


def test_a_clock_that_begins_anew_does_not_bring_old_objects_back():
    moments = Moments()
    moments.put_objects(bodies(100.0), 100.0)
    moments.put_objects(bodies(1.0), 1.0)
    moments.put_pose(pose(1), 1.0)
    assert [moment.objects['x_m'][0] for moment in moments.complete()] == [1.0]
