"""A `Reply` becomes a value, or an error that is returned, not raised: pure, no I/O."""

import html
import json
import re
import zlib
from collections.abc import Mapping
from json.decoder import scanstring  # type: ignore[attr-defined] # as old as json itself
from typing import Any

from vimmerse_async.errors import (
    APIConnectionError,
    APIError,
    APIResponseError,
    APITimeoutError,
    Sent,
    status_error_class,
)
from vimmerse_async.models import Asset
from vimmerse_async.quota import QUOTA_HEADERS, wait_asked
from vimmerse_async.wire import Expects, Failure, Operation, Reply

MAX_REPLY = 4 * 1024 * 1024
"""Bytes, decoded. unknown: assumed because a prompt is text of a few kilobytes at most."""
MAX_SHOWN = 2_000
MAX_MESSAGE = 1_000
REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")
"""unknown: assumed because gateways commonly use these; the vendor documents none."""
SUCCESS_HEADERS = ("content-encoding", *REQUEST_ID_HEADERS)
"""The headers that a 2xx `Reply` keeps."""
ERROR_HEADERS = (
    *SUCCESS_HEADERS, "date", "location", "retry-after", "retry-after-ms", *QUOTA_HEADERS,
)  # fmt: skip
"""The headers that any other `Reply` keeps."""

_TITLES = tuple(
    re.compile(rf"<{tag}\b[^>]*>(.*?)</{tag}", re.IGNORECASE | re.DOTALL)
    for tag in ("title", "h1", "h2", "p")
)
_NO_TEXT = re.compile(r"<(script|style)\b.*?</\1", re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(r"<[^>]*>?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]+")
_EMULATOR = "vimmerse-emulator"
_TELLS_NOTHING = frozenset({408, 425, 429})
_GATEWAYS = re.compile(
    r"(?:\d{3} )?(?P<certificate>No required SSL certificate was sent|The SSL certificate error)"
    r"|(?:\d{3} )?(?P<protocol>The plain HTTP request was sent to HTTPS port"
    r"|Client sent an HTTP request to an HTTPS server)"
).match
"""What nginx and Go's servers say, with a 400, of a request that came in by the wrong way."""
_DISTRUSTS = re.compile(r"<p>\s*(?P<proxy>Certificate verify failed: [^<]{1,80})").search
"""What mitmproxy says, with a 502, when it passes nothing on."""
_WAYS = {
    "proxy": "the proxy does not trust the server's certificate (HTTP {}: {}): its operator has to "
    "give it the authority, or reach the server without the proxy (NO_PROXY)",
    "certificate": "the server wants a client certificate that it trusts (HTTP {}: {}): load yours "
    "into a context with load_cert_chain(…), and pass ssl=context",
    "protocol": "the server speaks TLS there, and was asked without (HTTP {}: {}): write https:// "
    "in base_url",
}
_TIMEOUT_KINDS = frozenset({"timeout", "connect_timeout", "idle", "deadline"})
_RESPONSE_KINDS = frozenset({"malformed", "truncated", "too_large", "encoding"})


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object names a field twice")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_parse_any = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant).decode


def decode(operation: Operation, reply: Reply) -> Any:
    """Return the value that a 2xx carries, or the `APIResponseError` that says why it has none."""
    body = reply.body
    try:
        text = body.decode()
        # What nearly every reply is: a bare string needs no scanner of values.
        value, end = scanstring(text, 1) if text[:1] == '"' else (None, -1)
        if end != len(text):
            value = _parse_any(text)
    except (ValueError, RecursionError):
        if not body or body.isspace():
            return _nothing(operation, reply)
        try:
            value = _parse_any(body.decode(json.detect_encoding(body)))
        except (ValueError, RecursionError):
            kind = "html" if body.lstrip()[:1] == b"<" else "json"
            return _mistake(operation, reply, kind, f"no JSON: {_shown(body)[:200]!r}")
    if type(value) is str and operation.expects == "text" and value.isascii() and value.strip():
        return value
    return _CONVERT[operation.expects](operation, reply, value)


def error_of(operation: Operation, answer: Reply | Failure) -> APIError:
    """Return the error for an answer that is no 2xx."""
    if isinstance(answer, Failure):
        return _failed(answer)
    if not 300 <= answer.status < 600:
        return _mistake(operation, answer, "malformed", "that is no final HTTP status")
    if answer.status < 400:
        location = ascii(answer.headers.get("location", "nowhere").partition("?")[0])[:120]
        return _mistake(operation, answer, "redirect", f"redirects are not followed ({location})")
    return _refused(answer)


def is_emulator(answer: Reply | Failure) -> bool | None:
    """Return whether who was asked says that it is an emulator; None: that cannot be told yet.

    A server that is down, overloaded or broken is not known by that; any other answer is one.
    """
    if isinstance(answer, Failure) or answer.status in _TELLS_NOTHING or answer.status >= 500:
        return None
    try:
        told = _parse_any(answer.body.decode())
    except (ValueError, RecursionError):
        return False
    return answer.status == 200 and type(told) is dict and told.get("server") == _EMULATOR


def unpack(body: bytes, encoding: str) -> bytes | str:
    """Return the decoded body, or the kind of the failure: "encoding" or "too_large"."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        return "encoding"
    unpacker = zlib.decompressobj(wbits=47)  # 32 + 15: zlib or gzip, by their own headers
    try:
        unpacked = unpacker.decompress(body, MAX_REPLY + 1)
    except zlib.error:
        return "encoding"
    if len(unpacked) > MAX_REPLY:
        return "too_large"
    return unpacked if unpacker.eof and not unpacker.unused_data else "encoding"


def _nothing(operation: Operation, reply: Reply) -> Any:
    if operation.expects == "json":
        return None
    return _mistake(operation, reply, "empty", "the body is empty")


def _as_text(operation: Operation, reply: Reply, value: Any) -> Any:
    if type(value) is dict and "data" in value:
        value = value["data"]
    if type(value) is not str:
        return _other_type(operation, reply, value)
    if not value or value.isspace():
        return _mistake(operation, reply, "empty", "the prompt is empty")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return _mistake(operation, reply, "surrogate", "the prompt holds a lone surrogate")
    return value


def _as_asset(operation: Operation, reply: Reply, value: Any) -> Any:
    if type(value) is dict and type(value.get("data")) is dict:
        value = value["data"]
    if type(value) is not dict or not ("id" in value or "results" in value):
        return _other_type(operation, reply, value)
    fields = dict(value)
    return Asset(
        id=_word(fields.pop("id", None)),
        results=_words(fields.pop("results", None)),
        status=_word(fields.pop("status", None)),
        mime_type=_word(fields.pop("mime_type", None)),
        thumbnails=_words(fields.pop("thumbnails", None)),
        created_at=_word(fields.pop("created_at", None)),
        updated_at=_word(fields.pop("updated_at", None)),
        extra=fields,
    )


def _as_upload(operation: Operation, reply: Reply, value: Any) -> Any:
    asset = _as_asset(operation, reply, value)
    if isinstance(asset, Asset) and not asset.results:
        words = f"the upload has no URL (asset {asset.id}, status {asset.status})"
        return _mistake(operation, reply, "type", _clean(words)[:MAX_MESSAGE])
    return asset


def _as_json(_operation: Operation, _reply: Reply, value: Any) -> Any:
    return value["data"] if type(value) is dict and value.keys() == {"data"} else value


_CONVERT = {"text": _as_text, "asset": _as_asset, "upload": _as_upload, "json": _as_json}


def _word(value: Any) -> str | None:
    return None if value is None else str(value)


def _words(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if type(item) is str) if type(value) is list else ()


_KINDS = {
    dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number",
    bool: "true or false", type(None): "null",
}  # fmt: skip
"""What JSON holds, in words."""
_WANTED: dict[Expects, str] = {
    "text": "a prompt", "asset": "an asset", "upload": "an asset", "json": "JSON",
}  # fmt: skip


def _other_type(operation: Operation, reply: Reply, value: Any) -> APIResponseError:
    if type(value) is dict and (message := _message_of(value)):
        return _mistake(operation, reply, "error_object", f"instead of a prompt: {message}")
    wanted = _WANTED[operation.expects]
    return _mistake(operation, reply, "type", f"expected {wanted}, got {_KINDS[type(value)]}")


def _mistake(operation: Operation, reply: Reply, kind: str, message: str) -> APIResponseError:
    error = APIResponseError(
        f"{operation.path.partition('?')[0]} answered {reply.status}: {message}",
        kind=kind,
        status=reply.status,
        body=_shown(reply.body),
    )
    error.request_id = _request_id(reply.headers)
    return error


def _refused(reply: Reply) -> APIError:
    body = reply.body
    try:
        content = _parse_any(body.decode(json.detect_encoding(body)))
    except (ValueError, RecursionError):
        content = None
    message = _message_of(content) if type(content) is dict else ""
    explanation = message or _explanation(body)
    if content is None and (wrong_way := _wrong_way(reply, explanation)) is not None:
        return wrong_way
    detail = content.get("detail") if type(content) is dict else None
    words = explanation.removeprefix(f"{reply.status} ")  # titles of gateways' pages begin with it
    error = status_error_class(reply.status)(
        f"HTTP {reply.status}: {words or 'no explanation given'}",
        status=reply.status,
        body=_shown(body),
        retry_after=wait_asked(reply.headers),
        details=detail if type(detail) is list else (),
    )
    error.request_id = _request_id(reply.headers)
    return error


def _wrong_way(reply: Reply, explanation: str) -> APIConnectionError | None:
    """Return what a gateway means that has passed nothing on; None: it may have."""
    found = None
    if reply.status == 400:
        found = _GATEWAYS(explanation)
    elif reply.status == 502:
        found = _DISTRUSTS(_shown(reply.body))
    kind = None if found is None else found.lastgroup
    if found is None or kind is None:
        return None
    words = " ".join(html.unescape(found[kind]).split())[:100]
    return APIConnectionError(_WAYS[kind].format(reply.status, words), kind=kind, sent="no")


def _explanation(body: bytes) -> str:
    """Return what a body that is no JSON says: of a page its title, else its first words."""
    text = _shown(body)
    if "<" not in text[:200]:
        return text[:200]
    titles = (found[1] for pattern in _TITLES if (found := pattern.search(text)))
    words = (html.unescape(_TAGS.sub(" ", title)) for title in (*titles, _NO_TEXT.sub(" ", text)))
    return next((short for each in words if (short := " ".join(each.split())[:200])), "")


def _message_of(content: Mapping[str, Any]) -> str:
    for name in ("message", "detail", "error"):
        found = content.get(name)
        if type(found) is str and found:
            return _clean(found)[:MAX_MESSAGE]
        if type(found) is dict and type(found.get("message")) is str:
            return _clean(found["message"])[:MAX_MESSAGE]
        if type(found) is list and found:
            return "; ".join(_entry(entry) for entry in found[:5])[:MAX_MESSAGE]
    return ""


def _entry(entry: Any) -> str:
    if type(entry) is not dict:
        return _clean(str(entry)[:200])
    place = entry.get("loc")
    where = ".".join(map(str, place)) if type(place) is list else ""
    return _clean(f"{where}: {entry.get('msg', 'invalid')}" if where else f"{entry.get('msg')}")


def _failed(failure: Failure) -> APIError:
    sent: Sent = "maybe" if failure.sent else "no"
    if failure.kind in _TIMEOUT_KINDS:
        return APITimeoutError(failure.message, kind=failure.kind, sent=sent)
    if failure.kind in _RESPONSE_KINDS:
        return APIResponseError(failure.message, kind=failure.kind, status=failure.status)
    return APIConnectionError(failure.message, kind=failure.kind, sent=sent)


def _request_id(headers: Mapping[str, str]) -> str | None:
    for name in REQUEST_ID_HEADERS:
        if name in headers:
            return _clean(headers[name])[:100]
    return None


def _shown(body: bytes) -> str:
    return _clean(body[: 4 * MAX_SHOWN].decode("utf-8", "replace"))[:MAX_SHOWN]


def _clean(text: str) -> str:
    return _CONTROLS.sub(" ", text.encode("utf-8", "replace").decode())
