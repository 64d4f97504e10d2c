"""The little grammar that the emulator's sentences need."""

import re
from collections.abc import Sequence

_SPOKEN_WITH_VOWEL = re.compile(r"(?i)[aeio]|u(?!ni)|8|1[18]\b")


def with_article(phrase: str) -> str:
    """Put `a` or `an` before a phrase, as it is spoken.

    Example:
        >>> with_article("orange frame")
        'an orange frame'
    """
    return f"{'an' if _SPOKEN_WITH_VOWEL.match(phrase) else 'a'} {phrase}"


def listed(items: Sequence[str]) -> str:
    """Join items as in speech.

    Example:
        >>> listed(["red", "green", "blue"])
        'red, green and blue'
    """
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def as_sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return f"{text[:1].upper()}{text[1:]}."
