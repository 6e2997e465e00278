"""The blueprint on which the views of this room hang."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("courses", __name__, template_folder="templates")
