"""The face engines behind their one door: both fulfil the same contract on real pictures."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageFilter

from lms.core.faces.api import (
    ENGINES,
    Advice,
    Band,
    Embedding,
    FaceEngine,
    FaceRejected,
    ImageRefused,
    Outcome,
    Template,
    TemplateMismatch,
    assess,
    decide,
    decode_picture,
    enrol,
    load_engine,
    portrait,
    template_similarity,
    verify,
)

ROOT = Path(__file__).resolve().parents[2]
FACES = ROOT / "lms" / "accounts" / "demo_faces"
PEOPLE = sorted({path.name[:3] for path in FACES.glob("*_03.jpg")})
EAST_ASIAN = ["005", "024", "030", "034", "036", "045", "067", "087", "119", "127"]


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> FaceEngine:
    return load_engine(request.param)


def neutral(person: str) -> bytes:
    return (FACES / f"{person}_03.jpg").read_bytes()


def smile(person: str) -> bytes:
    return (FACES / f"{person}_08.jpg").read_bytes()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def jpeg(image: Image.Image, exif: Image.Exif | None = None) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=92, exif=exif or Image.Exif())
    return stream.getvalue()


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def variants(person: str) -> list[bytes]:
    """Three frames as a camera would give them: the same person, slightly different pixels."""
    image = opened(neutral(person))
    return [jpeg(image.rotate(angle, fillcolor="grey", resample=Image.Resampling.BICUBIC)) for angle in (0, 2, -2)]


def on_grey(*images: Image.Image) -> bytes:
    """The images side by side on a grey ground of 960 x 480 px."""
    ground = Image.new("RGB", (960, 480), (128, 128, 128))
    for place, image in enumerate(images):
        ground.paste(image, (480 * place, 0))
    return jpeg(ground)


BAD_FRAMES: dict[Advice, Callable[[Image.Image], bytes]] = {
    Advice.NO_FACE: lambda _image: on_grey(),
    Advice.SEVERAL_FACES: lambda image: on_grey(image, opened(neutral("024"))),
    Advice.COME_CLOSER: lambda image: on_grey(image.resize((140, 140), Image.Resampling.LANCZOS)),
    Advice.HOLD_STILL: lambda image: jpeg(image.filter(ImageFilter.GaussianBlur(5))),
}


@cache
def embedding(engine_name: str, file: str) -> Embedding:
    engine = load_engine(engine_name)
    picture = decode_picture((FACES / file).read_bytes())
    return engine.embed(picture, engine.detect(picture)[0])


def test_index_names_every_demo_face_once() -> None:
    with (FACES / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row["file"] for row in rows) == sorted(path.name for path in FACES.glob("*.jpg"))
    assert len(rows) == 48
    assert set(EAST_ASIAN) <= {row["id"] for row in rows}
    assert all((FACES / row["file"]).stat().st_size <= 30_000 for row in rows)


def test_same_person_matches_across_expressions(engine: FaceEngine) -> None:
    for person in PEOPLE:
        template = enrol(engine, [neutral(person)], frames_min=1)
        result = verify(engine, template, [smile(person)], purpose="learning")
        assert result.outcome is Outcome.MATCH, person
        assert result.liveness == "none"
        assert (result.engine_id, result.model_sha256) == (engine.id, engine.model_sha256)


def test_no_two_people_of_the_fixtures_reach_accept(engine: FaceEngine) -> None:
    accept = engine.thresholds.for_purpose("learning").accept
    names = sorted(path.name for path in FACES.glob("*.jpg"))
    pairs = [(a, b) for a, b in combinations(names, 2) if a[:3] != b[:3]]
    assert len(pairs) == 1104
    accepted = [
        (a, b) for a, b in pairs if engine.similarity(embedding(engine.id, a), embedding(engine.id, b)) >= accept
    ]
    assert accepted == []


def test_another_person_does_not_match(engine: FaceEngine) -> None:
    template = enrol(engine, [neutral("005")], frames_min=1)
    assert verify(engine, template, [smile("005")], purpose="exam").outcome is Outcome.MATCH
    assert verify(engine, template, [smile("001")], purpose="exam").outcome is Outcome.NO_MATCH


def test_three_frames_make_one_template(engine: FaceEngine) -> None:
    template = enrol(engine, variants("030"))
    assert len(template.vector) == 2 * engine.dimension
    assert verify(engine, template, [smile("030")] * 3, purpose="exam").outcome is Outcome.MATCH


def test_two_frames_are_too_few_by_default(engine: FaceEngine) -> None:
    with pytest.raises(FaceRejected) as refused:
        enrol(engine, variants("030")[:2])
    assert refused.value.advice == (Advice.TOO_FEW_FRAMES,)


def test_more_frames_than_a_challenge_sends_are_refused(engine: FaceEngine) -> None:
    with pytest.raises(FaceRejected) as refused:
        enrol(engine, [neutral("030")] * 41)
    assert refused.value.advice == (Advice.TOO_MANY_FRAMES,)


def test_enrolment_refuses_frames_of_two_people(engine: FaceEngine) -> None:
    with pytest.raises(FaceRejected) as refused:
        enrol(engine, [neutral("030"), smile("030"), neutral("001")])
    assert refused.value.advice == (Advice.FRAMES_DISAGREE,)


@pytest.mark.parametrize("advice", list(BAD_FRAMES))
def test_enrolment_refuses_a_bad_frame_with_advice(engine: FaceEngine, advice: Advice) -> None:
    good = variants("005")
    bad = BAD_FRAMES[advice](opened(neutral("005")))
    with pytest.raises(FaceRejected) as refused:
        enrol(engine, [*good[:2], bad])
    # The detector of dlib does not see the smallest faces at all, which is as good a reason to come closer.
    expected = {advice, Advice.NO_FACE} if advice is Advice.COME_CLOSER and engine.id == "dlib" else {advice}
    assert set(refused.value.advice) <= expected


@pytest.mark.parametrize("advice", [Advice.NO_FACE, Advice.SEVERAL_FACES])
def test_verification_of_no_or_many_faces_is_undetermined(engine: FaceEngine, advice: Advice) -> None:
    template = enrol(engine, [neutral("005")], frames_min=1)
    result = verify(engine, template, [BAD_FRAMES[advice](opened(smile("005")))], purpose="learning")
    assert result.outcome is Outcome.UNDETERMINED
    assert result.similarity is None
    assert result.advice == (advice,)


def test_a_second_person_in_one_frame_spoils_a_match() -> None:
    engine = load_engine("sface")
    template = enrol(engine, [neutral("005")], frames_min=1)
    frames = [smile("005"), smile("005"), on_grey(opened(smile("005")), opened(smile("024")))]
    assert verify(engine, template, frames[:2], purpose="learning").outcome is Outcome.MATCH
    assert verify(engine, template, frames, purpose="learning").outcome is Outcome.UNDETERMINED


def test_frames_of_different_people_are_undetermined(engine: FaceEngine) -> None:
    template = enrol(engine, [neutral("005")], frames_min=1)
    result = verify(engine, template, [smile("005"), neutral("005"), smile("001")], purpose="learning")
    assert result.outcome is Outcome.UNDETERMINED
    assert Advice.FRAMES_DISAGREE in result.advice


def test_an_empty_frame_among_good_ones_does_not_hurt(engine: FaceEngine) -> None:
    template = enrol(engine, [neutral("005")], frames_min=1)
    result = verify(engine, template, [smile("005"), on_grey()], purpose="learning")
    assert result.outcome is Outcome.MATCH
    assert result.advice == (Advice.NO_FACE,)


def test_a_turned_head_is_told_to_look_straight() -> None:
    # A picture squeezed to the left of the nose looks to the landmarks like a turned head.
    image = opened(neutral("005"))
    left, right = image.crop((0, 0, 240, 480)), image.crop((240, 0, 480, 480))
    turned = Image.new("RGB", (360, 480))
    turned.paste(left.resize((100, 480), Image.Resampling.LANCZOS), (0, 0))
    turned.paste(right, (100, 0))
    quality = assess(load_engine("sface"), jpeg(turned))
    assert not quality.ok
    assert Advice.LOOK_STRAIGHT in quality.advice


def test_a_tilted_head_is_told_to_sit_upright(engine: FaceEngine) -> None:
    image = opened(neutral("005"))
    assert assess(engine, jpeg(image)).ok
    quality = assess(engine, jpeg(image.rotate(-28, fillcolor="grey", resample=Image.Resampling.BICUBIC)))
    assert quality.advice == (Advice.HEAD_UPRIGHT,)


def test_a_dark_picture_asks_for_light() -> None:
    dark = opened(neutral("005")).point(lambda value: value // 9)
    assert assess(load_engine("sface"), jpeg(dark)).advice == (Advice.MORE_LIGHT,)


@pytest.mark.parametrize(
    ("similarity", "outcome"),
    [
        (0.45, Outcome.MATCH),
        (0.4499, Outcome.UNDETERMINED),
        (0.363, Outcome.UNDETERMINED),
        (0.3629, Outcome.NO_MATCH),
        (float("nan"), Outcome.UNDETERMINED),
    ],
)
def test_the_band_is_closed_below(similarity: float, outcome: Outcome) -> None:
    assert decide(similarity, Band(accept=0.45, reject=0.363)) is outcome


def test_an_unknown_purpose_is_refused(engine: FaceEngine) -> None:
    template = enrol(engine, [neutral("005")], frames_min=1)
    with pytest.raises(ValueError, match="holidays"):
        verify(engine, template, [smile("005")], purpose="holidays")


@pytest.mark.parametrize(
    "relabel",
    [
        lambda template: replace(template, engine_id="another"),
        lambda template: replace(template, engine_version="another"),
        lambda template: replace(template, model_sha256="another"),
    ],
)
def test_a_template_of_another_engine_is_refused(engine: FaceEngine, relabel: Callable[[Template], Template]) -> None:
    foreign = relabel(enrol(engine, [neutral("005")], frames_min=1))
    with pytest.raises(TemplateMismatch):
        verify(engine, foreign, [neutral("005")], purpose="learning")


@pytest.mark.parametrize("vector", [b"", b"\0" * 256, b"\xff" * 256, b"\0" * 254])
def test_a_damaged_template_is_refused(engine: FaceEngine, vector: bytes) -> None:
    template = replace(enrol(engine, [neutral("005")], frames_min=1), vector=vector)
    with pytest.raises(TemplateMismatch):
        verify(engine, template, [neutral("005")], purpose="learning")


def test_templates_of_one_person_are_alike_and_of_two_are_not(engine: FaceEngine) -> None:
    mine, again, other = (enrol(engine, [f], frames_min=1) for f in (neutral("067"), smile("067"), neutral("001")))
    band = engine.thresholds.for_purpose("enrolment")
    assert template_similarity(engine, mine, again) >= band.accept
    assert template_similarity(engine, mine, other) < band.accept


def test_neither_template_nor_similarity_is_printed(engine: FaceEngine) -> None:
    template = enrol(engine, [neutral("005")], frames_min=1)
    result = verify(engine, template, [smile("005")], purpose="learning")
    assert "vector" not in repr(template)
    assert "similarity" not in repr(result)
    assert result.similarity is not None


def many_pixels() -> bytes:
    """A PNG of 400 million white pixels in about 50 kB."""
    return png(Image.new("1", (20_000, 20_000), 1))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: b"", "image_not_jpeg_or_png"),
        (lambda: b"GIF89a" + b"\0" * 100, "image_not_jpeg_or_png"),
        (lambda: b"\xff\xd8\xff" + b"\0" * 100, "image_unreadable"),
        (lambda: neutral("005")[:9000], "image_unreadable"),
        (lambda: png(opened(neutral("005")))[:9000], "image_unreadable"),
        (lambda: neutral("005") + b"\0" * 2 * 1024 * 1024, "image_too_heavy"),
        (lambda: jpeg(Image.new("RGB", (4097, 8))), "image_too_large"),
        (many_pixels, "image_too_large"),
        (lambda: png(Image.new("I;16", (300, 300))), "image_unreadable"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bytes_that_are_no_fit_picture_are_a_typed_refusal(
    engine: FaceEngine, make: Callable[[], bytes], code: str
) -> None:
    with pytest.raises(ImageRefused) as refused:
        enrol(engine, [make()], frames_min=1)
    assert refused.value.advice == (code,)
    assert isinstance(refused.value, ValueError)


def test_the_limits_of_a_picture_are_still_allowed() -> None:
    assert decode_picture(jpeg(Image.new("RGB", (4096, 8)))).shape == (8, 4096, 3)


def test_the_dlib_library_leaves_truncated_pictures_refused() -> None:
    load_engine("dlib")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_the_orientation_of_a_phone_picture_is_honoured(engine: FaceEngine) -> None:
    lying = opened(smile("005")).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    template = enrol(engine, [neutral("005")], frames_min=1)
    result = verify(engine, template, [jpeg(lying, exif)], purpose="learning")
    assert result.outcome is Outcome.MATCH
    assert verify(engine, template, [jpeg(lying)], purpose="learning").outcome is not Outcome.MATCH


def test_a_large_picture_is_verified_like_a_small_one(engine: FaceEngine) -> None:
    template = enrol(engine, [neutral("005")], frames_min=1)
    large = jpeg(opened(smile("005")).resize((1900, 1900), Image.Resampling.BICUBIC))
    assert verify(engine, template, [large], purpose="learning").outcome is Outcome.MATCH


def test_threads_share_an_engine(engine: FaceEngine) -> None:
    expected = {person: enrol(engine, [neutral(person)], frames_min=1) for person in PEOPLE[:4]}
    found: dict[str, Template] = {}

    def work(person: str) -> None:
        found[person] = enrol(engine, [neutral(person)], frames_min=1)

    threads = [threading.Thread(target=work, args=(person,)) for person in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_every_limit_stands_beside_its_evidence() -> None:
    document = json.loads(files("lms.core.faces").joinpath("thresholds.json").read_text("utf-8"))
    for name in ENGINES:
        purposes = document["engines"][name]["purposes"]
        assert set(purposes) == {"learning", "exam", "enrolment"}
        for entry in purposes.values():
            assert entry["evidence"] in document["evidence"]
            assert {"all_but_east_asian", "east_asian"} <= entry["fmr"].keys() & entry["fnmr"].keys()
        assert purposes["exam"]["accept"] > purposes["learning"]["accept"]


@pytest.mark.parametrize("person", EAST_ASIAN[:3])
def test_the_portrait_shows_head_and_shoulders(person: str) -> None:
    engine = load_engine("sface")
    data = portrait(neutral(person))
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size) == ("JPEG", (295, 413))
    assert len(data) <= 30_000
    assert not image.getexif()
    (face,) = engine.detect(decode_picture(data))
    left, top, width, height = face.box
    assert 0.38 <= height / 413 <= 0.72
    assert abs(left + width / 2 - 295 / 2) < 0.1 * 295
    assert top > 0.08 * 413
    template = enrol(engine, [neutral(person)], frames_min=1)
    assert verify(engine, template, [data], purpose="exam").outcome is Outcome.MATCH


def test_a_portrait_of_noise_still_stays_small() -> None:
    grain = np.random.default_rng(1).integers(-70, 70, (480, 480, 3))
    noisy = np.clip(np.asarray(opened(neutral("030"))) + grain, 0, 255).astype(np.uint8)
    assert len(portrait(jpeg(Image.fromarray(noisy)))) <= 30_000


@pytest.mark.parametrize("advice", [Advice.NO_FACE, Advice.SEVERAL_FACES, Advice.COME_CLOSER])
def test_the_portrait_needs_one_near_face(advice: Advice) -> None:
    with pytest.raises(FaceRejected) as refused:
        portrait(BAD_FRAMES[advice](opened(neutral("005"))))
    assert refused.value.advice == (advice,)
