"""The usual way to make a signed certificate, as a yardstick: every page drawn whole, every signature a new revision.

The page is the product's own (same drawing code, fonts, seal and P-256 key type); only the way differs: reportlab draws
it anew for each certificate, segno makes the QR symbol and pyHanko's SimpleSigner adds the signature incrementally.

    python -m bench.certificate_baseline        prints milliseconds of CPU per certificate for both ways
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import segno
from asn1crypto import keys, pem, x509
from PIL import Image
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator.registry import SimpleCertificateStore
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from certs.adapters import layout
from certs.adapters.design import draw_seal, new_canvas, paint_page
from certs.adapters.face import CertificateFace, StaticWords, TemplateSpec
from certs.adapters.fonts import SERIF
from certs.adapters.pdf import Renderer
from certs.adapters.pki import DemoPki, PkiSubjects, make_demo_pki, new_p256_key
from certs.adapters.qr import QrClaims, QrKey, encode_payload
from certs.adapters.signing import SoftKeySigner, sign_pdf

_SUBJECTS = PkiSubjects(organisation="Bench", root="Bench root", issuing="Bench issuing", signer="Bench signer")
_TEMPLATE = TemplateSpec()


def draw_and_sign(face: CertificateFace) -> bytes:
    """One signed certificate, everything made from nothing but the registered fonts and the loaded key."""
    drawn = io.BytesIO()
    canvas = new_canvas(drawn, layout.PAGE_WIDTH, layout.PAGE_HEIGHT)
    paint_page(canvas, _TEMPLATE, StaticWords.of(face))
    _paint_person(canvas, face)
    canvas.save()
    return _signed(drawn, face)


def sample_portrait() -> bytes:
    """A picture of 300 by 420 pixels that compresses as badly as any."""
    portrait = io.BytesIO()
    Image.effect_noise((300, 420), 40).convert("RGB").save(portrait, "JPEG", quality=80)
    return portrait.getvalue()


def sample_face(qr_text: str, portrait_jpeg: bytes) -> CertificateFace:
    """A made-up person with the given portrait."""
    return CertificateFace(
        number="SF-WHA-2026-00012345",
        holder_name="王建国",
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
        portrait_jpeg=portrait_jpeg,
        qr_text=qr_text,
        document_id="1.2.156.3005.2.11100000MB00000000X00.SFWHA.000000012345.001.0",
        demo=True,
    )


def _paint_person(canvas: Canvas, face: CertificateFace) -> None:
    for row in layout.FIELD_ROWS:
        text, size, width = row.value(face), 13.5, row.value_end - row.value_x
        while pdfmetrics.stringWidth(text, SERIF, size) > width:
            size -= 0.5
        canvas.setFont(SERIF, size)
        canvas.drawString(row.value_x, row.y, text)
    canvas.drawCentredString(layout.SEAL_CENTRE[0], layout.ISSUED_BASELINE, layout.date_zh(face.issued_on))
    canvas.setFont(SERIF, 6.4)
    canvas.drawString(*layout.DOCUMENT_ID, f"电子证照标识：{face.document_id}")
    if face.portrait_jpeg is not None:
        box = layout.PORTRAIT
        canvas.drawImage(ImageReader(io.BytesIO(face.portrait_jpeg)), box.x, box.y, box.width, box.height)
    rows = [list(row) for row in segno.make(face.qr_text, error="m", boost_error=False, micro=False).matrix]
    module = layout.QR.width / len(rows)
    for index, row in enumerate(rows):
        for column, dark in enumerate(row):
            if dark:
                x, y = layout.QR.x + column * module, layout.QR.y + (len(rows) - 1 - index) * module
                canvas.rect(x, y, module, module, stroke=0, fill=1)


def _signed(drawn: io.BytesIO, face: CertificateFace) -> bytes:
    writer = IncrementalPdfFileWriter(drawn)
    box = layout.SEAL
    field = SigFieldSpec("Seal", box=tuple(round(v) for v in (box.x, box.y, box.x + box.width, box.y + box.height)))
    fields.append_signature_field(writer, field)
    metadata = signers.PdfSignatureMetadata(
        field_name="Seal",
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        subfilter=SigSeedSubFilter.PADES,
        md_algorithm="sha256",
        reason="电子证照签发",
        location="示范省",
    )
    style = StaticStampStyle.from_pdf_file(_seal_file(StaticWords.of(face)), border_width=0, background_opacity=0.9)
    signer = signers.PdfSigner(metadata, signer=_simple_signer(), stamp_style=style)
    return bytes(signer.sign_pdf(writer).getvalue())


@cache
def _seal_file(words: StaticWords) -> str:
    path = Path(tempfile.mkdtemp(prefix="certificate-baseline-")) / "seal.pdf"
    path.write_bytes(draw_seal(_TEMPLATE, words))
    return str(path)


@cache
def _pki() -> DemoPki:
    return make_demo_pki(_SUBJECTS, datetime.now(UTC))


@cache
def _simple_signer() -> signers.SimpleSigner:
    pki = _pki()
    store = SimpleCertificateStore()
    store.register(x509.Certificate.load(pem.unarmor(pki.issuing_certificate)[2]))
    return signers.SimpleSigner(
        signing_cert=x509.Certificate.load(pem.unarmor(pki.signer_certificate)[2]),
        signing_key=keys.PrivateKeyInfo.load(pem.unarmor(pki.signer_key)[2]),
        cert_registry=store,
    )


def _cpu_ms(work: Callable[[], object], times: int) -> float:
    work()
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times * 1000


def main() -> None:
    """Compares both ways on this machine."""
    pki = _pki()
    signer = SoftKeySigner(pki.signer_key, pki.signer_certificate, [pki.issuing_certificate])
    renderer, qr_key = Renderer(_TEMPLATE), QrKey.from_pem(new_p256_key())
    claims = QrClaims(
        number="SF-WHA-2026-00012345",
        holder_name="王建国",
        id_number_tail="2713",
        industry_code="C26",
        post_code="WHA",
        valid_from=date(2026, 4, 18),
        valid_until=date(2029, 4, 17),
        status_index=12345,
    )

    def credential() -> str:
        return encode_payload(claims, base_url="https://v.example.gov.cn", public_id="K7Q2M9XWT4RB6ZPD", key=qr_key)

    face, moment = sample_face(credential(), sample_portrait()), datetime.now(UTC)
    unsigned = renderer.render(face)

    def issue() -> bytes:
        credential()
        return sign_pdf(renderer.render(face), signer, reason="电子证照签发", location="示范省", signed_at=moment)

    baseline, ours = _cpu_ms(lambda: draw_and_sign(face), 20), _cpu_ms(issue, 300)
    print(f"baseline {baseline:.1f} ms; product {ours:.2f} ms; {baseline / ours:.0f} times faster")
    print(f"product: render {_cpu_ms(lambda: renderer.render(face), 300):.2f} ms, ", end="")
    sign_ms = _cpu_ms(
        lambda: sign_pdf(unsigned, signer, reason="电子证照签发", location="示范省", signed_at=moment), 300
    )
    print(f"sign {sign_ms:.2f} ms, credential {_cpu_ms(credential, 300):.3f} ms, file {len(unsigned)} bytes")


if __name__ == "__main__":
    main()
