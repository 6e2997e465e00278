"""Activation, sign-in, sessions and roles in use."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.orm import Session

from lms.accounts import queries
from lms.accounts import rules as identity_rules
from lms.accounts.adapters import passwords
from lms.accounts.errors import (
    ActivationRefused,
    AlreadyActivated,
    BadLoginName,
    LoginNameTaken,
    SignInRefused,
    WeakPassword,
)
from lms.accounts.operations import ID_NUMBER
from lms.accounts.sign_in import rules
from lms.accounts.sign_in.models import Account, ActivationCode, RoleGrant, SignInFailure, SignInSession
from lms.core import audit, clock, ids
from lms.core.access import ANONYMOUS, Actor, Role
from lms.core.errors import NotFound, TooMany
from lms.core.services import services_of
from lms.core.tenancy import AUTH_SCOPE

CODE_BITS = 80
TOKEN_BYTES = 32
ACTIVATION = "activation_code"
FIND_ACCOUNT = text("select person_id, password_hash, grants from accounts_find_account(:login, :digest)")
ACTIVATE = text("select accounts_activate(:code, :digest, :hash, :moment)")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to get in, as keyed digests: what was typed as login, and from which address."""

    subject_digest: bytes
    address_digest: bytes


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session; ``token`` goes into the browser's cookie and is stored nowhere."""

    token: str
    person_id: uuid.UUID
    role: Role
    tenant_id: uuid.UUID


def digest_of(token: str) -> bytes:
    """Return what is stored of a session token; 256 random bits need no key."""
    return hashlib.sha256(token.encode()).digest()


def attempt_of(session: Session, login: str, address: str) -> Attempt:
    """Name an attempt for the throttle without keeping what was typed."""
    vault = services_of(session).vault
    return Attempt(
        vault.digest(identity_rules.normalise_login(login), kind="sign_in_subject"),
        vault.digest(address, kind="sign_in_address"),
    )


def check_throttle(session: Session, attempt: Attempt) -> None:
    """Raise TooMany after too many failures of this login or from this address; auth scope."""
    rule = queries.rule(session, "sign_in_throttle").value
    now, window = clock.now(), timedelta(seconds=rule["window_s"])
    waits = []
    for column, value, limit in (
        (SignInFailure.subject_digest, attempt.subject_digest, rule["per_login"]),
        (SignInFailure.address_digest, attempt.address_digest, rule["per_address"]),
    ):
        recent = select(SignInFailure.at).where(column == value, SignInFailure.at > now - window)
        moments = session.scalars(recent.order_by(SignInFailure.at.desc()).limit(limit)).all()
        waits.append(rules.wait_s(moments, limit=limit, window=window, now=now))
    if max(waits):
        raise TooMany(retry_after_s=max(waits))


def record_failure(session: Session, attempt: Attempt) -> None:
    """Count a refused attempt; auth scope, in a transaction that outlives the refusal."""
    session.execute(
        insert(SignInFailure).values(
            id=ids.new_id(),
            subject_digest=attempt.subject_digest,
            address_digest=attempt.address_digest,
            at=clock.now(),
        )
    )


def sign_in(session: Session, *, login: str, password: str, device: str = "") -> OpenedSession:
    """Open a session for the right password, in the role used last; auth scope.

    ``login`` is a login name or an id number. An unknown one costs the same work as a wrong
    password and gets the same answer. Raises SignInRefused.
    """
    typed = identity_rules.normalise_login(login)
    digest = services_of(session).vault.digest(identity_rules.normalise_id_number(login), kind=ID_NUMBER)
    found = session.execute(FIND_ACCOUNT, {"login": typed, "digest": digest}).first()
    if not passwords.verifies(found.password_hash if found else None, password) or not found or not found.grants:
        raise SignInRefused
    # The last used grant comes first; a first sign-in has none.
    tenant_id, role, last_used = found.grants[0]
    if last_used is None:
        tenant_id, role, _ = min(found.grants, key=lambda grant: rules.FIRST_ROLES.index(Role(grant[1])))
    opened = open_session(session, found.person_id, uuid.UUID(tenant_id), Role(role), device)
    _record(session, opened, "accounts.session.opened")
    return opened


def activate(session: Session, *, id_number: str, code: str, password: str, device: str = "") -> OpenedSession:
    """Open the account of the code's person and sign in; auth scope.

    Raises WeakPassword, and ActivationRefused whatever else is wrong: the code stays good then.
    """
    number = identity_rules.normalise_id_number(id_number)
    if identity_rules.password_fault(password, id_number=number):
        raise WeakPassword
    vault = services_of(session).vault
    person_id = session.execute(
        ACTIVATE,
        {
            "code": vault.digest(normalise_code(code), kind=ACTIVATION),
            "digest": vault.digest(number, kind=ID_NUMBER),
            "hash": passwords.hash_password(password),
            "moment": clock.now(),
        },
    ).scalar_one()
    if person_id is None:
        raise ActivationRefused
    opened = sign_in(session, login=number, password=password, device=device)
    _record(session, opened, "accounts.account.activated")
    return opened


def open_session(
    session: Session, person_id: uuid.UUID, tenant_id: uuid.UUID, role: Role, device: str
) -> OpenedSession:
    """Add a session row; the database refuses a role that the person does not hold."""
    token, now = secrets.token_urlsafe(TOKEN_BYTES), clock.now()
    lifetime = timedelta(hours=queries.rule(session, "session_lifetime").value["hours"])
    session.execute(
        insert(SignInSession).values(
            digest=digest_of(token),
            person_id=person_id,
            tenant_id=tenant_id,
            role=role.value,
            device=device[:60],
            created_at=now,
            expires_at=now + lifetime,
            revoked_at=None,
        )
    )
    return OpenedSession(token, person_id, role, tenant_id)


def switch_role(session: Session, actor: Actor, *, tenant_id: uuid.UUID, role: Role, device: str) -> OpenedSession:
    """Go on in another role: a new session replaces the present one; person scope. Raises NotFound."""
    held = session.scalars(
        select(RoleGrant).where(
            RoleGrant.person_id == actor.person_id,
            RoleGrant.tenant_id == tenant_id,
            RoleGrant.role == role.value,
        )
    ).first()
    if held is None:
        raise NotFound
    if actor.session_digest is not None:
        revoke_session(session, actor, actor.session_digest)
    opened = open_session(session, held.person_id, tenant_id, role, device)
    data = {"role": role.value, "tenant_id": str(tenant_id)}
    audit.record(session, actor, "accounts.role.switched", subject_type="person", subject_id=held.person_id, data=data)
    return opened


def revoke_session(session: Session, actor: Actor, digest: bytes) -> None:
    """End one of the actor's own sessions; person scope. Raises NotFound."""
    mine = (SignInSession.digest == digest, SignInSession.person_id == actor.person_id)
    live = session.scalars(select(SignInSession.digest).where(*mine, SignInSession.revoked_at.is_(None))).first()
    if live is None:
        raise NotFound
    session.execute(update(SignInSession).where(*mine).values(revoked_at=clock.now()))
    audit.record(session, actor, "accounts.session.revoked", subject_type="person", subject_id=actor.person_id)


def sessions_of(session: Session, person_id: uuid.UUID) -> Sequence[SignInSession]:
    """Return the person's live sessions, the newest first; person scope."""
    live = (
        SignInSession.person_id == person_id,
        SignInSession.revoked_at.is_(None),
        SignInSession.expires_at > clock.now(),
    )
    return session.scalars(select(SignInSession).where(*live).order_by(SignInSession.created_at.desc())).all()


def normalise_code(code: str) -> str:
    """Return an activation code as it was made: upper case, without the dashes it is shown with."""
    return "".join(character for character in code.upper() if character.isalnum())


def show_code(code: str) -> str:
    """Return a code in groups of four, to be read out and typed."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def issue_activation_code(session: Session, actor: Actor, person_id: uuid.UUID, tenant_id: uuid.UUID) -> str:
    """Return a fresh single-use code for the person; older unused codes of the tenant are void.

    Tenant scope for its own staff, or worker scope. Raises AlreadyActivated.
    """
    return issue_activation_codes(session, actor, tenant_id, [person_id])[person_id]


def issue_activation_codes(
    session: Session, actor: Actor, tenant_id: uuid.UUID, person_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, str]:
    """Return a fresh code for each person, set-wise, as ``issue_activation_code`` does.

    Raises AlreadyActivated when any of them has an account: filter with ``activated_among``.
    """
    if activated_among(session, person_ids):
        raise AlreadyActivated
    vault, now = services_of(session).vault, clock.now()
    days = queries.rule(session, "activation_code_validity").value["days"]
    codes = {person_id: ids.public_code(CODE_BITS) for person_id in person_ids}
    session.execute(
        delete(ActivationCode).where(
            ActivationCode.tenant_id == tenant_id,
            ActivationCode.person_id.in_(list(codes)),
            ActivationCode.used_at.is_(None),
        )
    )
    if codes:
        session.execute(
            insert(ActivationCode),
            [
                {
                    "digest": vault.digest(code, kind=ACTIVATION),
                    "person_id": person_id,
                    "tenant_id": tenant_id,
                    "created_at": now,
                    "expires_at": now + timedelta(days=days),
                    "used_at": None,
                }
                for person_id, code in codes.items()
            ],
        )
    audit.record(
        session,
        actor,
        "accounts.codes.issued",
        subject_type="tenant",
        subject_id=tenant_id,
        tenant_id=tenant_id,
        data={"count": len(codes), "persons": [str(person_id) for person_id in list(codes)[:100]]},
    )
    return {person_id: show_code(code) for person_id, code in codes.items()}


def activated_among(session: Session, person_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Return those who have an account; tenant scope (own staff), or worker scope."""
    return set(session.scalars(select(Account.person_id).where(Account.person_id.in_(list(person_ids)))))


def open_account(
    session: Session, actor: Actor, *, person_id: uuid.UUID, login_name: str | None, password: str
) -> None:
    """Give a person a login name and a password without a code: operator and demo only; worker scope.

    Raises WeakPassword, BadLoginName, LoginNameTaken, AlreadyActivated.
    """
    name = identity_rules.normalise_login(login_name) if login_name else None
    if name and not identity_rules.is_login_name(name):
        raise BadLoginName
    if identity_rules.password_fault(password, login_name=name or ""):
        raise WeakPassword
    if activated_among(session, [person_id]):
        raise AlreadyActivated
    if name and session.scalars(select(Account.person_id).where(Account.login_name == name)).first():
        raise LoginNameTaken
    session.execute(
        insert(Account).values(
            person_id=person_id,
            login_name=name,
            password_hash=passwords.hash_password(password),
            activated_at=clock.now(),
            state="active",
        )
    )
    audit.record(session, actor, "accounts.account.opened", subject_type="person", subject_id=person_id)


def _record(session: Session, opened: OpenedSession, action: str) -> None:
    actor = Actor(opened.person_id, opened.role, opened.tenant_id, "", "", ANONYMOUS.permissions, AUTH_SCOPE)
    audit.record(session, actor, action, subject_type="person", subject_id=opened.person_id)
