"""What the check needs of a running car; `racer_vehicle/nodes/check_link.py` has it over ROS."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from racer_vehicle.signals import DriveCommand, Frame, Scan
from racer_vehicle.spec import CarSpec

Item = TypeVar('Item')


@dataclass(frozen=True, slots=True)
class Sample(Generic[Item]):
    """Something that arrived.

    Attributes:
        at_s: When, on the steady clock.
        age_s: Since it was made, by its stamp.
        item: What it is.
    """

    at_s: float
    age_s: float
    item: Item


@dataclass(frozen=True, slots=True)
class Listened:
    """What the sensors said for a while.

    Attributes:
        frames: Images, oldest first.
        scans: Scans, oldest first.
        unfit: What the last message said that could not be read; empty without one.
    """

    frames: Sequence[Sample[Frame]]
    scans: Sequence[Sample[Scan]]
    unfit: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """What the inference node was started with; empty texts without one.

    Attributes:
        bundle: Path of its policy.
        trusted_keys: Folder of the keys that it trusts.
        active_sha256: Of the policy that it drives by.
    """

    bundle: str = ''
    trusted_keys: str = ''
    active_sha256: str = ''


class CarLink(Protocol):
    """A running car. Times are of the steady clock; every wait ends."""

    @property
    def nodes(self) -> Collection[str]:
        """Names of the nodes that are there."""
        ...

    @property
    def is_simulated(self) -> bool:
        """Whether a simulator makes what the camera sees: it may stand still to the last bit."""
        ...

    @property
    def applied(self) -> Sequence[Sample[DriveCommand]]:
        """What the motor was told, oldest first."""
        ...

    @property
    def autonomous(self) -> bool:
        """Whether the policy is in charge and not the operator, as the motor said last."""
        ...

    def car(self) -> CarSpec:
        """The car as its nodes have it."""
        ...

    def driver(self) -> Driver:
        """The inference node's settings."""
        ...

    def listen(self, duration_s: float) -> Listened:
        """Wait for the first words of the sensors, then collect what they say."""
        ...

    def wait(self, duration_s: float) -> None:
        """Listen to the motor for a while.

        Raises:
            KeyboardInterrupt: A person wants to stop.
        """
        ...

    def command(self, command: DriveCommand) -> float:
        """Send an operator's command; when it was sent."""
        ...

    def enable(self, wanted: bool) -> str:
        """Let commands through or not; why that is refused, empty when it is done."""
        ...

    def emergency_stop(self, wanted: bool) -> None:
        """Latch the emergency stop, or clear it."""
        ...

    def put_in_charge(self, *, policy: bool) -> None:
        """Let the policy drive, or the operator."""
        ...
