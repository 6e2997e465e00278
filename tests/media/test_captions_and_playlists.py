"""Caption grammar, rendition sizes, playlist text and playback tickets."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lms.core import clock, ids
from media import captions, playlists, tickets
from media.captions import CaptionError
from media.errors import CaptionProblem, TicketExpired

GOOD = """WEBVTT - demo

NOTE a remark

1
00:00.000 --> 00:01.500 align:start
你好

00:00:02.000 --> 00:00:03.000
再见
"""
DEMO = Path(captions.__file__).parent / "demo_lesson"


def test_cues_are_read_with_their_times() -> None:
    found = captions.parse_vtt(GOOD.encode())
    assert [(cue.from_s, cue.to_s, cue.text) for cue in found] == [(0, 1.5, "你好"), (2, 3, "再见")]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_demo_lesson_has_valid_captions(language: str) -> None:
    assert len(captions.parse_vtt((DEMO / f"captions.{language}.vtt").read_bytes())) > 5


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"\xff\xfe\x00", 1, CaptionProblem.NOT_UTF8),
        (b"1\n00:00.000 --> 00:01.000\nx", 1, CaptionProblem.NO_HEADER),
        (b"WEBVTTX\n\n00:00.000 --> 00:01.000\nx", 1, CaptionProblem.NO_HEADER),
        (b"WEBVTT\n\nNOTE only", 3, CaptionProblem.NO_CUES),
        (b"WEBVTT\n\n00:00,000 --> 00:01,000\nx", 3, CaptionProblem.BAD_TIMING),
        (b"WEBVTT\n\n00:61.000 --> 01:02.000\nx", 3, CaptionProblem.BAD_TIMING),
        (b"WEBVTT\n\n00:02.000 --> 00:01.000\nx", 3, CaptionProblem.ENDS_BEFORE_START),
        (b"WEBVTT\n\n00:02.000 --> 00:03.000\nx\n\n00:01.000 --> 00:02.000\ny", 6, CaptionProblem.OUT_OF_ORDER),
        (b"WEBVTT\n\n00:02.000 --> 00:03.000\n\n", 3, CaptionProblem.EMPTY_CUE),
        (b"WEBVTT\n\n00:02.000 --> 00:03.000\na --> b", 4, CaptionProblem.STRAY_ARROW),
    ],
)
def test_a_bad_caption_file_names_line_and_problem(text: bytes, line: int, problem: CaptionProblem) -> None:
    with pytest.raises(CaptionError) as caught:
        captions.parse_vtt(text)
    assert (caught.value.line, caught.value.problem) == (line, problem)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1920, 1080), [(640, 360), (1280, 720)]),
        ((1080, 1920), [(360, 640), (720, 1280)]),
        ((640, 360), [(640, 360)]),
        ((320, 241), [(320, 240)]),
        ((854, 480), [(640, 360), (854, 480)]),
    ],
)
def test_nothing_is_scaled_up(size: tuple[int, int], expected: list[tuple[int, int]]) -> None:
    assert [(one.width_px, one.height_px) for one in playlists.renditions_of(*size)] == expected


def test_every_segment_bears_the_ticket() -> None:
    text = "#EXTM3U\n#EXTINF:4.0,\nseg_0000.ts\n#EXTINF:1.5,\nseg_0001.ts\n"
    assert playlists.with_ticket(text, "abc").splitlines()[2::2] == ["seg_0000.ts?t=abc", "seg_0001.ts?t=abc"]
    assert playlists.durations_of(text) == [4.0, 1.5]
    assert playlists.peak_bps(text, [1000, 3000]) == 16000


def test_a_ticket_opens_its_own_video_for_hours_not_for_days() -> None:
    ticket = tickets.Ticket(ids.new_id(), ids.new_id(), ids.new_id())
    text = tickets.write_ticket(b"k" * 32, ticket)
    assert tickets.read_ticket(b"k" * 32, text, ticket.asset_id) == ticket
    with clock.travelling_to(clock.now() + timedelta(hours=4, minutes=59)):
        assert tickets.read_ticket(b"k" * 32, text, ticket.asset_id) == ticket
    with clock.travelling_to(clock.now() + timedelta(hours=7)), pytest.raises(TicketExpired):
        tickets.read_ticket(b"k" * 32, text, ticket.asset_id)


def test_forged_tickets_and_those_of_other_videos_are_refused() -> None:
    ticket = tickets.Ticket(ids.new_id(), ids.new_id(), ids.new_id())
    text = tickets.write_ticket(b"k" * 32, ticket)
    for key, shown, asset_id in [
        (b"o" * 32, text, ticket.asset_id),
        (b"k" * 32, text[:-2], ticket.asset_id),
        (b"k" * 32, text, ids.new_id()),
        (b"k" * 32, "", ticket.asset_id),
    ]:
        with pytest.raises(TicketExpired):
            tickets.read_ticket(key, shown, asset_id)
