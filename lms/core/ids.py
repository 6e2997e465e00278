"""Identifiers: UUIDv7, ordered by time of making, so that indexes grow at one end (RFC 9562, 5.7)."""

from __future__ import annotations

import os
import secrets
import uuid

from lms.core import clock


def new_id() -> uuid.UUID:
    """Make a UUIDv7 from the clock's milliseconds and 74 random bits."""
    unix_ms = int(clock.now().timestamp() * 1000)
    value = (unix_ms & 0xFFFFFFFFFFFF) << 80
    value |= 0x7 << 76
    random = int.from_bytes(os.urandom(10))
    value |= (random >> 68) << 64
    value |= 0b10 << 62
    value |= random & 0x3FFFFFFFFFFFFFFF
    return uuid.UUID(int=value)


def public_code(bits: int = 80) -> str:
    """Make an unguessable code of ``bits`` random bits in Crockford-like base32, upper case.

    Letters that people confuse (I, L, O, U) do not occur, so it can be read out and typed.
    """
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    length = -(-bits // 5)
    return "".join(secrets.choice(alphabet) for _ in range(length))
