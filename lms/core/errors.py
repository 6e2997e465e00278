"""Refusals. Business code raises them; ``web`` alone turns them into HTTP."""

from __future__ import annotations

from typing import ClassVar

from lms.core.i18n import lazy_gettext as _


class DomainError(Exception):
    """A refusal with a stable ``code``, an HTTP ``status`` and a text for the reader.

    ``message`` is a Chinese msgid with named placeholders that are filled from ``data``
    after translation, never before.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    message: object = _("请求无法处理")

    def __init__(self, message: object | None = None, **data: object) -> None:
        if message is not None:
            self.message = message
        self.data = data
        super().__init__(self.code, data)

    def text(self) -> str:
        """Return the message in the language of the present reader."""
        text = str(self.message)
        return text % self.data if self.data else text


class Invalid(DomainError):
    """The input has the right shape but cannot be accepted."""

    code = "invalid"
    status = 422
    message = _("提交的内容有误，请检查后重试")


class Unauthenticated(DomainError):
    """Nobody is signed in."""

    code = "unauthenticated"
    status = 401
    message = _("请先登录")


class Forbidden(DomainError):
    """The role in use may not do this."""

    code = "forbidden"
    status = 403
    message = _("当前角色没有此项权限")


class NotFound(DomainError):
    """There is no such row, or it stands behind a wall: the two look the same on purpose."""

    code = "not_found"
    status = 404
    message = _("没有找到您要的内容，它可能已被移除，或不在您的权限范围内")


class Conflict(DomainError):
    """The row is no longer in the state that the request assumed."""

    code = "conflict"
    status = 409
    message = _("数据已被更新，请刷新页面后重试")


class TooLarge(DomainError):
    """The upload is larger than this door takes."""

    code = "too_large"
    status = 413
    message = _("文件太大，最大允许 %(limit_mb)s MB")


class TooMany(DomainError):
    """The caller has tried too often; ``retry_after_s`` tells when it may try again."""

    code = "too_many"
    status = 429
    message = _("尝试次数过多，请在 %(retry_after_s)s 秒后再试")
