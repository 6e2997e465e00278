"""Languages: Chinese is the source text, English the complete second."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from flask import Flask, has_request_context, request
from flask_babel import Babel, get_locale, gettext, lazy_gettext, ngettext

LANGUAGES = {"zh": "中文", "en": "English"}
LANGUAGE_COOKIE = "lang"

__all__ = ["LANGUAGES", "get_locale", "gettext", "lazy_gettext", "ngettext"]


def select_locale() -> str:
    """Return the reader's language: their choice, else what the browser prefers, else Chinese."""
    if not has_request_context():
        return "zh"
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return str(chosen)
    return request.accept_languages.best_match(list(LANGUAGES)) or "zh"


def is_english() -> bool:
    """Tell whether the present reader reads English."""
    return select_locale() == "en"


def in_language(zh: str, en: str | None) -> str:
    """Choose between the two stored texts of a name; Chinese where no English was given."""
    return en if en and is_english() else zh


def install(app: Flask, timezone: str) -> None:
    """Set up translation and the date filters of templates, all in the province's zone."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(Path(__file__).parent / "translations")
    app.config["BABEL_DEFAULT_LOCALE"] = "zh"
    Babel(app, locale_selector=select_locale)
    zone = ZoneInfo(timezone)

    def show_datetime(value: datetime | None, pattern: str = "%Y-%m-%d %H:%M") -> str:
        return value.astimezone(zone).strftime(pattern) if value else "—"

    def show_date(value: datetime | date | None) -> str:
        if value is None:
            return "—"
        day = value.astimezone(zone).date() if isinstance(value, datetime) else value
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
