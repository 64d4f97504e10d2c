"""The bytes of a file or pipe, which can be read again, and their text piece by piece."""

import codecs
import os
import stat
import tempfile
from typing import IO

from vimmerse_async import system
from vimmerse_async.catalog.packing import Bytes, Packing, Unpacked, packing_of
from vimmerse_async.errors import InvalidRequestError

_PIECE = 1 << 15
_MARKS = {
    codecs.BOM_UTF8: ("utf-8", "\ufeff"),
    codecs.BOM_UTF16_LE: ("utf-16-le", "\ufeff"),
    codecs.BOM_UTF16_BE: ("utf-16-be", "\ufeff"),
}
_WITH_MARK = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}


class Content:
    """Bytes that can be read again: a file as it is, a pipe from a copy in an anonymous file.

    Args:
        descriptor: An open file, pipe or terminal; it is not closed.

    Attributes:
        descriptor: As given.
        regular: False for a pipe or terminal, which may have nothing to read at the moment.
        packing: How the bytes are packed; None: not at all.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor: int = descriptor
        self.regular: bool = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._begin = os.lseek(descriptor, 0, os.SEEK_CUR) if self.regular else 0
        self._copy: IO[bytes] | None = None
        self._copied = 0
        self._ended = False
        self.packing: Packing | None = packing_of(self.read(0))

    def unpacked(self) -> Bytes:
        """Return the bytes from the first on, unpacked where they are packed."""
        own = _Bytes(self)
        return own if self.packing is None else Unpacked(own, self.packing)

    def read(self, offset: int) -> bytes:
        """Return some bytes from an offset; none at the end. A pipe's may have to be waited for."""
        if self.regular:
            return system.pread(self.descriptor, _PIECE, self._begin + offset)
        if offset < self._copied and self._copy is not None:
            return system.pread(self._copy.fileno(), min(_PIECE, self._copied - offset), offset)
        if self._ended:
            return b""
        piece = os.read(self.descriptor, _PIECE)
        self._ended = not piece
        self._keep(piece)
        return piece

    def waits(self, offset: int) -> bool:
        """Return whether `read` may have to wait."""
        return not (self.regular or self._ended or offset < self._copied)

    def close(self) -> None:
        """Give up the copy."""
        if self._copy is not None:
            self._copy.close()

    def end(self) -> None:
        """Give up the copy and close the file; the standard input stays open."""
        self.close()
        if self.descriptor > 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def head(self) -> bytes:
        """Return the first bytes, unpacked."""
        coming = self.unpacked()
        piece = coming.read()
        while not piece and not coming.ended:
            piece = coming.read()
        return piece

    def _keep(self, piece: bytes) -> None:
        if self._copy is None:
            self._copy = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
        self._copied += self._copy.write(piece)


class _Bytes:
    """The bytes of a content as they are."""

    def __init__(self, content: Content) -> None:
        self.ended: bool = False
        self.cut: str | None = None
        self.damaged: bool = False
        self._content = content
        self._offset = 0

    @property
    def waits(self) -> bool:
        return self._content.waits(self._offset)

    def read(self) -> bytes:
        piece = self._content.read(self._offset)
        self._offset += len(piece)
        self.ended = not piece
        return piece


class Encoding:
    """How a file's bytes stand for its text, so that any bytes come back as they were.

    Bytes that the encoding does not know become lone surrogates, so that a row can tell.

    Args:
        name: Its name; None: UTF-8, or UTF-16 where a mark at the beginning says so.
        head: The first bytes of the file.

    Attributes:
        name: As Python knows it.
        errors: What is done with bytes that it does not know.
        mark: What stands before the text.

    Raises:
        InvalidRequestError: There is no such encoding.
    """

    def __init__(self, name: str | None, head: bytes) -> None:
        marked = next((found for mark, found in _MARKS.items() if head.startswith(mark)), None)
        given = _canonical(name) if name is not None else None
        self.name: str = _WITH_MARK.get(given or "", given or "utf-8")
        self.mark: str = ""
        if marked is not None and (given is None or given.startswith(marked[0][:6])):
            self.name, self.mark = marked
        # surrogateescape needs an encoding in which ASCII stands for itself
        narrow = "a".encode(self.name) == b"a"
        self.errors: str = "surrogateescape" if narrow else "surrogatepass"
        self.whole: bool = self.name.startswith("utf")

    def decoder(self) -> codecs.IncrementalDecoder:
        """Return what makes text of bytes."""
        # a surrogate that stands alone in UTF-16 comes back, a half character at its end does not
        errors = self.errors if self.errors == "surrogateescape" else "replace"
        return codecs.getincrementaldecoder(self.name)(errors)


class Text:
    """The text of a content, piece by piece, in flat memory.

    Args:
        content: The bytes.
        encoding: What they stand for.

    Attributes:
        ended: Whether all was read.
        cut: Why there should be more; None: this is all.
        damaged: Whether what was read may be wrong, too.
    """

    def __init__(self, content: Content, encoding: Encoding) -> None:
        self._content = content
        self._bytes: Bytes | None = content.unpacked()
        self._pieces = 0
        self._decoder = encoding.decoder()
        self._begun = False
        self.ended: bool = False
        self.damaged: bool = False
        self.cut: str | None = None

    @property
    def waits(self) -> bool:
        """True when `next_piece` may have to wait."""
        return self._bytes is not None and self._bytes.waits

    @property
    def whole(self) -> bool:
        """True when all was read, and nothing is missing behind it."""
        return self.ended and self.cut is None

    def rest(self) -> None:
        """Give up what unpacking remembers, megabytes perhaps, until the next piece is read."""
        if self._content.regular and self._content.packing is not None:
            self._bytes = None

    def next_piece(self) -> str:
        """Return some text, without the mark at the beginning; at the end `ended` is true."""
        if self._bytes is None:
            self._bytes = self._content.unpacked()
            for _ in range(self._pieces):
                self._bytes.read()
        piece = self._bytes.read()
        self._pieces += 1
        self.ended = self._bytes.ended
        self.cut = self._bytes.cut
        self.damaged = self._bytes.damaged
        text = self._decoder.decode(piece, self.whole)
        if self._begun or not text:
            return text
        self._begun = True
        return text.removeprefix("\ufeff")


def _canonical(name: str) -> str:
    try:
        found = codecs.lookup(name)
        codecs.getincrementaldecoder(name)("replace").decode(b"")
        "a".encode(name)
    except (LookupError, ValueError):
        raise InvalidRequestError(
            f"there is no encoding {name!a}; try utf-8, cp1252 or utf-16", field="encoding"
        ) from None
    return found.name
