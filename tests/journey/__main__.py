"""Entry point of ``make journey``."""

from __future__ import annotations

import sys

from tests.journey.story import main

if __name__ == "__main__":
    sys.exit(main())
