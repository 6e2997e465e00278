"""Putting one process together: settings, secrets, database login, storage, keys."""

from __future__ import annotations

import logging
import sys

import structlog

from lms.core import dbadmin
from lms.core.crypto import SealingKey, Vault
from lms.core.db import Database
from lms.core.services import Kernel, Services
from lms.core.settings import Settings, load_secrets
from lms.core.storage import Storage


def configure_logging() -> None:
    """Write structured lines to standard error, one JSON object each."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING)


def build_services(settings: Settings, kernel: Kernel, *, login: str = "web", admin: str | None = None) -> Services:
    """Connect as one of the three logins; the database must have been initialised."""
    secrets = load_secrets(settings)
    admin = admin or dbadmin.admin_url(settings)
    info: dict[str, object] = {}
    services = Services(
        settings=settings,
        kernel=kernel,
        db=Database(
            dbadmin.sqlalchemy_url(dbadmin.login_url(admin, secrets, login)),
            pool_size=settings.pool_size,
            info=info,
        ),
        storage=Storage(settings.storage_url),
        vault=Vault(data_keys=secrets.data_keys, active_key_id=secrets.active_key_id, lookup_key=secrets.lookup_key),
        sealing_key=SealingKey(secrets.audit_seed),
        login=login,
    )
    info["services"] = services
    return services


def worker_conninfo(settings: Settings) -> str:
    """Return the libpq URL of the jobs login, for the queue's own connections."""
    return dbadmin.login_url(dbadmin.admin_url(settings), load_secrets(settings), "jobs")
