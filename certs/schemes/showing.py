"""What the pages of certificate types say of programmes and page templates: names instead of codes."""

from __future__ import annotations

from sqlalchemy.orm import Session

import lms.courses.api as courses
from certs.schemes import queries
from certs.schemes.describing import Named
from lms.core.i18n import in_language


def named(session: Session) -> Named:
    """Return the names of all programmes and page templates, each of its newest version."""
    programmes = {code: in_language(*names) for code, names in courses.programme_names(session).items()}
    pages = reversed(queries.template_versions(session))
    return Named(programmes, {row.code: in_language(row.name_zh, row.name_en) for row in pages})


def programmes_to(session: Session, code: str) -> list[str]:
    """Return the names of the programmes in force after whose exam this certificate type is issued."""
    names = courses.programme_names(session)
    return [in_language(*names[one.code]) for one in courses.programmes(session) if one.scheme_code == code]
