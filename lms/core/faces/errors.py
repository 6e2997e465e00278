"""What the face engine refuses, as types. The codes are keys of translated advice, never sentences."""

from __future__ import annotations


class FaceRejected(ValueError):
    """The pictures cannot be used; `advice` tells the person what to change (codes of `quality.Advice`)."""

    def __init__(self, advice: tuple[str, ...]) -> None:
        super().__init__(", ".join(advice))
        self.advice = advice


class ImageRefused(FaceRejected):
    """The bytes are not a picture that we are willing to decode; `advice` holds exactly one code."""

    def __init__(self, code: str) -> None:
        super().__init__((code,))


class TemplateMismatch(ValueError):
    """The template was made by another engine, version or model file: embeddings are not comparable.

    The person is asked to enrol again; nothing is compared.
    """


class EngineUnavailable(RuntimeError):
    """The engine cannot start: unknown name, missing package or missing model file."""


class ModelMismatch(EngineUnavailable):
    """A model file is not the one whose error rates we know (its sha256 differs)."""
