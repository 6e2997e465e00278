"""Has a timestamp authority (RFC 3161) witness signatures, and files keep what proves their chain later (B-LT)."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from asn1crypto import pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.general import SigningError
from pyhanko.sign.timestamps import HTTPTimeStamper, TimestampRequestError
from pyhanko.sign.validation.dss import async_add_validation_info
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.errors import PathError, ValidationError

_DIGEST: Final = "sha256"
_WAIT_S: Final = 20


class StampError(RuntimeError):
    """The authority does not answer, refuses, or answers something that proves nothing. Worth trying again later."""


def certificates_in(pems: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file."""
    return [x509.Certificate.load(der) for _kind, _headers, der in pem.unarmor(pems, multiple=True)]


class Stamper:
    """One timestamp authority. Every token is checked before it is used. Safe to share between threads."""

    def __init__(self, url: str, roots_pem: bytes, *, long_term: bool = False) -> None:
        """`roots_pem` holds the roots that the authority's certificate must lead to."""
        self._url, self._roots, self._long_term = url, certificates_in(roots_pem), long_term

    def stamp(self, signature: bytes) -> bytes:
        """The token over a signature value, as DER. Raises `StampError`."""
        return asyncio.run(self._stamp(hashlib.sha256(signature).digest()))

    def add_proofs(self, pdf: bytes, roots: Sequence[bytes]) -> bytes:
        """`pdf` with what proves its chains later; unchanged unless the level is B-LT.

        A second revision then holds certificates, CRLs and OCSP answers (a DSS), fetched from where the certificates
        say. `roots` are our own, PEM. Raises `StampError` when one proof cannot be had: a file without it would be
        B-T under another name.
        """
        if not self._long_term:
            return pdf
        return asyncio.run(self._add_proofs(pdf, [root for pems in roots for root in certificates_in(pems)]))

    async def _add_proofs(self, pdf: bytes, roots: Sequence[x509.Certificate]) -> bytes:
        signature = PdfFileReader(io.BytesIO(pdf)).embedded_signatures[0]
        context, out = _context((*roots, *self._roots), fetch=True), io.BytesIO()
        try:
            await async_add_validation_info(signature, context, output=out, embed_roots=False)
        except (PathError, ValidationError, SigningError, OSError, TimeoutError) as error:
            raise StampError(f"no proof that the certificates were not revoked: {error}") from error
        finally:
            await context.aclose()
        return out.getvalue()

    async def _stamp(self, imprint: bytes) -> bytes:
        try:
            token = await HTTPTimeStamper(self._url, timeout=_WAIT_S).async_timestamp(imprint, _DIGEST)
            status = await validate_tst_signed_data(
                token["content"], _context(self._roots, fetch=False), lambda name: imprint if name == _DIGEST else b""
            )
        except (TimestampRequestError, OSError, TimeoutError) as error:
            raise StampError(f"the timestamp authority does not answer as it should: {error}") from error
        # What a broken or hostile service sends fails in parsers in unlisted ways; each of them is a refusal.
        except (SignatureValidationError, ValidationError, ValueError, TypeError, KeyError) as error:
            raise StampError(f"the timestamp authority's token cannot be read: {error!r}") from error
        if not (status["intact"] and status["valid"] and status["trust_problem_indic"] is None):
            raise StampError("the timestamp authority's token does not lead to a trusted root")
        return bytes(token.dump())


def _context(roots: Sequence[x509.Certificate], *, fetch: bool) -> Any:
    return ValidationContext(
        trust_roots=roots,
        moment=datetime.now(UTC),
        allow_fetching=fetch,
        revocation_mode="require" if fetch else "soft-fail",
    )
