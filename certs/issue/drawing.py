"""From the frozen facts to the signed file. Pure computing: no transaction is open meanwhile."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from certs import rules
from certs.adapters.face import CertificateFace, TemplateSpec
from certs.adapters.fonts import MissingGlyphError
from certs.adapters.pdf import PortraitError, Renderer
from certs.adapters.qr import QrClaims, encode_payload
from certs.adapters.qrmatrix import QrAlphabetError, QrTooLongError
from certs.adapters.signing import CMS_BYTES_MAX, STAMPED_CMS_BYTES_MAX, UnsignableError, sign_pdf
from certs.adapters.stamping import Stamper
from certs.keys.operations import SigningKeys
from lms.core.settings import SigningSettings

SEXES = {"M": "男", "F": "女"}
SIGNING_REASON = "电子证照签发"


class Undrawable(ValueError):
    """The certificate cannot be drawn or signed, however often it is tried; the text says why."""


@dataclass(frozen=True, slots=True)
class Requested:
    """What was frozen when a certificate was asked for; names and meanings are those of its columns."""

    person_id: uuid.UUID
    id: uuid.UUID
    tenant_id: uuid.UUID
    enrolment_id: uuid.UUID
    attempt_id: uuid.UUID
    industry_code: str
    number: str
    public_id: str
    status_index: int
    holder_name: str
    id_number_masked: str
    sex: str
    industry_name: str
    post_code: str
    post_name: str
    issuer_name: str
    enterprise_name: str
    licence_number: str
    valid_from: date
    valid_until: date


@dataclass(frozen=True, slots=True)
class IssueOrder:
    """All that drawing and signing need. ``issued_at`` is aware, ``issued_on`` its day in the province."""

    certificate: Requested
    scheme_name_zh: str
    scheme_name_en: str
    template: dict[str, Any]
    portrait_jpeg: bytes | None
    keys: SigningKeys
    base_url: str
    issued_at: datetime
    issued_on: date
    demo: bool
    stamper: Stamper | None = None


@lru_cache(maxsize=4)
def stamper_for(settings: SigningSettings) -> Stamper | None:
    """Return the timestamp authority of the settings, or None where signatures are B-B."""
    if settings.level == "B-B" or settings.tsa_url is None or settings.tsa_roots is None:
        return None
    return Stamper(settings.tsa_url, settings.tsa_roots.read_bytes(), long_term=settings.level == "B-LT")


def draw_and_sign(order: IssueOrder) -> bytes:
    """Return the signed PDF. Raises Undrawable with a reason for the operator, StampError to try again later."""
    try:
        room = STAMPED_CMS_BYTES_MAX if order.stamper else CMS_BYTES_MAX
        pdf = _renderer(_template(order.template)).render(_face(order), cms_bytes_max=room)
        signed = sign_pdf(
            pdf,
            order.keys.pdf,
            reason=SIGNING_REASON,
            location=order.certificate.issuer_name,
            signed_at=order.issued_at,
            stamp=order.stamper.stamp if order.stamper else None,
        )
        return order.stamper.add_proofs(signed, order.keys.roots) if order.stamper else signed
    except MissingGlyphError as error:
        named = "、".join(f"{char}（U+{ord(char):04X}）" for char in error.characters)
        raise Undrawable(f"证书字体缺少字形：{named}。安装补充字体后重新制证") from error
    except PortraitError as error:
        raise Undrawable(f"证件照无法使用：{error}") from error
    except (QrTooLongError, QrAlphabetError) as error:
        raise Undrawable(f"二维码无法生成：{error}") from error
    except UnsignableError as error:
        raise Undrawable(f"无法签名：{error}") from error


def _template(data: dict[str, Any]) -> TemplateSpec:
    return TemplateSpec(**rules.with_tuples(data))


@lru_cache(maxsize=8)
def _renderer(template: TemplateSpec) -> Renderer:
    return Renderer(template)


def _face(order: IssueOrder) -> CertificateFace:
    row = order.certificate
    return CertificateFace(
        number=row.number,
        holder_name=row.holder_name,
        id_number_masked=row.id_number_masked,
        sex=SEXES.get(row.sex, row.sex),
        industry=row.industry_name,
        post=row.post_name,
        scheme_name_zh=order.scheme_name_zh,
        scheme_name_en=order.scheme_name_en,
        first_issued_on=row.valid_from,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        issued_on=order.issued_on,
        issuer_name=row.issuer_name,
        enterprise_name=row.enterprise_name,
        licence_number=row.licence_number,
        portrait_jpeg=order.portrait_jpeg,
        qr_text=_qr_text(order),
        document_id=f"urn:uuid:{row.id}",
        demo=order.demo,
    )


def _qr_text(order: IssueOrder) -> str:
    row = order.certificate
    claims = QrClaims(
        number=row.number,
        holder_name=row.holder_name,
        id_number_tail=row.id_number_masked[-4:],
        industry_code=row.industry_code,
        post_code=row.post_code,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        status_index=row.status_index,
    )
    return encode_payload(claims, base_url=order.base_url, public_id=row.public_id, key=order.keys.qr)
