"""Independent programs that judge a certificate file: what we issue has to please all of them."""

from __future__ import annotations

import io
import re
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asn1crypto import pem, x509
from PIL import Image
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext


def said(*command: str | Path) -> str:
    """Run a program and return all that it says, its exit code last."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{done.stdout}\n{done.stderr}\nexit {done.returncode}"


def text_of(path: Path, *, layout: bool = False) -> str:
    """Return what a reader copies out of the page, lines joined; or as it stands on the page."""
    how = "-layout" if layout else "-raw"
    done = subprocess.run(["pdftotext", how, path, "-"], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


def raster(pdf: bytes, folder: Path, dots_per_inch: int) -> Image.Image:
    """Return the page as it is printed, by Poppler."""
    path = folder / "page.pdf"
    path.write_bytes(pdf)
    target = folder / "page"
    command = ["pdftoppm", "-r", str(dots_per_inch), "-png", "-singlefile", str(path), str(target)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return Image.open(target.with_suffix(".png")).convert("RGB")


@dataclass(frozen=True, slots=True)
class Jury:
    """pyHanko, pdfsig, OpenSSL, qpdf and MuPDF, each with this root pinned where it can be."""

    folder: Path
    root_pem: bytes

    @classmethod
    def summon(cls, folder: Path, root_pem: bytes) -> Jury:
        """Make NSS's database and the files that the programs read."""
        (folder / "root.pem").write_bytes(root_pem)
        (folder / "nss").mkdir()
        database = f"sql:{folder / 'nss'}"
        subprocess.run(["certutil", "-N", "-d", database, "--empty-password"], check=True)
        add = ["certutil", "-A", "-d", database, "-n", "root", "-t", "CT,CT,CT", "-i", folder / "root.pem"]
        subprocess.run(add, check=True)
        return cls(folder, root_pem)

    def objections(self, pdf: bytes) -> list[str]:
        """Return what any of them says against the file; empty when all accept it as whole and trusted."""
        path = self.folder / "certificate.pdf"
        path.write_bytes(pdf)
        verdicts = {
            "pyhanko": (_pyhanko(pdf, self.root_pem), ("INTACT:TRUSTED", "UNTOUCHED")),
            "pdfsig": (
                said("pdfsig", "-nssdir", f"sql:{self.folder / 'nss'}", path),
                ("Signature is Valid.", "Certificate is Trusted.", "Total document signed", "exit 0"),
            ),
            "openssl": (self._openssl(pdf), ("exit 0",)),
            "qpdf": (said("qpdf", "--check", path), ("No syntax or stream encoding errors found", "exit 0")),
            "mutool": (said("mutool", "sign", "-v", path), ("The document is unchanged since signing.",)),
        }
        return [
            f"{name}: {words}"
            for name, (words, wanted) in verdicts.items()
            if not all(one in words for one in wanted) or "WARNING" in words
        ]

    def _openssl(self, pdf: bytes) -> str:
        match = re.search(rb"/ByteRange \[0 (\d+) (\d+) (\d+) *\]", pdf)
        assert match
        start, resumed = int(match[1]), int(match[2])
        der = bytes.fromhex(pdf[start + 1 : resumed - 1].decode("ascii"))
        (self.folder / "cms.der").write_bytes(der[: 4 + int.from_bytes(der[2:4], "big")])
        (self.folder / "content").write_bytes(pdf[:start] + pdf[resumed:])
        command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", self.folder / "cms.der", "-binary"]
        command += ["-content", self.folder / "content", "-CAfile", self.folder / "root.pem", "-purpose", "any"]
        return said(*command, "-attime", str(int(time.time())), "-out", self.folder / "out")


def _pyhanko(pdf: bytes, root_pem: bytes) -> str:
    root = x509.Certificate.load(pem.unarmor(root_pem)[2])
    context = ValidationContext(trust_roots=[root], moment=datetime.now().astimezone(), allow_fetching=False)
    signature = PdfFileReader(io.BytesIO(pdf)).embedded_signatures[0]
    return str(validate_pdf_signature(signature, context).summary())
