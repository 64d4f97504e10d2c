"""Words without a picture: refined, suggested, and said of what was not seen."""

import random
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import unquote, urlsplit

from vimmerse_async.emulator.author.phrases import ENRICHMENTS, SUGGESTIONS

_PLAIN_MODE = "scene"
_ADDITIONS = 3
_LONGEST_NAME = 80
_NOWHERE = "an unknown host"
_FILMS = (".mp4", ".mov", ".avi", ".webm")
_UNSEEN = (
    "The {what} at {host} was not seen, so this placeholder stands in for its {purpose}.",
    "A placeholder: the {what} at {host} was not seen, so nothing of it is in this {purpose}.",
    "This {purpose} is only a placeholder, for the {what} at {host} was not seen.",
)


def refine(prompt: str, *, mode: str | None = None, seed: int = 0) -> str:
    """Return the prompt enriched; its own words are kept, in order.

    Args:
        prompt: What to enrich; white space around it is dropped.
        mode: `scene`, `video`, `image` or `audio` chooses what is added; None adds as for `scene`.
        seed: Chooses among the additions.

    Example:
        >>> refine("A red kite over dunes.").startswith("A red kite over dunes, ")
        True
    """
    text = prompt.strip()
    chosen = _chance(seed, mode, text)
    aspects = ENRICHMENTS.get(mode or "", ENRICHMENTS[_PLAIN_MODE])
    added = ", ".join(_fresh(aspect, text, chosen) for aspect in chosen.sample(aspects, _ADDITIONS))
    if text.endswith(("!", "?", "…")):
        return f"{text} {added[:1].upper()}{added[1:]}."
    kept = text.rstrip(".,;: ")
    return f"{kept}, {added}." if kept else f"{added[:1].upper()}{added[1:]}."


def suggest(number: int, *, mode: str | None = None, seed: int = 0) -> str:
    """Return the suggestion of this number: no two alike among many thousands in a row.

    Args:
        number: Counts the suggestions; the same number gives the same text.
        mode: `scene`, `video`, `image` or `audio`; None suggests as for `scene`.
        seed: Shuffles all suggestions.
    """
    pattern, parts = _shuffled(mode if mode in SUGGESTIONS else _PLAIN_MODE, seed)
    return pattern.format(*(part[number % len(part)] for part in parts))


def unseen(url: str, *, mode: str | None = None, seed: int = 0) -> str:
    """Return a sentence that says plainly that what is at `url` was not seen.

    Of the URL only the host and the file's name are repeated, never its query.
    """
    host, name = _address(url)
    kind = "video" if name.casefold().endswith(_FILMS) else "picture"
    return (
        _chance(seed, mode, host, name)
        .choice(_UNSEEN)
        .format(
            what=f"{kind} {name}".rstrip(),
            host=host,
            purpose=f"{mode} prompt" if mode else "prompt",
        )
    )


@lru_cache(maxsize=64)
def _shuffled(mode: str, seed: int) -> tuple[str, list[list[str]]]:
    pattern, parts = SUGGESTIONS[mode]
    chosen = _chance(seed)
    return pattern, [chosen.sample(part, len(part)) for part in parts]


def _chance(*causes: object) -> random.Random:
    """The same causes, the same choices: in every process, on every machine."""
    return random.Random(blake2b(repr(causes).encode()).digest())  # noqa: S311 - variety only


def _fresh(aspect: tuple[str, ...], text: str, chosen: random.Random) -> str:
    said = text.casefold()
    return chosen.choice([words for words in aspect if words not in said] or aspect)


def _address(url: str) -> tuple[str, str]:
    """The host, and the file's name as far as it can be shown."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or _NOWHERE
    except ValueError:
        return _NOWHERE, ""
    name = unquote(parts.path.rsplit("/", 1)[-1]).partition("?")[0]
    shown = "".join(letter for letter in name if letter.isprintable())
    return host, shown[:_LONGEST_NAME].strip()
