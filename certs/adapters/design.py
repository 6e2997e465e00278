"""Draws what all certificates of one scheme share: the page without its person, and the seal."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from reportlab.lib.colors import Color, HexColor, white
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from certs.adapters import layout, ornament
from certs.adapters.face import StaticWords, TemplateSpec
from certs.adapters.fonts import SANS, SERIF, SERIF_BOLD, MissingGlyphError, font_dir, load_font
from certs.adapters.layout import MM, PAGE_HEIGHT, PAGE_WIDTH
from certs.adapters.palettes import PALETTES

RED: Final = HexColor("#c1121f")
INK: Final = HexColor("#1c1c1c")
GREY: Final = HexColor("#5b6470")
HAIRLINE: Final = HexColor("#b9c7d3")
_CENTRE: Final = PAGE_WIDTH / 2
_MEDALLION: Final = (PAGE_WIDTH / 2 + 4 * MM, 92 * MM)
_CORNER_HALF: Final = 4.5 * MM


@dataclass(frozen=True, slots=True)
class _Rosette:
    """An engraved rosette: `copies` turned copies of one curve; radius and line width in points."""

    radius: float
    colour: str
    petals: int
    copies: int
    inner: float
    ripple: float = 0.0
    line_width: float = 0.3


_MEDALLION_ROSETTES: Final = (
    _Rosette(77 * MM, "d6e4ee", petals=12, copies=10, inner=0.5),
    _Rosette(56 * MM, "e9dfc3", petals=15, copies=8, inner=0.5, ripple=0.04),
    _Rosette(33 * MM, "d8e9e4", petals=9, copies=12, inner=0.3),
)
_CORNER_ROSETTES: Final = (
    _Rosette(_CORNER_HALF * 0.86, "e6d3a1", petals=10, copies=6, inner=0.36, line_width=0.22),
    _Rosette(_CORNER_HALF * 0.3, "e6d3a1", petals=5, copies=4, inner=0.2, line_width=0.22),
)
# A line may not begin with these marks (GB/T 15834 on the placing of punctuation).
_NO_LINE_START: Final = "，。、；：！？》）」』”’"


@dataclass(frozen=True, slots=True)
class _Colours:
    main: Color
    accent: Color
    braid: str
    inner_braid: str

    @staticmethod
    def of(template: TemplateSpec) -> _Colours:
        chosen = PALETTES[template.palette]
        main, accent = HexColor(f"#{chosen.main}"), HexColor(f"#{chosen.accent}")
        return _Colours(main, accent, chosen.braid, chosen.inner_braid)


def draw_page(template: TemplateSpec, words: StaticWords) -> bytes:
    """A one-page PDF of everything but the person. Raises `MissingGlyphError` for words that the fonts cannot draw."""
    buffer = io.BytesIO()
    canvas = new_canvas(buffer, PAGE_WIDTH, PAGE_HEIGHT)
    paint_page(canvas, template, words)
    canvas.save()
    return buffer.getvalue()


def paint_page(canvas: Canvas, template: TemplateSpec, words: StaticWords) -> None:
    """Paints everything but the person onto a canvas of `new_canvas`. Raises `MissingGlyphError`."""
    _check_words(template, words)
    _background(canvas)
    colours = _Colours.of(template)
    _frame(canvas, colours)
    _heading(canvas, template, words, colours)
    _picture_frames(canvas)
    _labels(canvas, template, colours)
    _statement(canvas, template)
    _issuer(canvas, template, words, colours)
    _footer(canvas, template, demo=words.demo)
    if template.stamp:
        _stamp(canvas, template.stamp)


def _stamp(canvas: Canvas, text: str) -> None:
    """Writes large across the page that it is nobody's certificate."""
    canvas.saveState()
    canvas.setFillColor(RED)
    canvas.setFillAlpha(0.16)
    canvas.translate(_CENTRE, PAGE_HEIGHT / 2)
    canvas.rotate(24)
    canvas.setFont(SERIF_BOLD, 84)
    canvas.drawCentredString(0, -24, text)
    canvas.restoreState()


def draw_seal(template: TemplateSpec, words: StaticWords) -> bytes:
    """A one-page PDF of the seal, as large as its circle. No emblem: the real seals of departments are protected."""
    _check_words(template, words)
    buffer, radius = io.BytesIO(), layout.SEAL_RADIUS
    canvas = new_canvas(buffer, 2 * radius, 2 * radius)
    canvas.setStrokeColor(RED)
    canvas.setFillColor(RED)
    canvas.setLineWidth(radius * 0.055)
    canvas.circle(radius, radius, radius * 0.968)
    canvas.setLineWidth(radius * 0.012)
    canvas.circle(radius, radius, radius * 0.905)
    canvas.addLiteral(ornament.star((radius, radius * 1.03), radius * 0.28))
    _seal_arc(canvas, template.seal_name_zh or words.issuer_name, radius)
    line, size = template.seal_line_zh, radius * 0.155
    canvas.setFont(SERIF_BOLD, size)
    canvas.drawCentredString(radius, radius * 0.355, line)
    canvas.save()
    return buffer.getvalue()


def wrap_zh(text: str, font: str, size: float, width: float) -> list[str]:
    """`text` broken into lines no wider than `width` points, never starting a line with closing punctuation."""
    metrics = load_font(font)
    lines, current, used = [], "", 0.0
    for char in text:
        advance = metrics.width(char) * size / 1000
        if current and used + advance > width and char not in _NO_LINE_START:
            lines.append(current)
            current, used = "", 0.0
        current += char
        used += advance
    return [*lines, current]


def new_canvas(buffer: io.BytesIO, width: float, height: float) -> Canvas:
    """An empty page with the certificate's fonts known by their file names."""
    known = pdfmetrics.getRegisteredFontNames()
    for name in (SERIF, SERIF_BOLD, SANS):
        if name not in known:
            pdfmetrics.registerFont(TTFont(name, str(font_dir() / name)))
    # Without initialFontName reportlab names an unembedded Helvetica in every file, which PDF/A forbids.
    return Canvas(buffer, pagesize=(width, height), initialFontName=SERIF, invariant=1, pageCompression=1)


def _check_words(template: TemplateSpec, words: StaticWords) -> None:
    """Refuses missing characters: reportlab would silently draw an empty box for a missing character."""
    serif = words.scheme_name_zh + words.scheme_name_en + words.issuer_name + template.heading_zh
    bold = words.scheme_name_zh + words.issuer_name + template.seal_line_zh + template.seal_name_zh
    sans = "".join(template.notes_zh) + template.demo_mark_zh + template.demo_mark_en
    texts = (
        (SERIF, serif + template.statement_zh + template.statement_en),
        (SERIF_BOLD, bold + template.issuer_label_zh + template.stamp),
        (SANS, sans),
    )
    for font, text in texts:
        absent = load_font(font).missing(text)
        if absent:
            raise MissingGlyphError(absent)


def _spaced(canvas: Canvas, font: str, size: float, y: float, text: str, gap: float, width: float) -> None:
    """Centred text with letter spacing, made smaller until it fits into `width`."""
    length = load_font(font).width(text) * size / 1000 + gap * (len(text) - 1)
    shrink = min(1.0, width / length) if length else 1.0
    line = canvas.beginText(_CENTRE - length * shrink / 2, y)
    line.setFont(font, size * shrink)
    line.setCharSpace(gap * shrink)
    line.textOut(text)
    line.setCharSpace(0)
    canvas.drawText(line)


def _background(canvas: Canvas) -> None:
    tints = (HexColor("#f1f6fa"), HexColor("#fefcf5"), HexColor("#f0f6f8"))
    canvas.linearGradient(0, 0, PAGE_WIDTH, PAGE_HEIGHT, tints, extend=True)
    for index, rosette in enumerate(_MEDALLION_ROSETTES):
        _define_rosette(canvas, f"medallion{index}", rosette)
        _stamp_rosette(canvas, f"medallion{index}", rosette, _MEDALLION)


def _define_rosette(canvas: Canvas, name: str, rosette: _Rosette) -> None:
    """Keeps one curve as a form: the rosette is the form drawn several times, which keeps the file small."""
    reach = rosette.radius * 1.1
    canvas.beginForm(name, -reach, -reach, reach, reach)
    paint = ornament.stroke_colour(ornament.rgb(rosette.colour), rosette.line_width)
    canvas.addLiteral(
        ornament.rosette_curve(
            rosette.radius,
            paint,
            petals=rosette.petals,
            inner=rosette.inner,
            ripple=rosette.ripple,
            points=40 * rosette.petals,
        )
    )
    canvas.endForm()


def _stamp_rosette(canvas: Canvas, name: str, rosette: _Rosette, centre: tuple[float, float]) -> None:
    for copy in range(rosette.copies):
        canvas.saveState()
        canvas.translate(*centre)
        canvas.rotate(360 * copy / rosette.copies / rosette.petals)
        canvas.doForm(name)
        canvas.restoreState()


def _frame(canvas: Canvas, colours: _Colours) -> None:
    size, paint = (PAGE_WIDTH, PAGE_HEIGHT), ornament.stroke_colour
    braid = ornament.braid_frame
    canvas.addLiteral(braid(12.5 * MM, size, (2.75 * MM, 13 * MM, 8), paint(ornament.rgb(colours.braid), 0.3)))
    canvas.addLiteral(braid(12.5 * MM, size, (1.35 * MM, 6.5 * MM, 4), paint(ornament.rgb(colours.inner_braid), 0.3)))
    main, accent = colours.main, colours.accent
    for inset, colour, line_width in ((8, main, 1.7), (9, accent, 0.6), (16, main, 0.7), (16.9, accent, 0.4)):
        canvas.setStrokeColor(colour)
        canvas.setLineWidth(line_width)
        canvas.rect(inset * MM, inset * MM, PAGE_WIDTH - 2 * inset * MM, PAGE_HEIGHT - 2 * inset * MM)
    for index, rosette in enumerate(_CORNER_ROSETTES):
        _define_rosette(canvas, f"corner{index}", rosette)
    for x in (12.5 * MM, PAGE_WIDTH - 12.5 * MM):
        for y in (12.5 * MM, PAGE_HEIGHT - 12.5 * MM):
            _corner(canvas, x, y, colours)


def _corner(canvas: Canvas, x: float, y: float, colours: _Colours) -> None:
    half = _CORNER_HALF
    canvas.setFillColor(colours.main)
    canvas.setStrokeColor(colours.accent)
    canvas.setLineWidth(0.8)
    canvas.rect(x - half, y - half, 2 * half, 2 * half, fill=1)
    canvas.setLineWidth(0.3)
    canvas.rect(x - half * 0.9, y - half * 0.9, 1.8 * half, 1.8 * half)
    for index, rosette in enumerate(_CORNER_ROSETTES):
        _stamp_rosette(canvas, f"corner{index}", rosette, (x, y))


def _heading(canvas: Canvas, template: TemplateSpec, words: StaticWords, colours: _Colours) -> None:
    canvas.setFillColor(GREY)
    _spaced(canvas, SERIF, 12, PAGE_HEIGHT - 31 * MM, template.heading_zh, 4.5, 180 * MM)
    canvas.setFillColor(colours.main)
    _spaced(canvas, SERIF_BOLD, 31, PAGE_HEIGHT - 44.5 * MM, words.scheme_name_zh, 3.4, 214 * MM)
    canvas.setFillColor(colours.accent)
    _spaced(canvas, SERIF, 8.8, PAGE_HEIGHT - 51.2 * MM, words.scheme_name_en.upper(), 1.15, 190 * MM)
    y, diamond = PAGE_HEIGHT - 55.6 * MM, 1.5 * MM
    canvas.setStrokeColor(colours.accent)
    for side in (-1, 1):
        canvas.setLineWidth(0.8)
        canvas.line(_CENTRE + side * 4 * MM, y, _CENTRE + side * 48 * MM, y)
        canvas.setLineWidth(0.3)
        canvas.line(_CENTRE + side * 8 * MM, y - 0.7 * MM, _CENTRE + side * 40 * MM, y - 0.7 * MM)
    path = canvas.beginPath()
    path.moveTo(_CENTRE, y + diamond)
    for corner_x, corner_y in ((diamond, 0), (0, -diamond), (-diamond, 0)):
        path.lineTo(_CENTRE + corner_x, y + corner_y)
    path.close()
    canvas.setFillColor(colours.accent)
    canvas.drawPath(path, fill=1, stroke=0)


def _picture_frames(canvas: Canvas) -> None:
    canvas.setStrokeColor(HexColor("#8fa6ba"))
    canvas.setFillColor(white)
    for box, margin in ((layout.PORTRAIT, 1.2 * MM), (layout.QR, 2.8 * MM)):
        canvas.setLineWidth(0.6)
        outer = (box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)
        canvas.rect(*outer, fill=1)
    canvas.setFillColor(HexColor("#eef2f6"))
    portrait = layout.PORTRAIT
    canvas.rect(portrait.x, portrait.y, portrait.width, portrait.height, stroke=0, fill=1)
    middle, below = layout.QR.x + layout.QR.width / 2, layout.QR.y
    canvas.setFillColor(GREY)
    canvas.setFont(SANS, 7.2)
    canvas.drawCentredString(middle, below - 6.4 * MM, "扫码核验真伪与状态（支持离线）")
    canvas.setFont(SANS, 5.6)
    canvas.drawCentredString(middle, below - 9.2 * MM, "Scan to verify, also offline")


def _labels(canvas: Canvas, template: TemplateSpec, colours: _Colours) -> None:
    size = 12.0
    for row in layout.rows_without(template.hidden):
        canvas.setFillColor(colours.main)
        canvas.setFont(SERIF_BOLD, size)
        # A two-character label is spread to the width of four, as printed forms do.
        span = 2 * size if row.value_end < 150 * MM and len(row.label_zh) == 2 else 0
        canvas.drawString(row.label_x, row.y, row.label_zh[:-1] if span else row.label_zh)
        if span:
            canvas.drawString(row.label_x + 3 * size, row.y, row.label_zh[-1])
        canvas.setFillColor(GREY)
        canvas.setFont(SANS, 5.2)
        canvas.drawString(row.label_x + 0.3, row.y - 2.75 * MM, row.label_en)
        canvas.setStrokeColor(HAIRLINE)
        canvas.setLineWidth(0.45)
        canvas.line(row.value_x - 1 * MM, row.y - 2.3 * MM, row.value_end, row.y - 2.3 * MM)


def _statement(canvas: Canvas, template: TemplateSpec) -> None:
    box, size = layout.STATEMENT, 13.0
    y = box.y + box.height - 4.6 * MM
    canvas.setFillColor(INK)
    canvas.setFont(SERIF, size)
    for line in wrap_zh("　　" + template.statement_zh, SERIF, size, box.width):
        canvas.drawString(box.x, y, line)
        y -= 8.1 * MM
    canvas.setFillColor(GREY)
    canvas.setFont(SERIF, 6.4)
    y += 2.4 * MM
    for line in _wrap_en(template.statement_en, SERIF, 6.4, box.width):
        canvas.drawString(box.x, y, line)
        y -= 3.1 * MM


def _wrap_en(text: str, font: str, size: float, width: float) -> list[str]:
    metrics, lines = load_font(font), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if metrics.width(longer) * size / 1000 > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _issuer(canvas: Canvas, template: TemplateSpec, words: StaticWords, colours: _Colours) -> None:
    middle, _ = layout.SEAL_CENTRE
    canvas.setFillColor(colours.main)
    canvas.setFont(SERIF_BOLD, 12)
    label_y = layout.SEAL_CENTRE[1] + layout.SEAL_RADIUS - 2.5 * MM
    canvas.drawString(layout.STATEMENT.x, label_y, template.issuer_label_zh)
    canvas.setFillColor(GREY)
    canvas.setFont(SANS, 5.2)
    canvas.drawString(layout.STATEMENT.x + 0.3, label_y - 2.75 * MM, "Issued by")
    natural = load_font(SERIF).width(words.issuer_name) * 14 / 1000
    canvas.setFillColor(INK)
    canvas.setFont(SERIF, 14 * min(1.0, layout.STATEMENT.width / natural))
    canvas.drawCentredString(middle, layout.ISSUER_BASELINE, words.issuer_name)


def _footer(canvas: Canvas, template: TemplateSpec, *, demo: bool) -> None:
    left, right = 22 * MM, PAGE_WIDTH - 22 * MM
    canvas.setStrokeColor(HexColor("#cfd8e0"))
    canvas.setLineWidth(0.4)
    canvas.line(left, 34.2 * MM, right, 34.2 * MM)
    canvas.setFillColor(GREY)
    canvas.setFont(SANS, 6.7)
    for index, note in enumerate(template.notes_zh):
        canvas.drawString(left, 29.8 * MM - index * 4 * MM, note)
    if demo:
        _demo_mark(canvas, template, right)


def _demo_mark(canvas: Canvas, template: TemplateSpec, right: float) -> None:
    mark, size = f"{template.demo_mark_zh}　{template.demo_mark_en}", 6.8
    width = load_font(SANS).width(mark) * size / 1000
    red: Color = HexColor("#b42318")
    canvas.setFillColor(red)
    canvas.setStrokeColor(red)
    canvas.setFont(SANS, size)
    canvas.drawRightString(right - 2 * MM, 20.8 * MM, mark)
    canvas.setLineWidth(0.6)
    canvas.roundRect(right - width - 4 * MM, 19.2 * MM, width + 4 * MM, 5 * MM, 1 * MM)


def _seal_arc(canvas: Canvas, text: str, radius: float) -> None:
    """The issuer's name along the upper arc, narrower and closer the longer it is."""
    count = len(text)
    span = min(232.0, 25.0 * count)
    size = radius * min(0.262, 2.9 / max(count, 1))
    for index, char in enumerate(text):
        angle = span / 2 - (span * index / (count - 1) if count > 1 else span / 2)
        canvas.saveState()
        canvas.translate(radius, radius)
        canvas.rotate(angle)
        width = load_font(SERIF_BOLD).width(char) * size / 1000
        canvas.translate(-width * 0.8 / 2, radius * 0.85 - size * 1.02)
        canvas.scale(0.8, 1.18)
        canvas.setFont(SERIF_BOLD, size)
        canvas.drawString(0, 0, char)
        canvas.restoreState()
