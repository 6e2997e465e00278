"""Sort keys of Chinese names: PostgreSQL ships no Chinese collation."""

from __future__ import annotations

from functools import lru_cache

from pypinyin import Style, lazy_pinyin


@lru_cache(maxsize=30_000)
def _syllable(character: str) -> str:
    return lazy_pinyin(character, style=Style.NORMAL)[0]


@lru_cache(maxsize=1_000)
def _surname(character: str) -> str:
    # A few characters are read otherwise as a surname (单 shan, 解 xie); the library knows them
    # at the head of a name only.
    return lazy_pinyin(character + "某", style=Style.NORMAL)[0]


def pinyin_key(name: str) -> str:
    """Return the lower-case pinyin of ``name``, syllables parted by blanks, at most 200 characters."""
    if not name:
        return ""
    return " ".join([_surname(name[0]), *map(_syllable, name[1:])]).lower()[:200]
