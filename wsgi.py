"""WSGI entry point: ``granian --interface wsgi wsgi:app``."""

import gc

from lms.app import create_app

app = create_app()

# What stands now stays for the life of the process: looking through it again and again for
# garbage costs every request, and so does a collection after each seven hundred objects.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 50, 50)
