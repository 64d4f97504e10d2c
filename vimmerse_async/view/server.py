"""The page's server: on this machine only, and for nobody but the page."""

import asyncio
import contextlib
import csv
import io
import json
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from aiohttp import web

from vimmerse_async.catalog.write import guarded_cell
from vimmerse_async.errors import JournalError
from vimmerse_async.kinds import SNIFFED, kind_of
from vimmerse_async.view.cards import Cards
from vimmerse_async.view.guard import HEADERS, Guard
from vimmerse_async.view.live import Live
from vimmerse_async.view.selection import Filter

_FILES: Mapping[str, tuple[str, str, str]] = {
    "": ("vimmerse_async.view", "view.html", "text/html"),
    "view.js": ("vimmerse_async.view", "view.js", "text/javascript"),
    "view.css": ("vimmerse_async.view", "view.css", "text/css"),
    "report.css": ("vimmerse_async.catalog", "report.css", "text/css"),
}
MOST = 240
"""Rows that are given at once."""
_STEP = 400
"""Rows that are marked before others get their turn."""
_TICK = 1.0
_LISTENERS = 20
_CHANGES = frozenset({"mark", "edited", "note"})
_LONGEST = 20_000
_ORDERS = frozenset({"pause", "stop", "max_calls"})


class View:
    """Serves a page.

    Args:
        cards: Shows rows.
        live: Follows the run.
        title: What the page is called.

    Attributes:
        token: Stands in the page's address.
    """

    def __init__(self, cards: Cards, live: Live, title: str) -> None:
        self.token: str = secrets.token_urlsafe(18)
        self._cards = cards
        self._live = live
        self._title = title
        self._guard = Guard(self.token)
        self._listeners = 0

    @contextlib.asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncGenerator[str, None]:
        """Serve within the block, and give the page's address.

        Args:
            port: Where; 0: wherever there is room.
        """
        app = web.Application(middlewares=[self._guard.middleware()], client_max_size=4 << 20)
        base = f"/{self.token}"
        for name in _FILES:
            app.router.add_get(f"{base}/{name}", self._file)
        app.router.add_get(f"{base}/api/rows", self._rows)
        app.router.add_get(f"{base}/api/events", self._events)
        app.router.add_get(f"{base}/api/failures", self._failures)
        app.router.add_get(f"{base}/picture/{{place:[0-9]{{1,9}}}}", self._picture)
        app.router.add_post(f"{base}/api/marks", self._mark)
        app.router.add_post(f"{base}/api/orders", self._order)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            self._guard.port = runner.addresses[0][1]
            yield f"http://127.0.0.1:{self._guard.port}{base}/"
        finally:
            await runner.cleanup()

    async def _file(self, request: web.Request) -> web.Response:
        package, name, kind = _FILES[request.path.rpartition("/")[2]]
        text = resources.files(package).joinpath("page", name).read_text("utf-8")
        return web.Response(text=text, content_type=kind, charset="utf-8", headers=HEADERS)

    async def _rows(self, request: web.Request) -> web.Response:
        selection = self._cards.selection
        selection.refresh()
        wanted = dict(request.query)
        begin, count = _number(wanted.pop("from", "0")), _number(wanted.pop("count", "60"))
        places = selection.places(_filter(wanted))
        count = min(MOST, count)
        shown = places[begin : begin + count]
        return _json(
            {
                "total": len(places),
                "from": begin,
                "changed": selection.changed,
                "rows": self._cards.cards(shown),
            }
        )

    async def _failures(self, request: web.Request) -> web.StreamResponse:
        """Give the rows that failed as a table, some at a time."""
        name = "attachment; filename=failures.csv"
        headers = {**HEADERS, "Content-Type": "text/csv; charset=utf-8"}
        response = web.StreamResponse(headers={**headers, "Content-Disposition": name})
        await response.prepare(request)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("line", "row", "error class", "error"))
        places = self._cards.selection.places(Filter(state="failed"))
        for start in range(0, len(places), _STEP):
            for card in self._cards.cards(places[start : start + _STEP]):
                error_class = card.get("facts", {}).get("error class", "InvalidRequestError")
                cells = (card["line"], card["title"], error_class, card["error"])
                writer.writerow([guarded_cell(cell) for cell in cells])
            await response.write(text.getvalue().encode(errors="replace"))
            text.seek(0)
            text.truncate()
        return response

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        place = int(request.match_info["place"])
        held = self._cards.shelf.rows([place]).get(place)
        path = None if held is None else self._cards.shelf.path_of(held)
        kind = None if path is None else await asyncio.to_thread(_kind_of, path)
        if path is None or kind is None:
            raise web.HTTPNotFound
        headers = {**HEADERS, "Content-Type": kind, "Cache-Control": "private, max-age=600"}
        return web.FileResponse(path, headers=headers)

    async def _mark(self, request: web.Request) -> web.Response:
        body = await _body(request)
        given = body.get("changes")
        changes = given if isinstance(given, dict) else {}
        if not changes or not all(map(_is_change, changes.items())):
            raise web.HTTPBadRequest
        places = self._meant(body)
        count = 0
        for start in range(0, len(places), _STEP):
            count += self._cards.say(places[start : start + _STEP], changes)
            await asyncio.sleep(0)
        return _json({"marked": count, "rows": len(places)})

    def _meant(self, body: Mapping[str, Any]) -> Sequence[int]:
        """Return the rows that are to be marked: by their places, or all of a filter."""
        places, wanted = body.get("places"), body.get("filter")
        known = range(len(self._cards.selection.flags))
        if isinstance(places, list) and wanted is None:
            if not all(type(each) is int and each in known for each in places):
                raise web.HTTPBadRequest
            return places
        if isinstance(wanted, dict) and places is None:
            return list(self._cards.selection.places(_filter(wanted)))
        raise web.HTTPBadRequest

    async def _order(self, request: web.Request) -> web.Response:
        body = await _body(request)
        name, value = body.get("name"), body.get("value")
        if not isinstance(name, str) or name not in _ORDERS:
            raise web.HTTPBadRequest
        if not (value is None or isinstance(value, str)):
            raise web.HTTPBadRequest
        if name == "max_calls":
            _number(value)
        self._live.order(name, value)
        return _json({"told": name})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self._listeners >= _LISTENERS:
            raise web.HTTPTooManyRequests
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        self._listeners += 1
        try:
            await response.prepare(request)
            while True:
                text = json.dumps(self._state(), default=str)
                await response.write(f"data: {text}\n\n".encode())
                await asyncio.sleep(_TICK)
        except (ConnectionError, JournalError):
            return response
        finally:
            self._listeners -= 1

    def _state(self) -> dict[str, Any]:
        cards = self._cards
        cards.selection.refresh()
        self._live.watch()
        return {
            "title": self._title,
            "origin": cards.journal.origin,
            "counts": cards.selection.counts(),
            "whole": cards.selection.whole,
            "changed": cards.selection.changed,
            "reasons": cards.index.reasons() if cards.selection.changed else [],
            **self._live.state(),
        }


def _json(value: Any) -> web.Response:
    text = json.dumps(value, default=str)
    return web.Response(text=text, content_type="application/json", headers=HEADERS)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest from None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest
    return body


def _is_change(change: tuple[Any, Any]) -> bool:
    name, value = change
    if name == "mark":
        return value in ("good", "bad", None)
    is_text = isinstance(value, str) and len(value) <= _LONGEST
    return name in _CHANGES and (value is None or is_text)


def _filter(given: Mapping[str, Any]) -> Filter:
    try:
        return Filter.of(given)
    except ValueError:
        raise web.HTTPBadRequest from None


def _number(text: str | None) -> int:
    if text is None or not text.isdecimal() or len(text) > 9:
        raise web.HTTPBadRequest
    return int(text)


def _kind_of(path: Path) -> str | None:
    """Return what a local file is, if it is a picture or a video."""
    try:
        with path.open("rb") as file:
            kind = kind_of(file.read(SNIFFED))
    except OSError:
        return None
    safe = kind is not None and not kind.media_type.startswith("image/svg")
    return kind.media_type if kind is not None and safe else None
