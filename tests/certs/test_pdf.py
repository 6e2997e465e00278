from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path

import pikepdf
import pytest
import zxingcpp
from PIL import ImageChops

from certs.adapters import fonts
from certs.adapters.fonts import (
    SERIF,
    SERIF_BOLD,
    FontsMissingError,
    FontStack,
    MissingGlyphError,
    font_dir,
    load_font,
)
from certs.adapters.pdf import PortraitError, Renderer, TemplateSpec
from certs.adapters.truetype import TrueTypeFont
from tests.certs import oracles
from tests.certs.certificate_fixtures import RARE_NAME, face, portrait, renderer
from tests.certs.oracles import raster


def text_of(pdf: bytes, folder: Path) -> str:
    path = folder / "certificate.pdf"
    path.write_bytes(pdf)
    return oracles.text_of(path)


def test_every_value_can_be_copied_out_of_the_page(tmp_path: Path) -> None:
    shown = face()
    text = text_of(renderer().render(shown), tmp_path)
    for value in (
        shown.holder_name,
        shown.id_number_masked,
        shown.enterprise_name,
        shown.licence_number,
        shown.industry,
        shown.post,
        shown.number,
        shown.scheme_name_zh,
        shown.scheme_name_en.upper(),
        shown.issuer_name,
        shown.document_id,
        "2023年4月18日",
        "2026年4月18日 至 2029年4月17日",
        "样证 · 仅供演示",
    ):
        assert value in text


def test_characters_beyond_the_basic_plane_are_copied_unchanged(tmp_path: Path) -> None:
    assert max(map(ord, RARE_NAME)) > 0xFFFF
    assert RARE_NAME in text_of(renderer().render(face(holder_name=RARE_NAME)), tmp_path)


def test_rare_characters_in_the_shared_words_are_copied_unchanged(tmp_path: Path) -> None:
    text = text_of(renderer().render(face(issuer_name="示范省𬭎县应急局")), tmp_path)
    assert "示范省𬭎县应急局" in text


def test_a_character_without_glyph_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_FALLBACK_DIRS", ())
    fonts.fallback_fonts.cache_clear()
    try:
        assert load_font(SERIF).missing("𠮷") == ("𠮷",)
        with pytest.raises(MissingGlyphError) as refusal:
            renderer().render(face(holder_name="王𠮷"))
        assert refusal.value.characters == ("𠮷",)
        with pytest.raises(MissingGlyphError):
            renderer().render(face(issuer_name="𠮷县应急局"))
    finally:
        fonts.fallback_fonts.cache_clear()


def test_a_fallback_font_draws_what_the_main_font_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A real font stands in for Hanazono, and the main font is made to lack two characters that it has.
    (tmp_path / "HanaMinA.ttf").write_bytes((font_dir() / SERIF_BOLD).read_bytes())
    monkeypatch.setattr(fonts, "_FALLBACK_DIRS", (tmp_path,))
    monkeypatch.setattr(fonts, "FALLBACK_FONTS", ("HanaMinA.ttf",))
    fonts.fallback_fonts.cache_clear()
    lacking = TrueTypeFont(font_dir() / SERIF)
    lacking._ids.update({ord("𬭎"): 0, ord("危"): 0})
    own = Renderer(TemplateSpec())
    own._text_font = FontStack(lacking)
    try:
        text = text_of(own.render(face()), tmp_path)
    finally:
        fonts.fallback_fonts.cache_clear()
    assert RARE_NAME in text
    assert "危险化学品经营" in text


def test_missing_fonts_name_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "REQUIRED_FONTS", ("NotThere.ttf",))
    with pytest.raises(FontsMissingError, match="make assets"):
        font_dir()


@pytest.mark.parametrize("dots_per_inch", [150, 300])
def test_the_printed_symbol_decodes_to_its_text(tmp_path: Path, dots_per_inch: int) -> None:
    shown = face()
    found = zxingcpp.read_barcodes(raster(renderer().render(shown), tmp_path, dots_per_inch))
    assert [code.text for code in found] == [shown.qr_text]


def test_a_portrait_of_any_proportion_fills_its_frame_and_nothing_more(tmp_path: Path) -> None:
    wide = raster(renderer().render(face(portrait_jpeg=portrait((500, 420)))), tmp_path, 60)
    none = raster(renderer().render(face(portrait_jpeg=None)), tmp_path, 60)
    left, top, right, bottom = ImageChops.difference(wide, none).getbbox() or (0, 0, 0, 0)
    dots_per_mm = 60 / 25.4
    assert left / dots_per_mm == pytest.approx(27.5, abs=1)
    assert right / dots_per_mm == pytest.approx(57.5, abs=1)
    assert top / dots_per_mm == pytest.approx(210 - 138, abs=1)
    assert bottom / dots_per_mm == pytest.approx(210 - 96, abs=1)


def test_a_file_that_is_no_jpeg_is_refused() -> None:
    with pytest.raises(PortraitError):
        renderer().render(face(portrait_jpeg=b"\x89PNG\r\n\x1a\n"))


def test_a_long_employer_name_is_kept_whole(tmp_path: Path) -> None:
    name = "示范省示范市滨海新区化学工业园区第三港区危险化学品仓储物流联合经营有限责任公司第十七分公司"
    assert name in text_of(renderer().render(face(enterprise_name=name)), tmp_path).replace("\n", "")


def test_a_real_certificate_carries_no_specimen_mark(tmp_path: Path) -> None:
    assert "样证" not in text_of(renderer().render(face(demo=False)), tmp_path)


def test_equal_faces_give_equal_bytes_and_different_ones_do_not() -> None:
    assert renderer().render(face()) == renderer().render(face())
    assert renderer().render(face()) != renderer().render(face(valid_until=date(2029, 4, 16)))


def test_the_structure_is_sound_and_every_font_is_embedded(tmp_path: Path) -> None:
    path = tmp_path / "certificate.pdf"
    path.write_bytes(renderer().render(face()))
    with pikepdf.open(path) as pdf:
        assert pdf.check_pdf_syntax() == []
        assert len(pdf.pages) == 1
        assert pdf.Root.Lang == "zh-CN"
    listed = subprocess.run(["pdffonts", str(path)], check=True, capture_output=True, text=True).stdout.splitlines()[2:]
    assert listed
    assert all(line.split()[-5:-2] == ["yes", "yes", "yes"] for line in listed)


def test_metadata_does_not_name_the_holder() -> None:
    pdf = renderer().render(face())
    assert RARE_NAME.encode() not in pdf
    assert RARE_NAME.encode("utf-16-be").hex().upper().encode() not in pdf
