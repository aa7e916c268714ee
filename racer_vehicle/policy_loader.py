"""Makes policies ready in a thread, so that the old one drives until the new one can."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from racer_vehicle.errors import ModelMismatchError
from racer_vehicle.policy import LoadedPolicy, PolicyBundle
from racer_vehicle.signing import TrustedKeys
from racer_vehicle.spec import CarSpec


def load_policy(source: Path | bytes, car: CarSpec,
                trusted: TrustedKeys | None = None) -> LoadedPolicy:
    """Read, check and load a bundle; the runtime gets no network before all checks have passed.

    Args:
        source: Its file or its bytes.
        car: That it is to drive.
        trusted: Who may vouch for it; None: nobody has to.

    Raises:
        ModelMismatchError: It is not whole, not vouched for, not for this car, or does not run.
    """
    bundle = PolicyBundle.read(source)
    if trusted is not None:
        trusted.require_signed(bundle)
    return LoadedPolicy(bundle, car)


def require_digest(content: bytes, digest: str) -> None:
    """Refuse bytes that are not those which their sender meant.

    Raises:
        ModelMismatchError: They have another SHA-256.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ModelMismatchError(f'the bundle has SHA-256 {found}; allowed by its sender: '
                                 f'{digest or "none was given"}; send it again.')


class PolicyLoader:
    """One thread at a time; of bundles that come meanwhile only the newest is loaded."""

    def __init__(self, car: CarSpec, notify: Callable[[], None],
                 trusted: TrustedKeys | None = None) -> None:
        """Prepare.

        Args:
            car: That policies must be for.
            notify: Called from the thread when `take` has something; it must not block.
            trusted: As of `load_policy`.
        """
        self._car, self._notify, self._trusted = car, notify, trusted
        self._lock = threading.Lock()
        self._waiting: tuple[bytes, str] | None = None
        self._done: LoadedPolicy | ModelMismatchError | None = None
        self._thread: threading.Thread | None = None

    def submit(self, content: bytes, digest: str) -> None:
        """Begin to load a bundle.

        Args:
            content: Its bytes.
            digest: Their SHA-256 as the sender gave it, hexadecimal.
        """
        with self._lock:
            self._waiting = content, digest
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name='policy')
                self._thread.start()

    def take(self) -> LoadedPolicy | None:
        """The policy loaded last, once.

        Raises:
            ModelMismatchError: The bundle was refused.
        """
        with self._lock:
            done, self._done = self._done, None
        if isinstance(done, ModelMismatchError):
            raise done
        return done

    def close(self) -> None:
        """Wait for the thread; what it loads is not taken any more."""
        with self._lock:
            self._waiting, thread = None, self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            done = self._load(*job)
            with self._lock:
                self._done = done
            self._notify()

    def _next(self) -> tuple[bytes, str] | None:
        with self._lock:
            job, self._waiting = self._waiting, None
            if job is None:
                self._thread = None
            return job

    def _load(self, content: bytes, digest: str) -> LoadedPolicy | ModelMismatchError:
        try:
            require_digest(content, digest)
            return load_policy(content, self._car, self._trusted)
        except ModelMismatchError as error:
            return error
