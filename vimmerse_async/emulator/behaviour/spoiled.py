"""Replies that are rightly framed and wrong in content."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TypeVar

from vimmerse_async.emulator.api.reply import JSON, EmulatorReply, as_json
from vimmerse_async.emulator.behaviour.faults import Fault

_Item = TypeVar("_Item")

_MESSAGES: Mapping[int, str] = {
    400: "Bad request",
    401: "Missing or invalid key",
    402: "Insufficient credits",
    403: "The key has no permission for this resource",
    404: "Not found",
    429: "Rate limit exceeded or concurrency limit reached",
    500: "Please retry or contact support",
}
_DETAIL = [{"loc": ["body", "prompt"], "msg": "Input should be valid", "type": "value_error"}]
_ELSEWHERE = "https://elsewhere.vimmerse.test/"
_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>{0} {1}</title></head>\n"
    "<body><center><h1>{0} {1}</h1></center><hr><center>gateway</center></body></html>\n"
)
_MALFORMED: tuple[tuple[bytes, str], ...] = (
    (b"", JSON),
    (b"upstream said no", "text/plain"),
    (b"<html><body>no</body></html>", "text/html"),
    (b'["no"]', JSON),
    (b"null", JSON),
    (b'{"message": {"text": ["no"]}}', JSON),
    (b'{"detail": "no"}', JSON),
    (b'{"detail": [{"msg": 7}, "no", null]}', JSON),
    (b'{"message": "n\xffo"}', JSON),
    (b'{"message": "n', JSON),
)
_SHAPES = (b"null", b"7", b"true", b'["a prompt"]', b'{"prompt": "a prompt"}', b'{"message": "no"}')


def _html(fault: Fault, _: EmulatorReply, __: float) -> EmulatorReply:
    status = fault.status or 502
    return EmulatorReply(_PAGE.format(status, _phrase(status)).encode(), status, "text/html")


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"


def _cut_json(_: Fault, reply: EmulatorReply, __: float) -> EmulatorReply:
    return EmulatorReply(reply.body[: max(1, len(reply.body) // 2)], reply.status)


def _wrong_shape(fault: Fault, _: EmulatorReply, chance: float) -> EmulatorReply:
    body = fault.body.encode() if fault.body is not None else _pick(_SHAPES, chance)
    return EmulatorReply(body)


def _redirect(fault: Fault, _: EmulatorReply, __: float) -> EmulatorReply:
    location = _ELSEWHERE if fault.location is None else fault.location
    return EmulatorReply(b"", fault.status or 307, "", {"Location": location})


def _status(fault: Fault, _: EmulatorReply, chance: float) -> EmulatorReply:
    status = fault.status or 500
    headers = {} if fault.seconds is None else {"Retry-After": f"{fault.seconds:g}"}
    if fault.body is not None:
        return EmulatorReply(fault.body.encode(), status, JSON, headers)
    if fault.malformed:
        body, content_type = _pick(_MALFORMED, chance)
        return EmulatorReply(body, status, content_type, headers)
    if status == 422:
        return as_json({"detail": _DETAIL}, status, headers)
    return as_json({"message": _MESSAGES.get(status, _phrase(status))}, status, headers)


def _pick(items: Sequence[_Item], chance: float) -> _Item:
    return items[int(chance * len(items))]


SPOILED: Mapping[str, Callable[[Fault, EmulatorReply, float], EmulatorReply]] = {
    "html": _html,
    "empty": lambda _, __, ___: EmulatorReply(b""),
    "cut-json": _cut_json,
    "wrong-shape": _wrong_shape,
    "wrong-type": lambda _, reply, __: EmulatorReply(reply.body, reply.status, "text/plain"),
    "redirect": _redirect,
    "status": _status,
}
"""Kind to what becomes of the reply; `chance` picks where there are several ways."""
