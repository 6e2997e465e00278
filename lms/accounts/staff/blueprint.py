"""The blueprint of the staff pages; both modules of views hang themselves on it."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("accounts_staff", __name__, template_folder="templates", url_prefix="/staff")
