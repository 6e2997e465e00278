"""The empty view: Flask's least, without any of our layers, as the yardstick of pages."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/")
def empty() -> str:
    """Answer with nothing."""
    return ""
