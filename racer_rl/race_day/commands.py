"""What the control page may ask for, checked before it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from racer_rl.race_day.day import RefusedActError
from racer_rl.race_day.events import Act
from racer_rl.race_day.host import RaceDay

HOLD, RELEASE = 'hold', 'release'
ACTS: Final = frozenset(act.value for act in Act) - {Act.ENTER.value}


class Commands:
    """Carries out commands as they come over the network."""

    def __init__(self, day: RaceDay, join: Callable[[str], str]) -> None:
        """Of a day.

        Args:
            day: Does them.
            join: Takes in a racer by name, and gives the name as it is known.
        """
        self._day, self._join = day, join

    def __call__(self, command: Any) -> None:
        """Do one.

        Args:
            command: JSON of any kind.

        Raises:
            RacerError: It is none, or not possible now; nothing has changed.
        """
        if not isinstance(command, dict) or not isinstance(command.get('act'), str):
            raise RefusedActError('a command is an object with the text "act".')
        act = command['act']
        if act == Act.ENTER:
            self._day.enter(self._join(_value(command, 'racer', str)))
        elif act == HOLD:
            self._day.hold()
        elif act == RELEASE:
            self._day.release()
        elif act in ACTS:
            self._day.do(Act(act), entry=_value(command, 'entry', int, 0),
                         place=_value(command, 'place', int, 0))
        else:
            known = ', '.join(sorted({*ACTS, Act.ENTER.value, HOLD, RELEASE}))
            raise RefusedActError(f'unknown act {act[:40]!r}; allowed: {known}.')


def _value(command: dict[str, Any], name: str, kind: type, default: Any = None) -> Any:
    value = command.get(name, default)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RefusedActError(f'{name} is {value!r}; allowed: {kind.__name__}.')
    return value
