"""Comparing a list with what the register holds, and entering its good rows, chunk by chunk."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

import lms.accounts.api as accounts
from certs import rules
from certs.events import CertificateIssued
from certs.imports.models import CertificateImport
from certs.imports.rules import Candidate
from certs.imports.staging import parts, photo_part
from certs.models import Certificate, Leaf, NumberEntry, PublicId, StatusEvent
from certs.registry.operations import certificate_facts, import_leaves
from certs.rules import Origin, Status
from certs.schemes.queries import schemes_in_force
from certs.status.bans import banned_among
from lms.core import clock, events, ids, notify
from lms.core.imports.kinds import Standing, Taken, Verdict
from lms.core.services import services_of
from lms.core.spreadsheets.cells import Fault

EVENT_VERSION = 1
PUBLIC_ID_BITS = 80
_SERIALS = text("select nextval('certs_status_index_seq') from generate_series(1, :count)")


def compare(session: Session, _batch: CertificateImport, candidates: Sequence[Candidate]) -> list[Verdict[Candidate]]:
    """Set good rows beside persons, bans and the certificates that are held; worker scope, four statements.

    The register's name of a person goes nowhere, nor does what a held certificate says.
    """
    entries = [accounts.PersonEntry(one.name, one.id_number) for one in candidates]
    known = accounts.known_people(session, entries)
    held = _held(session, [one.number for one in candidates])
    today = clock.today()
    banned = banned_among(session, [one.person_id for one in known if one.person_id], today)
    return [_verdict(one, person, held, banned) for one, person in zip(candidates, known, strict=True)]


def _held(session: Session, numbers: Sequence[str]) -> dict[str, Certificate]:
    query = select(Certificate).join(
        NumberEntry,
        (NumberEntry.person_id == Certificate.person_id) & (NumberEntry.certificate_id == Certificate.id),
    )
    return {row.number: row for row in session.scalars(query.where(NumberEntry.number.in_(numbers)))}


def _verdict(
    one: Candidate,
    person: accounts.Registered,
    held: Mapping[str, Certificate],
    banned: frozenset[tuple[uuid.UUID, str]],
) -> Verdict[Candidate]:
    if not person.is_new and not person.name_matches:
        return Verdict(one, Standing.REFUSED, Fault(one.row, "name", "name_differs"))
    row = held.get(one.number)
    if row is not None:
        if person.person_id == row.person_id and _says(row, one):
            return Verdict(one, Standing.UNCHANGED)
        return Verdict(one, Standing.REFUSED, Fault(one.row, "number", "number_held"))
    if person.person_id and (person.person_id, one.scheme_code) in banned:
        return Verdict(one, Standing.REFUSED, Fault(one.row, "scheme", "banned"))
    return Verdict(one, Standing.NEW)


def _says(row: Certificate, one: Candidate) -> bool:
    """Tell whether a held certificate was imported and says what the row says, its photo apart."""
    stored = (row.origin, row.scheme_code, row.issuer_name, row.issued_on, row.valid_from, row.valid_until)
    given = (Origin.IMPORTED, one.scheme_code, one.issuer_name, one.issued_on, one.valid_from, one.valid_until)
    return stored == given and row.first_issued_on == one.first_issued_on


def count(verdicts: Sequence[Verdict[Candidate]]) -> dict[str, int]:
    """Count the new certificates that have run out, and those with a photo."""
    today = clock.today()
    fresh = [v.candidate for v in verdicts if v.standing is Standing.NEW]
    expired = sum(one.is_expired(today) for one in fresh)
    return {"rows_expired": expired, "rows_photo": sum(bool(one.photo_sha256) for one in fresh)}


def take(session: Session, batch: CertificateImport, candidates: Sequence[Candidate]) -> Taken:
    """Enter what is new: person, certificate, history, log, announcement, notice. Worker scope.

    Compares afresh, since the register may have moved on after the preview; again with the same
    rows it changes nothing. A row that no longer fits is refused, named in the result.
    """
    verdicts = compare(session, batch, candidates)
    refused = [v.fault for v in verdicts if v.fault]
    fresh = [v.candidate for v in verdicts if v.standing is Standing.NEW]
    people = accounts.register_people(session, [accounts.PersonEntry(one.name, one.id_number) for one in fresh])
    # Another list may have brought the number under another name in this very moment.
    refused += [
        Fault(one.row, "name", "name_differs") for one, who in zip(fresh, people, strict=True) if who.person_id is None
    ]
    owners = {one.row: who.person_id for one, who in zip(fresh, people, strict=True) if who.person_id}
    rows = _rows(session, batch, [one for one in fresh if one.row in owners], owners)
    won = _claim_numbers(session, list(rows.values()))
    refused += [Fault(row, "number", "number_held") for row, values in rows.items() if values["number"] not in won]
    _enter(session, batch, [values for values in rows.values() if values["number"] in won])
    return Taken({"added": len(won)}, refused)


def _rows(
    session: Session, batch: CertificateImport, fresh: Sequence[Candidate], owners: Mapping[int, uuid.UUID]
) -> dict[int, dict[str, Any]]:
    """Return the columns of new certificates, by row of the list."""
    if not fresh:
        return {}
    today = clock.today()
    versions = schemes_in_force(session, today)
    serials = session.scalars(_SERIALS, {"count": len(fresh)}).all()
    numbered = zip(fresh, ids.new_ids(len(fresh)), serials, strict=True)
    now = clock.now()
    return {
        one.row: {
            "person_id": owners[one.row],
            "id": certificate_id,
            "scheme_version": versions[one.scheme_code].version,
            "status_index": serial,
            **_of_batch(session, batch, one),
            **_of_row(one),
            # It was earned by no exam here, so that its own id stands where others name theirs.
            "enrolment_id": certificate_id,
            "attempt_id": certificate_id,
            **dict.fromkeys(("requested_at", "queued_at", "issued_at"), now),
        }
        for one, certificate_id, serial in numbered
    }


def _of_batch(session: Session, batch: CertificateImport, one: Candidate) -> dict[str, Any]:
    """Return what the certificate has from its import: under whom it stands and where it comes from."""
    files = parts(services_of(session), batch.id)
    return {
        "tenant_id": batch.tenant_id,
        "region_code": batch.region_code,
        "industry_code": batch.industry_code,
        "cycle": 1,
        "origin": Origin.IMPORTED.value,
        "import_id": batch.id,
        "source_system": batch.source_system,
        "photo_key": files.key(photo_part(one.row)) if one.photo_sha256 else None,
        "photo_sha256": bytes.fromhex(one.photo_sha256) if one.photo_sha256 else None,
    }


def _of_row(one: Candidate) -> dict[str, Any]:
    unknown = ("failure", "post_code", "post_name", "industry_name", "enterprise_name", "licence_number")
    return {
        **dict.fromkeys(unknown, ""),
        "number": one.number,
        "public_id": ids.public_code(PUBLIC_ID_BITS),
        "scheme_code": one.scheme_code,
        "state": "issued",
        "status": Status.VALID.value,
        "holder_name": one.name,
        "holder_name_masked": rules.mask_name(one.name),
        "id_number_masked": accounts.mask_id_number(one.id_number),
        "sex": accounts.id_facts(one.id_number).sex,
        "licence_valid_until": None,
        "issuer_name": one.issuer_name,
        "issued_on": one.issued_on,
        "first_issued_on": one.first_issued_on,
        "valid_from": one.valid_from,
        "valid_until": one.valid_until,
        "pdf_key": None,
        "pdf_sha256": None,
        "signer_key_id": None,
    }


def _claim_numbers(session: Session, rows: Sequence[dict[str, Any]]) -> set[str]:
    """Enter the numbers; return those that nobody else had or entered at the same time."""
    if not rows:
        return set()
    # In one order everywhere, so that two lists with the same numbers wait for one another and not in a circle.
    ordered = sorted(rows, key=lambda row: str(row["number"]))
    values = [{"number": r["number"], "person_id": r["person_id"], "certificate_id": r["id"]} for r in ordered]
    added = upsert(NumberEntry).values(values).on_conflict_do_nothing().returning(NumberEntry.number)
    return set(session.scalars(added))


def _enter(session: Session, batch: CertificateImport, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    at: datetime = rows[0]["issued_at"]
    steps = [
        _first_step(batch, values, event_id) for values, event_id in zip(rows, ids.new_ids(len(rows)), strict=True)
    ]
    names = [{"public_id": r["public_id"], "person_id": r["person_id"], "certificate_id": r["id"]} for r in rows]
    facts = [certificate_facts(Certificate(**values)) for values in rows]
    session.execute(insert(Certificate), rows)
    session.execute(insert(PublicId), names)
    session.execute(insert(StatusEvent), steps)
    entries = [(one, step["id"]) for one, step in zip(facts, steps, strict=True)]
    session.execute(insert(Leaf), import_leaves(entries, at))
    for values in rows:
        _announce(session, values)


def _first_step(batch: CertificateImport, values: Mapping[str, Any], event_id: uuid.UUID) -> dict[str, Any]:
    """Return the history's first row: who entered the certificate here, not who once issued it."""
    owner = ("person_id", "tenant_id", "region_code", "industry_code", "scheme_code")
    return {
        **{name: values[name] for name in owner},
        "id": event_id,
        "certificate_id": values["id"],
        "old_status": "",
        "new_status": values["status"],
        "reason": "",
        "reason_code": None,
        "reason_version": None,
        "proposal_id": None,
        "actor_id": batch.created_by,
        "actor_name": batch.department_name,
        "at": values["issued_at"],
    }


def _announce(session: Session, values: Mapping[str, Any]) -> None:
    issuer, number, until = values["issuer_name"], values["number"], f"{values['valid_until']:%Y-%m-%d}"
    owner = ("person_id", "tenant_id", "region_code", "industry_code", "scheme_code")
    issued = CertificateIssued(
        version=EVENT_VERSION,
        certificate_id=values["id"],
        at=values["issued_at"],
        origin=Origin.IMPORTED.value,
        **{name: values[name] for name in owner},
    )
    events.publish(session, issued)
    notice = notify.Notice(
        title_zh="您的一张证书已登记到本平台",
        title_en="One of your certificates has been entered here",
        body_zh=f"{issuer} 签发，编号 {number}，有效期至 {until}。",
        body_en=f"Issued by {issuer}, number {number}, valid until {until}.",
        url=f"/certificates/{values['id']}",
    )
    notify.send(session, values["person_id"], notice, dedup_key=f"certs.imported:{values['id']}")
