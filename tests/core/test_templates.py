"""Templates keep to the content policy: no inline script or style, nothing that needs eval, nothing unescaped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lms.core.web import AnzhengFlask

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("lms", "media", "exams", "certs", "supervision")
TEMPLATES = sorted(path for room in ROOMS for path in (ROOT / room).glob("**/templates/**/*.html"))

# Each: what it is called, and how it looks. Jinja comments are taken out before looking.
FORBIDDEN = {
    "inline style attribute": re.compile(r"""\sstyle\s*=\s*["']""", re.IGNORECASE),
    "style element": re.compile(r"<style\b", re.IGNORECASE),
    "event handler attribute": re.compile(r"""<[^>]*\son[a-z]+\s*=\s*["'{]""", re.IGNORECASE),
    "hx-on attribute": re.compile(r"\b(?:data-)?hx-on\b", re.IGNORECASE),
    "trigger filter, which needs eval": re.compile(r"""hx-trigger\s*=\s*("[^"]*\[|'[^']*\[)""", re.IGNORECASE),
    "js: values, which need eval": re.compile(
        r"""hx-(?:vals|headers)[^=\s]*\s*=\s*["']\s*(?:js|javascript):""", re.IGNORECASE
    ),
    "javascript: address": re.compile(r"""=\s*["']?\s*javascript:""", re.IGNORECASE),
    "safe filter": re.compile(r"\|\s*safe\b"),
    "autoescape switched off": re.compile(r"{%-?\s*autoescape\s+false", re.IGNORECASE),
}
SCRIPT = re.compile(r"<script\b(?P<attributes>[^>]*)>(?P<body>.*?)</script>", re.IGNORECASE | re.DOTALL)
COMMENT = re.compile(r"{#.*?#}", re.DOTALL)


def _inline_scripts(text: str) -> list[str]:
    """Return the opening tags of scripts with a body that is not JSON."""
    return [
        found["attributes"].strip()
        for found in SCRIPT.finditer(text)
        if found["body"].strip() and "application/json" not in found["attributes"]
    ]


def _faults(text: str) -> list[str]:
    bare = COMMENT.sub("", text)
    faults = [name for name, pattern in FORBIDDEN.items() if pattern.search(bare)]
    return faults + [f"inline script <{tag}>" for tag in _inline_scripts(bare)]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_template_keeps_to_the_content_policy(path: Path) -> None:
    assert _faults(path.read_text("utf8")) == []


@pytest.mark.parametrize(
    "markup",
    [
        '<p style="color:red">',
        "<style>p{}</style>",
        '<a class="x" onclick="go()">',
        '<div hx-on:click="go()">',
        '<div hx-trigger="click[ctrlKey]">',
        "<div hx-vals='js:{a: 1}'>",
        '<a href="javascript:void 0">',
        "{{ text | safe }}",
        "<script>go()</script>",
        "{% autoescape false %}",
    ],
)
def test_each_forbidden_thing_is_noticed(markup: str) -> None:
    assert len(_faults(markup)) == 1


@pytest.mark.parametrize(
    "markup",
    [
        '<script type="application/json" id="d">{{ d | tojson }}</script>',
        '<script type="module" src="/x.js"></script>',
        '<div hx-trigger="load, every 2s">',
        '{# never style="…" #}',
        '<button type="button" data-confirm="on=off">',
    ],
)
def test_allowed_things_pass(markup: str) -> None:
    assert _faults(markup) == []


def test_there_are_templates_to_look_at() -> None:
    assert any(path.name == "base.html" for path in TEMPLATES)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_post_forms_carry_the_csrf_token(path: Path) -> None:
    text = COMMENT.sub("", path.read_text("utf8"))
    for form in re.findall(
        r"<form\b[^>]*\bmethod\s*=\s*[\"']post[\"'][^>]*>.*?</form>", text, re.IGNORECASE | re.DOTALL
    ):
        assert "csrf_token" in form or "hidden_tag" in form, form[:120]


@pytest.mark.parametrize(
    ("language", "shown"), [("zh", "跳到主要内容|&lt;好&gt;"), ("en", "Skip to the main content|good")]
)
def test_one_template_is_compiled_for_each_language(app: AnzhengFlask, language: str, shown: str) -> None:
    source = "{{ _('跳到主要内容') }}|{{ in_language('<好>', 'good') }}"
    with app.test_request_context(headers={"Accept-Language": language}):
        template = app.jinja_env.overlay(autoescape=True).from_string(source)
        assert template.render() == shown


@pytest.mark.parametrize(
    ("language", "shown"), [("zh", "&lt;b&gt; 前完成|已学 7%"), ("en", "Due &lt;b&gt;|7% watched")]
)
def test_texts_with_places_are_filled_and_their_values_escaped(app: AnzhengFlask, language: str, shown: str) -> None:
    source = "{{ _('%(day)s 前完成', day=day) }}|{{ _('已学 %(pct)s%%', pct=7) }}"
    with app.test_request_context(headers={"Accept-Language": language}):
        template = app.jinja_env.overlay(autoescape=True).from_string(source)
        assert template.render(day="<b>") == shown
