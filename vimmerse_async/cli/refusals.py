"""Why rows cannot be asked: told by reason, with one example of each and what it would need."""

import re
from collections.abc import Iterator

import attrs

from vimmerse_async.catalog.reasons import shape_of

MOST = 20
"""Reasons that are told apart."""
OTHER = "for other reasons"
_NEEDS: tuple[tuple[str, str], ...] = (
    (r"not a URL that can be read|has no host|host name that|port that", "an address that exists"),
    (r"column .* is empty|prompt is empty", "something in that column"),
    (r"holds .*, not a text", "a text in that column"),
    (r"which is no key|known by it", "a text or a whole number in that column"),
    (r"stands for two", "a key of its own"),
    (r"not JSON|is JSON, but", "a JSON object on its line"),
    (r"cannot be (?:read|opened)", "to be readable"),
    (r"\Ais empty|is not (?:JPEG|MP4)", "a picture or video of the kinds that the API takes"),
    (r"bytes; at most|longer than|characters; at most", "to be shorter"),
)
"""By what a reason says: what the row needs, where it does not say that, too."""


@attrs.define
class Reason:
    """Why some rows cannot be asked.

    Attributes:
        count: How many.
        place: Where the first is.
        example: What is said of the first.
    """

    count: int
    place: str
    example: str

    @property
    def need(self) -> str | None:
        """What the rows would need; None where the example says it."""
        return next((need for words, need in _NEEDS if re.search(words, self.example)), None)


class Refusals:
    """Counts rows that cannot be asked by their reasons, of which it keeps few."""

    def __init__(self) -> None:
        self._reasons: dict[str, Reason] = {}

    def __len__(self) -> int:
        return sum(reason.count for reason in self._reasons.values())

    def __iter__(self) -> Iterator[Reason]:
        return iter(sorted(self._reasons.values(), key=lambda reason: -reason.count))

    def add(self, place: str, told: str) -> None:
        """Count a row.

        Args:
            place: Where it is: its line or its file.
            told: Why it cannot be asked.
        """
        told = " ".join(told.split())
        shape = shape_of(told)
        if shape not in self._reasons and len(self._reasons) >= MOST:
            shape = told = OTHER
        known = self._reasons.get(shape)
        if known is None:
            self._reasons[shape] = Reason(1, place, told)
        else:
            known.count += 1
