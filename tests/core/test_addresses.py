"""Addresses put together from patterns are those that Flask builds."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

import pytest
from flask import Flask, redirect, request, url_for
from werkzeug.routing import BuildError

from lms.core.addresses import Addresses, back_to, from_here, keep_query, with_filters
from lms.core.web import AnzhengFlask

ONE, OTHER = uuid.uuid4(), uuid.uuid4()


@pytest.mark.parametrize(
    ("endpoint", "values"),
    [
        ("core.notices", {}),
        ("core.job", {"job_id": ONE}),
        ("courses.lesson_page", {"enrolment_id": ONE, "lesson_id": OTHER}),
        ("courses.lesson_page", {"lesson_id": OTHER, "enrolment_id": ONE}),
        ("courses.lesson_page", {"enrolment_id": ONE, "lesson_id": ONE}),
        ("core.notices", {"page": 3, "near": ONE}),
        ("core.notices", {"q": "王 & {0}", "page": 3}),
        ("core.notices", {"_anchor": "last"}),
    ],
)
def test_an_address_is_the_one_that_flask_builds(app: AnzhengFlask, endpoint: str, values: dict[str, object]) -> None:
    addresses = Addresses()
    with app.test_request_context():
        for _ in range(2):
            assert addresses(endpoint, **values) == url_for(endpoint, **values)  # type: ignore[arg-type]  # Flask's are wider


def test_a_relative_endpoint_belongs_to_the_pages_blueprint(app: AnzhengFlask) -> None:
    addresses = Addresses()
    for path, built in (("/notices", "core.job"), (f"/jobs/{ONE}", "core.job")):
        with app.test_request_context(path):
            assert addresses(".job", job_id=ONE) == url_for(built, job_id=ONE)


def test_braces_in_a_rule_stay_braces() -> None:
    app = Flask(__name__)
    app.add_url_rule("/a{b}/<uuid:one>", endpoint="braces")
    with app.test_request_context():
        assert Addresses()("braces", one=ONE) == url_for("braces", one=ONE)


def test_a_missing_argument_is_an_error_each_time(app: AnzhengFlask) -> None:
    addresses = Addresses()
    with app.test_request_context():
        for _ in range(2):
            with pytest.raises(BuildError):
                addresses("courses.lesson_page", enrolment_id=ONE)


@pytest.mark.parametrize(
    "target",
    [
        "https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "\\\\elsewhere.example",
        "/\t/elsewhere.example", "/\n/elsewhere.example", "///elsewhere.example", "javascript:alert(1)",
        "http:///elsewhere.example", "http://[bad", "elsewhere", "", " //elsewhere.example", "/a\x00b",
        f"/{'a' * 1_001}",
    ],
)  # fmt: skip
def test_nothing_but_a_path_of_this_site_is_led_back_to(app: AnzhengFlask, target: str) -> None:
    with app.test_request_context("/regulator/certificates/1", query_string={"back": target}):
        assert back_to("/regulator/certificates") == "/regulator/certificates"


def test_a_filtered_list_is_led_back_to_with_its_filters(app: AnzhengFlask) -> None:
    with app.test_request_context("/regulator/certificates", query_string={"q": "王 & 李", "shown": "valid"}):
        here = request.full_path
        leading = from_here()
    with app.test_request_context(f"/regulator/certificates/1{leading}"):
        assert back_to("/") == here
    with app.test_request_context("/regulator/certificates"):
        assert from_here() == ""


def test_a_list_keeps_its_filters_on_its_other_pages_and_in_what_is_done_with_it(app: AnzhengFlask) -> None:
    asked = {"q": "王 & 李", "state": "", "cursor": "old"}
    kept = urlencode({"q": "王 & 李", "state": ""})
    with app.test_request_context("/board/410300", query_string=asked):
        assert with_filters(cursor="new") == f"/board/410300?{kept}&cursor=new"
        assert with_filters("/board/410300/export") == f"/board/410300/export?{kept}"
        assert with_filters("/board/410305", q=None) == "/board/410305?state="
    with app.test_request_context("/board/410300"):
        assert with_filters() == "/board/410300"


def test_a_post_keeps_the_query_of_the_page_that_it_returns_to(app: AnzhengFlask) -> None:
    came = {"Referer": "http://localhost/staff/1?back=/staff%3Fq%3Dx"}
    with app.test_request_context("/staff/1/leave", method="POST", headers=came):
        assert keep_query(redirect("/staff/1")).location == "/staff/1?back=/staff%3Fq%3Dx"
        assert keep_query(redirect("/staff/2")).location == "/staff/2"
    with app.test_request_context("/staff/1", headers=came):
        assert keep_query(redirect("/staff/1")).location == "/staff/1"
    away = {"Referer": "http://elsewhere.example/staff/1?back=/x"}
    with app.test_request_context("/staff/1/leave", method="POST", headers=away):
        assert keep_query(redirect("/staff/1")).location == "/staff/1"
