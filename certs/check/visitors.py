"""Who asks at the public doors."""

from __future__ import annotations

from flask import request

from certs import rules
from certs.check.queries import ADDRESS_DIGEST, Visitor
from lms.core import web


def present_visitor() -> Visitor:
    """Return who makes this request; the address is digested before anything sees it."""
    address = web.services().vault.digest(request.remote_addr or "", kind=ADDRESS_DIGEST)
    return Visitor(address, rules.agent_family(request.user_agent.string))
