"""Keys that were revoked, and tokens that were started anew. Keys are the whole instance's, so it is a fresh one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certs.adapters.signing import pem_to_der
from certs.adapters.token import TokenError, TokenSigner
from certs.errors import NoKeys
from certs.keys.operations import signing_keys
from lms.core import bootstrap
from lms.core.services import Kernel, Services
from lms.core.settings import SigningSettings
from lms.core.tenancy import WORKER_SCOPE
from tests.certs.authorities import PIN, SOFTHSM, Authority, import_into_token, pem_of, serving
from tests.certs.test_keys import adoption, is_genuine, issue_one, run, under
from tests.conftest import Instance, make_instance


@pytest.fixture
def own(instance: Instance, kernel: Kernel, worker_id: str) -> Iterator[Services]:
    """The worker's services of a fresh instance."""
    fresh = make_instance(instance.settings, f"anzheng_lost_{worker_id}")
    found = bootstrap.build_services(fresh.settings, kernel, login="jobs")
    for _order, load in sorted(kernel.reference_steps, key=lambda step: step[0]):
        load(found)
    yield found
    found.db.dispose()


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    with serving(tmp_path / "authority") as found:
        yield found


def signs_with(services: Services) -> str:
    with services.db.transaction(WORKER_SCOPE, read_only=True) as session:
        return signing_keys(session).pdf_key_id


def test_the_key_before_a_revoked_one_does_not_sign_again(own: Services) -> None:
    retired = signs_with(own)
    newest = run(own, "rotate-key", "pdf").output.strip()
    assert signs_with(own) == newest
    assert run(own, "revoke-key", newest, "--reason", "stolen").exit_code == 0
    with pytest.raises(NoKeys, match="the document key was revoked"):
        signs_with(own)
    following = run(own, "rotate-key", "pdf").output.strip()
    assert signs_with(own) == following
    assert run(own, "revoke-key", retired, "--reason", "retired").exit_code == 0
    assert signs_with(own) == following


def test_an_unknown_name_in_the_token_is_refused_in_words(
    own: Services, authority: Authority, tmp_path: Path, token_folder: Path
) -> None:
    (tmp_path / "pin").write_text(PIN)
    signing = SigningSettings("B-B", None, None, Path(SOFTHSM), "anzheng", tmp_path / "pin")
    command = adoption(authority, tmp_path, ec.generate_private_key(ec.SECP256R1()))
    before = signs_with(own)
    with under(own, signing=signing) as equipped:
        said = run(equipped, *command, "--token-key", "no-such-key")
        assert (said.exit_code, "holds no single key called no-such-key" in said.output) == (1, True), said.output
    assert signs_with(own) == before


def test_after_the_token_was_started_anew_the_next_certificate_is_signed(
    own: Services, authority: Authority, tmp_path: Path, token_folder: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    import_into_token(token_folder, "seal-restarted", key)
    (tmp_path / "pin").write_text(PIN)
    signing = SigningSettings("B-B", None, None, Path(SOFTHSM), "anzheng", tmp_path / "pin")
    with under(own, signing=signing) as equipped:
        assert run(equipped, *adoption(authority, tmp_path, key), "--token-key", "seal-restarted").exit_code == 0
        assert is_genuine(equipped, issue_one(equipped))
        pkcs11.lib(SOFTHSM).reinitialize()
        assert is_genuine(equipped, issue_one(equipped))


def test_a_key_that_may_not_sign_is_not_said_to_be_another(
    authority: Authority, tmp_path: Path, token_folder: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    import_into_token(token_folder, "seal-able", key)
    certificate = pem_to_der(pem_of(authority.certify(key)))

    def signer(label: str) -> TokenSigner:
        return TokenSigner(module=SOFTHSM, token="anzheng", pin=PIN, key=label, certificate=certificate, chain=[])

    assert signer("seal-able").sign(b"x")
    # The process is signed in to the token already.
    with pkcs11.lib(SOFTHSM).get_token(token_label="anzheng").open(rw=True) as session:
        found = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label="seal-able")
        found.copy({pkcs11.Attribute.LABEL: "seal-mute", pkcs11.Attribute.SIGN: False})
    with pytest.raises(TokenError, match="may not sign"):
        signer("seal-mute")
