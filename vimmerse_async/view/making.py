"""How an index is made of catalog and journal, and follows what a run adds."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vimmerse_async.catalog.checks import BETWEEN
from vimmerse_async.catalog.reasons import shape_of
from vimmerse_async.catalog.recipe import Recipe
from vimmerse_async.catalog.weave import grouped
from vimmerse_async.journal.marks import Judged
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.view.held import Held
from vimmerse_async.view.index import (
    ANSWERED,
    BLOCK,
    CHUNK,
    EDITED,
    FLAGGED,
    REJECTED,
    UNASKED,
    UNFINISHED,
    Chunk,
    Index,
    flags_of,
)
from vimmerse_async.view.numbers import Numbers, places_of
from vimmerse_async.view.shelf import Known, Shelf

if TYPE_CHECKING:
    from array import array

_FIRST, _STEP = 256, 4_096
"""Rows of the first commit, which somebody waits for, and of each other."""
_AT_ONCE = 500
_TRIED = 256
"""Of so many blocks one is read again where it is said to stand."""
_FAILED = frozenset({REJECTED, UNFINISHED})


class Making:
    """Makes an index and keeps it.

    Args:
        journal: An open journal.
        recipe: How its catalog is read; None: it has none, and its questions are the rows.
        index: The file.
        label: The column of titles; None: files and pictures have their names.
    """

    def __init__(
        self, journal: JournalReader, recipe: Recipe | None, index: Index, label: str | None
    ) -> None:
        self._journal = journal
        self._recipe = recipe
        self._index = index
        self._label = label
        self._shelf = Shelf(journal, recipe, index, label)
        self._numbers: array[int] | None = None
        self._chunks: dict[int, Chunk] = {}
        facts = index.facts()
        self._changed: int = facts.get("changed", 0)
        self._last: int = facts.get("last", 0)
        self._marked: float = facts.get("marked", 0.0)
        self._checked: float = facts.get("checked", 0.0)

    def close(self) -> None:
        """Close the catalog."""
        self._shelf.close()

    def is_current(self) -> bool:
        """Return whether the index is of this catalog and these questions."""
        facts = self._index.facts()
        return bool(facts.get("whole")) and facts.get("of") == self._of()

    def make(self, *, only_begin: bool = False) -> None:
        """Make the index from the first row to the last.

        Args:
            only_begin: True: of the first rows, which somebody waits for.
        """
        self._index.begin({"of": self._of(), "whole": False, "rows": 0})
        self._last, self._marked, self._checked = self._now()
        self._changed, self._chunks = 0, {}
        numbers = Numbers()
        begin = self._shelf.first
        place, step, rows = 0, _FIRST, self._shelf.all()
        while group := list(islice(rows, step)):
            with self._index.change():
                for block in grouped(group, BLOCK):
                    begin = self._add(place, block, begin)
                    asked = enumerate((question for _, question, _ in block), place)
                    numbers.add((each, at) for at, each in asked if each is not None)
                    place += len(block)
                self._save({"rows": place})
            step = _STEP if place >= _STEP else 2 * step
            if only_begin:
                return
        self._numbers = numbers.sorted()
        with self._index.change():
            self._save({"whole": True})
        self._index.tidy()

    def follow(self) -> None:
        """Take in what was answered, marked and checked since."""
        last, marked, checked = self._now()
        self._marked = max(self._marked, self._index.facts().get("marked", 0.0))
        questions = self._new()
        if marked > self._marked:
            sql = "SELECT question FROM marks WHERE marked_at > ?"
            questions += [line[0] for line in self._journal.query(sql, [self._marked])]
        if checked > self._checked:
            questions += [line[0] for line in self._journal.query("SELECT question FROM checks")]
        unchecked = checked > self._checked
        self._last, self._marked, self._checked = last, marked, checked
        if unchecked or questions:
            self._take_in(dict.fromkeys(questions), unchecked=unchecked)

    def _of(self) -> list[Any]:
        recipe, state = self._recipe, None
        if recipe is None:
            return [None, self._label]
        with contextlib.suppress(OSError):
            found = Path(recipe.source).stat()
            state = [found.st_size, found.st_mtime_ns]
        return [recipe.source, recipe.asked, state, self._label]

    def _now(self) -> tuple[int, float, float]:
        sql = (
            "SELECT (SELECT coalesce(max(rowid), 0) FROM results), "
            "(SELECT coalesce(max(marked_at), 0) FROM marks), "
            "(SELECT coalesce(max(value), 0) FROM meta WHERE name = 'checked_at')"
        )
        if not self._journal.is_marked:
            return self._journal.query("SELECT coalesce(max(rowid), 0) FROM results")[0][0], 0, 0
        last, marked, checked = self._journal.query(sql)[0]
        return last, float(marked), float(checked)

    def _new(self) -> list[bytes]:
        """Return the questions that were asked since, and those that had failed and may not now."""
        sql = "SELECT question FROM results WHERE rowid > ?"
        found = [question for (question,) in self._journal.query(sql, [self._last])]
        if self._failing() != self._index.facts().get("failing"):
            found += self._index.open_questions()
        return found

    def _failing(self) -> list[Any]:
        """Return what changes whenever a question that failed is answered, or fails otherwise."""
        sql = (
            "SELECT count(*), coalesce(sum(rowid), 0) FROM results WHERE state <> 'answered' "
            "AND rowid <= ?"
        )
        return list(self._journal.query(sql, [self._last])[0])

    def _add(self, place: int, rows: Sequence[Known], begin: int | None) -> int | None:
        """Add a block of rows that stand from a byte on, and return where they end."""
        asked = [question for _, question, _ in rows if question is not None]
        judged = self._journal.judged(asked)
        times = self._journal.times([each.asked for each in judged.values()])
        begin = self._keep(place // BLOCK, rows, begin)
        for at, (held, question, _) in enumerate(rows, place):
            found = judged.get(question or b"")
            ended = 0.0 if found is None else times.get(found.asked, 0.0)
            self._index.add_text(at, _text(held, found))
            self._put(at, UNASKED, question, found, held, ended)
        return begin

    def _keep(self, block: int, rows: Sequence[Known], begin: int | None) -> int | None:
        """Keep where rows stand, if they are found there again, else what they hold."""
        helds = [held for held, _, _ in rows]
        if begin is not None:
            end = begin + sum(size for _, _, size in rows)
            if block % _TRIED or self._shelf.read(begin, end, helds[0].line) == helds:
                self._index.add_span(block, begin, end, helds[0].line)
                return end
        self._index.add_block(block, helds)
        return None

    def _put(
        self,
        place: int,
        before: int,
        question: bytes | None,
        judged: Judged | None,
        held: Held,
        at: float,
    ) -> None:
        """Note what stands for a row."""
        finding = None if judged is None else judged.finding
        flags = flags_of(judged, refused=held.error is not None)
        prompt = None if finding is None else finding[1]
        self._chunk(place).put(place % CHUNK, flags, len(prompt or ""), at)
        state = flags & UNASKED
        if (before | flags) & FLAGGED:
            found = None if judged is None else judged.found
            self._index.flaw(place, found.split(BETWEEN) if found else ())
        if (before | flags) & EDITED:
            self._index.edit(place, None if judged is None else judged.edited)
        if state in _FAILED:
            error_class, text = "InvalidRequestError", held.error or ""
            if finding is not None:
                error_class, text = finding[2] or "", finding[3] or ""
            reason = self._index.reason(error_class, shape_of(text), held.host, text)
            self._index.fail(place, reason, question)
        elif before & UNASKED in _FAILED:
            self._index.fail(place, None, None)

    def _take_in(self, questions: Iterable[bytes], *, unchecked: bool) -> None:
        numbers = self._known_numbers()
        again = self._journal.asked_instead()
        with self._index.change():
            self._changed, self._chunks = self._index.facts().get("changed", 0), {}
            if unchecked:
                self._uncheck()
            for group in grouped(questions, _AT_ONCE):
                base = [again.get(question, question) for question in group]
                judged = self._journal.judged(base)
                times = self._journal.times([each.asked for each in judged.values()])
                for question, found in judged.items():
                    for place in places_of(numbers, question):
                        at = times.get(found.asked, 0.0)
                        self._put_changed(place, question, found, at)
            self._save({})

    def _put_changed(self, place: int, question: bytes, judged: Judged, at: float) -> None:
        chunk, offset = self._chunk(place), place % CHUNK
        before, was = chunk.flags[offset], chunk.times[offset]
        held = self._shelf.rows([place])[place]
        if was != int(at) or before & UNASKED != flags_of(judged, refused=False) & UNASKED:
            old = None
            if before & UNASKED == ANSWERED:
                every = [question, *(each.asked for each in judged.versions)]
                rows = self._journal.exactly(every).values()
                old = next((row for row in rows if int(row.finished_at or 0) == was), None)
            said = "" if old is None else old.prompt or ""
            self._index.change_text(place, f"{held.text} {said}", _text(held, judged))
        self._put(place, before, question, judged, held, at)

    def _uncheck(self) -> None:
        self._index.uncheck()
        for number in range(1 + self._index.facts()["rows"] // CHUNK):
            self._chunk(number * CHUNK).uncheck()

    def _known_numbers(self) -> "array[int]":
        if self._numbers is None:
            asked = enumerate(question for _, question, _ in self._shelf.all())
            numbers = Numbers()
            numbers.add((each, at) for at, each in asked if each is not None)
            self._numbers = numbers.sorted()
        return self._numbers

    def _chunk(self, place: int) -> Chunk:
        number = place // CHUNK
        if number not in self._chunks:
            self._chunks[number] = self._index.chunk(number)
        return self._chunks[number]

    def _save(self, facts: Mapping[str, Any]) -> None:
        self._changed += 1
        for number, chunk in self._chunks.items():
            if chunk.dirty:
                self._index.put_chunk(number, chunk, self._changed)
                chunk.dirty = False
        own = {"changed": self._changed, "failing": self._failing(), "last": self._last}
        self._index.note({**own, "marked": self._marked, "checked": self._checked, **facts})


def _text(held: Held, judged: Judged | None) -> str:
    finding = None if judged is None else judged.finding
    return f"{held.text} {finding[1] or ''}" if finding is not None else f"{held.text} "
