"""Judges whether one picture is fit for recognition, and says what to change. Pure: pixels and limits in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from PIL import Image

from lms.core.faces.model import Face, FaceQuality, Picture
from lms.core.faces.thresholds import QualityLimits

_SIDE_PX = 112
"""Sharpness is judged at the size that both recognisers look at (112 and 150 px), not at the camera's."""

_BYSTANDER_WIDTH_SHARE = 0.2
"""A second face narrower than a fifth of the first is a picture on the wall or a passer-by far behind."""


class Advice(StrEnum):
    """Codes of advice to the person before the camera; the screens hold the sentences."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    COME_CLOSER = "come_closer"
    HOLD_STILL = "hold_still"
    LOOK_STRAIGHT = "look_straight"
    HEAD_UPRIGHT = "head_upright"
    MORE_LIGHT = "more_light"
    LESS_LIGHT = "less_light"
    FRAMES_DISAGREE = "frames_disagree"
    TOO_FEW_FRAMES = "too_few_frames"
    TOO_MANY_FRAMES = "too_many_frames"


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a head looks, from the landmarks alone; units as in `thresholds.json`. `drop_ratio` may be unknown."""

    yaw_ratio: float
    roll_deg: float
    drop_ratio: float | None
    eye_distance_px: float


def foreground(faces: Sequence[Face]) -> tuple[Face, ...]:
    """The faces that count, largest first: a second one makes the picture ambiguous."""
    if not faces:
        return ()
    ordered = sorted(faces, key=lambda face: face.box[2], reverse=True)
    widest_px = ordered[0].box[2]
    return tuple(face for face in ordered if face.box[2] >= _BYSTANDER_WIDTH_SHARE * widest_px)


def pose_of(face: Face) -> Pose:
    """The pose, measured along the line of the eyes, so that a tilted head is not taken for a turned one."""
    points = np.array(face.landmarks, dtype=np.float64)
    eyes_px = points[1] - points[0]
    distance_px = max(float(np.hypot(*eyes_px)), 1e-6)
    along = eyes_px / distance_px
    down = np.array([-along[1], along[0]])
    middle = (points[0] + points[1]) / 2
    nose = points[2] - middle
    drop_ratio = None
    if len(points) >= 5:
        mouth_px = float(((points[3] + points[4]) / 2 - middle) @ down)
        drop_ratio = float(nose @ down) / mouth_px if mouth_px > 0 else math.inf
    return Pose(
        yaw_ratio=float(2 * (nose @ along) / distance_px),
        roll_deg=math.degrees(math.atan2(eyes_px[1], eyes_px[0])),
        drop_ratio=drop_ratio,
        eye_distance_px=distance_px,
    )


def sharpness_and_brightness(image: Picture, face: Face) -> tuple[float, float]:
    """The relative edge energy of the face (0 is flat, no unit) and its mean grey (0 to 255)."""
    left, top, width, height = face.box
    rows = slice(max(0, round(top)), max(0, round(top + height)))
    columns = slice(max(0, round(left)), max(0, round(left + width)))
    crop = image[rows, columns]
    if crop.size == 0:
        return 0.0, 0.0
    small = Image.fromarray(crop).convert("L").resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BILINEAR)
    grey = np.asarray(small, dtype=np.float64)
    centre = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * centre
    # Divided by the contrast: otherwise a sharp face in dim light would count as blurred.
    return float(laplacian.var() / max(float(grey.var()), 1.0)), float(grey.mean())


def judge(image: Picture, faces: Sequence[Face], limits: QualityLimits) -> FaceQuality:
    """Whether the picture shows exactly one face that is large, sharp, lit and turned to the camera enough."""
    counted = foreground(faces)
    if not counted:
        return FaceQuality(ok=False, advice=(Advice.NO_FACE,))
    if len(counted) > 1:
        return FaceQuality(ok=False, advice=(Advice.SEVERAL_FACES,))
    pose = pose_of(counted[0])
    sharpness, brightness = sharpness_and_brightness(image, counted[0])
    drop_bad = pose.drop_ratio is not None and not (limits.drop_ratio_min <= pose.drop_ratio <= limits.drop_ratio_max)
    findings = (
        (Advice.COME_CLOSER, pose.eye_distance_px < limits.eye_distance_min_px),
        (Advice.LOOK_STRAIGHT, abs(pose.yaw_ratio) > limits.yaw_ratio_max or drop_bad),
        (Advice.HEAD_UPRIGHT, abs(pose.roll_deg) > limits.roll_max_deg),
        (Advice.MORE_LIGHT, brightness < limits.brightness_min),
        (Advice.LESS_LIGHT, brightness > limits.brightness_max),
        (Advice.HOLD_STILL, sharpness < limits.sharpness_min),
    )
    advice = tuple(code for code, bad in findings if bad)
    return FaceQuality(ok=not advice, advice=advice)
