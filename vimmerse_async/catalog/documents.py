"""Items of documents, as their bytes come: of JSON, and of the feeds of merchants in XML."""

import contextlib
import re
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from vimmerse_async.catalog.items import Item
from vimmerse_async.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

_RECORDS = frozenset(("item", "entry", "product", "offer"))
"""Elements that are rows in the feeds of RSS, Atom, and shops."""
_DEEPEST = 64
_LOOKED_AT = 1 << 20
"""Bytes at the beginning, in which the array of the rows is looked for."""
_START = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*([\[{])")


class JsonItems:
    """The objects of an array.

    Args:
        records: The path of the array, with dots; None: the document is the array, or there is one
            array of objects in it.

    Raises:
        InvalidRequestError: ijson is missing.
    """

    def __init__(self, records: str | None) -> None:
        self._ijson = _ijson()
        self._records = records
        self._path = None if records is None else f"{records}.item"
        self._begun = b""
        self._found: Any = None
        self._coroutine: Any = None  # of ijson

    def feed(self, piece: bytes, *, final: bool) -> list[Item]:
        """Return the items that are whole now."""
        if self._coroutine is None and not self._begin(piece, final=final):
            return []
        coroutine: Any = self._coroutine
        fault = None
        try:
            if self._begun:
                piece, self._begun = self._begun, b""
            if piece:
                coroutine.send(piece)
            if final:
                coroutine.close()
        except self._ijson.JSONError as error:
            fault = f"is not JSON from here on: {str(error).partition(chr(10))[0]}"
        items = [_item(value) for value in self._found]
        del self._found[:]
        if fault is not None:
            items.append(Item({}, fault))
        return items

    def _begin(self, piece: bytes, *, final: bool) -> bool:
        """Return whether it is known where the items are."""
        self._begun += piece.removeprefix(b"\xef\xbb\xbf") if not self._begun else piece
        if self._path is None:
            self._path = self._guess(final=final)
        if self._path is None:
            return False
        self._found = self._ijson.sendable_list()
        self._coroutine = self._ijson.items_coro(self._found, self._path)
        return True

    def _guess(self, *, final: bool) -> str | None:
        start = _START.match(self._begun)
        if start is None:
            if final and self._begun.strip():
                raise InvalidRequestError("this is no JSON: say what it is with --from")
            return None
        if start[1] == b"[":
            return "item"
        if not final and len(self._begun) < _LOOKED_AT:
            return None
        found = self._arrays()
        if len(found) == 1:
            return f"{found[0]}.item"
        listed = ", ".join(found[:20]) or "none is there"
        raise InvalidRequestError(
            f"which array holds the rows? Choose with --records: {listed}", field="records"
        )

    def _arrays(self) -> list[str]:
        """Return the paths of the arrays of objects that are not inside of others."""
        events = self._ijson.sendable_list()
        coroutine = self._ijson.parse_coro(events)
        with contextlib.suppress(self._ijson.JSONError):
            coroutine.send(self._begun)
        found: dict[str, None] = {}
        before = ""
        for prefix, event, _ in events:
            inside = any(prefix == each or prefix.startswith(f"{each}.item") for each in found)
            if event == "start_map" and before == "start_array" and not inside:
                found[prefix.removesuffix(".item")] = None
            before = event
        return list(found)


def _item(value: Any) -> Item:
    return Item(_plain(value) if isinstance(value, dict) else {"value": _plain(value)})


def _plain(value: Any) -> Any:
    """Return a value with floats for decimals, as JSON is read everywhere else."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _ijson() -> Any:
    try:
        return import_module("ijson")
    except ImportError:
        raise InvalidRequestError(
            'JSON documents need the extra `json`: pip install "vimmerse-async[json]"',
            field="source",
        ) from None


class XmlItems:
    """The items of a feed: their children as columns, several of one name as a list.

    Nothing outside is read, and no entity that a document declares is expanded.

    Args:
        records: The name of the elements that are rows; None: `item`, `entry`, `product`, `offer`,
            whichever comes first.
    """

    def __init__(self, records: str | None) -> None:
        self._tag = None if records is None else records.rpartition(".")[2].rpartition("/")[2]
        self._items: list[Item] = []
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []
        self._seen = False
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.EntityDeclHandler = _refuse_entity

    def feed(self, piece: bytes, *, final: bool) -> list[Item]:
        """Return the items that are whole now."""
        try:
            self._parser.Parse(piece, final)
        except expat.ExpatError as error:
            if not self._seen:
                raise InvalidRequestError(f"this is no XML: {error}", field="source") from None
            self._items.append(Item({}, f"is not XML from here on: {error}"))
        items, self._items = self._items, []
        return items

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._seen = True
        if not self._open:
            wanted = name in _RECORDS if self._tag is None else name == self._tag
            if not wanted:
                return
            self._tag = name
        elif len(self._open) >= _DEEPEST:
            raise InvalidRequestError("an item is nested too deeply", field="source")
        self._open.append((name, dict(attributes), []))

    def _end(self, name: str) -> None:
        if not self._open:
            return
        _, fields, texts = self._open.pop()
        text = "".join(texts).strip()
        if not self._open:
            self._items.append(Item(fields))
            return
        value: Any = fields or None
        if text:
            value = {**fields, "text": text} if _has_children(fields) else text
        elif "href" in fields:
            value = fields["href"]
        parent = self._open[-1][1]
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1][2].append(text)


def _has_children(fields: dict[str, Any]) -> bool:
    return any(not isinstance(value, str) for value in fields.values())


def _refuse_entity(*_: Any) -> None:
    raise InvalidRequestError(
        "the document declares entities, which are not expanded: save it without", field="source"
    )


def makes_items(form: str, records: str | None) -> "Callable[[], JsonItems | XmlItems]":
    """Return what makes the items of a form."""
    return lambda: JsonItems(records) if form == "json" else XmlItems(records)
