"""Certificates of earlier systems as a kind of import."""

from __future__ import annotations

from sqlalchemy.orm import Session

from certs.imports import importing, reading, rules, staging, texts
from certs.imports.limits import limits
from certs.imports.models import CertificateImport, CertificateImportFault
from certs.schemes.queries import schemes_in_force
from lms.core import clock
from lms.core.i18n import lazy_gettext as _
from lms.core.imports.kinds import ImportKind, Names
from lms.core.imports.texts import Words
from lms.core.spreadsheets.tables import Headings


def _scheme_names(session: Session) -> dict[str, str]:
    return {code: one.name_zh for code, one in schemes_in_force(session, clock.today()).items()}


EARLIER_CERTIFICATES = ImportKind(
    imports=CertificateImport,
    faults=CertificateImportFault,
    names=Names(
        room="certs",
        folder=staging.FOLDER,
        sealing_context=staging.SEALING_CONTEXT,
        check_task="certs.import_check",
        take_task="certs.import",
        bad_rows_task="certs.import_bad_rows",
        forget_ticker="certs.forget_import_files",
        lock="certs.import",
        taken_action="certs.certificates.imported",
        brought={"added": "certificates_added"},
    ),
    words=Words(
        texts.COLUMN_TEXTS, texts.FAULTS, _("校验证书清单：%(name)s"), _("导入证书清单：%(name)s"), "certificates"
    ),
    limits=limits(),
    columns=rules.COLUMNS,
    headings=Headings(rules.ALIASES, rules.REQUIRED, texts.COLUMN_TEXTS),
    judge=reading.judge,
    compare=importing.compare,
    count=importing.count,
    take=importing.take,
    as_bad=staging.as_bad,
    to_plain=staging.to_plain,
    of_plain=staging.of_plain,
    code_names=_scheme_names,
    keep_more=staging.keep_photos,
    forget_more=staging.forget_photos,
    busy_states=("importing", "withdrawing"),
)
