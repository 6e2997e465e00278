"""Languages: Chinese is the source text, English the complete second."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from babel.support import NullTranslations, Translations
from flask import Flask, g, has_app_context, has_request_context, request
from flask_babel import Babel, get_locale, ngettext
from flask_babel.speaklater import LazyString
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from lms.core import clock

LANGUAGES = {"zh": "中文", "en": "English"}
LANGUAGE_COOKIE = "lang"
TRANSLATIONS = Path(__file__).parent / "translations"

__all__ = ["LANGUAGES", "get_locale", "gettext", "lazy_gettext", "ngettext"]


def select_locale() -> str:
    """Return the reader's language: their choice, else what the browser prefers, else Chinese."""
    if not has_request_context():
        return "zh"
    found: str | None = g.get("anzheng_language")
    if found is None:
        chosen = request.cookies.get(LANGUAGE_COOKIE, "")
        found = chosen if chosen in LANGUAGES else _accepted(request.headers.get("Accept-Language", ""))
        g.anzheng_language = found
    return found


@lru_cache(maxsize=512)
def _accepted(header: str) -> str:
    """Return the best language that the browser accepts; there are few such headers in the world."""
    return parse_accept_header(header, LanguageAccept).best_match(list(LANGUAGES)) or "zh"


def present_language() -> str:
    """Return the language in force: one that the code forces, else the reader's."""
    forced = getattr(g.get("_flask_babel"), "babel_locale", None) if has_app_context() else None
    return str(forced.language) if forced else select_locale()


@lru_cache
def _catalog(language: str) -> NullTranslations:
    return Translations.load(TRANSLATIONS, [language])


def translation(message: str, language: str) -> str:
    """Return the text in ``language``, its places not filled."""
    # Past Flask-Babel, which looks its context up six times for each text of a page.
    return str(_catalog(language).ugettext(message))


def gettext(message: str, **variables: object) -> str:
    """Return the text in the present language, its named places filled."""
    shown = translation(message, present_language())
    return shown % variables if variables else shown


def page_text(message: str, language: str) -> Markup:
    """Return a text without places to fill as a template shows it: percent signs are doubled in the source."""
    shown = translation(message, language)
    return Markup(shown % {} if "%" in shown else shown)  # noqa: S704 - texts of our own catalogue


def lazy_gettext(message: str, **variables: object) -> LazyString:
    """Return a text that is translated when it is shown."""
    return LazyString(gettext, message, **variables)


@pass_eval_context
def _page_gettext(context: EvalContext, message: str, **variables: object) -> str:
    """Translate for a template: markup where it escapes, percent signs doubled in the source."""
    shown = translation(message, getattr(context.environment, "language", None) or present_language())
    if context.autoescape:
        shown = Markup(shown)  # noqa: S704 - texts of our own catalogue; values are escaped by %
    return shown % variables if variables or "%" in shown else shown


def is_english() -> bool:
    """Tell whether the present reader reads English."""
    return select_locale() == "en"


def in_language(zh: str, en: str | None) -> str:
    """Choose between the two stored texts of a name; Chinese where no English was given."""
    return en if en and is_english() else zh


def install(app: Flask) -> None:
    """Set up translation and the date filters of templates, all in the province's zone."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    app.config["BABEL_DEFAULT_LOCALE"] = "zh"
    Babel(app, locale_selector=select_locale)
    app.jinja_env.globals.update(gettext=_page_gettext, _=_page_gettext)

    def show_datetime(value: datetime | None, pattern: str = "%Y-%m-%d %H:%M") -> str:
        return clock.local(value).strftime(pattern) if value else "—"

    def show_date(value: datetime | date | None) -> str:
        if value is None:
            return "—"
        day = clock.day_of(value) if isinstance(value, datetime) else value
        return day.isoformat()

    def show_pct(value: float | None, digits: int = 1) -> str:
        return "—" if value is None else f"{value:.{digits}f}%"

    def show_duration(value_s: float | None) -> str:
        if value_s is None:
            return "—"
        minutes, seconds = divmod(int(value_s), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"

    app.add_template_filter(show_datetime, "datetime")
    app.add_template_filter(show_date, "date")
    app.add_template_filter(show_pct, "pct")
    app.add_template_filter(show_duration, "duration")
    app.add_template_global(in_language, "in_language")
