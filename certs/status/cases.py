"""What proposals, corrections and objections have in common."""

from __future__ import annotations

import uuid
from typing import Any

from certs.models import Certificate
from lms.core import ids

TELL_TASK = "certs.tell_officials"


def case_columns(row: Certificate) -> dict[str, Any]:
    """Return the first columns of a new case about a certificate."""
    case_id: uuid.UUID = ids.new_id()
    return {
        "person_id": row.person_id,
        "id": case_id,
        "certificate_id": row.id,
        "tenant_id": row.tenant_id,
        "region_code": row.region_code,
        "industry_code": row.industry_code,
        "scheme_code": row.scheme_code,
    }
