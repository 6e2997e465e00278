"""A demonstration PKI and a certificate face, shared by the certificate tests."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache

from PIL import Image, ImageDraw

from certs.adapters.face import CertificateFace, TemplateSpec
from certs.adapters.pdf import Renderer
from certs.adapters.pki import DemoPki, PkiSubjects, make_demo_pki, new_log_key, new_p256_key
from certs.adapters.signing import SoftKeySigner, sign_pdf

NOW = datetime(2026, 4, 18, 9, 30, tzinfo=UTC)
RARE_NAME = "王𬭎䶮"
SUBJECTS = PkiSubjects(organisation="示范省", root="Test root", issuing="Test issuing", signer="Test signer")


@cache
def pki() -> DemoPki:
    return make_demo_pki(SUBJECTS, NOW)


@cache
def qr_key() -> bytes:
    return new_p256_key()


@cache
def log_key() -> bytes:
    return new_log_key()


@cache
def renderer() -> Renderer:
    return Renderer(TemplateSpec())


def signer(of: DemoPki | None = None) -> SoftKeySigner:
    keys = of or pki()
    return SoftKeySigner(keys.signer_key, keys.signer_certificate, [keys.issuing_certificate])


@cache
def portrait(size: tuple[int, int] = (300, 420)) -> bytes:
    image = Image.new("RGB", size, "#3f8fdc")
    ImageDraw.Draw(image).ellipse((size[0] // 4, size[1] // 5, 3 * size[0] // 4, 4 * size[1] // 5), fill="#e8c7a5")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def face(**changes: object) -> CertificateFace:
    standard = CertificateFace(
        number="SF-WHA-2026-00012345",
        holder_name=RARE_NAME,
        id_number_masked="330102********2713",
        sex="男",
        industry="危险化学品经营",
        post="安全生产管理人员",
        scheme_name_zh="安全生产知识和管理能力考核合格证",
        scheme_name_en="Certificate of Competence in Work Safety Knowledge and Management",
        first_issued_on=date(2023, 4, 18),
        valid_from=date(2026, 4, 18),
        valid_until=date(2029, 4, 17),
        issued_on=date(2026, 4, 18),
        issuer_name="示范省应急管理厅",
        enterprise_name="示范市蓝港化工仓储有限公司",
        licence_number="SF-WH-2024-0031",
        portrait_jpeg=portrait(),
        qr_text="HTTPS://V.EXAMPLE.GOV.CN/C/K7Q2M9XWT4RB6ZPD/" + "ABCDEFG2" * 27,
        document_id="1.2.156.3005.2.11100000MB00000000X00.SFWHA.000000012345.001.0",
        demo=True,
    )
    return replace(standard, **changes)  # type: ignore[arg-type]  # tests name fields by keyword


def signed(**changes: object) -> bytes:
    pdf = renderer().render(face(**changes))
    return sign_pdf(pdf, signer(), reason="电子证照签发", location="示范省", signed_at=NOW)
