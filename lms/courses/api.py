"""The door of this room for the rooms above: programmes, enrolments and credited time."""

from __future__ import annotations

from lms.courses.assignments.queries import AssignmentRow, list_assignments
from lms.courses.catalogue.queries import (
    LessonView,
    ProgrammeView,
    lesson,
    programme,
    programme_names,
    programmes,
    scheme_of,
)
from lms.courses.learning.queries import (
    EnrolmentView,
    class_hours_of,
    credited_class_hours,
    enrolment,
    enrolments_in,
    enrolments_of,
)

__all__ = [
    "AssignmentRow",
    "EnrolmentView",
    "LessonView",
    "ProgrammeView",
    "class_hours_of",
    "credited_class_hours",
    "enrolment",
    "enrolments_in",
    "enrolments_of",
    "lesson",
    "list_assignments",
    "programme",
    "programme_names",
    "programmes",
    "scheme_of",
]
