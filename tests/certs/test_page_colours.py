"""The colours and the seal that a template chooses, looked at as pixels of the printed page."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageChops

from certs.adapters import layout
from certs.adapters.palettes import PALETTES
from certs.adapters.pdf import Renderer
from certs.schemes.templates import spec_of
from tests.certs.certificate_fixtures import face
from tests.certs.oracles import raster

DOTS_PER_INCH = 72


def printed(folder: Path, **template: object) -> Image.Image:
    """The page of a template, one pixel for each point."""
    pdf = Renderer(spec_of(template)).render(face(portrait_jpeg=None))
    return raster(pdf, folder, DOTS_PER_INCH)


def count_of(image: Image.Image, colour: str) -> int:
    """Count the pixels of a colour, give or take what smooth edges and compression do."""
    wanted = tuple(int(colour[place : place + 2], 16) for place in (0, 2, 4))
    data = image.tobytes()
    pixels = zip(data[::3], data[1::3], data[2::3], strict=True)
    return sum(all(abs(one - other) <= 6 for one, other in zip(pixel, wanted, strict=True)) for pixel in pixels)


def seal_box(image: Image.Image) -> tuple[int, int, int, int]:
    """Where the seal is: a page counts from below, a picture from above."""
    x, radius = layout.SEAL_CENTRE[0], layout.SEAL_RADIUS
    y = image.height - layout.SEAL_CENTRE[1]
    return int(x - radius) - 1, int(y - radius) - 1, int(x + radius) + 2, int(y + radius) + 2


@pytest.mark.parametrize("palette", PALETTES)
def test_a_page_is_printed_in_the_main_colour_of_its_palette_alone(palette: str, tmp_path: Path) -> None:
    image = printed(tmp_path, palette=palette)
    counts = {name: count_of(image, colours.main) for name, colours in PALETTES.items()}
    assert counts.pop(palette) > 500
    assert max(counts.values()) < 20


def test_the_words_of_the_seal_change_the_seal_and_nothing_else(tmp_path: Path) -> None:
    usual, other = printed(tmp_path), printed(tmp_path, seal_line_zh="考核专用章")
    left, top, right, bottom = seal_box(usual)
    found = ImageChops.difference(usual, other).getbbox()
    assert found
    assert (found[0] >= left, found[1] >= top, found[2] <= right, found[3] <= bottom) == (True,) * 4
    data = usual.crop((left, top, right, bottom)).tobytes()
    reds = sum(r > 150 and g < 110 and b < 110 for r, g, b in zip(data[::3], data[1::3], data[2::3], strict=True))
    assert reds > 500, "the seal is red"
