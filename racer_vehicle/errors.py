"""The errors that a person may see, each saying what was given, what is allowed and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RacerError(Exception):
    """Root of every error that `racer` raises on purpose; commands print it in one line."""


class ConfigError(RacerError, ValueError):
    """A value that a person gave (argument, file, parameter) is not one that can be used."""


class TrackError(ConfigError):
    """A track's geometry or file cannot be raced on."""


class RewardError(RacerError):
    """A reward function does not load, raises, or returns what is not a finite number."""


class ModelMismatchError(RacerError):
    """A model, checkpoint or policy bundle does not fit the car or the run that wants it."""


class DeviceError(RacerError, OSError):
    """A camera, scanner, servo or motor is missing, has failed, or has stopped answering."""


class MessageError(RacerError, ValueError):
    """A message cannot be what its topic promises: another size, encoding or set of rays."""


class UnknownNameError(ConfigError):
    """A name that is not in a catalogue; the message offers the nearest known names."""

    def __init__(self, kind: str, given: str, known: Iterable[str], remedy: str = '') -> None:
        """Compose the message.

        Args:
            kind: What the name should have named, e.g. `track`.
            given: The name that was given.
            known: Every name that would have worked.
            remedy: What to do, e.g. the command that lists the catalogue.
        """
        names = sorted(known)
        near = difflib.get_close_matches(
            given.lower(), [name.lower() for name in names], n=3, cutoff=0.5
        )
        nearest = [name for name in names if name.lower() in near]
        allowed = (
            f'did you mean {" or ".join(nearest)}?' if nearest else f'known: {", ".join(names)}.'
        )
        super().__init__(f'unknown {kind} {given!r}; {allowed}' + (f' {remedy}' if remedy else ''))
        self.given = given
        self.nearest = tuple(nearest)
