"""What the filters of this room's lists have in common."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from sqlalchemy.sql.elements import ColumnElement

from certs import rules
from lms.core.tenancy import ALL, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopedFilter:
    """A filter that can carry a region scope with it, so that a job in worker scope sees the same rows."""

    region_lo: int = 0
    region_hi: int = 0
    industries: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()

    def within(self, scope: Scope) -> Self:
        """Return the filter bound to a region scope."""
        return replace(
            self,
            region_lo=scope.region_lo or 0,
            region_hi=scope.region_hi or 0,
            industries=scope.industries,
            schemes=scope.schemes,
        )

    def to_data(self) -> dict[str, Any]:
        """Return plain values for a job's arguments."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Undo ``to_data`` after JSON."""
        return cls(**rules.with_tuples(data))

    def in_scope(self, model: Any) -> list[ColumnElement[bool]]:
        """Return the conditions of the scope on a table with region, industry and scheme."""
        conditions = [model.region_code >= self.region_lo, model.region_code < self.region_hi]
        if self.industries != ALL:
            conditions.append(model.industry_code.in_(self.industries))
        if self.schemes != ALL:
            conditions.append(model.scheme_code.in_(self.schemes))
        return conditions
