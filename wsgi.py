"""WSGI entry point: ``granian --interface wsgi wsgi:app``."""

from lms.app import create_app

app = create_app()
