"""Lines of a file or pipe, decoded piece by piece in flat memory."""

import codecs
import os
from collections import deque
from typing import Self

from vimmerse_async.errors import InvalidRequestError

LONGEST_LINE = 4 << 20
"""Characters; what is longer is not kept, and fails as a line."""
_PIECE = 1 << 16
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class LineError(ValueError):
    """A line that cannot be read; the next one can."""


class Lines:
    """An iterator of lines that goes on after a line that it could not read.

    Bytes that the encoding does not know become lone surrogates, so that a row can tell.

    Args:
        descriptor: An open file, pipe or terminal; it is not closed.
        encoding: Its encoding; None: UTF-8, or UTF-16 where a mark at the beginning says so.

    Attributes:
        number: The line that was returned last, from 1; 0 before the first.

    Raises:
        InvalidRequestError: There is no such encoding.
    """

    def __init__(self, descriptor: int, encoding: str | None = None) -> None:
        self.number: int = 0
        self.descriptor = descriptor
        self._encoding = encoding
        self._ready: deque[str] = deque()
        self._rest = ""
        self._ended = False
        if encoding is not None:
            _codec(encoding)
        self._decoder: codecs.IncrementalDecoder | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        """Return the next line with its end.

        Raises:
            LineError: It is too long.
        """
        if self.first() is None:
            raise StopIteration
        self.number += 1
        line = self._ready.popleft()
        if len(line) > LONGEST_LINE:
            raise LineError(f"the line is longer than {LONGEST_LINE:,} characters")
        return line

    @property
    def pending(self) -> bool:
        """True when the next line is there, or there is none: asking for it does not wait."""
        return bool(self._ready) or self._ended

    def first(self) -> str | None:
        """Return the next line without taking it; None when there is none."""
        while not self._ready and not self._ended:
            self._fill()
        return self._ready[0] if self._ready else None

    def _fill(self) -> None:
        piece = os.read(self.descriptor, _PIECE)
        self._ended = not piece
        if self._decoder is None:
            self._decoder = _codec(self._encoding or _MARKS.get(piece[:2], "utf-8"))
            text = self._decoder.decode(piece, self._ended).removeprefix("\ufeff")
        else:
            text = self._decoder.decode(piece, self._ended)
        *whole, rest = text.split("\n")
        for end in whole:
            self._ready.append(f"{self._rest}{end}\n")
            self._rest = ""
        if len(self._rest) <= LONGEST_LINE:
            self._rest += rest
        if self._ended and self._rest:
            self._ready.append(self._rest)


def _codec(encoding: str) -> codecs.IncrementalDecoder:
    try:
        decoder = codecs.getincrementaldecoder(encoding)
        # surrogateescape needs an encoding in which ASCII stands for itself
        return decoder("surrogateescape" if "a".encode(encoding) == b"a" else "replace")
    except (LookupError, ValueError):
        raise InvalidRequestError(
            f"there is no encoding {encoding!a}; try utf-8, cp1252 or utf-16", field="encoding"
        ) from None
