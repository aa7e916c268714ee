"""Alerts: sent once each, from a thread that nothing waits for.

A server that is dead or hangs costs a run nothing but that: the thread tries again after 1 s, 2 s,
4 s and so on; what is left when the process ends, the next `racer` command tries again.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Self

from racer_rl.budget.alert_box import Alert, Waiting, alert_box
from racer_rl.budget.alert_targets import AlertError, AlertTarget, read_targets
from racer_vehicle.errors import RacerError

CHECK_EVERY_S: Final = 10.0
BUSY_PAUSE_S: Final = 0.2
"""Before another look, while another process sends."""

LAST_WAIT_S: Final = 5.0
"""At its end, a run gives alerts that are new so long to leave."""

RETRY_WAIT_S: Final = 2.0
"""The same of a command that tries again what no server took before."""


def nothing_to_tell() -> Iterable[Alert]:
    """A check that finds nothing: only what waits is sent."""
    return ()


class AlertSender:
    """Checks now and then what people should be told, and tells them; a context manager."""

    def __init__(self, check: Callable[[], Iterable[Alert]] = nothing_to_tell, *,
                 tell: Callable[[str], None], last_wait_s: float = LAST_WAIT_S,
                 retries: bool = False) -> None:
        """Nothing is read or sent yet.

        Args:
            check: Gives everything that is to be told at this moment, be it told already or not;
                called in the sender's thread, every ten seconds, and in the caller's at the end.
            tell: Prints a line for the person at the terminal; called when the sender is entered
                and left.
            last_wait_s: At the end, wait so long at most.
            retries: Wait at the end also for what was tried before, in vain.
        """
        self._check, self._tell, self._last_wait_s = check, tell, last_wait_s
        self._retries = retries
        self._box, self._targets = alert_box(), tuple[AlertTarget, ...]()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name='racer alerts', daemon=True)
        self._trouble = ''

    def __enter__(self) -> Self:
        try:
            self._targets = read_targets()
        except RacerError as error:
            self._tell(f'warning: no alert is sent: {error}')
        if self._targets:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._targets:
            return
        self._closing.set()
        until_s = time.monotonic() + self._last_wait_s
        # Claimed here: the thread may be waiting for a server that hangs.
        fresh = self._claim()
        while fresh and self._thread.is_alive() and time.monotonic() < until_s:
            self._thread.join(0.05)
            fresh = self._is_worth_waiting()
        left = len(self._waiting())
        if left:
            alerts = 'one alert is' if left == 1 else f'{left} alerts are'
            self._tell(f'note: {alerts} not sent yet; the next racer command tries again. To see '
                       'why: racer budget alerts test')
        if self._trouble:
            self._tell(f'warning: alerts: {self._trouble}')

    def _claim(self) -> bool:
        """Take on what is new; gives back `_is_worth_waiting`."""
        try:
            for alert in self._check():
                self._box.claim(alert)
        except RacerError as error:
            self._trouble = str(error)
        return self._is_worth_waiting()

    def _is_worth_waiting(self) -> bool:
        return any(not waiting.attempts or (self._retries and waiting.due_in_s <= 0.0)
                   for waiting in self._waiting())

    def _waiting(self) -> list[Waiting]:
        try:
            return self._box.waiting()
        except RacerError as error:
            self._trouble = str(error)
            return []

    def _work(self) -> None:
        """In the thread: check, send, pause; after the end is announced, once more."""
        while True:
            is_last = self._closing.is_set()
            self._claim()
            try:
                pause_s = self._send_due()
            except RacerError as error:
                self._trouble, pause_s = str(error), CHECK_EVERY_S
            if not is_last:
                self._closing.wait(pause_s)
            elif pause_s > BUSY_PAUSE_S:
                return
            else:  # another process is at it, and may end before it has sent everything
                time.sleep(BUSY_PAUSE_S)

    def _send_due(self) -> float:
        """Send what is due, unless another process does.

        Returns:
            Seconds until there may be something to do; `BUSY_PAUSE_S` while others send.
        """
        if any(waiting.due_in_s <= 0.0 for waiting in self._box.waiting()):
            with self._box.alone() as is_alone:
                if not is_alone:
                    return BUSY_PAUSE_S
                # Read again: another process may have sent it until a moment ago.
                refusing: set[str] = set()
                for waiting in self._box.waiting():
                    if waiting.due_in_s <= 0.0:
                        self._send(waiting, refusing)
        due_s = [max(waiting.due_in_s, 2 * BUSY_PAUSE_S) for waiting in self._box.waiting()]
        return min([CHECK_EVERY_S, *due_s])

    def _send(self, waiting: Waiting, refusing: set[str]) -> None:
        """Send to every address that has not had it.

        Args:
            waiting: What to send.
            refusing: Labels of addresses that failed a moment ago, and are left alone; whoever
                fails now is added.
        """
        alert, had = waiting.alert, self._box.sent_to(waiting.alert)
        for target in self._targets:
            if target.label in had | refusing:
                continue
            if self._is_taken(target, alert):
                self._box.note_sent(alert, target.label)
                had.add(target.label)
            else:
                refusing.add(target.label)
        if had >= {target.label for target in self._targets}:
            self._box.conclude(alert)
        else:
            self._box.postpone(waiting)

    def _is_taken(self, target: AlertTarget, alert: Alert) -> bool:
        try:
            return target.send(alert.title, alert.body)
        except AlertError as error:
            self._trouble = str(error)
            return False


@contextlib.contextmanager
def retrying_alerts(*, tell: Callable[[str], None]) -> Iterator[None]:
    """Send what is due while the block runs; if nothing is, or others are at it, do nothing.

    Args:
        tell: As of `AlertSender`.
    """
    box = alert_box()
    try:
        with box.alone() as is_alone:
            due = is_alone and any(waiting.due_in_s <= 0.0 for waiting in box.waiting())
    except RacerError as error:
        tell(f'warning: alerts: {error}')
        due = False
    with (AlertSender(tell=tell, last_wait_s=RETRY_WAIT_S, retries=True) if due
          else contextlib.nullcontext()):
        yield
