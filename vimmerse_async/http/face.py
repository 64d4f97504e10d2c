"""Whether aiohttp is as it was made, or somebody listens in: a tape, a mock, a tracer.

They all change what everybody calls. So that is looked at before each request: while one of these
is another's, requests go through it. Whoever came before this module is known by what a function
says of its own code.
"""

import inspect
from contextlib import suppress
from operator import attrgetter, is_
from pathlib import Path
from types import FunctionType
from typing import Any

import aiohttp

_NAMES = (
    "ClientSession",
    "ClientSession.__init__",
    "ClientSession.request",
    "ClientSession._request",
    "ClientRequest.__init__",
    "ClientRequest.send",
    "ClientResponse.start",
    "TCPConnector",
    "TCPConnector.__init__",
    "TCPConnector.connect",
    "TCPConnector._create_connection",
    "TCPConnector._resolve_host",
)
"""What is changed where aiohttp is listened to; one that aiohttp does not have is left out."""
_HOME = str(Path(aiohttp.__file__).parent)


def _present(name: str) -> bool:
    with suppress(AttributeError):
        return attrgetter(name)(aiohttp) is not None
    return False


_look: Any = attrgetter(*filter(_present, _NAMES))
_own: tuple[Any, ...] = ()
"""What `_look` gave when it was aiohttp's own last time; empty: never yet."""


def is_touched() -> bool:
    """Return whether aiohttp's public face is changed at this moment."""
    global _own  # noqa: PLW0603 - the process has one aiohttp
    try:
        seen = _look(aiohttp)
    except AttributeError:
        return True
    if _own and all(map(is_, seen, _own)):  # by identity: a wrapper may call itself equal
        return False
    if not all(map(_is_aiohttps, seen)):
        return True
    _own = seen
    return False


def maker() -> tuple[object, object]:
    """Return what makes a client session at this moment; the same while nobody changes it."""
    made_by = aiohttp.ClientSession
    return made_by, inspect.getattr_static(made_by, "__init__", None)


def _is_aiohttps(value: Any) -> bool:
    if not str(getattr(value, "__module__", "")).startswith("aiohttp."):
        return False
    if isinstance(value, type):
        return True
    return (
        type(value) is FunctionType
        and not hasattr(value, "__wrapped__")
        and value.__code__.co_filename.startswith(_HOME)
    )
