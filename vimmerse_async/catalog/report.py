"""A journal as one page for the browser: every row with its picture, its prompt or its error.

The page is self-contained: style, script and data stand in it, and its policy lets it load
pictures and nothing else. Pictures stay where they are, on this machine or at their URLs, and are
loaded when they come into view.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from urllib.parse import unquote, urlsplit

from vimmerse_async.catalog.export import KnownRow
from vimmerse_async.catalog.pictures import Pictures
from vimmerse_async.catalog.reasons import shape_of
from vimmerse_async.catalog.timeline import Timeline
from vimmerse_async.journal.kept import JournalRow, RunRecord
from vimmerse_async.journal.reader import JournalReader

_STATES = {"answered": 0, "rejected": 1, "unfinished": 2, None: 3}
_MARKER = re.compile(r"\{\{(\w+)\}\}")
_ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
_REASON = 200
"""Characters of a reason."""
_FACTS = ("line", "error", "attempts", "seconds", "possibly charged", "finished")


def page(
    journal: JournalReader, rows: Iterable[KnownRow], title: str, pictures: Pictures
) -> Iterator[str]:
    """Yield the page piece by piece, in flat memory.

    Args:
        journal: An open journal.
        rows: What it knows, in order.
        title: What the page is called.
        pictures: Where pictures are found.
    """
    style, script = _part("report.css"), _part("report.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src https: data: file:; base-uri 'none'; form-action 'none'"
    )
    shown = _Rows(rows, pictures)
    texts = {"title": html.escape(title), "policy": policy, "style": style, "script": script}
    for place, piece in enumerate(_MARKER.split(_part("report.html"))):
        if not place % 2:
            yield piece
        elif piece == "rows":
            yield from shown.pieces()
        elif piece == "head":
            yield embedded(_head(journal, title, shown))
        else:
            yield texts[piece]


def embedded(value: Any) -> str:
    r"""Return JSON that stays data inside a `script` element, whatever it holds.

    Example:
        >>> embedded("</script>")
        '"\\u003c/script\\u003e"'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # a lone surrogate survives as an escape
            text = json.dumps(value, separators=(",", ":"), default=str)
    return text.translate(_ESCAPES)


class _Rows:
    """The rows as the page's script reads them, and what is known once all were seen."""

    def __init__(self, rows: Iterable[KnownRow], pictures: Pictures) -> None:
        self.columns: dict[str, int] = {}
        self.groups: dict[tuple[str, str], int] = {}
        self.counts = [0, 0, 0, 0]
        self._rows = rows
        self._pictures = pictures

    def pieces(self) -> Iterator[str]:
        yield "["
        begun = False
        for row in self._rows:
            yield (",\n" if begun else "") + embedded(self._listed(row))
            begun = True
        yield "]"

    def _listed(self, row: KnownRow) -> list[Any]:
        state, result = _STATES[row.state], row.result
        self.counts[state] += 1
        for name in row.fields:
            self.columns.setdefault(name, len(self.columns))
        request = {} if result is None else result.request
        picture, place = self._pictures.find(row.fields, request)
        group = None
        if row.error_class is not None:
            reason = (row.error_class, shape_of(row.error or "")[:_REASON])
            group = self.groups.setdefault(reason, len(self.groups))
        values = [row.fields.get(name) for name in self.columns]
        shown = place or _name(picture) or _asked(request)
        prompt = None if result is None else result.prompt
        facts = (row.line, row.error_class, *_effort(result))
        return [row.line, state, prompt, group, row.error, picture, shown, facts, values]


def _effort(result: JournalRow | None) -> tuple[Any, ...]:
    if result is None:
        return None, None, None, None
    seconds = None if result.elapsed is None else round(result.elapsed, 2)
    charged = result.possibly_charged or None
    return result.attempts or None, seconds, charged, _moment(result.finished_at)


def _asked(request: Mapping[str, Any]) -> str | None:
    text = request.get("prompt")
    return text[:80] if isinstance(text, str) else None


def _name(address: str | None) -> str | None:
    if address is None or address.startswith("data:"):
        return None
    parts = urlsplit(address)
    return unquote(parts.path.rpartition("/")[2]) or parts.hostname


def _head(journal: JournalReader, title: str, rows: _Rows) -> dict[str, Any]:
    runs = journal.runs()
    timeline = Timeline(journal.samples())
    answered, rejected, unfinished, waiting = rows.counts
    total = sum(rows.counts)
    return {
        "title": title,
        "about": _about(journal, runs),
        "facts": _facts(runs, answered, rejected + unfinished, waiting),
        "parts": [answered / max(1, total), (rejected + unfinished) / max(1, total)],
        "columns": list(rows.columns),
        "factNames": _FACTS,
        "groups": list(rows.groups),
        "samples": timeline.points,
        "breaks": timeline.breaks,
    }


def _facts(
    runs: Sequence[RunRecord], answered: int, failed: int, waiting: int
) -> list[tuple[Any, str, str]]:
    charged = sum(run.possibly_charged for run in runs)
    total = answered + failed + waiting
    facts: list[tuple[Any, str, str]] = [
        (answered, f"captioned, of {total:,} rows", "first"),
        (failed, "failed", "bad" if failed else ""),
    ]
    if waiting:
        facts.append((waiting, "not asked yet", ""))
    return [
        *facts,
        (sum(run.calls for run in runs), "calls made", ""),
        (sum(run.cached for run in runs), "calls saved", ""),
        (sum(run.refused for run in runs), "refused (429)", ""),
        (charged, "perhaps charged", "bad" if charged else ""),
    ]


def _about(journal: JournalReader, runs: Sequence[RunRecord]) -> str:
    origin = journal.origin
    who = "the emulator, which is no model" if origin == "emulator" else origin
    parts = [f"answered by {who}" if who else "nothing was answered yet"]
    if runs:
        parts.append(f"{len(runs)} runs" if len(runs) > 1 else "one run")
        parts.append(f"last begun {_moment(runs[-1].started_at)}")
    return " · ".join(parts)


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _part(name: str) -> str:
    return resources.files("vimmerse_async.catalog").joinpath("page", name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
