"""Sealed values open only with the right key, for the right owner, and unaltered."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms.core.crypto import SealingKey, Undecryptable, Vault

OLD, NEW, LOOKUP = (secrets.token_bytes(32) for _ in range(3))


def vault(active: str = "new") -> Vault:
    return Vault(data_keys={"old": OLD, "new": NEW}, active_key_id=active, lookup_key=LOOKUP)


@given(st.binary(max_size=300), st.text(min_size=1, max_size=60))
def test_what_is_sealed_opens_again(plain: bytes, context: str) -> None:
    assert vault().decrypt(vault().encrypt(plain, context=context), context=context) == plain


def test_the_same_value_never_looks_the_same() -> None:
    assert vault().encrypt(b"410102", context="c") != vault().encrypt(b"410102", context="c")


def test_a_value_does_not_open_for_another_owner() -> None:
    sealed = vault().encrypt(b"410102", context="id_number:a")
    with pytest.raises(Undecryptable):
        vault().decrypt(sealed, context="id_number:b")


@given(st.integers(min_value=0, max_value=40))
def test_an_altered_value_does_not_open(place: int) -> None:
    sealed = bytearray(vault().encrypt(b"41010219900101001X", context="c"))
    sealed[place % len(sealed)] ^= 1
    with pytest.raises(Undecryptable):
        vault().decrypt(bytes(sealed), context="c")


def test_values_of_a_retired_key_still_open() -> None:
    sealed = vault("old").encrypt(b"value", context="c")
    assert vault("new").decrypt(sealed, context="c") == b"value"


def test_a_digest_depends_on_key_kind_and_value() -> None:
    other = Vault(data_keys={"new": NEW}, active_key_id="new", lookup_key=secrets.token_bytes(32))
    digests = {
        vault().digest("1", kind="phone"),
        vault().digest("1", kind="id_number"),
        vault().digest("2", kind="phone"),
        other.digest("1", kind="phone"),
    }
    assert len(digests) == 4
    assert vault().digest("1", kind="phone") in digests


def test_a_seal_holds_for_its_message_only() -> None:
    key = SealingKey(secrets.token_bytes(32))
    signature = key.sign(b"message")
    assert key.verifies(signature, b"message")
    assert not key.verifies(signature, b"messagf")
    assert not SealingKey(secrets.token_bytes(32)).verifies(signature, b"message")
