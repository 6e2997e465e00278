"""Putting the product together. The only file that knows all rooms."""

from __future__ import annotations

import importlib
from datetime import timedelta

from lms.core import bootstrap, cli, i18n, pages, rooms
from lms.core.services import Kernel, Services
from lms.core.settings import Settings, load_secrets, load_settings
from lms.core.web import AnzhengFlask

ROOMS = (
    "lms.accounts.room",
    "media.room",
    "lms.courses.room",
    "exams.room",
    "certs.room",
    "supervision.room",
)
MAX_UPLOAD_BYTES = 512 * 1024 * 1024
SESSION_LIFETIME = timedelta(hours=12)


def build_kernel() -> Kernel:
    """Let every room register what it has."""
    kernel = Kernel()
    rooms.register(kernel)
    for name in ROOMS:
        importlib.import_module(name).register(kernel)
    return kernel


def create_app(settings: Settings | None = None, services: Services | None = None) -> AnzhengFlask:
    """Build the web application; the database must have been initialised."""
    settings = settings or (services.settings if services else load_settings())
    bootstrap.configure_logging()
    if services is None:
        services = bootstrap.build_services(settings, build_kernel())
    app = AnzhengFlask("lms", static_folder=None)
    app.config.update(
        SECRET_KEY=load_secrets(settings).session_key,
        SESSION_COOKIE_NAME="anzheng",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=MAX_UPLOAD_BYTES,
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.extensions["anzheng"] = services
    i18n.install(app)
    pages.install(app)
    for blueprint in services.kernel.blueprints:
        app.register_blueprint(blueprint)
    for install in services.kernel.installers:
        install(app)
    return app


def cli_main() -> None:
    """Entry point of the ``anzheng`` command."""
    cli.build_group(build_kernel())(prog_name="anzheng")


if __name__ == "__main__":
    cli_main()
