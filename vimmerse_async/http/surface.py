"""What this room reads of aiohttp that aiohttp promises to nobody, looked up before it is used.

A name that a later aiohttp has dropped would be missed in the middle of a call, when the server has
answered and charged. So all are looked up when a session opens, once a process, and one that is
missing refuses to open it. A test finds what is read here and does not stand in the tables.
"""

import asyncio
import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import aiohttp

from vimmerse_async._version import __version__
from vimmerse_async.errors import SessionError

__all__ = [
    "BaseProtocol",
    "Connection",
    "HttpProcessingError",
    "HttpResponseParser",
    "ResponseHandler",
    "check",
]

KNOWN = ">=3.14.5,<3.15"
"""The versions of aiohttp in which these names were seen."""

PROTOCOL = "aiohttp.client_proto.ResponseHandler"
CONNECTOR = "aiohttp.TCPConnector"
CONNECTION = "aiohttp.connector.Connection"
SESSION = "aiohttp.ClientSession"
ERROR = "aiohttp.http_exceptions.HttpProcessingError"
PARSER = "aiohttp.http.HttpResponseParser"
FLOW = "aiohttp.base_protocol.BaseProtocol"

READ: Mapping[str, str] = {
    PROTOCOL: "closed should_close transport _buffer_paused _payload _reading_paused _tail",
    CONNECTOR: "_acquired _closed _conns _factory _loop",
    CONNECTION: "protocol",
    PARSER: "feed_data feed_eof",
    SESSION: "_retry_connection",
    ERROR: "message",
    "aiohttp.Payload": "_size",
    "aiohttp.http_parser.RawResponseMessage": "code headers should_close",
    "aiohttp.http_writer.StreamWriter": "protocol",
}
"""By class: attributes of it or of its instances."""
CALLED: Mapping[str, tuple[str, ...]] = {
    PROTOCOL: (
        "__init__(self, loop)",
        "abort(self)",
        "close(self)",
        "exception(self)",
        "force_close(self)",
    ),
    CONNECTOR: ("_close(self)",),
    CONNECTION: ("__init__(self, connector, key, protocol, loop)", "close(self)"),
    FLOW: ("__init__(self, loop)", "connection_made(self, transport)"),
    "aiohttp.StreamReader": (
        "at_eof(self)",
        "exception(self)",
        "is_eof(self)",
        "read_nowait(self)",
        "async readchunk(self)",
        "set_exception(self, exc)",
    ),
    "aiohttp.http_writer.StreamWriter": ("async write(self, chunk)",),
}
"""By class: methods that take these parameters and need no other."""
OVERRIDDEN: Mapping[str, tuple[str, ...]] = {
    PROTOCOL: (
        "connection_made(self, transport)",
        "data_received(self, data)",
        "resume_reading(self, resume_parser)",
        "set_exception(self, exc, exc_cause)",
    ),
    CONNECTOR: (
        "async _create_connection(self, req, traces, timeout)",
        "async _get(self, key, traces)",
        "_release(self, key, protocol, should_close)",
    ),
    "aiohttp.BytesPayload": ("async write_with_length(self, writer, content_length)",),
    "aiohttp.MultipartWriter": ("async write(self, writer, close_boundary)",),
    "aiohttp.Payload": (
        "decode(self, encoding, errors)",
        "async write(self, writer)",
        "async write_with_length(self, writer, content_length)",
    ),
}
"""By class: methods that take exactly these parameters, and that aiohttp calls on ours."""
OURS: Mapping[str, str] = {
    PROTOCOL: "_look broken first_bytes fit_for_reuse has_been_spoken_to hear_out idle keep since",
    CONNECTOR: "_may_follow abandon answered drop reached",
    ERROR: "first_bytes",
    "aiohttp.MultipartWriter": "lease",
    "aiohttp.Payload": "_copy _part _send _touch",
}
"""By class: names that our subclasses add, and that aiohttp must not use."""


def _class(place: str) -> type[Any] | None:
    module, _, name = place.rpartition(".")
    try:
        found: type[Any] | None = getattr(import_module(module), name, None)
    except ImportError:
        return None
    return found


if TYPE_CHECKING:
    from aiohttp.base_protocol import BaseProtocol
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.http import HttpResponseParser
    from aiohttp.http_exceptions import HttpProcessingError
else:  # one that has gone is told when a session opens, not by a bare ImportError
    ResponseHandler = _class(PROTOCOL) or type("Gone", (), {})
    Connection = _class(CONNECTION) or type("Gone", (), {})
    HttpProcessingError = _class(ERROR) or type("Gone", (Exception,), {})
    HttpResponseParser = _class(PARSER) or type("Gone", (), {})
    BaseProtocol = _class(FLOW) or type("Gone", (), {})


def check() -> None:
    """Look the names up, in the running loop and once a process.

    Raises:
        SessionError: One is missing; names it, the version and the mend.
    """
    missing = _first_missing()
    if missing is not None:
        raise SessionError(
            f"aiohttp {aiohttp.__version__} {missing}: vimmerse-async {__version__} cannot work "
            f'with that, and sends nothing; pip install "aiohttp{KNOWN}"'
        )


@functools.cache
def _first_missing() -> str | None:
    try:
        return next(_missing(), None)
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be sent
        return f"cannot be looked through ({type(error).__name__}: {error})"


def _missing() -> Iterator[str]:
    for place in {**READ, **CALLED, **OVERRIDDEN}:
        if _class(place) is None:
            yield f"has no {place}"
    for place, methods in CALLED.items():
        yield from (f"has no {place}.{each}" for each in methods if not _fits(place, each))
    for place, methods in OVERRIDDEN.items():
        yield from (f"has no {place}.{each}" for each in methods if _rendered(place, each) != each)
    made = _instances()
    for place, names in READ.items():
        found = _class(place), made.get(place)
        yield from (f"has no {place}.{each}" for each in names.split() if not _has(found, each))
    for place, names in OURS.items():
        found = _class(place), made.get(place)
        yield from (f"has its own {place}.{each}" for each in names.split() if _has(found, each))


def _has(found: tuple[object, ...], name: str) -> bool:
    return any(hasattr(each, name) for each in found)


def _fits(place: str, wanted: str) -> bool:
    parameters = _parameters(place, name_of(wanted))
    if {each.kind for each in parameters} >= {
        inspect.Parameter.VAR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    }:
        return True  # somebody's wrapper, who listens
    needed = {each.name for each in parameters if each.default is each.empty}
    takes = set(re.findall(r"\w+", wanted.partition("(")[2]))
    if not needed <= takes <= {each.name for each in parameters}:
        return False
    return _rendered(place, wanted).startswith("async ") is wanted.startswith("async ")


def _rendered(place: str, wanted: str) -> str:
    name = name_of(wanted)
    words = ", ".join(each.name for each in _parameters(place, name))
    is_async = inspect.iscoroutinefunction(inspect.unwrap(getattr(_class(place), name, len)))
    return f"{'async ' * is_async}{name}({words})"


def name_of(wanted: str) -> str:
    """Return the name of a method in the tables."""
    return wanted.partition("(")[0].removeprefix("async ")


def _parameters(place: str, name: str) -> list[inspect.Parameter]:
    for owner in inspect.getmro(_class(place) or object):
        if name in vars(owner) and owner.__module__.startswith("aiohttp"):  # not asyncio's own
            return [*inspect.signature(vars(owner)[name]).parameters.values()]
    return []


def _instances() -> Mapping[str, object]:
    """Return some that know no network and need not be closed."""
    loop = asyncio.get_running_loop()
    connector: Any = aiohttp.BaseConnector()
    session = aiohttp.ClientSession(connector=connector)
    made: dict[str, object] = {
        PROTOCOL: ResponseHandler(loop),
        CONNECTOR: connector,
        CONNECTION: Connection(connector, cast("Any", None), cast("Any", None), loop),
        SESSION: session,
        FLOW: BaseProtocol(loop),
        PARSER: HttpResponseParser(
            BaseProtocol(loop),
            loop,
            1,
            payload_exception=aiohttp.ClientPayloadError,
            response_with_body=True,
            read_until_eof=True,
            auto_decompress=False,
        ),
        "aiohttp.MultipartWriter": aiohttp.MultipartWriter(),
        "aiohttp.Payload": aiohttp.BytesPayload(b""),
    }
    session.detach()
    return made
