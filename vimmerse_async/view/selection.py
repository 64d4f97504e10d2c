"""Which rows are shown, and in which order: the state of all of them, in few megabytes."""

import re
import unicodedata
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Any, Literal

import attrs

from vimmerse_async.catalog.checks import FLAWS
from vimmerse_async.view.index import (
    BAD,
    EDITED,
    FLAGGED,
    GOOD,
    NOTED,
    STATES,
    UNASKED,
    Index,
)

_WORD = re.compile(r"[^\W_]+")
NOWHERE = "\x1f"
"""What a search looks for that has no word in it: it finds nothing."""
LONGEST_SEARCH = 500
"""Characters."""
_KEPT = 2
"""Selections that are remembered."""
STATE_NAMES = ("answered", "failed", "unasked")
SAID: Mapping[str, Callable[[int], bool]] = {
    "good": lambda flags: bool(flags & GOOD),
    "bad": lambda flags: bool(flags & BAD),
    "unmarked": lambda flags: not flags & (GOOD | BAD),
    "edited": lambda flags: bool(flags & EDITED),
    "noted": lambda flags: bool(flags & NOTED),
    "flagged": lambda flags: bool(flags & FLAGGED),
}
"""What may be said of an answer."""
Order = Literal["catalog", "reversed", "newest", "longest", "shortest"]
_ORDERS: Mapping[str, Order] = {
    "catalog": "catalog",
    "reversed": "reversed",
    "newest": "newest",
    "longest": "longest",
    "shortest": "shortest",
}
_GIVEN: Mapping[str, Callable[[str], bool]] = {
    "q": lambda text: len(text) <= LONGEST_SEARCH,
    "state": lambda text: not text or text in STATE_NAMES,
    "said": lambda text: not text or text in SAID,
    "check": lambda text: not text or text in FLAWS,
    "order": lambda text: not text or text in _ORDERS,
    "reason": lambda text: not text or (text.isdecimal() and len(text) < 10),
}
"""What may stand in a filter."""


@attrs.frozen
class Filter:
    """Which rows.

    Attributes:
        words: What is searched.
        state: "answered", "failed", "unasked", or empty for any.
        said: One of `SAID`, or empty for anything.
        reason: Why it failed, by its number; None: for any reason or none.
        check: What looks wrong about its answer; "": anything or nothing.
        order: How they are sorted.
    """

    words: tuple[str, ...] = ()
    state: str = ""
    said: str = ""
    reason: int | None = None
    check: str = ""
    order: Order = "catalog"

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> "Filter":
        """Return the filter of an address: one that is not understood would mean all rows.

        Raises:
            ValueError: There is no such filter; the message names what is wrong with it.
        """
        for name, value in query.items():
            if name not in _GIVEN or not isinstance(value, str) or not _GIVEN[name](value):
                raise ValueError(f"{name!a:.80} cannot be {value!a:.200}")
        words = plain(query.get("q", ""))
        reason = query.get("reason", "")
        return cls(
            tuple(dict.fromkeys(_WORD.findall(words))) or ((NOWHERE,) if words.strip() else ()),
            query.get("state", ""),
            query.get("said", ""),
            int(reason) if reason else None,
            query.get("check", ""),
            _ORDERS[query.get("order") or "catalog"],
        )

    def table(self) -> bytes | None:
        """Return for each byte of flags whether such rows are meant; None: all are."""
        if not (self.state or self.said):
            return None
        return bytes(self._means(flags) for flags in range(256))

    def _means(self, flags: int) -> bool:
        state = STATES[flags & UNASKED]
        is_failed = state in {"rejected", "unfinished"}
        if self.state and self.state != ("failed" if is_failed else state):
            return False
        return not self.said or SAID[self.said](flags)


class Selection:
    """The state of all rows, and what is selected of them.

    Args:
        index: Where it is kept.

    Attributes:
        flags: A byte for each row.
        changed: A number that grows with each change.
        whole: Whether each row of the catalog is known.
    """

    def __init__(self, index: Index) -> None:
        self.flags: bytearray = bytearray()
        self.changed: int = 0
        self.whole: bool = False
        self._index = index
        self._lengths: array[int] = array("H")
        self._times: array[int] = array("I")
        self._kept: dict[Filter, Sequence[int]] = {}
        self._of: Any = None

    def refresh(self) -> None:
        """Take in what changed since."""
        facts = self._index.facts()
        if facts.get("of") != self._of or facts.get("changed", 0) < self.changed:
            self.flags, self._lengths, self._times = bytearray(), array("H"), array("I")
            self.changed, self._of = 0, facts.get("of")
            self._kept.clear()
        self.whole = bool(facts.get("whole"))
        now = facts.get("changed", 0)
        if now == self.changed:
            return
        for number, chunk in self._index.chunks(self.changed):
            begin = self._index.begin_of(number)
            end = begin + len(chunk.flags)
            self.flags[begin:end] = chunk.flags
            self._lengths[begin:end] = chunk.lengths
            self._times[begin:end] = chunk.times
        self.changed = now
        self._kept.clear()

    def put(self, flags: Mapping[int, int]) -> None:
        """Note what is said of rows."""
        for place, each in flags.items():
            self.flags[place] = each
        self._kept.clear()

    def counts(self) -> dict[str, int]:
        """Return how many rows there are in each state, and of which what is said."""
        states = {name: self._count(Filter(state=name)) for name in STATE_NAMES}
        said = {name: self._count(Filter(said=name)) for name in SAID}
        return {"rows": len(self.flags), **states, **said}

    def places(self, wanted: Filter) -> Sequence[int]:
        """Return the rows that are meant, in order."""
        if wanted not in self._kept:
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[wanted] = self._ordered(self._meant(wanted), wanted.order)
        return self._kept[wanted]

    def _count(self, wanted: Filter) -> int:
        table = wanted.table()
        return len(self.flags) if table is None else self.flags.translate(table).count(1)

    def _meant(self, wanted: Filter) -> Sequence[int]:
        table = wanted.table()
        some = self._some(wanted)
        count = len(self.flags)
        if some is None:
            return range(count) if table is None else self._all(self.flags.translate(table))
        if table is not None:
            flags = self.flags
            return array("I", [at for at in some if at < count and table[flags[at]]])
        return array("I", [at for at in some if at < count])

    def _all(self, chosen: bytes | bytearray) -> Sequence[int]:
        return array("I", compress(range(len(chosen)), chosen))

    def _some(self, wanted: Filter) -> Sequence[int] | None:
        """Return the rows that words, reason and check mean; None: all."""
        found: Sequence[int] | None = None
        if wanted.words and self.changed:
            found = self._index.matching(wanted.words)
            edited = [
                place
                for place, text in self._index.edits()
                if all(word in plain(text) for word in wanted.words)
            ]
            if edited:
                found = sorted({*found, *edited})
        for some in self._noted(wanted) if self.changed else ():
            found = some if found is None else sorted({*found} & {*some})
        return found

    def _noted(self, wanted: Filter) -> Iterator[Sequence[int]]:
        """Yield the rows that failed for a reason, and those about which one thing looks wrong."""
        if wanted.reason is not None:
            yield self._index.failed_for(wanted.reason)
        if wanted.check:
            yield self._index.flawed_by(wanted.check)

    def _ordered(self, places: Sequence[int], order: Order) -> Sequence[int]:
        if order == "reversed":
            return places[::-1]
        if order == "catalog":
            return places
        if order == "newest":
            return in_order(array("I", places), self._times, 4)[::-1]
        lengths = self._lengths
        said = in_order(array("I", (each for each in places if lengths[each])), lengths, 2)
        return said if order == "shortest" else said[::-1]


def in_order(places: "array[int]", keys: "array[int]", width: int) -> "array[int]":
    """Return places by their keys, equal ones as they were: a byte of the keys at a time.

    A list of a million numbers takes forty times the memory.

    Args:
        places: Places in `keys`.
        keys: Numbers.
        width: Their bytes.
    """
    for shift in range(0, 8 * width, 8):
        digits = bytes(keys[place] >> shift & 0xFF for place in places)
        values = sorted(set(digits))
        if len(values) < 2:
            continue
        now = array("I")
        for value in values:
            at = digits.find(value)
            while at >= 0:
                now.append(places[at])
                at = digits.find(value, at + 1)
        places = now
    return places


def plain(text: str) -> str:
    """Return a text without case and accents.

    Example:
        >>> plain("Über")
        'uber'
    """
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in parts if not unicodedata.combining(each))
