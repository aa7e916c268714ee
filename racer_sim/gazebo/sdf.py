"""Elements of SDF: `sdf('mass', 1.5)` is `<mass>1.5</mass>`, and elements nest as arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree

from racer_sim.camera_boxes import FACE_LIGHT

Element = ElementTree.Element
Vector = tuple[float, float, float]
Colour = tuple[int, int, int]

VERSION: Final = '1.10'
"""Of the format: Harmonic reads it without a conversion that could warn."""

PLATE_M: Final = 0.001
"""Thickness of what is coloured: a box is shown as five plates, each of a shade of its own."""


def sdf(tag: str, *content: Element | str | float | bool | tuple[float, ...],
        **attributes: str) -> Element:
    """An element.

    Args:
        tag: Its name.
        *content: Elements inside of it, or its value.
        **attributes: Of its tag.
    """
    element = Element(tag, attributes)
    for part in content:
        if isinstance(part, Element):
            element.append(part)
        else:
            element.text = text_of(part)
    return element


def text_of(value: str | float | bool | tuple[float, ...]) -> str:
    """A value as it is written; numbers to a nanometre."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    numbers = value if isinstance(value, tuple) else (value,)
    return ' '.join(f'{round(number, 9) + 0.0:.10g}' for number in numbers)


def document(*content: Element) -> str:
    """A whole file."""
    root = sdf('sdf', *content, version=VERSION)
    ElementTree.indent(root)
    return f'<?xml version="1.0"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def pose(xyz_m: Vector, yaw_rad: float = 0.0, pitch_rad: float = 0.0) -> Element:
    """Where something is in its parent's frame."""
    return sdf('pose', (*xyz_m, 0.0, pitch_rad, yaw_rad))


def plugin(name: str, *settings: Element, file: str = '') -> Element:
    """One of Gazebo's systems.

    Args:
        name: Of its class.
        *settings: Of this system.
        file: Name of its library without `gz-sim-` and `-system`.
    """
    return sdf('plugin', *settings, filename=f'gz-sim-{file}-system',
               name=f'gz::sim::systems::{name}')


def linear(colour: Colour) -> tuple[float, float, float, float]:
    """An sRGB colour as light, which is what Gazebo's colours are; opaque."""
    def light(level: float) -> float:
        return level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4

    red, green, blue = (round(light(level / 255.0), 6) for level in colour)
    return red, green, blue, 1.0


def unlit(colour: Colour) -> Element:
    """A material that looks the same from everywhere and in any light."""
    return sdf('material', sdf('ambient', (0.0, 0.0, 0.0, 1.0)),
               sdf('diffuse', (0.0, 0.0, 0.0, 1.0)), sdf('specular', (0.0, 0.0, 0.0, 1.0)),
               sdf('emissive', linear(colour)))


def box(size_m: Vector) -> Element:
    """The shape."""
    return sdf('geometry', sdf('box', sdf('size', size_m)))


def shaded_box(size_m: Vector, colour: Colour, *flags: Element) -> Iterable[Element]:
    """Visuals of a box that stands on the origin, its faces in the embedded camera's shades.

    Args:
        size_m: Length, width, height.
        colour: Of its top.
        *flags: More elements of each visual.
    """
    length, width, height = size_m
    x, y, thin, middle = (length - PLATE_M) / 2, (width - PLATE_M) / 2, PLATE_M, height / 2
    faces = (
        ('front', (x, 0.0, middle), (thin, width, height)),
        ('back', (-x, 0.0, middle), (thin, width, height)),
        ('left', (0.0, y, middle), (length, thin, height)),
        ('right', (0.0, -y, middle), (length, thin, height)),
        ('top', (0.0, 0.0, height - PLATE_M / 2), (length, width, thin)),
    )
    for (name, place, size), light in zip(faces, FACE_LIGHT, strict=True):
        red, green, blue = (int(level * light) for level in colour)
        yield sdf('visual', pose(place), box(size), unlit((red, green, blue)), *flags, name=name)


def box_inertia(mass_kg: float, size_m: Vector) -> Vector:
    """Moments of inertia of a uniform box about its axes, kg m2."""
    x, y, z = (side * side for side in size_m)
    return mass_kg * (y + z) / 12.0, mass_kg * (x + z) / 12.0, mass_kg * (x + y) / 12.0


def inertial(mass_kg: float, moments_kgm2: Vector, z_m: float = 0.0) -> Element:
    """Mass and moments of inertia.

    Args:
        mass_kg: Of the link.
        moments_kgm2: About its axes.
        z_m: Of the centre of mass above the link's origin.
    """
    xx, yy, zz = moments_kgm2
    return sdf('inertial', pose((0.0, 0.0, z_m)), sdf('mass', mass_kg), sdf(
        'inertia', sdf('ixx', xx), sdf('ixy', 0.0), sdf('ixz', 0.0), sdf('iyy', yy),
        sdf('iyz', 0.0), sdf('izz', zz)))

