"""The order of the check: first what only looks, then, if a person agrees, what moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from racer_vehicle.check.car_link import CarLink, Listened
from racer_vehicle.check.computer import check_clock, check_disk, check_temperature
from racer_vehicle.check.model import check_model
from racer_vehicle.check.moving import (
    Ask,
    check_emergency_stop,
    check_steering,
    check_throttle,
    check_watchdog,
    operated,
)
from racer_vehicle.check.outcome import Outcome, Report
from racer_vehicle.check.sensors import judge_camera, judge_lidar
from racer_vehicle.errors import ConfigError, RacerError
from racer_vehicle.spec import CarSpec

LOOKING: Final = ('disk', 'clock', 'temperature', 'camera', 'lidar', 'model')
MOVING: Final = ('steering', 'throttle', 'watchdog', 'e-stop')
STEPS: Final = (*LOOKING, *MOVING)

LISTEN_S: Final = 3.0
"""45 images, 30 scans."""

LIFT: Final = ('LIFT THE CAR so that no wheel touches anything, and keep fingers and cables away '
               'from the wheels. They will turn, slowly. Are all wheels in the air?')


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """What to check.

    Attributes:
        read_only: Move nothing.
        wheels_up: A person has said already that all wheels are in the air.
        without: Steps to leave out.
        bundle: Policy instead of the inference node's; empty: its own.
        trusted_keys: Folder of keys instead of the inference node's; empty: its own.
    """

    read_only: bool = False
    wheels_up: bool = False
    without: tuple[str, ...] = ()
    bundle: str = ''
    trusted_keys: str = ''

    def __post_init__(self) -> None:
        unknown = [name for name in self.without if name not in STEPS]
        if unknown:
            raise ConfigError(f'there is no step {unknown[0]!r}; allowed: {", ".join(STEPS)}.')

    @property
    def nodes(self) -> frozenset[str]:
        """Of the car, those that the steps look at."""
        looked_at = {'camera': 'camera', 'lidar': 'lidar', 'model': 'inference'}
        wanted = {node for step, node in looked_at.items() if step not in self.without}
        moving = not self.read_only and any(name not in self.without for name in MOVING)
        return frozenset(wanted | ({'motor'} if moving else set()))


def walk(plan: CheckPlan, link: CarLink, ask: Ask | None,
         tell: Callable[[str], None]) -> Report:
    """Check a running car.

    Args:
        plan: What to check.
        link: The car.
        ask: A person beside the car; None: there is nobody to ask.
        tell: Takes the name of each step when it begins.

    Raises:
        KeyboardInterrupt: A person stopped the check; the car is neutral.
    """
    walker = _Walker(plan, link, ask, tell)
    return Report((*walker.look(), *walker.move()))


class _Walker:
    def __init__(self, plan: CheckPlan, link: CarLink, ask: Ask | None,
                 tell: Callable[[str], None]) -> None:
        self._plan, self._link, self._ask, self._tell = plan, link, ask, tell
        self._car = CarSpec()

    def look(self) -> Iterator[Outcome]:
        yield from self._step('disk', lambda: check_disk(Path.home()))
        yield from self._step('clock', lambda: check_clock(datetime.now(UTC)))
        yield from self._step('temperature', check_temperature)
        self._car = self._link.car()
        yield from self._sensors()
        yield from self._step('model', self._model)

    def _sensors(self) -> Iterator[Outcome]:
        heard = Listened((), ())
        if not {'camera', 'lidar'} <= {*self._plan.without}:
            self._tell('listening to camera and lidar')
            heard = self._link.listen(LISTEN_S)
        simulated = self._link.is_simulated
        yield from self._step('camera', lambda: judge_camera(
            heard.frames, self._car.camera, LISTEN_S, simulated=simulated, unfit=heard.unfit))
        yield from self._step('lidar', lambda: judge_lidar(
            heard.scans, self._car.lidar, LISTEN_S, simulated=simulated, unfit=heard.unfit))

    def _model(self) -> Outcome:
        driver = self._link.driver()
        return check_model(replace(
            driver, bundle=self._plan.bundle or driver.bundle,
            trusted_keys=self._plan.trusted_keys or driver.trusted_keys), self._car)

    def move(self) -> Iterator[Outcome]:
        wanted = [name for name in MOVING if name not in self._plan.without]
        obstacle = self._obstacle() if wanted else ''
        if obstacle:
            for name in MOVING:
                yield Outcome.skipped(name, obstacle if name in wanted else 'left out')
        elif 'motor' not in self._link.nodes:
            for name in wanted:
                yield Outcome.failed(name, 'there is no motor node.', 'Start the car: systemctl '
                                     'start racer, and see journalctl -u racer.')
        elif wanted:
            yield from self._moving_steps()

    def _obstacle(self) -> str:
        """Why nothing may be moved; empty when it may."""
        if self._plan.read_only:
            return 'moves the car (--read-only)'
        if self._plan.wheels_up or (self._ask is not None and self._ask(LIFT)):
            return ''
        return 'the wheels are not in the air'

    def _moving_steps(self) -> Iterator[Outcome]:
        link, ask = self._link, self._ask
        try:
            with operated(link):
                yield from self._step('steering', lambda: check_steering(
                    link, self._car.max_steering_rad, ask))
                yield from self._step('throttle', lambda: check_throttle(link, ask))
                yield from self._step('watchdog', lambda: check_watchdog(link))
                yield from self._step('e-stop', lambda: check_emergency_stop(link))
        except RacerError as error:
            yield Outcome.failed('at rest', f'the car could not be left disabled: {error}',
                                 'Cut the power of its motor before you touch it.')

    def _step(self, name: str, check: Callable[[], Outcome]) -> Iterator[Outcome]:
        if name in self._plan.without:
            yield Outcome.skipped(name, 'left out')
            return
        self._tell(name)
        try:
            yield check()
        except RacerError as error:
            yield Outcome.failed(name, str(error))
