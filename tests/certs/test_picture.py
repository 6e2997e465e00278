"""The picture of a page is the page: compared with another program's rendering of the same PDF."""

from __future__ import annotations

import io
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from certs.adapters.face import TemplateSpec
from certs.adapters.palettes import PALETTES
from certs.adapters.picture import page_picture, specimen_webp
from certs.adapters.trial import specimen_pdf

# As fine as paper: at a screen's size every program thickens hairlines in its own way.
FINE = 300
SEAL = "c62a37"
ALTERED = TemplateSpec(
    heading_zh="中国",
    statement_zh="持证人经考核合格。",
    seal_line_zh="考核章",
    palette="maroon",
    hidden=("employer", "licence", "industry", "first_issued"),
)


def drawn_by_poppler(pdf: bytes, folder: Path) -> Image.Image:
    (folder / "page.pdf").write_bytes(pdf)
    command = ["pdftoppm", "-r", str(FINE), "-png", "-singlefile", folder / "page.pdf", folder / "page"]
    subprocess.run(command, check=True)
    return Image.open(folder / "page.png").convert("RGB")


def shows(picture: Image.Image, colour: str) -> bool:
    """Tell whether some of a picture has about this colour (six hexadecimal digits)."""
    dots = np.asarray(picture.convert("RGB"), dtype=np.int16)
    return bool((np.abs(dots - np.array(list(bytes.fromhex(colour)))).max(axis=2) < 12).sum() > 100)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of colours (0 to 255) of both, softened: edges are smoothed differently."""
    small = (one.width // 16, one.height // 16)
    first, second = (np.asarray(each.resize(small, Image.Resampling.BOX), dtype=np.float64) for each in (one, other))
    return float(np.abs(first - second).mean())


@pytest.mark.parametrize("spec", [TemplateSpec(), ALTERED], ids=["standard", "altered"])
def test_the_picture_looks_like_the_pdf_and_like_no_other(spec: TemplateSpec, tmp_path: Path) -> None:
    picture = page_picture(specimen_pdf(spec), FINE)
    other = ALTERED if spec == TemplateSpec() else TemplateSpec()
    own = difference(picture, drawn_by_poppler(specimen_pdf(spec), tmp_path))
    assert own < 1.5
    assert difference(picture, drawn_by_poppler(specimen_pdf(other), tmp_path)) > 2 * own


@pytest.mark.parametrize("palette", PALETTES)
def test_the_picture_bears_the_palette_and_the_seal(palette: str) -> None:
    picture = Image.open(io.BytesIO(specimen_webp(TemplateSpec(palette=palette))))
    assert shows(picture, PALETTES[palette].main)
    # The seal's red, with some of the paper showing through.
    assert shows(picture, SEAL)


def test_pictures_asked_for_at_the_same_time_are_all_drawn() -> None:
    pdf = specimen_pdf(TemplateSpec())
    with ThreadPoolExecutor(4) as threads:
        assert len({picture.tobytes() for picture in threads.map(lambda _: page_picture(pdf, 50), range(8))}) == 1
