"""Sizes of the renditions and the text of HLS playlists (RFC 8216). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

AUDIO = "audio"
SEGMENT_NAME = re.compile(r"^seg_\d{4}\.ts$")
# Short side and long side of the box, in pixels, then the peak video rate in kbit/s.
LADDER = (("360p", 360, 640, 800), ("720p", 720, 1280, 2200))
RENDITIONS = (*(name for name, *_rest in LADDER), AUDIO)
AUDIO_KBPS = 96
CODECS = {"360p": "avc1.4d401e", "720p": "avc1.4d401f"}  # H.264 Main, levels 3.0 and 3.1 (RFC 6381)
AAC = "mp4a.40.2"


@dataclass(frozen=True, slots=True)
class Rendition:
    """One quality of the picture; sizes are even, as H.264's 4:2:0 wants them."""

    name: str
    width_px: int
    height_px: int
    video_kbps: int


def renditions_of(width_px: int, height_px: int) -> tuple[Rendition, ...]:
    """Return the qualities for a picture: 360p always, 720p where there is more to show.

    Nothing is scaled up, and upright pictures get an upright box.
    """
    found: list[Rendition] = []
    short_px, long_px = sorted((width_px, height_px))
    for name, box_short, box_long, kbps in LADDER:
        factor = min(1.0, box_short / short_px, box_long / long_px)
        size = (_even(width_px * factor), _even(height_px * factor))
        if not found or size[0] > found[-1].width_px:
            found.append(Rendition(name, *size, kbps))
    return tuple(found)


def _even(value: float) -> int:
    return max(2, 2 * round(value / 2))


def durations_of(playlist: str) -> list[float]:
    """Return the lengths of the segments that ``playlist`` lists, in seconds."""
    return [float(found) for found in re.findall(r"^#EXTINF:([\d.]+)", playlist, flags=re.MULTILINE)]


def segments_of(playlist: str) -> list[str]:
    """Return the names of the segments that ``playlist`` lists."""
    return [line.strip() for line in playlist.splitlines() if line.strip() and not line.startswith("#")]


def peak_bps(playlist: str, sizes_bytes: Sequence[int]) -> int:
    """Return the highest bit rate of any segment, as BANDWIDTH asks for (RFC 8216, 4.3.4.2)."""
    pairs = zip(sizes_bytes, durations_of(playlist), strict=True)
    return max(int(8 * size / max(duration_s, 0.1)) for size, duration_s in pairs)


def master(renditions: Sequence[tuple[Rendition, int]], *, has_audio: bool) -> str:
    """Write the playlist of playlists; ``renditions`` come with their peak rates."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for rendition, bps in renditions:
        codecs = f"{CODECS[rendition.name]},{AAC}" if has_audio else CODECS[rendition.name]
        size = f"{rendition.width_px}x{rendition.height_px}"
        lines.append(f'#EXT-X-STREAM-INF:BANDWIDTH={bps},RESOLUTION={size},CODECS="{codecs}"')
        lines.append(f"{rendition.name}/index.m3u8")
    return "\n".join([*lines, ""])


def with_ticket(playlist: str, ticket: str) -> str:
    """Add the playback ticket to every segment's address."""
    return re.sub(r"^(seg_\d{4}\.ts)$", rf"\1?t={ticket}", playlist, flags=re.MULTILINE)
