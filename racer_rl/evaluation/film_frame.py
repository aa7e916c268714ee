"""One picture of a film: the car's camera, the track from above, and what race control knows.

Text is sized for a phone: at 390 pixels of width its capitals are still eight pixels tall.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from racer_sim.bodies import Box
from racer_sim.company import BOT_COLOUR
from racer_sim.courses import Course
from racer_sim.ground import Colour, GroundStyle, paint_ground
from racer_sim.onlooker import seen_images
from racer_sim.rules import INCIDENTS, Status
from racer_sim.simulator import Simulator
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

PANE_WIDTH_PX: Final = 640
PANE_HEIGHT_PX: Final = 480
TITLE_PX: Final = 52
BAR_PX: Final = 96
FRAME_SHAPE: Final = (PANE_HEIGHT_PX + BAR_PX, 2 * PANE_WIDTH_PX, 3)
"""Both sides are multiples of 16, the blocks of video codecs."""

TRAIL_S: Final = 4.0
MARGIN_M: Final = 0.4
_SHIFT: Final = 6
"""Fractional bits of the pixel coordinates that OpenCV is given."""

_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_BACKDROP: Final = 20
_TEXT: Final = (245, 245, 245)
_LABEL: Final = (150, 156, 166)
_GROOVE: Final = (56, 60, 68)
_CAR: Final = (255, 236, 64)
_OTHER_CAR: Final = (170, 176, 186)
_BOX: Final = Box(x_m=0.0, y_m=0.0)
_OUTLINE: Final = (0, 0, 0)
_GOOD: Final = (110, 220, 120)
_WAITING: Final = (255, 200, 60)
_BAD: Final = (255, 90, 80)


def speed_colours(speeds_mps: Floats, top_mps: float) -> Image:
    """Colours of speeds, from blue for standstill to red for `top_mps`.

    The dark ends of the turbo map, which vanish on asphalt, are left out.

    Args:
        speeds_mps: float64 (K,), m/s.
        top_mps: Speed of the last colour, positive.

    Returns:
        uint8 (K, 3), RGB.
    """
    shares = np.clip(speeds_mps / top_mps, 0.0, 1.0)
    indices = np.rint(26 + shares * 204).astype(np.uint8).reshape(-1, 1)
    return np.asarray(cv2.applyColorMap(indices, cv2.COLORMAP_TURBO)[:, 0, ::-1], dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What the words and numbers of one picture say.

    Attributes:
        title: Track and direction.
        status: Status of the car's run.
        lap: Number of the running lap, from 1.
        laps: Laps of the run.
        clock_s: Time since the lap began.
        last_lap_s: Time of the lap before; None in the first.
        speed_mps: How fast the car moves.
        top_mps: Speed of the last colour.
        steering: Angle of the wheels as a share of the largest, -1 (right) to 1 (left).
    """

    title: str
    status: Status
    lap: int
    laps: int
    clock_s: float
    last_lap_s: float | None
    speed_mps: float
    top_mps: float
    steering: float


class TopView:
    """A track seen from above, with cars on it and the trail of one."""

    def __init__(self, course: Course, style: GroundStyle, boxes: tuple[Box, ...],
                 car: CarSpec) -> None:
        """Paint what does not move.

        Args:
            course: Its track fills the pane below the title.
            style: Colours of the ground.
            boxes: What stands on it.
            car: Specification of all cars.
        """
        x_min, y_min, x_max, y_max = course.track.bounds_m
        m_per_px = max((x_max - x_min + 2 * MARGIN_M) / (PANE_WIDTH_PX - 1),
                       (y_max - y_min + 2 * MARGIN_M) / (PANE_HEIGHT_PX - TITLE_PX - 1))
        ground = paint_ground(course.track, style, m_per_px=m_per_px, margin_m=MARGIN_M)
        height, width = ground.image.shape[:2]
        left, top = (PANE_WIDTH_PX - width) // 2, (PANE_HEIGHT_PX + TITLE_PX - height) // 2
        self._background = np.empty((PANE_HEIGHT_PX, PANE_WIDTH_PX, 3), dtype=np.uint8)
        self._background[:] = style.field
        self._background[top:top + height, left:left + width] = ground.image
        self._m_per_px = ground.m_per_px
        self._corner_m = np.array((ground.x_min_m - left * ground.m_per_px,
                                   ground.y_max_m + top * ground.m_per_px))
        # On a long track a car in its true size would be a speck.
        scale = max(1.0, 15.0 * self._m_per_px / car.length_m)
        self._car_size_m = scale * car.length_m, scale * car.width_m
        # x_m, y_m, speed_mps of the highlighted car
        self._trail: deque[tuple[float, float, float]] = deque(
            maxlen=round(TRAIL_S / CONTROL_PERIOD_S))
        for box in boxes:
            self._block(self._background, (box.x_m, box.y_m), box.yaw_rad,
                        (box.length_m, box.width_m), box.colour)

    def paint(self, cars: NDArray[np.void], chosen: int, guests: NDArray[np.void], *,
              moving: bool, top_mps: float) -> Image:
        """Draw cars where they are; the chosen one leaves a trail while it moves.

        Args:
            cars: vehicle `STATE` (K,), all cars to show.
            chosen: Index of the highlighted one.
            guests: `ENCOUNTER` (G,), boxes and bots of its race.
            moving: False while race control holds it, which ends the trail: it may be lifted
                to another place.
            top_mps: Speed of the trail's last colour.

        Returns:
            uint8 (PANE_HEIGHT_PX, PANE_WIDTH_PX, 3), RGB, a new array.
        """
        pane = self._background.copy()
        car = cars[chosen]
        if moving:
            speed = float(np.hypot(car['vx_mps'], car['vy_mps']))
            self._trail.append((float(car['x_m']), float(car['y_m']), speed))
        else:
            self._trail.clear()
        self._draw_trail(pane, top_mps)
        for guest in guests:
            size_m, colour = ((self._car_size_m, BOT_COLOUR) if guest['moves']
                              else ((_BOX.length_m, _BOX.width_m), _BOX.colour))
            self._block(pane, (guest['x_m'], guest['y_m']), guest['yaw_rad'], size_m, colour)
        for other in np.delete(cars, chosen):
            self._block(pane, (other['x_m'], other['y_m']), other['yaw_rad'], self._car_size_m,
                        _OTHER_CAR)
        self._draw_chosen(pane, car)
        return pane

    def _pixels(self, points_m: Floats) -> NDArray[np.int32]:
        """Fixed-point pixel coordinates of (K, 2) points; whole numbers are centres of pixels."""
        pixels = (points_m - self._corner_m) * (1.0, -1.0) / self._m_per_px - 0.5
        return np.asarray(np.rint(pixels * (1 << _SHIFT)), dtype=np.int32)

    def _draw_trail(self, pane: Image, top_mps: float) -> None:
        if len(self._trail) < 2:
            return
        trail = np.array(self._trail)
        pixels = self._pixels(trail[:, :2])
        colours = speed_colours(trail[:, 2], top_mps).tolist()
        for start, end, colour in zip(pixels[:-1], pixels[1:], colours[1:], strict=True):
            cv2.line(pane, start.tolist(), end.tolist(), colour, 4, cv2.LINE_AA, _SHIFT)

    def _draw_chosen(self, pane: Image, car: np.void) -> None:
        """The car with a ring to find it by and a mark at its front."""
        centre, yaw, size = (car['x_m'], car['y_m']), car['yaw_rad'], self._car_size_m
        self._block(pane, centre, yaw, size, _CAR)
        forward = np.array((np.cos(yaw), np.sin(yaw)))
        nose = np.array(centre) + np.outer((0.1, 0.35), forward * size[0])
        tail, tip = self._pixels(nose).tolist()
        cv2.line(pane, tail, tip, _OUTLINE, 3, cv2.LINE_AA, _SHIFT)
        middle = self._pixels(np.array((centre,)))[0].tolist()
        radius = max(0.9 * size[0] / self._m_per_px, 14.0)
        cv2.circle(pane, middle, round(radius * (1 << _SHIFT)), _CAR, 2, cv2.LINE_AA, _SHIFT)

    def _block(self, pane: Image, centre_m: tuple[float, float], yaw_rad: float,
               size_m: tuple[float, float], colour: Colour) -> None:
        """An outlined rectangle."""
        ahead = np.array((np.cos(yaw_rad), np.sin(yaw_rad))) * size_m[0] / 2.0
        left = np.array((-np.sin(yaw_rad), np.cos(yaw_rad))) * size_m[1] / 2.0
        corners = np.array((ahead + left, ahead - left, -ahead - left, -ahead + left))
        outline = [self._pixels(np.array(centre_m) + corners)]
        cv2.fillPoly(pane, outline, colour, cv2.LINE_AA, _SHIFT)
        cv2.polylines(pane, outline, True, _OUTLINE, 1, cv2.LINE_AA, _SHIFT)


def compose(camera: Image, top_view: Image, caption: Caption) -> Image:
    """Put one picture together.

    Args:
        camera: uint8 (height, width) grey or (height, width, 3) RGB.
        top_view: What `TopView.paint` returned.
        caption: Words and numbers.

    Returns:
        uint8 `FRAME_SHAPE`, RGB.
    """
    frame = np.full(FRAME_SHAPE, _BACKDROP, dtype=np.uint8)
    frame[:PANE_HEIGHT_PX, PANE_WIDTH_PX:] = top_view
    _show_camera(frame[:PANE_HEIGHT_PX, :PANE_WIDTH_PX], camera)
    _tag(frame, 0, caption.status.label.replace('_', ' '), _status_colour(caption.status))
    _tag(frame, PANE_WIDTH_PX, caption.title, _TEXT)
    last = '-' if caption.last_lap_s is None else f'{caption.last_lap_s:.2f}'
    colour = speed_colours(np.array([caption.speed_mps]), caption.top_mps)[0].tolist()
    _entry(frame, 0, 'LAP', f'{caption.lap}/{caption.laps}')
    _entry(frame, 1, 'TIME s', f'{caption.clock_s:.2f}')
    _entry(frame, 2, 'LAST s', last)
    _entry(frame, 3, 'SPEED m/s', f'{caption.speed_mps:.2f}', colour)
    _steering_bar(frame, caption.steering)
    return frame


def camera_image(simulator: Simulator, car: int) -> Image:
    """What one car's camera sees now, of a stereo pair the left one.

    Args:
        simulator: Where it drives.
        car: Its index.

    Returns:
        uint8 (height, width) grey or (height, width, 3) RGB.
    """
    planes = seen_images(simulator)[car]
    image: Image = planes[:3].transpose(1, 2, 0) if simulator.config.rgb else planes[0]
    return image


def _show_camera(pane: Image, camera: Image) -> None:
    """Fit an image into its pane; enlarged pixels stay squares, as the policy sees them."""
    height, width = camera.shape[:2]
    scale = min(PANE_WIDTH_PX / width, PANE_HEIGHT_PX / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    colour = camera if camera.ndim == 3 else cv2.cvtColor(camera, cv2.COLOR_GRAY2RGB)
    shown = cv2.resize(np.ascontiguousarray(colour), size,
                       interpolation=cv2.INTER_NEAREST if scale >= 1.0 else cv2.INTER_AREA)
    left, top = (PANE_WIDTH_PX - size[0]) // 2, (PANE_HEIGHT_PX - size[1]) // 2
    pane[top:top + size[1], left:left + size[0]] = shown


def _status_colour(status: Status) -> Colour:
    if status in INCIDENTS:
        return _BAD
    return _GOOD if status in {Status.IN_PROGRESS, Status.LAP_COMPLETE} else _WAITING


def _tag(frame: Image, left: int, text: str, colour: Colour) -> None:
    """Words on a plate in the upper left corner of a pane."""
    (width, _), _ = cv2.getTextSize(text, _FONT, 1.0, 2)
    frame[:TITLE_PX, left:left + width + 32] = _BACKDROP
    _write(frame, text, (left + 16, 38), 1.0, colour)


def _entry(frame: Image, column: int, label: str, value: str, colour: Colour = _TEXT) -> None:
    """A small label over a large value in one of the bar's five columns."""
    left = 20 + column * FRAME_SHAPE[1] // 5
    _write(frame, label, (left, PANE_HEIGHT_PX + 30), 0.75, _LABEL)
    _write(frame, value, (left, PANE_HEIGHT_PX + 80), 1.45, colour)


def _steering_bar(frame: Image, steering: float) -> None:
    """A bar that grows from the middle to the side that the wheels point to."""
    left, width, top, height = 20 + 4 * FRAME_SHAPE[1] // 5, 210, PANE_HEIGHT_PX + 48, 30
    _write(frame, 'STEERING', (left, PANE_HEIGHT_PX + 30), 0.75, _LABEL)
    middle = left + width // 2
    tip = middle - round(float(np.clip(steering, -1.0, 1.0)) * width / 2)
    cv2.rectangle(frame, (left, top), (left + width, top + height), _GROOVE, cv2.FILLED)
    cv2.rectangle(frame, (min(middle, tip), top), (max(middle, tip), top + height), _CAR,
                  cv2.FILLED)
    cv2.line(frame, (middle, top - 5), (middle, top + height + 5), _TEXT, 2)


def _write(frame: Image, text: str, corner: tuple[int, int], scale: float,
           colour: Colour) -> None:
    """Write text from its lower left corner."""
    cv2.putText(frame, text, corner, _FONT, scale, colour, 2, cv2.LINE_AA)
