"""Replies as bytes: the common one is read at once, any other by aiohttp's parser.

`common` knows for sure what it takes: a final 200 with one Content-Length, no coding, and no field
that has a say in where the reply ends. Of everything else the parser sees the first byte, so that
the two can never differ.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import aiohttp
import attrs

from vimmerse_async.decode import MAX_REPLY
from vimmerse_async.http.surface import BaseProtocol, HttpProcessingError, HttpResponseParser
from vimmerse_async.masking import Mask

if TYPE_CHECKING:
    from multidict import MultiMapping

MAX_ERROR_REPLY = 64 * 1024
"""Bytes of an error's body that are read."""
PIECE_COST = 64
"""Bytes that each piece of a body counts at least: a flood of tiny chunks takes time, not room."""
MAX_HEAD = 8190

_VALUE = rb"[\t -~\x80-\xff]*+\r\n"
_LETTER = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_HARMLESS = rb"[!#$%&'*+\-.^_`|~0-9ABD-JL-OQ-SV-Zabd-jl-oq-sv-z]"  # but c, k, p, t and u
_OTHER = (
    rb"(?:" + _HARMLESS + _LETTER + rb"*+:" + _VALUE + rb"|[Cc]ontent-[Tt]ype:" + _VALUE + rb"|"
    rb"[Kk]eep-[Aa]live: timeout=([0-9]{1,5})" + _VALUE + rb"|"
    rb"(?!(?i:content-(?:length|encoding)|(?:proxy-)?connection|keep-alive|transfer-encoding|trailer|upgrade):)"
    + _LETTER + rb"++:" + _VALUE + rb"|[Cc]onnection: keep-alive\r\n){0,60}+"
)  # fmt: skip
common: Callable[[bytes], re.Match[bytes] | None] = re.compile(
    rb"HTTP/1\.1 200(?: [\t -~\x80-\xff]*+)?\r\n"
    + _OTHER
    + rb"[Cc]ontent-[Ll]ength: ([0-9]{1,7})\r\n"
    + _OTHER
    + rb"\r\n"
).match
"""Groups: seconds of Keep-Alive (1 or 3), bytes of the body (2). Possessive: linear in the head."""
_GRANTED = re.compile(r"(?:\A|[,;\s])timeout\s*=\s*\"?([0-9]{1,5})", re.IGNORECASE).search
_UNNAMED = (ArithmeticError, EOFError, LookupError, RuntimeError, ValueError)
"""What foreign bytes make a parser raise that has not thought of them."""
_FIELD = re.compile(rb"\r\n([^:\r\n]+):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)")


@attrs.define(eq=False)
class Fields(Mapping[str, str]):
    """The fields of a common reply's head, which are seldom asked for: read when they are.

    Args:
        head: The head.
        mask: Hides secrets in their values.
    """

    _head: bytes = attrs.field(repr=False)
    _mask: Mask = attrs.field(repr=False)

    def getall(self, name: str) -> list[str]:
        """Return every value of a field."""
        wanted = name.encode().lower()
        return [
            value.decode("utf-8", "surrogateescape")
            for each, value in _FIELD.findall(self._head)
            if each.lower() == wanted
        ]

    def __getitem__(self, name: str) -> str:
        found = self.getall(name)
        if not found:
            raise KeyError(name)
        return self._mask.text(", ".join(found))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.decode().lower() for name, _ in _FIELD.findall(self._head)))

    def __len__(self) -> int:
        return len([*self])


def granted(headers: Mapping[str, str]) -> float:
    """Return the seconds that the server keeps the connection, as far as it says."""
    found = _GRANTED(headers.get("Keep-Alive", ""))
    return float("inf") if found is None else int(found[1])


class UnreadableError(HttpProcessingError):
    """A reply over which aiohttp's parser fell, which has no name of its own for what is wrong.

    The one in pure Python does so over a length of 5,000 digits.

    Args:
        error: What it raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(message=type(error).__name__)


class Reader:
    """One reply, read by aiohttp's parser.

    Args:
        transport: Where it comes from.
        loop: The loop.
        has_body: Whether the request's method lets it have one.

    Attributes:
        status: The final reply's status; None before its head.
        headers: Its headers.
        may_follow: Whether the connection can carry another request after this reply.
        whole: Whether it was read to its end.
    """

    status: int | None = None
    headers: "MultiMapping[str]"
    may_follow: bool = True
    whole: bool = False

    def __init__(self, transport: Any, loop: Any, *, has_body: bool) -> None:
        base = BaseProtocol(loop)
        base.connection_made(transport)
        self._parser: Any = HttpResponseParser(
            base,
            loop,
            2 * MAX_REPLY,
            payload_exception=aiohttp.ClientPayloadError,
            response_with_body=has_body,
            read_until_eof=True,
            auto_decompress=False,
        )
        self._stream: Any = None
        self._body = bytearray()
        self._cost = 0

    @property
    def body(self) -> bytes | None:
        """What was read; None when that is too large, or in too many pieces."""
        if self.status is not None and self.status >= 300:
            return bytes(self._body[:MAX_ERROR_REPLY])
        return None if self._cost > MAX_REPLY else bytes(self._body)

    def feed(self, data: bytes) -> bool:
        """Take bytes, and return whether the reply is known as far as it is wanted.

        Raises:
            HttpProcessingError: They are no reply.
            ClientPayloadError: They are no body.
        """
        try:
            messages, upgraded, tail = self._parser.feed_data(data)
        except _UNNAMED as error:
            raise UnreadableError(error) from error
        for message, stream in messages:
            if self.status is not None:
                self.may_follow = False  # a second reply to one request
            elif not 100 <= message.code < 200 or message.code == 101:
                self.status, self.headers, self._stream = message.code, message.headers, stream
                self.may_follow = not message.should_close
        self.may_follow = self.may_follow and not (upgraded or tail)
        return self._stream is not None and self._read()

    def end(self) -> bool:
        """Take the connection's end, and return whether that was the reply's end, too.

        Raises:
            ClientPayloadError: It was not.
        """
        self.may_follow = False
        try:
            self._parser.feed_eof()
        except (HttpProcessingError, *_UNNAMED) as error:
            raise aiohttp.ClientPayloadError("the reply's body is not whole") from error
        return self._stream is not None and self._read()

    def _read(self) -> bool:
        stream = self._stream
        failure = stream.exception()
        if failure is not None:
            raise failure
        most = MAX_REPLY if self.status is not None and self.status < 300 else MAX_ERROR_REPLY
        while piece := stream.read_nowait():
            self._body += piece
            self._cost += max(PIECE_COST, len(piece))
            if self._cost > most:
                return True
        self.whole = stream.is_eof()
        return self.whole
