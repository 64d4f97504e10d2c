"""Whether aiohttp is as it was made, or somebody listens in: a tape, a mock, a tracer.

They all change what everybody calls. So that is looked at before each request: while one of these
is another's, requests go through it. Whoever came before this module is known by what a function
says of its own code.
"""

import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from operator import attrgetter, is_
from pathlib import Path
from types import FunctionType
from typing import Any

import aiohttp

_NAMES = (
    "ClientSession",
    "ClientSession.__init__",
    "ClientSession.post",
    "ClientSession.request",
    "ClientSession._request",
    "ClientRequest.__init__",
    "ClientRequest.send",
    "ClientResponse.read",
    "ClientResponse.start",
    "TCPConnector",
    "TCPConnector.__init__",
    "TCPConnector.connect",
    "TCPConnector._create_connection",
    "TCPConnector._resolve_host",
)
"""What is changed where aiohttp is listened to; one that aiohttp does not have is left out."""
_OPENING = (
    "TCPConnector._create_direct_connection",
    "TCPConnector._wrap_create_connection",
    "ThreadedResolver.resolve",
    "AsyncResolver.resolve",
)
"""What is changed besides by who has a say in new connections alone."""
_HOME = str(Path(aiohttp.__file__).parent)


def _present(name: str) -> bool:
    with suppress(AttributeError):
        return attrgetter(name)(aiohttp) is not None
    return False


class Look:
    """Whether names of aiohttp are its own at this moment.

    Args:
        names: Where they are in aiohttp; two or more.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._seen: Any = attrgetter(*filter(_present, names))
        self._own: tuple[Any, ...] = ()  # as they were when all were aiohttp's last

    def is_changed(self) -> bool:
        """Return whether one of them is another's."""
        try:
            seen = self._seen(aiohttp)
        except AttributeError:
            return True
        if self._own and all(map(is_, seen, self._own)):  # by identity: wrappers may say "equal"
            return False
        if not all(map(is_aiohttps, seen)):
            return True
        self._own = seen
        return False


is_touched: Callable[[], bool] = Look(_NAMES).is_changed
"""Whether aiohttp's public face is changed at this moment."""
is_opening_touched: Callable[[], bool] = Look(_OPENING).is_changed
"""Whether somebody has a say in how aiohttp connects."""
is_reading_touched: Callable[[], bool] = Look(["ClientResponse", "ClientResponse.read"]).is_changed
"""Whether a reply's body is another's."""


def maker() -> tuple[object, object]:
    """Return what makes a client session at this moment; the same while nobody changes it."""
    made_by = aiohttp.ClientSession
    return made_by, inspect.getattr_static(made_by, "__init__", None)


def is_aiohttps(value: Any) -> bool:
    """Return whether a class or function is as aiohttp has made it."""
    if not str(getattr(value, "__module__", "")).startswith("aiohttp."):
        return False
    if isinstance(value, type):
        return True
    return (
        type(value) is FunctionType
        and not hasattr(value, "__wrapped__")
        and value.__code__.co_filename.startswith(_HOME)
    )
