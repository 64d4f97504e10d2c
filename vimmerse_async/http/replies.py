"""What comes of an exchange over a connection of our own, the key masked: a `Reply` or a `Failure`.

The connection asks as soon as it knows, so that no coroutine has to stand by while a server thinks.
"""

from typing import Any

import aiohttp

from vimmerse_async.decode import ERROR_HEADERS, MAX_REPLY, SUCCESS_HEADERS, unpack
from vimmerse_async.http.failures import BUGS, failure_of
from vimmerse_async.http.reading import Fields
from vimmerse_async.http.surface import HttpProcessingError
from vimmerse_async.masking import Mask
from vimmerse_async.wire import Failure, Lease, Reply

FORESEEN = (aiohttp.ClientError, HttpProcessingError, OSError, *BUGS)
"""What a connection ends with; anything else is a fault of ours that goes up as it is."""


class Replies:
    """Reads what one origin says.

    Args:
        mask: Hides the secrets that went there.
        place: Its host and port, for people.
    """

    def __init__(self, mask: Mask, place: str) -> None:
        self._mask = mask
        self._place = place

    def reply(self, status: int, told: Any, body: bytes | None) -> Reply | Failure:
        """Return what a reply says.

        Args:
            status: The HTTP status.
            told: Its fields, or its head where `reading.common` knows it.
            body: None for one that is too large.
        """
        if type(told) is bytes and body is not None:
            return Reply(status, Fields(told, self._mask), self._mask.answer(body))
        return self._other(status, told, body)

    def _other(self, status: int, headers: Any, body: bytes | None) -> Reply | Failure:
        if body is None or len(body) > MAX_REPLY:
            message = f"the reply is larger than {MAX_REPLY:,} bytes, or in too many pieces"
            return Failure("too_large", sent=True, message=message)
        kept = {}
        for name in SUCCESS_HEADERS if status < 300 else ERROR_HEADERS:
            if name in headers:
                kept[name] = self._mask.text(", ".join(headers.getall(name)))
        if "content-encoding" in kept:
            unpacked = unpack(body, kept.pop("content-encoding"))
            if isinstance(unpacked, str) and status < 300:
                message = f"the server answered {status}, but its Content-Encoding is broken"
                return Failure(unpacked, sent=True, message=message, status=status)
            body = unpacked if isinstance(unpacked, bytes) else b""
        mask = self._mask
        body = mask.refusal(mask.answer(body)) if status >= 300 else mask.answer(body)
        return Reply(status, kept, body)

    def failure(self, error: Exception, lease: Lease, status: int | None) -> Failure | None:
        """Return what an error means; None for one that nobody has foreseen.

        Args:
            error: What was raised.
            lease: What became of the connection.
            status: The reply's status; None when none was read.
        """
        if not isinstance(error, FORESEEN):
            return None
        return failure_of(error, lease, status, self._place)
