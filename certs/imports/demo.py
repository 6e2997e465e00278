"""The demo's certificates of an earlier system: one that has run out, one that soon will, and a row to put right."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

from certs import rules
from certs.imports import operations
from certs.imports.earlier import EARLIER_CERTIFICATES
from lms.accounts.demo import STAFF_SIGN_INS, DemoPerson, moment_of, province_of
from lms.accounts.demo_cast import SCHEME
from lms.core import clock
from lms.core.access import Actor
from lms.core.bootstrap import worker_conninfo
from lms.core.imports import operations as imports
from lms.core.imports.parts import SOURCE
from lms.core.imports.uploads import upload_of
from lms.core.services import Services
from lms.core.worker import drain

HEADS = ("姓名", "证件号码", "证书编号", "证书类型", "发证机关", "发证日期", "有效期自", "有效期至")
# Who signs in, and in about how many days from today the earlier certificate ends; 0 for the row with a mistake.
ENDS_IN_DAYS = {"chizheng": -19, "xueyuan": 41, "kaosheng": 0}


def make(services: Services, county: Actor, today: date) -> None:
    """Let the county enter the list, as its officials and the worker do."""
    data = _list(services, today)
    upload = upload_of(EARLIER_CERTIFICATES, data, "2023年度证书台账.csv")
    EARLIER_CERTIFICATES.parts(services, upload.import_id).put(SOURCE, data)
    with clock.travelling_to(moment_of(today - timedelta(days=6), 10, 15)):
        with services.db.transaction(county.scope) as session:
            operations.add_import(session, county, upload, source_system="市安全生产资格考试系统")
        drain(services, worker_conninfo(services.settings))
    with clock.travelling_to(moment_of(today - timedelta(days=6), 10, 40)):
        with services.db.transaction(county.scope) as session:
            imports.confirm(session, county, EARLIER_CERTIFICATES, upload.import_id)
        drain(services, worker_conninfo(services.settings))


def _list(services: Services, today: date) -> bytes:
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow(HEADS)
    for place, (login, days) in enumerate(ENDS_IN_DAYS.items()):
        plan = _person(services, login).plan
        # A wrong check digit, as lists of earlier systems have them.
        number = plan.id_number if days else plan.id_number[:-1] + ("0" if plan.id_number[-1] != "0" else "1")
        begin = today + timedelta(days=days - 3 * 365)
        until = rules.last_valid_day(begin, 36)
        row = (plan.name, number, f"洛安危2023-{417 + place:05d}", SCHEME, "洛阳市应急管理局", begin, begin, until)
        writer.writerow(row)
    return sheet.getvalue().encode("utf-8-sig")


def _person(services: Services, login: str) -> DemoPerson:
    number, place = next(where for where, (name, _role) in STAFF_SIGN_INS.items() if name == login)
    return province_of(services).enterprises[number].people[place]
