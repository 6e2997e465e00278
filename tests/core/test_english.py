"""English is complete: every text of the screens has its translation, with the same placeholders."""

from __future__ import annotations

import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

ROOT = Path(__file__).parents[2]
ROOMS = ("lms", "media", "exams", "certs", "supervision")
ENGLISH = ROOT / "lms" / "core" / "translations" / "en" / "LC_MESSAGES" / "messages.po"
PLAIN: dict[str, tuple[int, ...] | None] = dict.fromkeys(("_", "_l", "gettext", "lazy_gettext"))
KEYWORDS = PLAIN | dict.fromkeys(("_n", "ngettext"), (1, 2))
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sdf%]")
CHINESE = re.compile(r"[\u3400-\u9fff\uff00-\uffef\u3001-\u303f]")
MARKED_CHINESE = re.compile(r'<(\w+)[^>]*\slang="zh-CN"[^>]*>[^<]*</\1>')


def extracted() -> dict[str, str]:
    """Return every msgid that the rooms use now, with a file that does; as ``babel.cfg`` finds them."""
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    options = {"**/templates/**.html": {"encoding": "utf-8", "extensions": "jinja2.ext.i18n", "trimmed": "true"}}
    found: dict[str, str] = {}
    for room in ROOMS:
        for name, _line, text, _comments, _context in extract_from_dir(
            ROOT / room, methods, options, keywords=KEYWORDS
        ):
            for msgid in text if isinstance(text, tuple) else (text,):
                found.setdefault(msgid, f"{room}/{name}")
    return found


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with ENGLISH.open("rb") as file:
        return read_po(file, locale="en", abort_invalid=True)


def texts_of(message: Message) -> list[tuple[str, str]]:
    """Return the (msgid, msgstr) pairs of a message, one for each plural form."""
    ids = message.id if isinstance(message.id, (tuple, list)) else (message.id,)
    strings = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return [(ids[min(number, len(ids) - 1)], text or "") for number, text in enumerate(strings)]


def test_every_text_has_its_english(catalogue: Catalog) -> None:
    used = extracted()
    assert len(used) > 1000
    missing = {msgid: file for msgid, file in used.items() if (found := catalogue.get(msgid)) is None or found.fuzzy}
    assert missing == {}
    empty = [message.id for message in catalogue if message.id and not all(text for _, text in texts_of(message))]
    assert empty == []


def test_catalogue_can_be_compiled(catalogue: Catalog, tmp_path: Path) -> None:
    # Without its header a catalogue counts as fuzzy, and "pybabel compile" passes over it in silence.
    assert not catalogue.fuzzy
    compiled = tmp_path / "messages.mo"
    with compiled.open("wb") as file:
        write_mo(file, catalogue)
    with compiled.open("rb") as file:
        assert GNUTranslations(file).gettext("登录") == catalogue["登录"].string


def test_no_english_outlives_its_text(catalogue: Catalog) -> None:
    used = extracted()
    assert [message.id for message in catalogue if message.id and message.id not in used] == []


def test_placeholders_are_the_same(catalogue: Catalog) -> None:
    differing = {
        msgid: text
        for message in catalogue
        if message.id
        for msgid, text in texts_of(message)
        if set(PLACEHOLDER.findall(msgid)) != set(PLACEHOLDER.findall(text))
    }
    assert differing == {}


def test_english_texts_hold_no_chinese(catalogue: Catalog) -> None:
    found = [text for message in catalogue if message.id for _, text in texts_of(message) if CHINESE.search(text)]
    assert found == []


def test_templates_have_no_text_outside_the_catalogue() -> None:
    environment = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"], autoescape=True)
    stray = []
    for room in ROOMS:
        for path in sorted((ROOT / room).glob("**/templates/**/*.html")):
            tree = environment.parse(path.read_text(encoding="utf8"))
            for data in tree.find_all(nodes.TemplateData):
                # What stands in an element marked as Chinese is meant to.
                text = MARKED_CHINESE.sub("", data.data)
                stray += [(str(path.relative_to(ROOT)), line) for line in text.splitlines() if CHINESE.search(line)]
    assert stray == []


def test_scripts_have_their_english() -> None:
    sources = ROOT / "frontend" / "src"
    words = (sources / "lib" / "words.js").read_text(encoding="utf8")
    known = set(re.findall(r"'([^']*[\u3400-\u9fff][^']*)'\s*:", words))
    used = {
        (path.name, text)
        for path in sources.rglob("*.js")
        if path.name != "words.js"
        for text in re.findall(r"\bt\(\s*'([^']+)'", path.read_text(encoding="utf8"))
    }
    assert len(used) > 20
    assert {(name, text) for name, text in used if text not in known} == set()
