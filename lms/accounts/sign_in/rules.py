"""When a further attempt may be made, and in which role one begins. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from lms.core.access import Role

# Who holds several roles and has not signed in before begins with the one that has most to do.
FIRST_ROLES = (
    Role.REGULATOR,
    Role.INSPECTOR,
    Role.AUDITOR,
    Role.ENTERPRISE_ADMIN,
    Role.INSTITUTION_ADMIN,
    Role.INSTRUCTOR,
    Role.EXAMINER,
    Role.EXPERT,
    Role.OPERATOR,
    Role.TRAINEE,
)


def wait_s(failures: Sequence[datetime], *, limit: int, window: timedelta, now: datetime) -> int:
    """Return the whole seconds until another attempt is allowed; 0 when it is allowed now.

    ``failures`` are moments in any order. With ``limit`` or more of them within ``window`` the
    next attempt waits until the oldest of the newest ``limit`` leaves the window.
    """
    recent = sorted((at for at in failures if at > now - window), reverse=True)
    if len(recent) < limit:
        return 0
    left = recent[limit - 1] + window - now
    return max(1, int(left.total_seconds()) + 1)


def device_name(user_agent: str) -> str:
    """Return a short name of the browser for the list of sessions: no version, nothing to track by."""
    agent = user_agent.lower()
    systems = {"android": "Android", "iphone": "iPhone", "ipad": "iPad", "windows": "Windows", "mac os": "macOS"}
    # The order matters: Edge and WeChat also call themselves Chrome, and Chrome Safari.
    browsers = {
        "micromessenger": "WeChat",
        "edg": "Edge",
        "firefox": "Firefox",
        "chrome": "Chrome",
        "safari": "Safari",
    }
    system = next((name for key, name in systems.items() if key in agent), "Linux" if "linux" in agent else "")
    browser = next((name for key, name in browsers.items() if key in agent), "")
    return " · ".join(part for part in (browser, system) if part) or "—"
