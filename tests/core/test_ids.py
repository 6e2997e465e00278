"""Identifiers."""

from __future__ import annotations

import uuid

from lms.core import clock, ids


def test_ids_are_of_version_7_of_one_moment_and_never_the_same() -> None:
    before = int(clock.now().timestamp() * 1000)
    made = ids.new_ids(1_000)
    after = int(clock.now().timestamp() * 1000)
    assert len(set(made)) == 1_000
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert len({one.int >> 80 for one in made}) == 1
    assert before <= made[0].int >> 80 <= after
    # Every free bit takes both values: 12 beside the version, 62 beside the variant.
    free = (0xFFF << 64) | ((1 << 62) - 1)
    ever_set = ever_clear = 0
    for one in made:
        ever_set |= one.int & free
        ever_clear |= ~one.int & free
    assert ever_set == ever_clear == free
