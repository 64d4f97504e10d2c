"""What a file of rows may be, told by its name or by how it begins."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

TextForm = Literal["csv", "jsonl", "text"]
TableFormat = TextForm | Literal["tsv", "parquet", "json", "xlsx", "ods", "xml"]
OutputForm = Literal["csv", "tsv", "jsonl", "parquet", "json", "xlsx"]

URL_COLUMN = "url"
TEXT_COLUMN = "text"


@attrs.frozen
class Form:
    """A form that tables have.

    Attributes:
        endings: Of names.
        writes: True where outputs may have it.
        binary: True where it is no text.
        is_part: True where a file of a folder is one of a catalog's parts by its ending.
    """

    endings: tuple[str, ...]
    writes: bool = True
    binary: bool = False
    is_part: bool = True


FORMS: Mapping[str, Form] = {
    "csv": Form((".csv",)),
    "tsv": Form((".tsv", ".tab")),
    "jsonl": Form((".jsonl", ".ndjson")),
    "parquet": Form((".parquet", ".pq"), binary=True),
    "json": Form((".json", ".geojson"), is_part=False),
    "xlsx": Form((".xlsx", ".xlsm"), binary=True),
    "ods": Form((".ods",), writes=False, binary=True),
    "xml": Form((".xml", ".rss", ".atom"), writes=False, is_part=False),
    "text": Form((".txt",), writes=False, is_part=False),
}
"""By the word that `--from` and `--to` take; the first line tells what a name does not."""
READ: tuple[str, ...] = tuple(FORMS)
WRITTEN: tuple[str, ...] = tuple(name for name, form in FORMS.items() if form.writes)
PACKED = frozenset((".bz2", ".gz", ".xz", ".zst"))
"""Endings of compressed files."""
_BY_ENDING = {ending: name for name, form in FORMS.items() for ending in form.endings}


def form_named(name: str) -> Any:
    """Return the form that a file has by its name, whether it is packed or not; None: no ending.

    Example:
        >>> form_named("feed.CSV.gz"), form_named("photo.jpg")
        ('csv', None)
    """
    return _BY_ENDING.get(ending_of(name))


def ending_of(name: str) -> str:
    """Return the ending of a name that says what a file is, without that of its packing."""
    path = Path(name)
    if path.suffix.lower() in PACKED:
        path = Path(path.stem)
    return path.suffix.lower()


_ADDRESS = re.compile(r"https?://", re.IGNORECASE).match
_NO_TABLES = (
    (
        re.compile(r'\s*(?:\[\s*(?:[{"\[\]]|\Z)|\{[ \t]*(?:\r?\n|\Z))').match,
        "one JSON text, not one object a line: read it with --from json",
    ),
    (
        re.compile(r"\s*<(?:!doctype html|html)\b", re.IGNORECASE).match,
        "a web page, not a catalog: look whether its address or a login has changed",
    ),
    (
        re.compile(r"\s*<(?:\?xml|rss|feed)\b").match,
        "XML, not a line for each row: read it with --from xml",
    ),
)
_UNDECODED = re.compile("[\udc80-\udcff]").search


def is_address(value: object) -> bool:
    """Return whether a value begins like a web address."""
    return isinstance(value, str) and _ADDRESS(value.lstrip()) is not None


def document_of(head: bytes) -> Literal["json", "xml"] | None:
    """Return which document begins so; None: a text, of which one line is a row."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] == b"[" and head[1:].lstrip()[:1] in {b"{", b"]"}:
        return "json"
    return "xml" if head.startswith((b"<?xml", b"<rss", b"<feed")) else None


def are_lines(head: bytes) -> bool:
    """Return whether a file of JSON has a document on each line."""
    line, _, rest = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    try:
        return isinstance(json.loads(line), dict) and rest.lstrip()[:1] == b"{"
    except (ValueError, RecursionError):
        return False


def form_of(text: str) -> TextForm:
    """Return what a file seems to be, by its first line that is not blank."""
    line = text.lstrip().splitlines()[0] if text.strip() else ""
    if line.startswith("{"):
        return "jsonl"
    return "text" if is_address(line) and len(line.split()) == 1 else "csv"


def no_table(text: str) -> str | None:
    """Return what a text is that is no table, and the mend, by how it begins; None: it may be."""
    return next((told for begins, told in _NO_TABLES if begins(text)), None)


def undecoded(text: str) -> str | None:
    """Return what is wrong with a text that its encoding does not know; None: nothing is."""
    found = None if text.isascii() else _UNDECODED(text)
    if found is None:
        return None
    byte = ord(found.group()) - 0xDC00
    return f"is not UTF-8 (byte 0x{byte:02x}): name its encoding, such as --encoding cp1252"
