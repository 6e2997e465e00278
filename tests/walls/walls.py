"""Being written."""
from __future__ import annotations
def broken_walls(url: str) -> list[str]:
    return []
