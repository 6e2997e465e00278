"""What media refuses, and why a video was rejected, each with a sentence for the reader."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from lms.core.errors import Conflict, DomainError, Forbidden, Invalid
from lms.core.i18n import lazy_gettext as _


class RejectReason(StrEnum):
    """Why an uploaded file cannot become a lesson."""

    NOT_MEDIA = "not_media"
    CORRUPT = "corrupt"
    NO_VIDEO = "no_video"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    BAD_RESOLUTION = "bad_resolution"
    ENCRYPTED = "encrypted"
    CAPTION_TOO_LONG = "caption_too_long"
    GAVE_UP = "gave_up"


REJECTIONS: dict[str, object] = {
    RejectReason.NOT_MEDIA: _("文件不是可识别的视频。请上传 MP4、MOV、MKV、WebM 等视频文件。"),
    RejectReason.CORRUPT: _("视频已损坏或没有上传完整，无法解码。请检查原文件后重新上传。"),
    RejectReason.NO_VIDEO: _("文件里没有视频画面。请上传带画面的视频。"),
    RejectReason.TOO_SHORT: _("视频没有有效时长（至少 %(min_s)s 秒）。"),
    RejectReason.TOO_LONG: _("视频长 %(shown)s，超过一节微课的上限 %(limit)s。请拆分后上传。"),
    RejectReason.BAD_RESOLUTION: _(
        "画面尺寸 %(width)s×%(height)s 不可用：每边须在 %(min)s 到 %(max)s 像素之间，长宽比不超过 %(aspect)s。"
    ),
    RejectReason.ENCRYPTED: _("视频已加密，无法处理。请上传未加密的文件。"),
    RejectReason.CAPTION_TOO_LONG: _("字幕（%(language)s）的时间超出了视频时长。请核对字幕文件。"),
    RejectReason.GAVE_UP: _("转码多次没有成功。请换一种格式重新导出后上传，或联系平台运维。"),
}


class Rejected(DomainError):
    """The file cannot become a lesson. ``reason`` and ``data`` are stored with the asset."""

    code = "media_rejected"
    status = 422

    def __init__(self, reason: RejectReason, **data: Any) -> None:
        self.reason = reason
        super().__init__(REJECTIONS[reason], **data)


def rejection_text(reason: str | None, data: dict[str, Any]) -> str:
    """Return the sentence for a stored rejection, in the reader's language."""
    if reason is None:
        return ""
    text = str(REJECTIONS[reason])
    return text % data if data else text


class EmptyFile(Invalid):
    """The uploaded file holds nothing."""

    code = "media_empty"
    message = _("文件是空的，请重新选择")


class BadTitle(Invalid):
    """The title is missing or too long."""

    code = "media_title"
    message = _("请填写标题，最多 120 个字")


class BadCaption(Invalid):
    """A caption file is not WebVTT."""

    code = "media_caption"
    message = _("字幕（%(language)s）第 %(line)s 行有误：%(problem)s")


class CaptionProblem(StrEnum):
    """What is wrong with a caption file."""

    NOT_UTF8 = "not_utf8"
    NO_HEADER = "no_header"
    NO_CUES = "no_cues"
    BAD_TIMING = "bad_timing"
    ENDS_BEFORE_START = "ends_before_start"
    OUT_OF_ORDER = "out_of_order"
    EMPTY_CUE = "empty_cue"
    STRAY_ARROW = "stray_arrow"
    TOO_BIG = "too_big"


CAPTION_PROBLEMS: dict[str, object] = {
    CaptionProblem.NOT_UTF8: _("不是 UTF-8 编码的文本"),
    CaptionProblem.NO_HEADER: _("文件应以 WEBVTT 开头"),
    CaptionProblem.NO_CUES: _("没有任何字幕"),
    CaptionProblem.BAD_TIMING: _("时间写法应为 00:00.000 --> 00:01.000"),
    CaptionProblem.ENDS_BEFORE_START: _("结束时间不晚于开始时间"),
    CaptionProblem.OUT_OF_ORDER: _("字幕没有按时间排列"),
    CaptionProblem.EMPTY_CUE: _("字幕没有文字"),
    CaptionProblem.STRAY_ARROW: _("字幕文字里不能有 -->"),
    CaptionProblem.TOO_BIG: _("字幕文件太大"),
}


class BadBeat(Invalid):
    """A report of a player has another shape than agreed."""

    code = "media_beat"
    message = _("学习记录格式有误，请刷新页面后继续")


class OtherAsset(Conflict):
    """The playback session belongs to another video."""

    code = "media_session"
    message = _("播放会话已失效，请刷新页面后继续")


class AssetInProgress(Conflict):
    """The video is being processed and cannot be removed now."""

    code = "media_in_progress"
    message = _("视频正在处理，完成后才能删除")


class TicketExpired(Forbidden):
    """The playback address is too old or was not made for this video."""

    code = "media_ticket"
    message = _("播放地址已过期，请刷新页面")
