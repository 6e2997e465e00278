"""Trying a page before it is published: what cannot be printed, and a specimen drawn by the real writer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

from certs.adapters import layout
from certs.adapters.design import wrap_zh
from certs.adapters.face import CertificateFace, TemplateSpec
from certs.adapters.fonts import SANS, SERIF, SERIF_BOLD, load_font
from certs.adapters.palettes import PALETTES
from certs.adapters.pdf import Renderer

_STAMP: Final = "样本 SPECIMEN"
_NOTE_SIZE: Final = 6.7
_STATEMENT_SIZE: Final = 13.0
_STATEMENT_LINES_MAX: Final = 4
_FONTS: Final = {
    "heading_zh": SERIF,
    "statement_zh": SERIF,
    "statement_en": SERIF,
    "seal_line_zh": SERIF_BOLD,
    "seal_name_zh": SERIF_BOLD,
    "issuer_label_zh": SERIF_BOLD,
}
# Somebody who does not exist, with values as long as they come.
_NOBODY: Final = CertificateFace(
    number="样本202600012343",
    holder_name="样本人",
    id_number_masked="000000********000X",
    sex="男",
    industry="化学原料和化学制品制造业",
    post="安全生产管理人员",
    scheme_name_zh="安全生产知识和管理能力考核合格证",
    scheme_name_en="Certificate of Competence in Work Safety Knowledge and Management",
    first_issued_on=date(2026, 3, 1),
    valid_from=date(2026, 3, 1),
    valid_until=date(2029, 2, 28),
    issued_on=date(2026, 3, 1),
    issuer_name="某某省应急管理厅",
    enterprise_name="某某市样本化工仓储有限责任公司",
    licence_number="样WH安许证字〔2026〕0000",
    portrait_jpeg=None,
    qr_text="SPECIMEN",
    document_id="urn:uuid:00000000-0000-0000-0000-000000000000",
    demo=True,
)


def page_problems(spec: TemplateSpec) -> dict[str, str]:
    """Return what cannot be printed, by the field's name: characters no font draws, or "long", or "unknown"."""
    texts = {name: (font, getattr(spec, name)) for name, font in _FONTS.items()}
    texts |= {f"note_{place}": (SANS, note) for place, note in enumerate(spec.notes_zh)}
    absent = {name: "".join(load_font(font).missing(text)) for name, (font, text) in texts.items()}
    found = {name: characters for name, characters in absent.items() if characters}
    if spec.palette not in PALETTES:
        found["palette"] = "unknown"
    if not set(spec.hidden) <= set(layout.OPTIONAL_ROWS):
        found["hidden"] = "unknown"
    return {**dict.fromkeys(_too_long(spec) - set(found), "long"), **found}


def _too_long(spec: TemplateSpec) -> set[str]:
    width = layout.PAGE_WIDTH - 44 * layout.MM
    notes = enumerate(spec.notes_zh)
    found = {f"note_{place}" for place, note in notes if load_font(SANS).width(note) * _NOTE_SIZE / 1000 > width}
    lines = wrap_zh("　　" + spec.statement_zh, SERIF, _STATEMENT_SIZE, layout.STATEMENT.width)
    return found | ({"statement_zh"} if len(lines) > _STATEMENT_LINES_MAX else set())


def specimen_pdf(spec: TemplateSpec) -> bytes:
    """Return a certificate of nobody on this page, unsigned and stamped as a specimen."""
    return Renderer(replace(spec, stamp=_STAMP)).render(_NOBODY)
