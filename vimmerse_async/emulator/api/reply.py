"""What goes back to the caller: status, headers and body, before any of it touches a socket."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs

JSON = "application/json"
NAME = "vimmerse-emulator"
"""What the `Server` header of every reply says, so that nobody takes this for the paid API."""
_encode = json.JSONEncoder(ensure_ascii=False).encode
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@attrs.frozen
class EmulatorReply:
    """A whole answer.

    Attributes:
        body: The bytes as they go out.
        status: HTTP status.
        content_type: The `Content-Type` header; empty: none is sent.
        headers: All further headers.
    """

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = NO_HEADERS


class RefusedError(Exception):
    """A request ends here, with the reply that says why."""

    def __init__(self, reply: EmulatorReply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def as_json(
    value: Any, status: int = 200, headers: Mapping[str, str] = NO_HEADERS
) -> EmulatorReply:
    """Return the value as a JSON reply, without a wrapper."""
    # half a surrogate pair becomes its JSON escape
    return EmulatorReply(_encode(value).encode(errors="backslashreplace"), status, JSON, headers)


def refused(status: int, message: str, headers: Mapping[str, str] = NO_HEADERS) -> RefusedError:
    """Return the error with the body `{"message": …}`."""
    return RefusedError(as_json({"message": message}, status, headers))


def problem(location: Sequence[str | int], message: str, kind: str) -> dict[str, Any]:
    """Return one entry of a 422's detail."""
    return {"loc": list(location), "msg": message, "type": kind}


def unprocessable(problems: Sequence[Mapping[str, Any]]) -> RefusedError:
    """Return the 422 that lists what is wrong with the request's shape."""
    return RefusedError(as_json({"detail": list(problems)}, 422))
