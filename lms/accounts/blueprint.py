"""The room's blueprint; the views hang themselves on it when they are imported."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("accounts", __name__, template_folder="templates")
