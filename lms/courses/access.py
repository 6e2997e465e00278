"""What one may do in this room."""

from __future__ import annotations

from enum import StrEnum


class P(StrEnum):
    """Permissions of the room, each ``courses.<noun>.<verb>``."""

    LEARN = "courses.enrolment.learn"
    ASSIGNMENT_READ = "courses.assignment.read"
    ASSIGNMENT_CREATE = "courses.assignment.create"
    FACE_CHECK_DECIDE = "courses.face_check.decide"
    COURSE_READ = "courses.course.read"
    COURSE_EDIT = "courses.course.edit"
    COURSE_PUBLISH = "courses.course.publish"
