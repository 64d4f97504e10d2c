"""What an index holds of a row: what is shown of it, and what it asks can be told from."""

from collections.abc import Collection, Mapping
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import attrs

from vimmerse_async.catalog.folder import FILE_COLUMN
from vimmerse_async.catalog.rows import CatalogRow

_CELL = 300
"""Characters of a cell that is not asked about."""
_SEARCHED = 60
"""Characters of a cell that are searched."""
_ADDRESS = ("http://", "https://", "data:")


@attrs.define
class Held:
    """A row.

    Attributes:
        line: Where it stands.
        error: Why it cannot be asked; None when it can.
        title: What it is called; None: by its line.
        fields: Its columns, those that are not asked about cut short.
        question: What it asks, in hexadecimal, where that cannot be told from its columns.
    """

    line: int
    error: str | None
    title: str | None
    fields: Mapping[str, Any]
    question: str | None = None

    @property
    def picture(self) -> str | None:
        """The first address in it; None when there is none."""
        held = self.fields.values()
        return next(
            (each for each in held if isinstance(each, str) and each[:8] == "https://"), None
        )

    @property
    def host(self) -> str:
        """The host of that."""
        return urlsplit(self.picture or "").hostname or ""

    @property
    def text(self) -> str:
        """What of it is searched: its title and its cells, but no addresses."""
        cells = (
            str(each)[:_SEARCHED] for each in self.fields.values() if isinstance(each, (str, int))
        )
        words = [cell for cell in cells if not cell.startswith(_ADDRESS)]
        return " ".join([*(() if self.title in words else (self.title or "",)), *words])

    def packed(self) -> list[Any]:
        """Return it as JSON can carry it."""
        return list(attrs.astuple(self, recurse=False))

    @classmethod
    def unpacked(cls, values: list[Any]) -> Self:
        """Return what `packed` gave."""
        return cls(*values)


def held_row(
    row: CatalogRow,
    error: str | None,
    fields: Mapping[str, Any],
    asked: Collection[str],
    label: str | None,
) -> Held:
    """Return what is held of a row.

    Args:
        row: The row.
        error: Why it cannot be asked; None when it can.
        fields: All its columns.
        asked: Those that are asked about.
        label: The one that it is called by; None: it is called as its file or picture is.
    """
    cut = {name: value if name in asked else _cut(value) for name, value in fields.items()}
    held = Held(
        row.line, error, None, {name: each for name, each in cut.items() if each is not None}
    )
    named = cut.get(label) if label is not None else cut.get(FILE_COLUMN)
    held.title = str(named)[:_CELL] if named not in {None, ""} else _name(held.picture)
    return held


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _CELL else f"{value[:_CELL]}…"
    return value if value is None or isinstance(value, (int, float)) else str(value)[:_CELL]


def _name(address: str | None) -> str | None:
    if address is None:
        return None
    parts = urlsplit(address)
    return unquote(parts.path.rpartition("/")[2]) or parts.hostname
