"""The demo micro-lesson is a real, playable, captioned video that says what its script says."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import av
import numpy as np
import pytest

LESSON = Path(__file__).parents[2] / "media" / "demo_lesson"
VIDEO = LESSON / "confined_space.mp4"
LANGUAGES = ("zh", "en")
CLOCK = r"(\d\d):(\d\d):(\d\d\.\d{3})"


def read_captions(language: str) -> list[tuple[float, float, str]]:
    text = (LESSON / f"captions.{language}.vtt").read_text(encoding="utf-8")
    assert text.startswith("WEBVTT\n\n")
    found = re.findall(rf"^{CLOCK} --> {CLOCK}\n(.+)$", text, flags=re.MULTILINE)
    return [(_seconds(*row[:3]), _seconds(*row[3:6]), row[6]) for row in found]


def _seconds(hours: str, minutes: str, seconds: str) -> float:
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def duration_s() -> float:
    with av.open(str(VIDEO)) as container:
        assert container.duration is not None
        return container.duration / av.time_base


def decode_audio() -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], int]:
    with av.open(str(VIDEO)) as container:
        stream = container.streams.audio[0]
        chunks = [frame.to_ndarray()[0] for frame in container.decode(stream)]
        return np.concatenate(chunks).astype(np.float32), stream.rate


def test_lesson_lasts_about_a_minute() -> None:
    assert 45.0 <= duration_s() <= 90.0


def test_video_is_h264_1280_by_720_at_25_frames() -> None:
    with av.open(str(VIDEO)) as container:
        (stream,) = container.streams.video
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 1280, 720)
        assert stream.average_rate == 25
        assert stream.pix_fmt == "yuv420p"


def test_audio_is_aac() -> None:
    with av.open(str(VIDEO)) as container:
        (stream,) = container.streams.audio
        assert stream.codec_context.name == "aac"


def test_file_is_small_and_starts_before_it_is_loaded() -> None:
    data = VIDEO.read_bytes()
    assert len(data) <= 6 * 1024 * 1024
    assert 0 < data.find(b"moov") < data.find(b"mdat")


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_cover_the_lesson_and_never_overlap(language: str) -> None:
    cues = read_captions(language)
    total_s = duration_s()
    assert all(start < end for start, end, _ in cues)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(cues))
    assert cues[-1][1] <= total_s
    assert sum(end - start for start, end, _ in cues) >= 0.8 * total_s


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_are_the_scripts_narration(language: str) -> None:
    script = json.loads((LESSON / "script.json").read_text(encoding="utf-8"))
    spoken = [line for slide in script["slides"] for line in slide[f"narration_{language}"]]
    assert [text for _, _, text in read_captions(language)] == spoken


def test_both_languages_share_the_same_times() -> None:
    zh, en = (read_captions(language) for language in LANGUAGES)
    assert [cue[:2] for cue in zh] == [cue[:2] for cue in en]


def test_voice_sounds_under_every_caption_and_rests_between_slides() -> None:
    script = json.loads((LESSON / "script.json").read_text(encoding="utf-8"))
    samples, rate_hz = decode_audio()

    def loudness(start_s: float, end_s: float) -> float:
        return float(np.sqrt(np.mean(samples[int(start_s * rate_hz) : int(end_s * rate_hz)] ** 2)))

    timings = [slide["timing"] for slide in script["slides"]]
    spoken = [loudness(cue["start_s"], cue["end_s"]) for timing in timings for cue in timing]
    rests = [loudness(a[-1]["end_s"] + 0.15, b[0]["start_s"] - 0.1) for a, b in itertools.pairwise(timings)]
    assert min(spoken) > 0.03
    assert max(rests) < 0.2 * min(spoken)


def test_every_slide_is_a_different_picture() -> None:
    script = json.loads((LESSON / "script.json").read_text(encoding="utf-8"))
    wanted_s = [slide["timing"][-1]["end_s"] for slide in script["slides"]]
    with av.open(str(VIDEO)) as container:
        thumbs = []
        for frame in container.decode(container.streams.video[0]):
            if len(thumbs) < len(wanted_s) and frame.time is not None and frame.time >= wanted_s[len(thumbs)]:
                thumbs.append(frame.reformat(width=160, height=90, format="gray").to_ndarray().astype(np.int16))
    assert len(thumbs) == len(wanted_s) >= 7
    assert all(np.abs(a - b).mean() > 4 for a, b in itertools.pairwise(thumbs))


def test_poster_has_the_videos_shape() -> None:
    with av.open(str(LESSON / "poster.jpg")) as container:
        frame = next(container.decode(container.streams.video[0]))
    assert (frame.width, frame.height) == (1280, 720)
