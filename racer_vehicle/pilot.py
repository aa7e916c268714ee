"""Which images a policy decides on, and with which scan: the loop of the car, without ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass

from racer_vehicle import contract
from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.policy import LoadedPolicy
from racer_vehicle.signals import NEUTRAL, DriveCommand, Frame, Scan
from racer_vehicle.staleness import Freshness


@dataclass(frozen=True, slots=True)
class Choice:
    """What came of an image.

    Attributes:
        command: To send; None: the image was dropped.
        trouble: Kind of trouble, for counting; empty when there was none.
        why: In words.
        waits: Whether it is to be asked again with the next scan.
    """

    command: DriveCommand | None
    trouble: str = ''
    why: str = ''
    waits: bool = False


class PolicyPilot:
    """Drives one car by a policy, which may be exchanged between two images.

    Attributes:
        policy: That decides; None until one is installed.
        image_age: Of the last image.
    """

    def __init__(self, *, wait_for_scan: bool = False) -> None:
        """Begin without a policy.

        Args:
            wait_for_scan: A policy that reads scans gets that of the image's own moment and no
                other. A car's scanner turns as it likes, so there the newest one has to do.
        """
        self._wait_for_scan = wait_for_scan
        self.policy: LoadedPolicy | None = None
        self.image_age = Freshness(contract.topic('camera/image_raw'))
        self._scan_age = Freshness(contract.topic('scan'))
        self._scan: Scan | None = None
        self._stamp_s, self._command = -math.inf, NEUTRAL

    def install(self, policy: LoadedPolicy) -> None:
        """Drive by this policy from the next image on; it remembers none before."""
        self.policy, self._stamp_s = policy, -math.inf

    def note_scan(self, scan: Scan) -> None:
        """The newest scan."""
        self._scan = scan
        self._scan_age.note(scan.stamp_s)

    def decide(self, frame: Frame, now_s: float) -> Choice:
        """Decide on an image.

        An image with the stamp of the one before gets the same answer: it is shown again because
        the answer was lost, and the policy's memory holds it already.

        Args:
            frame: The image.
            now_s: On the clock of its stamp.
        """
        self.image_age.note(frame.stamp_s)
        if not self.image_age.is_fresh(now_s):
            return Choice(None, 'stale image', f'the image is {self.image_age.age_s(now_s):.3f} s '
                                               f'old; allowed: {self.image_age.limit_s:g} s')
        if self.policy is None:
            return Choice(None, 'no policy', 'there is no policy yet')
        if frame.stamp_s == self._stamp_s:
            return Choice(self._command)
        if self._wait_for_scan and self.policy.reads_scans and not (
                self._scan and abs(self._scan.stamp_s - frame.stamp_s) <= contract.SAME_STAMP_S):
            return Choice(None, waits=True)
        choice = self._ask(self.policy, frame, now_s)
        if choice.command is not None:
            self._stamp_s, self._command = frame.stamp_s, choice.command
        return choice

    def _ask(self, policy: LoadedPolicy, frame: Frame, now_s: float) -> Choice:
        scan = self._scan if self._scan_age.is_fresh(now_s) else None
        # After a pause, or a clock set back, what was seen before is another drive.
        fresh = not 0.0 < frame.stamp_s - self._stamp_s <= self.image_age.limit_s
        try:
            return Choice(policy.act(frame.image, scan.ranges_m if scan else None, fresh))
        except ConfigError as error:
            return Choice(None, 'unfit sensors', str(error))
        except ModelMismatchError as error:
            # Neutral at once, rather than whenever the motor notices the silence.
            return Choice(NEUTRAL, 'diverged', str(error))
