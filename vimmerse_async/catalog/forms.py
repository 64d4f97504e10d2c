"""What a file of rows may be, told by its name or by how it begins."""

import re
from collections.abc import Mapping
from typing import Literal

TextForm = Literal["csv", "jsonl", "text"]
TableFormat = TextForm | Literal["parquet"]

URL_COLUMN = "url"
TEXT_COLUMN = "text"
FORMS: Mapping[str, TableFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "text",
}
"""By the ending of the name; other files are told by their first line."""
TABS = frozenset((".tsv", ".tab"))
"""Endings that say that tabs part the cells."""

_ADDRESS = re.compile(r"https?://", re.IGNORECASE).match
_UNDECODED = re.compile("[\udc80-\udcff]").search


def is_address(value: object) -> bool:
    """Return whether a value begins like a web address."""
    return isinstance(value, str) and _ADDRESS(value.lstrip()) is not None


def form_of(text: str) -> TextForm:
    """Return what a file seems to be, by its first line that is not blank."""
    line = text.lstrip().splitlines()[0] if text.strip() else ""
    if line.startswith("{"):
        return "jsonl"
    return "text" if is_address(line) and len(line.split()) == 1 else "csv"


def undecoded(text: str) -> str | None:
    """Return what is wrong with a text that its encoding does not know; None: nothing is."""
    found = None if text.isascii() else _UNDECODED(text)
    if found is None:
        return None
    byte = ord(found.group()) - 0xDC00
    return f"is not UTF-8 (byte 0x{byte:02x}): name its encoding, such as --encoding cp1252"
