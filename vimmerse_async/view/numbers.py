"""Which rows ask a question: eight bytes for each row, in order."""

import bisect
import heapq
from array import array
from collections.abc import Iterable, Iterator

_PLACE_BITS = 24
_RUN = 1 << 16
"""Rows that are put in order at once."""


class Numbers:
    """Takes questions and their places, in memory that stays small."""

    def __init__(self) -> None:
        self._runs: list[array[int]] = [array("Q")]

    def add(self, asked: Iterable[tuple[bytes, int]]) -> None:
        """Add rows with what they ask."""
        for question, place in asked:
            if len(self._runs[-1]) == _RUN:
                self._runs[-1] = array("Q", sorted(self._runs[-1]))
                self._runs.append(array("Q"))
            self._runs[-1].append(_number(question) | place)

    def sorted(self) -> "array[int]":
        """Return all of them in order."""
        self._runs[-1] = array("Q", sorted(self._runs[-1]))
        return array("Q", heapq.merge(*self._runs))


def places_of(numbers: "array[int]", question: bytes) -> Iterator[int]:
    """Yield the rows that ask a question."""
    wanted = _number(question)
    at = bisect.bisect_left(numbers, wanted)
    while at < len(numbers) and numbers[at] >> _PLACE_BITS == wanted >> _PLACE_BITS:
        yield numbers[at] & ((1 << _PLACE_BITS) - 1)
        at += 1


def _number(question: bytes) -> int:
    return int.from_bytes(question[:5], "big") << _PLACE_BITS
