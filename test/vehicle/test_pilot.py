"""Which images are decided on, and what a policy remembers."""

import numpy as np
import pytest

from racer_vehicle.contract import CAMERA_STALE_S, LIDAR_STALE_S
from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.pilot import PolicyPilot
from racer_vehicle.signals import NEUTRAL, DriveCommand, Frame, Scan


class Scripted:
    """Stands where a loaded policy does: notes what it is asked, and answers by a script."""

    def __init__(self, *answers, reads_scans=False):
        self.reads_scans = reads_scans
        self.asked, self._answers = [], list(answers)

    def act(self, image, scan, fresh):
        self.asked.append((image, scan, fresh))
        answer = self._answers.pop(0) if self._answers else DriveCommand(0.1, len(self.asked))
        if isinstance(answer, Exception):
            raise answer
        return answer


def frame(stamp_s):
    return Frame(np.zeros((2, 2), np.uint8), stamp_s)


def pilot_of(policy):
    pilot = PolicyPilot()
    pilot.install(policy)
    return pilot


def test_without_a_policy_nothing_is_said():
    choice = PolicyPilot().decide(frame(1.0), 1.0)
    assert (choice.command, choice.trouble) == (None, 'no policy')


@pytest.mark.parametrize('late_s', [CAMERA_STALE_S + 0.01, -CAMERA_STALE_S - 0.01])
def test_a_stale_image_is_not_decided_on(late_s):
    policy = Scripted()
    choice = pilot_of(policy).decide(frame(10.0), 10.0 + late_s)
    assert (choice.command, choice.trouble) == (None, 'stale image')
    assert f'{late_s:.3f} s old' in choice.why
    assert not policy.asked


def test_an_image_shown_again_gets_the_same_answer_and_is_not_remembered_twice():
    policy = Scripted()
    pilot = pilot_of(policy)
    first = pilot.decide(frame(1.0), 1.0)
    assert pilot.decide(frame(1.0), 1.0) == first
    assert len(policy.asked) == 1


def test_the_first_image_and_those_after_a_pause_or_a_clock_set_back_begin_a_drive():
    policy = Scripted()
    pilot = pilot_of(policy)
    for stamp_s in (1.0, 1.066, 1.066 + CAMERA_STALE_S + 0.01, 0.5, 0.566):
        pilot.decide(frame(stamp_s), stamp_s)
    assert [fresh for _, _, fresh in policy.asked] == [True, False, True, True, False]


def test_a_new_policy_begins_a_drive_and_forgets_the_last_answer():
    pilot = pilot_of(Scripted())
    pilot.decide(frame(1.0), 1.0)
    policy = Scripted()
    pilot.install(policy)
    pilot.decide(frame(1.0), 1.0)
    assert [fresh for _, _, fresh in policy.asked] == [True]


def test_only_a_fresh_scan_is_shown():
    policy = Scripted()
    pilot = pilot_of(policy)
    ranges_m = np.ones(4, np.float32)
    pilot.decide(frame(1.0), 1.0)
    pilot.note_scan(Scan(ranges_m, 1.0))
    pilot.decide(frame(1.1), 1.1)
    pilot.decide(frame(1.0 + LIDAR_STALE_S + 0.1), 1.0 + LIDAR_STALE_S + 0.1)
    assert [scan is ranges_m for _, scan, _ in policy.asked] == [False, True, False]


def test_in_lock_step_an_image_waits_for_the_scan_of_its_own_moment():
    policy, pilot = Scripted(reads_scans=True), PolicyPilot(wait_for_scan=True)
    pilot.install(policy)
    before, now = (Scan(np.full(4, value, np.float32), 1.0 + 0.066 * value) for value in (0, 1))
    pilot.note_scan(before)
    choice = pilot.decide(frame(1.066), 1.066)
    assert (choice.command, choice.trouble, choice.waits) == (None, '', True)
    pilot.note_scan(now)
    choice = pilot.decide(frame(1.066), 1.066)
    assert choice.command is not None and not choice.waits
    assert [scan is now.ranges_m for _, scan, _ in policy.asked] == [True]


def test_a_policy_without_a_lidar_waits_for_no_scan():
    pilot = PolicyPilot(wait_for_scan=True)
    pilot.install(Scripted())
    assert pilot.decide(frame(1.0), 1.0).command is not None


def test_sensors_that_do_not_fit_drop_the_image_and_are_asked_again():
    policy = Scripted(ConfigError('the image has another shape'))
    pilot = pilot_of(policy)
    choice = pilot.decide(frame(1.0), 1.0)
    assert (choice.command, choice.trouble) == (None, 'unfit sensors')
    assert 'another shape' in choice.why
    assert pilot.decide(frame(1.0), 1.0).command is not None


def test_a_policy_that_has_diverged_is_neutral_at_once():
    pilot = pilot_of(Scripted(ModelMismatchError('gave nan')))
    choice = pilot.decide(frame(1.0), 1.0)
    assert (choice.command, choice.trouble) == (NEUTRAL, 'diverged')
