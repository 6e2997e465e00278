"""The door of the exams room."""

from __future__ import annotations

from exams.attempts.api import AttemptView, attempt, best_attempt, best_attempts, passed_attempts

__all__ = ["AttemptView", "attempt", "best_attempt", "best_attempts", "passed_attempts"]
