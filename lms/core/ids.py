"""Identifiers: UUIDv7, ordered by time of making, so that indexes grow at one end (RFC 9562, 5.7)."""

from __future__ import annotations

import os
import secrets
import uuid

from lms.core import clock


def new_id() -> uuid.UUID:
    """Make a UUIDv7 from the clock's milliseconds and 74 random bits."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[uuid.UUID]:
    """Make many of one moment, asking clock and randomness once."""
    unix_ms = int(clock.now().timestamp() * 1000)
    head = (unix_ms & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | 0b10 << 62
    random = os.urandom(10 * count)
    return [uuid.UUID(int=head | _spread(random[at : at + 10])) for at in range(0, 10 * count, 10)]


def _spread(random: bytes) -> int:
    """Lay 74 of 80 random bits around the version and the variant of a UUID."""
    bits = int.from_bytes(random)
    return (bits >> 68) << 64 | bits & 0x3FFFFFFFFFFFFFFF


def public_code(bits: int = 80) -> str:
    """Make an unguessable code of ``bits`` random bits in Crockford-like base32, upper case.

    Letters that people confuse (I, L, O, U) do not occur, so it can be read out and typed.
    """
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    length = -(-bits // 5)
    return "".join(secrets.choice(alphabet) for _ in range(length))
