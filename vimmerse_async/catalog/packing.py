"""Compressed text: unpacked as its bytes come, packed as they are written.

What a file is packed with is told by its first bytes, whatever it is called.
"""

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import IO, Any, Protocol

import attrs

from vimmerse_async.errors import InvalidRequestError

_PIECE = 1 << 16
_GZIP = 31
"""Says to zlib that what it gets has a header and a checksum of gzip."""
_WINDOW = 20
"""So many bits of what is behind zstd looks into: half its usual memory, and 4 % more bytes."""
CUT = "the archive is cut off here"
_NO_END = "the archive is damaged ({}: its last bytes are there, and its text has no end)"
_NEAR = 8
"""Times by which a text may be longer or shorter where a byte of it is wrong."""


class Bytes(Protocol):
    """Bytes that come one after another.

    Attributes:
        ended: Whether all were read.
        cut: Why there should be more; None: these are all.
        damaged: Whether those before may be wrong, too.
    """

    ended: bool
    cut: str | None
    damaged: bool

    @property
    def waits(self) -> bool:
        """True when `read` may have to wait."""
        ...

    def read(self) -> bytes:
        """Return some, or none."""
        ...


class Unpacker(Protocol):
    """One member of an archive; those of the standard library are such."""

    @property
    def eof(self) -> bool:
        """True when the member is whole."""
        ...

    @property
    def needs_input(self) -> bool:
        """True when more can come only out of more."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What stands behind the member."""
        ...

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """Return some of what a piece holds."""
        ...


@attrs.frozen
class Packing:
    """A way to pack bytes.

    Attributes:
        name: As people say it.
        magic: The first bytes of what it made.
        unpacker: Returns what unpacks one member.
        packs: Returns a stream that packs into another.
        fault: What its unpacker raises.
        ran_off: Tells of a member that does not end whether its end is there all the same.
    """

    name: str
    magic: bytes
    unpacker: Callable[[], Unpacker]
    packs: Callable[[IO[bytes]], IO[bytes]]
    fault: Callable[[], tuple[type[Exception], ...]]
    ran_off: Callable[[Any], bool] = lambda _member: False


class _Gzip:
    """What zlib has under other names than its siblings."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(_GZIP)
        self._size = 0
        self._last = b""

    @property
    def ran_off(self) -> bool:
        """True when the last bytes are the size that a whole member ends with, or near it.

        A wrong byte may turn all behind it into other text without an end; what is cut off ends
        with any four bytes, which are as near once in thousands of files.
        """
        said = int.from_bytes(self._last, "little")
        return self._size <= _NEAR * said and said <= _NEAR * self._size

    @property
    def eof(self) -> bool:
        return self._unpacker.eof

    @property
    def needs_input(self) -> bool:
        return not self._unpacker.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._unpacker.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        self._last = (self._last + data[-4:])[-4:]
        piece = self._unpacker.decompress(self._unpacker.unconsumed_tail + data, max_length)
        self._size += len(piece)
        return piece


class Unpacked:
    """The bytes that others hold.

    Args:
        packed: These.
        packing: How they are packed.

    Attributes:
        ended: Whether all were read.
        cut: Why there should be more; None: these are all.
        damaged: Whether those before may be wrong, too.
    """

    def __init__(self, packed: Bytes, packing: Packing) -> None:
        self.ended: bool = False
        self.cut: str | None = None
        self.damaged: bool = False
        self._packed = packed
        self._packing = packing
        self._faults = packing.fault()
        self._member = packing.unpacker()
        self._rest = b""
        self._begun = False

    @property
    def waits(self) -> bool:
        """True when `read` may have to wait."""
        return self._packed.waits and self._member.needs_input and not self._rest

    def read(self) -> bytes:
        """Return some bytes, or none."""
        piece = self._piece()
        if self.ended:  # what it remembers may be megabytes
            self._member = self._packing.unpacker()
        return piece

    def _piece(self) -> bytes:
        try:
            if self._member.eof:
                self._next_member()
            if self._rest or not self._member.needs_input:
                piece, self._rest = self._rest, b""
                return self._member.decompress(piece, _PIECE)
            return self._unpacked(self._packed.read())
        except self._faults as fault:
            self.ended = self.damaged = True
            self.cut = f"the archive is damaged ({self._packing.name}: {fault})"
            return b""

    def _unpacked(self, piece: bytes) -> bytes:
        if self._packed.ended:
            self.ended = True
            if self._begun and not self._member.eof:
                self.damaged = self._packing.ran_off(self._member)
                self.cut = _NO_END.format(self._packing.name) if self.damaged else CUT
            return b""
        if not self._begun:  # archives are filled up with zeros
            piece = piece.lstrip(b"\0")
        self._begun = self._begun or bool(piece)
        return self._member.decompress(piece, _PIECE) if piece else b""

    def _next_member(self) -> None:
        self._rest = self._member.unused_data.lstrip(b"\0")
        self._member = self._packing.unpacker()
        self._begun = bool(self._rest)


def packing_of(head: bytes) -> Packing | None:
    """Return how a file is packed that begins so; None: not at all."""
    return next((each for each in PACKINGS.values() if head.startswith(each.magic)), None)


def _zstd() -> Any:
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    try:
        return import_module(name)
    except ImportError:
        raise InvalidRequestError(
            'zstd needs the extra `zstd`: pip install "vimmerse-async[zstd]"', field="source"
        ) from None


def _packed_zstd(stream: IO[bytes]) -> IO[bytes]:
    zstd = _zstd()
    parameter = zstd.CompressionParameter
    options = {parameter.checksum_flag: 1, parameter.window_log: _WINDOW}
    packed: IO[bytes] = zstd.ZstdFile(stream, "wb", options=options)
    return packed


def _packed_gzip(stream: IO[bytes]) -> IO[bytes]:
    # without a name and a time in it, equal tables make equal files
    return gzip.GzipFile("", "wb", 6, stream, 0)  # type: ignore[return-value]


PACKINGS: Mapping[str, Packing] = {
    ".gz": Packing(
        "gzip",
        b"\x1f\x8b",
        _Gzip,
        _packed_gzip,
        lambda: (zlib.error,),
        lambda member: bool(member.ran_off),
    ),
    ".zst": Packing(
        "zstd",
        b"\x28\xb5\x2f\xfd",
        lambda: _zstd().ZstdDecompressor(),
        _packed_zstd,
        lambda: (_zstd().ZstdError,),
    ),
    ".bz2": Packing(
        "bzip2",
        b"BZh",
        bz2.BZ2Decompressor,
        lambda stream: bz2.BZ2File(stream, "wb"),
        lambda: (OSError, ValueError),
    ),
    ".xz": Packing(
        "xz",
        b"\xfd7zXZ\0",
        lzma.LZMADecompressor,
        lambda stream: lzma.LZMAFile(stream, "wb"),  # noqa: SIM115 - the caller closes it
        lambda: (lzma.LZMAError,),
    ),
}
"""By the ending of a name."""
