"""What goes out and what comes back, as plain data: pure, no I/O.

Arguments are checked here and become a `Call`. What one exchange brings is a `Reply`, or a
`Failure` where there is none; a `Lease` notes what became of the connection. `decode` reads them.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NoReturn, Protocol

import attrs

from vimmerse_async.control.limit import LatencyClass
from vimmerse_async.errors import InvalidRequestError, brief
from vimmerse_async.models import (
    FIELDS,
    URL_FIELDS,
    ModeLike,
    OptionLike,
    PromptMode,
    PromptOption,
    PromptRequest,
)
from vimmerse_async.urls import check_url, is_plain

Expects = Literal["text", "asset", "upload", "json"]

MAX_PROMPT = 1_000_000
"""Characters. unknown: assumed because a longer prompt is a file that was passed by mistake."""

_METHODS = frozenset({"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"})
_PATH = re.compile(r"/(?!/)[!$-;=?-\[\]_a-z~]{0,4000}").fullmatch
_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?=[/?]|\Z)", re.IGNORECASE).search
_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}").fullmatch
_SURROGATE = re.compile(r"[\ud800-\udfff]").search
_URLS = frozenset(URL_FIELDS)
_CHOICES = {
    "option": frozenset(map(str, PromptOption)),
    "mode": frozenset(map(str, PromptMode)),
}
_NEEDED: dict[str | None, tuple[frozenset[str], str, str]] = {
    PromptOption.REFINE_PROMPT: (
        frozenset({"prompt"}), "prompt", "prompt is required to refine one",
    ),
    PromptOption.IMAGE_2_PROMPT: (
        _URLS | {"image_file", "image2_file", "video_file"}, "image_url",
        "image_url is required to describe a picture (or video_url for a video)",
    ),
}  # fmt: skip
"""By option: one of these fields must be given, the field that an error names, and its words."""
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


@attrs.frozen
class Operation:
    """One route: where it is, what it costs to wait for, what it answers.

    Attributes:
        name: The name in errors, hooks and statistics.
        method: The HTTP method.
        path: The path below the session's address.
        attempt: Seconds that one request may take by default; None: no bound of its own.
        total: Seconds that a whole call may take by default.
        idle: Seconds that an upload may stand still; None for other routes.
        latency: The latency class, for the limit.
        expects: What a success is.
        safe: True when sending it twice cannot cost anything.
        resend: False: never sent again when it may have been charged.
    """

    name: str
    method: str
    path: str
    attempt: float | None = 60.0
    total: float = 300.0
    idle: float | None = None
    latency: LatencyClass = "text"
    expects: Expects = "text"
    safe: bool = False
    resend: bool = True


class Reader(Protocol):
    """A file as one attempt of an upload reads it."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, in a thread; none at the end."""
        ...

    def close(self) -> None:
        """End reading, in the event loop."""
        ...


@attrs.frozen
class FilePart:
    """A file of a form.

    Attributes:
        field: The form field's name.
        filename: The name sent with it.
        media_type: Its media type, read from the first bytes.
        size: Bytes to send; None: until the source ends.
        source: The bytes, or what makes a reader for each attempt; raises ValueError when it
            cannot be sent again.
    """

    field: str
    filename: str
    media_type: str
    size: int | None
    source: bytes | Callable[[], Reader] = attrs.field(repr=False)


@attrs.frozen
class Form:
    """A multipart form: texts first, then files."""

    texts: tuple[tuple[str, str], ...] = ()
    files: tuple[FilePart, ...] = ()


@attrs.frozen
class Call:
    """A checked request: nothing about it can be wrong any more but the server's opinion.

    Attributes:
        operation: The route.
        body: The JSON bytes; None for no body.
        form: Parts of a multipart form, opened anew for each attempt; None for none.
    """

    operation: Operation
    body: bytes | None = attrs.field(default=None, repr=False)
    form: Form | None = None


@attrs.define
class Reply:
    """What the server answered, the key masked.

    Attributes:
        status: The HTTP status.
        headers: The few headers that anything here reads, names in lower case.
        body: The whole body, at most the transport's cap.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@attrs.frozen
class Failure:
    """Why there is no `Reply`.

    Attributes:
        kind: The `.kind` of the error it becomes.
        sent: False when the server cannot have seen the request.
        message: One sentence for people.
        reused: True when the connection had carried an earlier request.
        status: The HTTP status, where one was read before the failure.
    """

    kind: str
    sent: bool
    message: str
    reused: bool = False
    status: int | None = None


@attrs.define(eq=False, weakref_slot=False)
class Lease:
    """What one exchange asks of the pool and learns from it.

    Attributes:
        fresh: True asks for a connection that has not been used before.
        wary: True asks to hear a new TLS connection out before it is used: a request before was
            lost, and who refuses after the handshake (TLS 1.3) is drowned out by what is written.
        headers: What a hook adds to the request; None for nothing.
        until: When the answer has to be there, on the loop's clock.
        touch: Called whenever an upload makes progress; None for no wish to know.
        least: Seconds that an answer takes: with less left, nothing is sent on a new connection.
        connected: True once there was a connection: from then on something may have been sent.
        reused: True when the connection had carried an earlier request.
        late: True when the connection is looked at once more before the request is written, which
            on Python 3.11 is a turn of the event loop later.
        spoiled: True when that look found something: nothing was sent.
        line: The connection of our own on which the request is under way; None while it is not.
        protocol: The connection of aiohttp's pool, which is told how long it may be kept.
    """

    fresh: bool = False
    wary: bool = False
    headers: Mapping[str, str] | None = None
    until: float = math.inf
    touch: Callable[[], None] | None = None
    least: float = 0.0
    connected: bool = False
    reused: bool = False
    late: bool = False
    spoiled: bool = False
    line: Any = None
    protocol: Any = None

    def spoil(self) -> NoReturn:
        """Note that the connection cannot be used, and end the exchange.

        Raises:
            ConnectionResetError: Always.
        """
        self.spoiled = True
        raise ConnectionResetError

    def let_go(self) -> None:
        """End the connection whose reply nobody waits for any more, if there is one."""
        if self.line is not None:
            self.line.end()

    def renew(self) -> None:
        """Ask for a connection that has not been used before: nothing was sent on this one."""
        self.fresh = True
        self.connected = self.reused = self.spoiled = False


TEXT_PROMPT = Operation("text_prompt", "POST", "/v2/text/prompt", attempt=120.0)
TEXT_PROMPT_VISION = attrs.evolve(TEXT_PROMPT, latency="vision")
SUGGEST_PROMPT = Operation("suggest_prompt", "POST", "/v2/text/suggest-prompt")
REFINE_PROMPT = Operation("refine_prompt", "POST", "/v2/text/refine-prompt")
IMAGE_2_PROMPT = Operation(
    "image_2_prompt", "POST", "/v2/text/image-2-prompt", attempt=120.0, latency="vision"
)
UPLOAD = Operation(
    "upload", "POST", "/", attempt=None, total=3600.0, idle=60.0, latency="upload", expects="upload"
)
"""unknown: an hour, and a minute of standstill, assumed because proxies wait no longer."""

SUGGEST_CALL = Call(SUGGEST_PROMPT)
WHO_CALL = Call(Operation("who", "GET", "/_emulator", expects="json", safe=True))
"""Asks a server on this machine whether it is an emulator; nobody bills it."""


def refine_call(prompt: str) -> Call:
    """Check a text and return the call that refines it."""
    _check_prompt(prompt)
    return Call(REFINE_PROMPT, f'{{"prompt":{_encode(prompt)}}}'.encode())


def image_call(image_url: str) -> Call:
    """Check a picture's URL and return the call that describes it."""
    if type(image_url) is str and is_plain(image_url):  # and so needs no escapes in JSON
        return Call(IMAGE_2_PROMPT, f'{{"image_url":"{image_url}"}}'.encode())
    check_url("image_url", image_url)
    return Call(IMAGE_2_PROMPT, f'{{"image_url":{_encode(image_url)}}}'.encode())


def prompt_call(request: PromptRequest) -> Call:
    """Check a question and return the call to the general route, with the given fields only."""
    fields = _checked_fields(request, ())
    operation = TEXT_PROMPT if _URLS.isdisjoint(fields) else TEXT_PROMPT_VISION
    return Call(operation, _encode(fields).encode())


def legacy_fields(request: PromptRequest, files: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Check a question that comes with files and return its fields for a form."""
    fields = _checked_fields(request, files)
    return tuple((name, str(value)) for name, value in fields.items())


def custom_call(method: str, path: str, json: Any, form: Mapping[str, str] | None) -> Call:
    """Check the arguments of `VimmerseSession.request` and return the call."""
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise InvalidRequestError(
            f"method must be one of {', '.join(sorted(_METHODS))}; not {brief(method)}",
            field="method",
        )
    if not isinstance(path, str) or not _PATH(path) or _DOTS(path.partition("?")[0]):
        raise InvalidRequestError(
            "path must begin with a single '/', go nowhere up and hold URL characters only, "
            f"percent-encoded where necessary: {brief(path)}",
            field="path",
        )
    if json is not None and form is not None:
        raise InvalidRequestError("json and form exclude each other", field="form")
    safe = method.upper() in {"GET", "HEAD"}
    operation = Operation("request", method.upper(), path, expects="json", safe=safe, resend=safe)
    return Call(
        operation,
        None if json is None else json_body("json", json),
        None if form is None else _texts(form),
    )


def option_of(option: OptionLike | None) -> PromptOption | None:
    """Return the option as its enum, or raise `InvalidRequestError` that lists the options."""
    if option is not None and not (isinstance(option, str) and option in _CHOICES["option"]):
        raise _unknown_choice("option", option)
    return None if option is None else PromptOption(option)


def mode_of(mode: ModeLike | None) -> PromptMode | None:
    """Return the mode as its enum, or raise `InvalidRequestError` that lists the modes."""
    if mode is not None and not (isinstance(mode, str) and mode in _CHOICES["mode"]):
        raise _unknown_choice("mode", mode)
    return None if mode is None else PromptMode(mode)


def json_body(field: str, value: Any) -> bytes:
    """Return any value as JSON bytes, or raise `InvalidRequestError` that names `field`."""
    try:
        return _encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(f"{field} cannot be sent as JSON: {error}", field=field) from None


def _checked_fields(request: PromptRequest, files: Iterable[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in FIELDS:
        value = getattr(request, name)
        if value is None:
            continue
        if name in _URLS:
            if type(value) is not str or not is_plain(value):
                check_url(name, value)
        elif name in _CHOICES and not (isinstance(value, str) and value in _CHOICES[name]):
            raise _unknown_choice(name, value)
        fields[name] = value
    if "prompt" in fields:
        _check_prompt(fields["prompt"])
    needed = _NEEDED.get(request.option)
    if needed is not None and needed[0].isdisjoint([*fields, *files]):
        raise InvalidRequestError(needed[2], field=needed[1])
    return fields


def _unknown_choice(field: str, value: Any) -> InvalidRequestError:
    words = ", ".join(sorted(_CHOICES[field]))
    return InvalidRequestError(f"{field} must be one of {words}; not {brief(value)}", field=field)


def _check_prompt(prompt: object) -> None:
    if not isinstance(prompt, str):
        raise InvalidRequestError(
            f"prompt must be a str, not {type(prompt).__name__}", field="prompt"
        )
    if not prompt or prompt.isspace():
        raise InvalidRequestError("prompt is empty", field="prompt")
    if len(prompt) > MAX_PROMPT:
        raise InvalidRequestError(
            f"prompt has {len(prompt):,} characters; at most {MAX_PROMPT:,} are sent",
            field="prompt",
        )
    if "\0" in prompt:
        raise InvalidRequestError(
            "prompt contains a NUL character; was the text decoded with its own encoding?",
            field="prompt",
        )
    if not prompt.isascii() and _SURROGATE(prompt):
        raise InvalidRequestError(
            "prompt contains a lone surrogate, which is no character; decode the text with its "
            "own encoding",
            field="prompt",
        )


def _texts(form: Mapping[str, str]) -> Form:
    if not isinstance(form, Mapping) or not all(map(_is_text, form.items())):
        raise InvalidRequestError(
            "form must map plain names (letters, digits and _.-[]) to texts", field="form"
        )
    return Form(texts=tuple(form.items()))


def _is_text(item: tuple[object, object]) -> bool:
    name, text = item
    plain = isinstance(name, str) and _NAME(name) is not None
    return plain and isinstance(text, str) and not _SURROGATE(text)
