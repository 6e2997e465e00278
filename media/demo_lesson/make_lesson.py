"""Builds the demo micro-lesson: slides, narration, captions and the finished video.

``python -m media.demo_lesson.make_lesson --voices FOLDER`` reads ``script.json`` and writes, beside it,
``confined_space.mp4``, ``captions.zh.vtt``, ``captions.en.vtt`` and ``poster.jpg``. The measured times of every
cue are written back to ``script.json`` under ``timing``, so that captions and pictures can be checked against them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg
import numpy as np

from media.demo_lesson.pictures import FPS, HEIGHT_PX, SLIDE_FADE_S, STEP_FADE_S, WIDTH_PX, Deck, Scene, Spin, play
from media.demo_lesson.speech import SAMPLE_RATE_HZ, Samples, Speaker

HERE = Path(__file__).parent
CAPTION_LEAD_S, CAPTION_HOLD_S, CAPTION_GAP_S = 0.05, 0.5, 0.04


@dataclass(frozen=True, slots=True)
class Cue:
    """One spoken sentence: which step of which slide it opens, and when it sounds."""

    slide: int
    step: int
    start_s: float
    end_s: float
    zh: str
    en: str


def speak(script: dict[str, Any], speaker: Speaker) -> tuple[Samples, list[Cue]]:
    """Return the whole narration and the cues measured in it."""
    pauses, speed = script["pauses_s"], float(script["voice"]["speed"])
    pieces: list[Samples] = [_silence(pauses["lead_in"])]
    at_s, cues = float(pauses["lead_in"]), list[Cue]()
    for number, slide in enumerate(script["slides"]):
        pairs = list(zip(slide["narration_zh"], slide["narration_en"], strict=True))
        for step, (zh, en) in enumerate(pairs, start=1):
            said = speaker.say(zh, speed=speed)
            pause_s = float(pauses["between_slides" if step == len(pairs) else "between_cues"])
            cues.append(Cue(number, step, at_s, at_s + said.size / SAMPLE_RATE_HZ, zh, en))
            pieces += [said, _silence(pause_s)]
            at_s = sum(piece.size for piece in pieces) / SAMPLE_RATE_HZ
    pieces.append(_silence(pauses["tail"]))
    return np.concatenate(pieces), cues


def _silence(duration_s: float) -> Samples:
    return np.zeros(int(duration_s * SAMPLE_RATE_HZ), dtype=np.float32)


def caption_spans(cues: Sequence[Cue]) -> list[tuple[float, float]]:
    """Return when each caption shows: with its sentence and a little longer, never over the next one."""
    starts = [cue.start_s - CAPTION_LEAD_S for cue in cues]
    limits = [start - CAPTION_GAP_S for start in starts[1:]] + [cues[-1].end_s + 1.0]
    return [
        (start, min(cue.end_s + CAPTION_HOLD_S, limit)) for start, cue, limit in zip(starts, cues, limits, strict=True)
    ]


def write_captions(path: Path, spans: Iterable[tuple[float, float]], texts: Iterable[str]) -> None:
    """Write one WebVTT file."""
    blocks = [
        f"{number}\n{_clock(start)} --> {_clock(end)}\n{text}\n"
        for number, ((start, end), text) in enumerate(zip(spans, texts, strict=True), start=1)
    ]
    path.write_text("WEBVTT\n\n" + "\n".join(blocks), encoding="utf-8")


def _clock(at_s: float) -> str:
    minutes, milliseconds = divmod(round(at_s * 1000), 60_000)
    return f"00:{minutes:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"


def draw(script: dict[str, Any], cues: Sequence[Cue], deck: Deck) -> list[Scene]:
    """Return one scene per cue; a new slide starts fading in while the voice is silent."""
    slides, scenes = script["slides"], list[Scene]()
    for cue in cues:
        slide = slides[cue.slide]
        fade_s = SLIDE_FADE_S if cue.step == 1 else STEP_FADE_S
        spin = Spin(**slide["spin"]) if "spin" in slide else None
        image = deck.still(slide, step=cue.step, number=cue.slide + 1, total=len(slides))
        start_s = max(0.0, cue.start_s - fade_s * 0.8) if scenes else 0.0
        scenes.append(Scene(start_s, fade_s, image, spin))
    return scenes


def encode(target: Path, frames: Iterable[bytes], narration: Path, title: str) -> None:
    """Write an H.264 and AAC file that starts playing before it is fully loaded."""
    # Voice cleaning: cut rumble, even out, then -16 LUFS as EBU R 128 loudnorm measures it.
    voice = (
        ffmpeg.input(str(narration))
        .filter("highpass", f=75)
        .filter("acompressor", threshold=0.12, ratio=2.2, attack=12, release=180)
        .filter("loudnorm", I=-16, TP=-1.5, LRA=7)
        .filter("aresample", 48_000)
    )
    picture = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{WIDTH_PX}x{HEIGHT_PX}", r=FPS).filter(
        "scale", out_color_matrix="bt709", out_range="tv", flags="accurate_rnd+full_chroma_int"
    )
    options = {
        "x264-params": "aq-mode=3:keyint=125:colorprim=bt709:transfer=bt709:colormatrix=bt709",
        "metadata": f"title={title}",
        "metadata:s:a:0": "language=zho",
    }
    command = ffmpeg.output(
        picture,
        voice,
        str(target),
        vcodec="libx264",
        preset="slow",
        crf=22,
        pix_fmt="yuv420p",
        acodec="aac",
        audio_bitrate="112k",
        ac=1,
        movflags="+faststart",
        **options,
    )
    process = (
        command.overwrite_output()
        .global_args("-loglevel", "error")
        .run_async(cmd=imageio_ffmpeg.get_ffmpeg_exe(), pipe_stdin=True)
    )
    for frame in frames:
        process.stdin.write(frame)
    process.stdin.close()
    if process.wait() != 0:
        raise RuntimeError("ffmpeg could not write the lesson")


def save_wave(path: Path, samples: Samples) -> None:
    """Write mono 16-bit PCM."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE_HZ)
        out.writeframes((np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes())


def record_timing(script: dict[str, Any], cues: Sequence[Cue], total_s: float) -> None:
    """Write the measured times back into ``script.json``."""
    script["duration_s"] = round(total_s, 2)
    for number, slide in enumerate(script["slides"]):
        slide["timing"] = [
            {"start_s": round(c.start_s, 3), "end_s": round(c.end_s, 3)} for c in cues if c.slide == number
        ]
    (HERE / "script.json").write_text(json.dumps(script, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def build(voices: Path, browser: str) -> None:
    """Build every file of the lesson."""
    script: dict[str, Any] = json.loads((HERE / "script.json").read_text(encoding="utf-8"))
    narration, cues = speak(script, Speaker(voices / f"{script['voice']['name']}.bin"))
    total_s = narration.size / SAMPLE_RATE_HZ
    spans = caption_spans(cues)
    write_captions(HERE / "captions.zh.vtt", spans, (cue.zh for cue in cues))
    write_captions(HERE / "captions.en.vtt", spans, (cue.en for cue in cues))
    deck = Deck(browser)
    scenes = draw(script, cues, deck)
    last_of_cover = max(index for index, cue in enumerate(cues) if cue.slide == 0)
    scenes[last_of_cover].image.save(HERE / "poster.jpg", quality=88, optimize=True)
    with tempfile.TemporaryDirectory() as folder:
        save_wave(Path(folder, "narration.wav"), narration)
        frames = play(scenes, total_s=total_s, blades=deck.blades())
        encode(HERE / "confined_space.mp4", frames, Path(folder, "narration.wav"), script["title_zh"])
    record_timing(script, cues, total_s)


def main() -> None:
    """Read the command line and build the lesson."""
    parser = argparse.ArgumentParser(description="Build the confined-space micro-lesson.")
    parser.add_argument("--voices", type=Path, required=True, help="the voices folder of the npm package kokoro-js")
    parser.add_argument("--browser", default="chromium")
    args = parser.parse_args()
    build(args.voices, args.browser)


if __name__ == "__main__":
    main()
