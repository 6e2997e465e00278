"""Looking into an uploaded file: what it really holds, whatever its name says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
from av.stream import Disposition
from av.video.stream import VideoStream

from media.errors import Rejected, RejectReason

# Containers only. Playlists, concatenation scripts and image patterns would make FFmpeg open
# other files or addresses that the uploader names.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,rm,mxf,wtv,dv,"
    "mp3,wav,aac,flac,h264,hevc,m4v,gxf,nut,swf"
)
PROTOCOLS = "file,pipe"
# How known containers begin (offset, bytes): such a file that does not open is damaged, not foreign.
SIGNATURES = ((4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (0, b"\x1aE\xdf\xa3"), (0, b"RIFF"), (0, b"FLV"), (0, b"OggS"))
MAX_MOOV_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Probe:
    """What a video holds. Sizes in pixels as they are seen, after rotation; duration in seconds."""

    duration_s: float
    width_px: int
    height_px: int
    has_audio: bool


def probe(path: Path) -> Probe:
    """Read all packets of ``path`` and decode its first picture; raises Rejected."""
    if _is_encrypted_mp4(path):
        raise Rejected(RejectReason.ENCRYPTED)
    try:
        options = {"protocol_whitelist": PROTOCOLS, "format_whitelist": CONTAINERS}
        with av.open(str(path), options=options, metadata_errors="ignore") as container:
            return _probe(container)
    except (av.error.FFmpegError, OverflowError, UnicodeDecodeError, ValueError):
        raise Rejected(RejectReason.CORRUPT if _looks_like_media(path) else RejectReason.NOT_MEDIA) from None


def _probe(container: Any) -> Probe:
    pictures: list[VideoStream] = [
        stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
    ]
    if not pictures:
        raise Rejected(RejectReason.NO_VIDEO)
    stream = pictures[0]
    told_s = container.duration / av.time_base if container.duration else 0.0
    first = next(iter(container.decode(stream)), None)
    if first is None and told_s > 0:
        raise Rejected(RejectReason.CORRUPT)
    if first is None:
        return Probe(0.0, stream.width, stream.height, has_audio=bool(container.streams.audio))
    container.seek(0, backward=True, any_frame=False)
    length_s = _measured_s(container, stream)
    # A header that promises much more than the file holds is that of a cut file.
    if told_s > 2.0 and length_s < 0.8 * told_s:
        raise Rejected(RejectReason.CORRUPT)
    turned = first.rotation % 180 != 0
    width, height = (first.height, first.width) if turned else (first.width, first.height)
    return Probe(round(length_s, 2), width, height, has_audio=bool(container.streams.audio))


def _measured_s(container: Any, stream: VideoStream) -> float:
    """Return from the first to the end of the last packet: headers may lie, packets play."""
    start: float | None = None
    end = 0.0
    for packet in container.demux(stream):
        if packet.pts is None or packet.time_base is None:
            continue
        at = float(packet.pts * packet.time_base)
        start = at if start is None else min(start, at)
        end = max(end, at + float((packet.duration or 0) * packet.time_base))
    return end - start if start is not None else 0.0


def _looks_like_media(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(16)
    return any(head[offset : offset + len(mark)] == mark for offset, mark in SIGNATURES)


def _is_encrypted_mp4(path: Path) -> bool:
    """Tell whether an ISO file declares encrypted samples (ISO/IEC 23001-7: encv, enca)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if kind == b"moov":
                moov = file.read(min(length, MAX_MOOV_BYTES))
                return b"sinf" in moov and (b"encv" in moov or b"enca" in moov)
            if length < 8 or not kind.isalnum():
                return False
            at += length
    return False
