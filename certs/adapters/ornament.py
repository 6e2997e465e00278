"""Security line work of the certificate as raw PDF path operators: braids, rosettes, corner pieces, seal outline."""

from __future__ import annotations

import math
from typing import Final

Rgb = tuple[float, float, float]

_STEPS_PER_WAVE: Final = 6


def rgb(hexadecimal: str) -> Rgb:
    """Colour components 0..1 of an `rrggbb` string."""
    red, green, blue = (int(hexadecimal[start : start + 2], 16) / 255 for start in (0, 2, 4))
    return red, green, blue


def number(value: float) -> str:
    """A coordinate with a hundredth of a point, finer than any printer."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def stroke_colour(colour: Rgb, line_width: float) -> str:
    """Operators that set the stroke."""
    return f"{' '.join(f'{part:.3f}' for part in colour)} RG {number(line_width)} w"


def braid_frame(inset: float, size: tuple[float, float], shape: tuple[float, float, int], paint: str) -> str:
    """Sine strands plaited along the four sides of a page rectangle `inset` from its edges.

    `shape` is (amplitude, approximate wave length, strands); every side gets a whole number of waves.
    """
    left, low, right, high = inset, inset, size[0] - inset, size[1] - inset
    sides = ((left, low, right, low), (right, low, right, high), (right, high, left, high), (left, high, left, low))
    parts = [f"q {paint}"]
    for start_x, start_y, end_x, end_y in sides:
        length = math.hypot(end_x - start_x, end_y - start_y)
        along_x, along_y = (end_x - start_x) / length, (end_y - start_y) / length
        matrix = (along_x, along_y, -along_y, along_x, start_x, start_y)
        parts.append(f"q {' '.join(number(value) for value in matrix)} cm")
        parts.extend(_strand(length, shape, strand) for strand in range(shape[2]))
        parts.append("Q")
    return "\n".join([*parts, "Q"])


def _strand(length: float, shape: tuple[float, float, int], strand: int) -> str:
    amplitude, wave_length, strands = shape
    waves = max(1, round(length / wave_length))
    step_x, step_angle = length / waves / _STEPS_PER_WAVE, 2 * math.pi / _STEPS_PER_WAVE
    phase = 2 * math.pi * strand / strands
    parts = [f"0 {number(amplitude * math.sin(phase))} m"]
    slope = amplitude * step_angle / 3
    for step in range(waves * _STEPS_PER_WAVE):
        start, end, x = phase + step * step_angle, phase + (step + 1) * step_angle, step * step_x
        first = f"{number(x + step_x / 3)} {number(amplitude * math.sin(start) + slope * math.cos(start))}"
        second = f"{number(x + 2 * step_x / 3)} {number(amplitude * math.sin(end) - slope * math.cos(end))}"
        parts.append(f"{first} {second} {number(x + step_x)} {number(amplitude * math.sin(end))} c")
    return "\n".join([*parts, "S"])


def rosette_curve(
    radius: float, paint: str, *, petals: int, inner: float = 0.26, ripple: float = 0.0, points: int = 240
) -> str:
    """One closed curve r = R(mean + swing·sin(petals·t) + ripple·sin(3·petals·t)) round the origin.

    Turned copies of it interlace into the rosettes engraved on banknotes. `inner` is the radius of the empty core as a
    share of `radius`.
    """
    mean, swing = (1 + inner) / 2, (1 - inner) / 2
    parts = [paint]
    for point in range(points):
        angle = 2 * math.pi * point / points
        wave = swing * math.sin(petals * angle) + ripple * math.sin(3 * petals * angle)
        reach = radius * (mean + wave)
        place = f"{number(reach * math.cos(angle))} {number(reach * math.sin(angle))}"
        parts.append(f"{place} {'l' if point else 'm'}")
    return "\n".join([*parts, "s"])


def star(centre: tuple[float, float], radius: float) -> str:
    """A filled five-pointed star standing upright; the inner radius of the regular star is 0.382 of the outer."""
    places = []
    for corner in range(10):
        reach = radius * (0.381966 if corner % 2 else 1)
        angle = math.radians(90 + 36 * corner)
        places.append(f"{number(centre[0] + reach * math.cos(angle))} {number(centre[1] + reach * math.sin(angle))}")
    return f"{places[0]} m " + " ".join(f"{place} l" for place in places[1:]) + " h f"
