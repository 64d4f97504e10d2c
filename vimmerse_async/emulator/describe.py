"""A picture becomes one true sentence: it is measured, never recognized."""

import random
from typing import BinaryIO

from vimmerse_async.emulator.vision import clauses, placing
from vimmerse_async.emulator.vision.decode import UnreadablePictureError, decode
from vimmerse_async.emulator.vision.english import as_sentence, listed, with_article
from vimmerse_async.emulator.vision.measure import measure
from vimmerse_async.emulator.vision.picture import Picture

__all__ = ["Picture", "UnreadablePictureError", "look", "measure", "sentence"]

_FRAMINGS = {
    "image": (("", "still image"), ("", "image")),
    "scene": (("", "scene"),),
    "video": (("a video shot framed as ", "picture"), ("a video shot built on ", "frame")),
    "audio": (("a soundscape for ", "picture"), ("music to accompany ", "image")),
}
_PLAIN_FRAMINGS = (("", "picture"), ("", "image"))
_PAIRINGS = ("paired with", "set beside", "together with")


def look(source: bytes | BinaryIO) -> Picture:
    """Measure a JPEG, PNG or WebP picture (the first frame when it is animated).

    Args:
        source: All its bytes, or a file that holds them.

    Raises:
        UnreadablePictureError: Not a whole JPEG, PNG or WebP, or too large to decode safely.
    """
    return measure(*decode(source))


def sentence(
    picture: Picture, *, second: Picture | None = None, mode: str | None = None, seed: int = 0
) -> str:
    """Say in one sentence what is true of the picture, framed for the mode.

    Args:
        picture: What `look` measured.
        second: Another picture, woven in.
        mode: `scene`, `video`, `image` or `audio`; None says it of a picture.
        seed: Chooses among wordings of the same facts.
    """
    chosen = random.Random(f"{seed}/{picture.fingerprint}")  # noqa: S311 - variety, not secrecy
    before, noun = chosen.choice(_FRAMINGS.get(mode or "", _PLAIN_FRAMINGS))
    parts = [before + _subject(picture, noun, chosen), *_body(picture, chosen)]
    if second is not None:
        parts.append(f"{chosen.choice(_PAIRINGS)} {_subject(second, 'second picture', chosen)}")
        parts += _body(second, chosen)
    return as_sentence(", ".join(parts))


def _subject(picture: Picture, noun: str, chosen: random.Random) -> str:
    traits = ["fully transparent"] if picture.clear else clauses.adjectives(picture, chosen.choice)
    shape = clauses.shape(picture, chosen.choice)
    return with_article(f"{', '.join([*traits, shape])} {noun}")


def _body(picture: Picture, chosen: random.Random) -> list[str]:
    if picture.clear:
        return []
    if picture.plain:
        return [placing.colours(picture)]
    finish = clauses.finish(picture, chosen.choice)
    chosen.shuffle(finish)
    return [
        placing.colours(picture),
        *_after("with", placing.places(picture)),
        *_after("in", clauses.rendering(picture, chosen.choice)),
        *finish,
    ]


def _after(preposition: str, items: list[str]) -> list[str]:
    return [f"{preposition} {listed(items)}"] if items else []
