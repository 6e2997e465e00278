"""Skeletons: drawn once, filled for each reader."""

from __future__ import annotations

import pytest

from lms.core.skeleton import Skeleton, mark


@pytest.fixture
def skeleton() -> Skeleton:
    return Skeleton(f"<p>{mark('name')}</p><b>{mark('day')}</b><i>{mark('name')}</i>")


def test_every_place_is_filled_wherever_it_stands(skeleton: Skeleton) -> None:
    assert skeleton.fill({"day": "today", "name": "Li"}) == "<p>Li</p><b>today</b><i>Li</i>"


def test_values_are_escaped(skeleton: Skeleton) -> None:
    assert skeleton.fill({"name": "<a&b>", "day": '"'}) == ("<p>&lt;a&amp;b&gt;</p><b>&#34;</b><i>&lt;a&amp;b&gt;</i>")


def test_a_missing_value_is_an_error(skeleton: Skeleton) -> None:
    with pytest.raises(KeyError):
        skeleton.fill({"name": "Li"})


def test_text_without_places_stays_as_it_is() -> None:
    assert Skeleton("<p>安</p>").fill({}) == "<p>安</p>"
