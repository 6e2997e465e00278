"""What a certificate says: the values that the drawing takes and never looks up itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSpec:
    """One kind of certificate page. Data, so that a department changes words and colours without a release.

    ``palette`` is one of ``palettes.PALETTES``, ``hidden`` names rows of ``layout.OPTIONAL_ROWS``. An empty
    ``seal_name_zh`` prints the issuer's name on the seal. ``stamp`` is written across specimens.
    """

    code: str = "standard"
    version: int = 1
    heading_zh: str = "中华人民共和国"
    statement_zh: str = (
        "根据《中华人民共和国安全生产法》等法律法规的规定，持证人的安全生产知识和管理能力经考核合格，特发此证。"
    )
    statement_en: str = (
        "The holder has passed the assessment of work safety knowledge and management ability "
        "required by the Work Safety Law of the People's Republic of China."
    )
    notes_zh: tuple[str, ...] = (
        (
            "1. 本证为电子证书，以经数字签名的 PDF 文件为准；打印件须扫描二维码核验。"
            "　2. 有效期届满前应按规定办理延续；证书状态以核验结果为准。"
        ),
        (
            "3. 任何单位和个人不得伪造、变造、出租、出借、转让本证。　"
            "The signed PDF file is the original. Scan the code to check a printed copy and its present state."
        ),
    )
    seal_line_zh: str = "电子证照专用章"
    seal_name_zh: str = ""
    issuer_label_zh: str = "签发机关"
    palette: str = "navy"
    hidden: tuple[str, ...] = ()
    stamp: str = ""
    demo_mark_zh: str = "样证 · 仅供演示，不具法律效力"
    demo_mark_en: str = "SPECIMEN · NO LEGAL FORCE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFace:
    """Everything printed on one certificate.

    `id_number_masked` is printed as given: pass it masked. `portrait_jpeg` is a normalised upright JPEG without
    metadata, ideally 5:7, at most a few hundred pixels wide; None prints an empty frame. `qr_text` is what the QR
    symbol carries (see `qr.encode_payload`). Empty `enterprise_name` and `licence_number` print as a dash. `demo`
    prints the specimen marks.
    """

    number: str
    holder_name: str
    id_number_masked: str
    sex: str
    industry: str
    post: str
    scheme_name_zh: str
    scheme_name_en: str
    first_issued_on: date
    valid_from: date
    valid_until: date
    issued_on: date
    issuer_name: str
    enterprise_name: str
    licence_number: str
    portrait_jpeg: bytes | None
    qr_text: str
    document_id: str
    demo: bool


@dataclass(frozen=True, slots=True)
class StaticWords:
    """The words shared by all certificates of one scheme and issuer; the key under which a drawn page is cached."""

    scheme_name_zh: str
    scheme_name_en: str
    issuer_name: str
    demo: bool

    @staticmethod
    def of(face: CertificateFace) -> StaticWords:
        """The shared words of `face`."""
        return StaticWords(face.scheme_name_zh, face.scheme_name_en, face.issuer_name, face.demo)
