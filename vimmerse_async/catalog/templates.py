"""Texts with columns in them, such as `A {brand} {title}, studio light`."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.errors import InvalidRequestError

if TYPE_CHECKING:
    from vimmerse_async.catalog.questions import Questions

_PIECES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_BRACED = re.compile(r"\{([^{}]+)\}")


@attrs.frozen
class Template:
    """A text to be filled.

    Attributes:
        text: With the names of columns in braces; doubled ones stand for themselves.
    """

    text: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that fill it.

        Raises:
            InvalidRequestError: A brace stands alone, or there is nothing between two.
        """
        found: dict[str, None] = {}
        for match in _PIECES.finditer(self.text):
            if match[0] in {"{{", "}}"}:
                continue
            if not (match[1] or "").strip():
                raise InvalidRequestError(
                    f"{match[0]!a} in --template names no column: double a brace that is meant",
                    field="template",
                )
            found[match[1].strip()] = None
        return tuple(found)

    def filled(self, fields: Mapping[str, Any]) -> tuple[str, str | None]:
        """Return the text of a row, and the first of its columns that holds nothing.

        Args:
            fields: What the row holds.
        """
        missing: list[str] = []

        def fill(match: re.Match[str]) -> str:
            if match[0] in {"{{", "}}"}:
                return match[0][0]
            text = _text(fields.get(match[1].strip()))
            if not text:
                missing.append(match[1].strip())
            return text

        text = _PIECES.sub(fill, self.text)
        return " ".join(text.split()) if missing else text, missing[0] if missing else None


def braced_columns(text: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that a text names in braces."""
    return [name for name in _BRACED.findall(text) if name.strip() in columns]


def check_filled(rows: Iterable[CatalogRow], questions: "Questions") -> None:
    """See to it that every row fills the template.

    Raises:
        InvalidRequestError: One does not; names it.
    """
    template = Template(questions.template or "")
    for row in rows:
        empty = None if row.error is not None else template.filled(row.fields)[1]
        if empty is not None:
            raise InvalidRequestError(
                f"{row.place}: column {empty!a} is empty, and the template needs it; nothing was "
                "sent (--missing skip leaves such rows out, --missing empty asks without)",
                field="template",
            )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).strip()
