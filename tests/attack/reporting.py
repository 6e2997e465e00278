"""Looking at answers, and at what is stored, after an attack."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from psycopg import sql
from werkzeug.test import TestResponse

from tests.conftest import Admin, Instance

LEAKS = ("Traceback", "psycopg", "sqlalchemy", "OperationalError", "Werkzeug")
CHINESE = re.compile(r"[\u4e00-\u9fff]+")
ERROR_PAGE = re.compile(r'<section class="errorpage">(.*?)</section>', re.DOTALL)
# Where refusals and look-ups leave a trace on purpose: the throttle counts them.
TRACES = frozenset({"accounts_sign_in_failure", "certs_check", "core_audit"})
ENGLISH = {"Accept-Language": "en"}


def some_address() -> dict[str, str]:
    """Return another sender each time: public look-ups and sign-ins are counted by address."""
    return {"REMOTE_ADDR": f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"}


class Report:
    """Collects what must not be, so that one run names all of it."""

    def __init__(self) -> None:
        self.wrong: list[tuple[object, ...]] = []

    def look(self, answer: TestResponse, *where: object) -> None:
        """Judge the answer to a request that was sent with ``ENGLISH``."""
        fault = fault_of(answer)
        if fault:
            self.wrong.append((fault, answer.status_code, *where))

    def check(self) -> None:
        """Fail with all that was found."""
        assert not self.wrong, "\n".join(map(str, self.wrong[:60]))


def fault_of(answer: TestResponse) -> str | None:
    """Return what is wrong with an answer to an English reader, None when nothing is."""
    if answer.status_code >= 500:
        return "crash"
    if "stolen" in str(answer.headers.getlist("Set-Cookie")):
        return "header"
    kind = answer.content_type or ""
    if "html" not in kind and "json" not in kind:
        return None if answer.status_code < 400 else "no message"
    if any(leak in answer.text for leak in LEAKS):
        return "details"
    return None if answer.status_code < 400 else _fault_of_message(answer)


def _fault_of_message(answer: TestResponse) -> str | None:
    if answer.is_json:
        message = str((answer.json or {}).get("message") or "")
        return "no message" if not message else "language" if CHINESE.search(message) else None
    if '<html lang="en"' not in answer.text:
        return "language"
    shown = ERROR_PAGE.search(answer.text)
    return "language" if shown and CHINESE.search(shown[1]) else None


def stored(instance: Instance, connection: Admin) -> Mapping[str, object]:
    """Return a fingerprint of every table's rows, and the names of all files; ``TRACES`` are left out."""
    tables = connection.execute(
        "select relname from pg_class where relkind in ('r', 'p') and not relispartition"
        " and relnamespace = 'public'::regnamespace order by 1"
    ).fetchall()
    found: dict[str, object] = {}
    for (name,) in tables:
        if name not in TRACES:
            question = sql.SQL("select count(*), sum(hashtextextended(t::text, 0)) from {} t")
            found[str(name)] = connection.execute(question.format(sql.Identifier(str(name)))).fetchone()
    folder = Path(url2pathname(urlsplit(instance.settings.storage_url).path))
    return found | {"files": sorted(str(file) for file in folder.rglob("*") if file.is_file())}


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """Return what differs between two fingerprints."""
    return {name: (before.get(name), after[name]) for name in after if before.get(name) != after[name]}
