"""The status list is there soon after the first start, and anew each hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from certs.commands import load_reference
from certs.status import lists
from lms.core import bootstrap, clock
from lms.core.services import Kernel, Services, Ticker
from lms.core.storage import ObjectMissing
from lms.core.worker import run_ticker_once
from tests.conftest import Instance, make_instance


@pytest.fixture
def ticker(kernel: Kernel) -> Ticker:
    return next(one for one in kernel.tickers if one.name == "certs.status_list")


@pytest.fixture
def stored(instance: Instance, kernel: Kernel, worker_id: str, ticker: Ticker) -> Iterator[Callable[[], bytes]]:
    """Let the ticker of a fresh instance run once and return the list that is stored then."""
    own = make_instance(instance.settings, f"anzheng_list_{worker_id}")
    services: Services = bootstrap.build_services(own.settings, kernel, login="jobs", admin=own.admin)
    load_reference(services)
    with pytest.raises(ObjectMissing):
        services.storage.get(lists.KEY)

    def run() -> bytes:
        assert run_ticker_once(services, ticker)
        return services.storage.get(lists.KEY)

    yield run
    services.db.dispose()


def test_a_fresh_installation_has_its_list_within_a_minute(stored: Callable[[], bytes], ticker: Ticker) -> None:
    assert ticker.every_s <= 60
    assert stored()


def test_the_list_is_built_anew_when_its_hour_is_over(stored: Callable[[], bytes]) -> None:
    first = stored()
    assert stored() == first
    now = clock.now()
    with clock.travelling_to(now + timedelta(seconds=lists.TTL_S - 120)):
        assert stored() == first
    with clock.travelling_to(now + timedelta(seconds=lists.TTL_S + 1)):
        assert stored() != first
