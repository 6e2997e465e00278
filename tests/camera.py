"""A camera for browser tests: a short Motion-JPEG film of one photograph for Chromium's fake video device."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
from PIL import Image

WIDTH_PX, HEIGHT_PX = 640, 480
_MARGIN_PX = 8
"""The picture is made this much larger on every side, so that the moving window never leaves it."""


def fake_camera_mjpeg(image: Path, out: Path, *, seconds: int = 3, fps: int = 10) -> Path:
    """Write `out` (640 x 480, full-range 4:2:0) and return it as an absolute path, as Chromium wants it.

    The window drifts by a few pixels and grain changes, so no two frames are equal: a check for a frozen picture
    sees a living camera. Chromium repeats the film. Pass the path to it as
    `--use-fake-device-for-media-stream --use-file-for-fake-video-capture=<path>`; the name must end in `.mjpeg`.
    Raises OSError when `image` cannot be read, subprocess.CalledProcessError with ffmpeg's words for the rest.
    """
    if out.suffix != ".mjpeg":
        raise ValueError(f"Chromium tells the format by the ending; {out.name} must end in .mjpeg")
    # Asked to repeat a picture that it cannot read, ffmpeg tries for ever; so it is read here first.
    with Image.open(image) as picture:
        picture.load()
    wide, high = WIDTH_PX + 2 * _MARGIN_PX, HEIGHT_PX + 2 * _MARGIN_PX
    filters = ",".join(
        (
            f"scale={wide}:{high}:force_original_aspect_ratio=decrease",
            f"pad={wide}:{high}:(ow-iw)/2:(oh-ih)/2:gray",
            f"crop={WIDTH_PX}:{HEIGHT_PX}:x='{_MARGIN_PX}+6*sin(n*0.9)':y='{_MARGIN_PX}+4*cos(n*1.3)'",
            "noise=alls=4:allf=t",
            "format=yuvj420p",
        )
    )
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"]
    command += ["-loop", "1", "-framerate", str(fps), "-t", str(seconds), "-i", str(image)]
    command += ["-vf", filters, "-c:v", "mjpeg", "-q:v", "3", "-threads", "1", "-f", "mjpeg", str(out)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return out.resolve()
