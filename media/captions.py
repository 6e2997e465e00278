"""The grammar of WebVTT as far as a lesson needs it. Pure.

Source: W3C, WebVTT: The Web Video Text Tracks Format, sections 4.1 to 4.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from media.errors import CaptionProblem

TIMING = re.compile(r"^((?:\d{2,}:)?\d{2}:\d{2}\.\d{3})[ \t]+-->[ \t]+((?:\d{2,}:)?\d{2}:\d{2}\.\d{3})(?:[ \t].*)?$")
HEADER = re.compile(r"^WEBVTT(?:[ \t].*)?$")


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption, in seconds from the start."""

    from_s: float
    to_s: float
    text: str


class CaptionError(ValueError):
    """The text is not WebVTT; ``line`` counts from 1."""

    def __init__(self, line: int, problem: CaptionProblem) -> None:
        super().__init__(f"line {line}: {problem.value}")
        self.line = line
        self.problem = problem


def parse_vtt(data: bytes) -> tuple[Cue, ...]:
    """Return the cues of a caption file; raises CaptionError naming the first bad line."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CaptionError(1, CaptionProblem.NOT_UTF8) from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if "\0" in text or not HEADER.match(lines[0]):
        raise CaptionError(1, CaptionProblem.NO_HEADER)
    cues: list[Cue] = []
    for number, block in _blocks(lines):
        cue = _read_block(number, block)
        if cue is None:
            continue
        if cues and cue.from_s < cues[-1].from_s:
            raise CaptionError(number, CaptionProblem.OUT_OF_ORDER)
        cues.append(cue)
    if not cues:
        raise CaptionError(len(lines), CaptionProblem.NO_CUES)
    return tuple(cues)


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the blocks after the header with the number of their first line."""
    block: list[str] = []
    is_header = True
    for number, line in enumerate([*lines, ""], start=1):
        if line.strip():
            block.append(line)
            continue
        if block and not is_header:
            yield number - len(block), block
        is_header = False
        block = []


def _read_block(number: int, block: list[str]) -> Cue | None:
    if re.match(r"^(NOTE|STYLE|REGION)([ \t]|$)", block[0]):
        return None
    at = 0 if "-->" in block[0] else 1
    timing = TIMING.match(block[at].strip()) if at < len(block) else None
    if timing is None:
        raise CaptionError(number + min(at, len(block) - 1), CaptionProblem.BAD_TIMING)
    from_s, to_s = _seconds(timing[1]), _seconds(timing[2])
    if from_s is None or to_s is None:
        raise CaptionError(number + at, CaptionProblem.BAD_TIMING)
    if to_s <= from_s:
        raise CaptionError(number + at, CaptionProblem.ENDS_BEFORE_START)
    payload = "\n".join(block[at + 1 :]).strip()
    if not payload:
        raise CaptionError(number + at, CaptionProblem.EMPTY_CUE)
    if "-->" in payload:
        raise CaptionError(number + at + 1, CaptionProblem.STRAY_ARROW)
    return Cue(from_s, to_s, payload)


def _seconds(clock: str) -> float | None:
    *hours, minutes, seconds = clock.split(":")
    if int(minutes) > 59 or float(seconds) >= 60:
        return None
    return int(hours[0] if hours else 0) * 3600 + int(minutes) * 60 + float(seconds)
