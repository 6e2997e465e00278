"""Making HLS out of a video with ffmpeg: the renditions, an audio-only one, and a poster."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg

from media.adapters.probing import CONTAINERS, PROTOCOLS
from media.playlists import AUDIO, AUDIO_KBPS, Rendition

LOUDNESS = {"I": -16, "TP": -1.5, "LRA": 11}  # EBU R 128 with the louder target usual on phones
MAX_FPS = 30
NICE = 10
POSTER_WIDTH_PX = 1280


class TranscodeError(RuntimeError):
    """ffmpeg ended with an error; ``stderr`` holds its last words."""

    def __init__(self, code: int, stderr: str) -> None:
        super().__init__(f"ffmpeg ended with {code}: {stderr[-300:]}")
        self.code = code
        self.stderr = stderr

    @property
    def is_passing(self) -> bool:
        """Tell whether the machine, not the file, is the likely cause: then trying again helps."""
        return self.code < 0 or "No space left" in self.stderr or "Cannot allocate" in self.stderr


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make of one video."""

    renditions: Sequence[Rendition]
    duration_s: float
    has_audio: bool
    segment_s: int
    timeout_s: float


def transcode(source: Path, target: Path, plan: Plan, on_progress: Callable[[float], None]) -> None:
    """Write ``<rendition>/index.m3u8`` with segments and ``poster.jpg`` into ``target``.

    ``on_progress`` gets the share done, 0 to 1. Raises TranscodeError, or TimeoutExpired after
    ``plan.timeout_s``.
    """
    names = [rendition.name for rendition in plan.renditions] + ([AUDIO] if plan.has_audio else [])
    for name in names:
        (target / name).mkdir(parents=True, exist_ok=True)
    outputs = _outputs(_input(source), target, plan)
    _run(ffmpeg.merge_outputs(*outputs), target, plan, on_progress)
    _run(_poster(source, target, plan), target, plan, lambda _share: None)


def _input(source: Path) -> Any:
    return ffmpeg.input(str(source), format_whitelist=CONTAINERS, protocol_whitelist=PROTOCOLS)


def _outputs(stream: Any, target: Path, plan: Plan) -> list[Any]:
    count = len(plan.renditions)
    pictures = stream.video.filter("fps", fps=f"min({MAX_FPS},source_fps)").filter_multi_output("split", count)
    sounds = None
    if plan.has_audio:
        levelled = stream.audio.filter("loudnorm", **LOUDNESS).filter("aresample", 48000)
        sounds = levelled.filter_multi_output("asplit", count + 1)
    outputs = []
    for index, rendition in enumerate(plan.renditions):
        picture = (
            pictures[index]
            .filter("scale", rendition.width_px, rendition.height_px)
            .filter("setsar", 1)
            .filter("format", "yuv420p")
        )
        parts = [picture] if sounds is None else [picture, sounds[index]]
        folder = target / rendition.name
        options = _segment_options(folder, plan) | _picture_options(rendition, plan)
        outputs.append(ffmpeg.output(*parts, str(folder / "index.m3u8"), **options))
    if sounds is not None:
        folder = target / AUDIO
        outputs.append(ffmpeg.output(sounds[count], str(folder / "index.m3u8"), **_segment_options(folder, plan)))
    return outputs


def _segment_options(folder: Path, plan: Plan) -> dict[str, Any]:
    options: dict[str, Any] = {
        "format": "hls",
        "hls_time": plan.segment_s,
        "hls_playlist_type": "vod",
        "hls_segment_filename": str(folder / "seg_%04d.ts"),
        # A file that runs on beyond what the probe measured is cut there.
        "t": plan.duration_s + 1,
        "map_metadata": -1,
        "map_chapters": -1,
    }
    if plan.has_audio:
        options |= {"c:a": "aac", "b:a": f"{AUDIO_KBPS}k", "ac": 2}
    return options


def _picture_options(rendition: Rendition, plan: Plan) -> dict[str, Any]:
    return {
        "c:v": "libx264",
        "preset": "veryfast",
        "crf": 23,
        "profile:v": "main",
        "maxrate": f"{rendition.video_kbps}k",
        "bufsize": f"{2 * rendition.video_kbps}k",
        # Segments can only begin at key frames, and all qualities must begin theirs together.
        "force_key_frames": f"expr:gte(t,n_forced*{plan.segment_s})",
        "sc_threshold": 0,
        "threads": 2,
    }


def _poster(source: Path, target: Path, plan: Plan) -> Any:
    width = min(POSTER_WIDTH_PX, max(rendition.width_px for rendition in plan.renditions))
    picture = _input(source).video.filter("thumbnail", 50).filter("scale", width, -2)
    return ffmpeg.output(picture, str(target / "poster.jpg"), **{"frames:v": 1, "q:v": 4, "update": 1})


def _command(spec: Any) -> list[str]:
    arguments: list[str] = ffmpeg.compile(spec, cmd=imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True)
    binary, *rest = arguments
    command = [binary, "-nostdin", "-hide_banner", "-loglevel", "error", "-progress", "pipe:1", "-nostats", *rest]
    if shutil.which("nice"):
        command = ["nice", "-n", str(NICE), *command]
    # When the worker is killed its ffmpeg must not work on for nobody.
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "KILL", *command]
    return command


def _run(spec: Any, target: Path, plan: Plan, on_progress: Callable[[float], None]) -> None:
    command = _command(spec)
    log = target / "ffmpeg.log"
    with log.open("wb") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
        timed_out = threading.Event()

        def stop() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(plan.timeout_s, stop)
        timer.start()
        try:
            for line in process.stdout or ():
                share = _share(line, plan.duration_s)
                if share is not None:
                    on_progress(share)
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
    text = log.read_text("utf8", "replace")
    log.unlink()
    if timed_out.is_set():
        raise subprocess.TimeoutExpired(command[0], plan.timeout_s)
    if process.returncode != 0:
        raise TranscodeError(process.returncode, text)


def _share(line: bytes, duration_s: float) -> float | None:
    """Return the share that a line of ffmpeg's progress tells, or None for other lines."""
    name, _, value = line.strip().partition(b"=")
    if name != b"out_time_us" or not value.isdigit():
        return None
    return min(1.0, int(value) / 1e6 / duration_s)
