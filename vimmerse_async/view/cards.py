"""What a page shows of rows, and what is said of them there."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from vimmerse_async.journal.kept import JournalRow
from vimmerse_async.journal.marks import Judged, Marks
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.view.held import Held
from vimmerse_async.view.index import Index, flags_of
from vimmerse_async.view.selection import Selection
from vimmerse_async.view.shelf import Shelf

_ASKED = ("image_url", "video_url", "image2_url")


@attrs.frozen
class Cards:
    """Shows rows.

    Attributes:
        journal: An open journal.
        marks: Writes into it.
        index: What is known of rows by their place.
        shelf: What they hold.
        selection: The state of all.
    """

    journal: JournalReader
    marks: Marks
    index: Index
    shelf: Shelf
    selection: Selection

    def cards(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """Return what is shown of few rows."""
        helds = self.shelf.rows(places)
        asked = {place: self.shelf.known(held) for place, held in helds.items()}
        judged = self.journal.judged(each for each in asked.values() if each is not None)
        results = self.journal.exactly([each.asked for each in judged.values()])
        return [
            self._card(place, helds[place], judged.get(asked[place] or b""), results)
            for place in places
            if place in helds
        ]

    def say(self, places: Iterable[int], changes: Mapping[str, str | None]) -> int:
        """Write down what is said of the answers of few rows, and return how many have one."""
        wanted = list(places)
        helds = self.shelf.rows(wanted)
        questions = {place: self.shelf.known(held) for place, held in helds.items()}
        asked = [each for each in questions.values() if each is not None]
        found = self.journal.judged(asked)
        answers = {each.asked for each in found.values() if each.finding is not None}
        count = self.marks.set(answers, **changes) if answers else 0
        now = self.journal.judged(asked)
        flags: dict[int, int] = {}
        for place, question in questions.items():
            judged = now.get(question or b"")
            flags[place] = flags_of(judged, refused=helds[place].error is not None)
        edits = {place: now[each].edited for place, each in questions.items() if each in now}
        self.index.say(flags, edits)
        self.selection.put(flags)
        return count

    def _card(
        self,
        place: int,
        held: Held,
        judged: Judged | None,
        results: Mapping[bytes, JournalRow],
    ) -> dict[str, Any]:
        result = None if judged is None else results.get(judged.asked)
        card: dict[str, Any] = {
            "place": place,
            "line": held.line,
            "title": held.title or f"line {held.line}",
            "picture": self._picture(place, held, result),
            "fields": {name: _shown(value) for name, value in held.fields.items()},
            "state": "rejected" if held.error is not None else "unasked",
            "error": held.error,
        }
        if judged is None or result is None:
            return card
        facts = {
            "error class": result.error_class,
            "attempts": result.attempts or None,
            "seconds": None if result.elapsed is None else round(result.elapsed, 2),
            "possibly charged": result.possibly_charged or None,
            "asked": _words(result.request),
            "versions": len(judged.versions) or None,
        }
        return card | {
            "state": result.state,
            "prompt": result.prompt,
            "edited": judged.edited,
            "error": result.error,
            "mark": judged.mark,
            "note": judged.note,
            "check": judged.found,
            "facts": {name: value for name, value in facts.items() if value is not None},
            "finished": result.finished_at,
        }

    def _picture(self, place: int, held: Held, result: JournalRow | None) -> str | None:
        if self.shelf.path_of(held) is not None:
            return f"picture/{place}"
        request = {} if result is None else result.request
        asked = (request.get(name) for name in _ASKED)
        urls = (each for each in asked if isinstance(each, str) and each[:8] == "https://")
        return next(urls, held.picture)


def _words(request: Mapping[str, Any]) -> str | None:
    told = {name: request[name] for name in ("option", "mode", "prompt") if name in request}
    return ", ".join(f"{name} {value}" for name, value in told.items()) or None


def _shown(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (str, int, float, bool)) else str(value)
