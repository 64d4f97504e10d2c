"""Words without a picture: refined, suggested, and said of pictures that were not seen."""

import random
from urllib.parse import unquote, urlsplit

_LIGHT = ("soft volumetric light", "golden-hour light", "cool moonlight", "clear morning light")
_FRAME = ("wide shot", "close-up", "low-angle view", "view from above")
_SUBJECT = ("a quiet harbour", "a glass greenhouse", "a night market", "a mountain railway")


def refine(prompt: str, *, mode: str | None = None, seed: int = 0) -> str:
    """Return the prompt enriched; its own words are kept, in order."""
    chosen = random.Random(f"{seed}/{mode}/{prompt}")  # noqa: S311 - variety, not secrecy
    return f"{prompt.strip().rstrip('.')}, {chosen.choice(_FRAME)}, {chosen.choice(_LIGHT)}."


def suggest(number: int, *, mode: str | None = None, seed: int = 0) -> str:
    """Return the suggestion of this number: varied, and the same for the same seed."""
    chosen = random.Random(f"{seed}/{mode}/{number}")  # noqa: S311 - variety, not secrecy
    frame = chosen.choice(_FRAME)
    return f"A {frame} of {chosen.choice(_SUBJECT)} in {chosen.choice(_LIGHT)}."


def unseen(url: str, *, mode: str | None = None, seed: int = 0) -> str:
    """Return a sentence that says plainly that the picture at `url` was not seen."""
    del mode, seed
    parts = urlsplit(url)
    name = unquote(parts.path.rsplit("/", 1)[-1]) or "a picture"
    return f"A placeholder for {name} from {parts.hostname}, which was not seen."
