"""Rectification: a scene seen through a bent lens becomes the scene of the pinhole."""

import math

import numpy as np
import pytest

from racer_vehicle.errors import ConfigError
from racer_vehicle.lens import Distortion, Lens, Rectifier
from racer_vehicle.spec import CameraSpec

CAMERA = CameraSpec(width_px=160, height_px=120, hfov_rad=math.radians(90.0))
PLUMB = {'distortion': Distortion.PLUMB_BOB, 'coefficients': (-0.2, 0.04, 0.0, 0.0, -0.002)}
FISH = {'distortion': Distortion.EQUIDISTANT, 'coefficients': (0.05, -0.01, 0.002, 0.0)}
RATIONAL = {'distortion': Distortion.RATIONAL_POLYNOMIAL,
            'coefficients': (0.1, 0.02, 0.0, 0.0, 0.001, 0.3, 0.02, 0.0)}

YAML = """\
# written by camera_calibration
image_width: 640
image_height: 480
camera_name: front
camera_matrix:
  rows: 3
  cols: 3
  data: [300.5, 0, 320.25, 0, 301, 240, 0, 0, 1]
distortion_model: {model}
distortion_coefficients:
  rows: 1
  cols: {count}
  data: [{data}]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]
"""


def lens(size=(640, 480), focal=280.0, shift=(9.0, -6.0), **model):
    width, height = size
    return Lens(width_px=width, height_px=height, fx_px=focal, fy_px=focal * 1.01,
                cx_px=width / 2 + shift[0], cy_px=height / 2 + shift[1], **model)


def bend(model, radius):
    """Distorted radius of an undistorted one, by the models' published formulas."""
    k = model['coefficients']
    if model is FISH:
        t = np.arctan(radius)
        return t * (1 + k[0] * t**2 + k[1] * t**4 + k[2] * t**6 + k[3] * t**8)
    top = 1 + k[0] * radius**2 + k[1] * radius**4 + k[4] * radius**6
    low = 1 + k[5] * radius**2 + k[6] * radius**4 + k[7] * radius**6 if len(k) == 8 else 1
    return radius * top / low


def scene(x, y):
    """Brightness of the direction (x, y, 1)."""
    return 128 + 60 * np.sin(5 * x + 1) + 50 * np.cos(6 * y + x)


def seen_through(the_lens, model):
    """What the lens shows of the scene: each pixel's ray, found by inverting `bend` on a table."""
    v, u = np.mgrid[:the_lens.height_px, :the_lens.width_px]
    x, y = (u - the_lens.cx_px) / the_lens.fx_px, (v - the_lens.cy_px) / the_lens.fy_px
    bent = np.hypot(x, y)
    table = np.linspace(0.0, 2.5, 20_001)
    ratio = np.interp(bent, bend(model, table), table) / np.maximum(bent, 1e-9)
    return np.rint(scene(x * ratio, y * ratio)).astype(np.uint8)


def seen_by(camera):
    pinhole = Lens.pinhole(camera)
    v, u = np.mgrid[:camera.height_px, :camera.width_px]
    return scene((u - pinhole.cx_px) / pinhole.fx_px, (v - pinhole.cy_px) / pinhole.fy_px)


@pytest.mark.parametrize('model', [PLUMB, FISH, RATIONAL], ids=lambda m: str(m['distortion']))
def test_a_bent_image_becomes_the_pinholes(model):
    the_lens = lens(**model)
    rectifier = Rectifier(the_lens, CAMERA)
    raw = seen_through(the_lens, model)
    seen = rectifier.rectify(raw)
    apart = np.abs(seen - seen_by(CAMERA))
    assert (seen.shape, seen.dtype) == ((120, 160), np.uint8)
    assert rectifier.coverage == 1.0 and not rectifier.is_identity
    assert apart.mean() < 0.5 and apart.max() < 2.0
    # Without the distortion model it would not be the same picture.
    bare = Lens(width_px=640, height_px=480, fx_px=the_lens.fx_px, fy_px=the_lens.fy_px,
                cx_px=the_lens.cx_px, cy_px=the_lens.cy_px)
    assert np.abs(Rectifier(bare, CAMERA).rectify(raw) - seen_by(CAMERA)).mean() > 4.0


def test_colour_planes_are_rectified_alike():
    the_lens = lens(**PLUMB)
    raw = seen_through(the_lens, PLUMB)
    rectifier = Rectifier(the_lens, CAMERA)
    colour = rectifier.rectify(np.stack((raw, 255 - raw, raw), axis=2))
    assert colour.shape == (120, 160, 3)
    assert np.array_equal(colour[..., 0], rectifier.rectify(raw))
    assert np.array_equal(colour[..., 2], colour[..., 0])


def test_fine_patterns_turn_grey_instead_of_aliasing():
    checks = np.indices((480, 640)).sum(axis=0) % 2 * 255
    seen = Rectifier(lens(**PLUMB), CAMERA).rectify(checks.astype(np.uint8))
    assert seen.std() < 20.0


def test_the_pinhole_itself_passes_untouched():
    rectifier = Rectifier(Lens.pinhole(CAMERA), CAMERA)
    image = np.random.default_rng(0).integers(0, 256, (120, 160), dtype=np.uint8)
    assert rectifier.is_identity and rectifier.rectify(image) is image


def test_images_do_not_share_memory():
    rectifier, raw = Rectifier(lens(**FISH), CAMERA), np.zeros((480, 640), np.uint8)
    first = rectifier.rectify(raw)
    rectifier.rectify(raw + 200)
    assert not first.any()


@pytest.mark.parametrize(('the_lens', 'message'), [
    (lens(focal=700.0, **PLUMB), r'the lens sees \d+% of the camera model of 160x120 px and '
                                 r'hfov_rad 1\.5708; allowed: 95% or more; train for a narrower'),
    (lens(coefficients=(-0.9, 0.0, 0.0, 0.0)), r'plumb_bob coefficients .* fold the image over'),
    (lens(distortion=Distortion.EQUIDISTANT, coefficients=(-0.9, 0.0, 0.0, 0.0)), 'equidistant c'),
])
def test_a_lens_that_cannot_serve_is_refused(the_lens, message):
    with pytest.raises(ConfigError, match=message):
        Rectifier(the_lens, CAMERA)


@pytest.mark.parametrize('image', [
    np.zeros((120, 160), np.uint8), np.zeros((480, 640, 4), np.uint8), np.zeros((480, 640)),
])
def test_an_image_of_another_size_is_refused(image):
    with pytest.raises(ConfigError, match=r'raw image has shape .*; allowed: uint8 \(480, 640\) '):
        Rectifier(lens(**PLUMB), CAMERA).rectify(image)


@pytest.mark.parametrize(('model', 'data'), [
    ('plumb_bob', (-0.3, 0.1, 0.0, 0.001, 0.0)), ('equidistant', (0.1, 0.2, 0.3, 0.4)),
    ('rational_polynomial', (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)),
])
def test_reads_what_camera_calibration_writes(tmp_path, model, data):
    file = tmp_path / 'front.yaml'
    file.write_text(YAML.format(model=model, count=len(data), data=', '.join(map(str, data))))
    assert Lens.from_yaml(file) == Lens(
        width_px=640, height_px=480, fx_px=300.5, fy_px=301.0, cx_px=320.25, cy_px=240.0,
        distortion=Distortion(model), coefficients=data)


@pytest.mark.parametrize(('old', 'new', 'message'), [
    ('image_width: 640', 'image_width: wide', 'image_width is missing or no number'),
    ('image_width: 640', 'image_width: 2', r'Lens\.width_px is 2; allowed: 8 to'),
    ('image_height: 480', '', 'image_height is missing'),
    ('plumb_bob', 'barrel', r"distortion_model is 'barrel'; allowed: plumb_bob, rational"),
    ('data: [1, 2, 3, 4]', 'data: [1, 2, 3]', r'distortion_coefficients\.data .* 4 or 5 numbers'),
    ('data: [1, 2, 3, 4]', 'data: [1, 2, 3, x]', r'distortion_coefficients\.data is missing or'),
    ('data: [1, 2, 3, 4]', 'data: [1, 2, 3, .Inf]', r'allowed with plumb_bob: 4 or 5 finite'),
    ('camera_matrix:', 'camera_matrice:', r'camera_matrix\.data is missing'),
    ('camera_matrix:', 'camera_matrix: [', 'cannot read lens calibration .*front.yaml'),
])
def test_a_damaged_calibration_is_refused_by_field(tmp_path, old, new, message):
    file = tmp_path / 'front.yaml'
    text = YAML.format(model='plumb_bob', count=4, data='1, 2, 3, 4')
    file.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        Lens.from_yaml(file)


def test_a_missing_calibration_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r'cannot read lens calibration .*none\.yaml'):
        Lens.from_yaml(tmp_path / 'none.yaml')
