"""Addresses put together from patterns are those that Flask builds."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask, url_for
from werkzeug.routing import BuildError

from lms.core.addresses import Addresses
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
