"""Whether aiohttp is as it was made, or somebody listens in: a tape, a mock, a tracer.

They all change what everybody calls. So that is looked at before each request: while one of these
is another's, requests go through it. Whoever came before this module is known by what a function
says of its own code.
"""

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from operator import attrgetter, is_
from pathlib import Path
from types import FunctionType
from typing import Any

import aiohttp
import yarl

NAMES: Mapping[str, str] = {
    "": "ClientSession client.URL client_proto.HttpResponseParser client_reqrep.StreamWriter",
    "ClientSession": "__init__ post request _request _build_url _prepare_headers closed trust_env",
    "ClientRequest": "__init__ send write_bytes request_info connection_key is_ssl ssl port"
    " update_auth update_auto_headers update_body_from_data update_content_encoding update_cookies"
    " update_expect_continue update_headers update_host update_proxy update_transfer_encoding"
    " update_version _get_content_length",
    "ClientResponse": "__init__ start read json text raise_for_status headers"
    " _response_eof _release_connection _cleanup_writer",
    "TCPConnector": "__init__ connect closed force_close _get _release _release_acquired"
    " _release_waiter _available_connections _create_connection _create_direct_connection"
    " _wrap_create_connection _get_ssl_context _get_fingerprint _resolve_host"
    " _resolve_host_with_throttle _convert_hosts_to_addr_infos",
    "connector.Connection": "__init__ __bool__ protocol release _notify_release",
    "client_proto.ResponseHandler": "__init__ connection_made data_received set_response_params"
    " start_timeout should_close upgraded _reschedule_timeout _drop_timeout _drain_tail",
    "http_writer.StreamWriter": "__init__ write write_headers write_eof _writelines"
    " _send_headers_with_payload",
    "StreamReader": "read readany",
    "BytesPayload": "__init__ write_with_length size close",
    "ThreadedResolver": "resolve",
    "AsyncResolver": "resolve",
}
"""What a request of aiohttp's calls, by class or module; one that it does not have is left out."""
_HOMES = tuple(str(Path(inspect.getfile(each)).parent) for each in (aiohttp, yarl))


def _present(name: str) -> bool:
    with suppress(AttributeError):
        return attrgetter(name)(aiohttp) is not None
    return False


def names() -> list[str]:
    """Return all that is looked at, as it is called from aiohttp on."""
    return [
        name
        for place, words in NAMES.items()
        for name in (f"{place}.{each}".lstrip(".") for each in words.split())
        if _present(name)
    ]


class Look:
    """Whether names of aiohttp are its own at this moment.

    Args:
        names: Where they are in aiohttp; two or more.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._seen: Any = attrgetter(*names)
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


class _Heirless:
    one = other = third = None

    def __init_subclass__(cls) -> None:
        """Do not say that inheriting from aiohttp's classes is discouraged."""


def _comparable(word: str, compared: deque[str]) -> str:
    """Return a string that says no when it is compared with another, and notes that."""
    kind: type[str] = type(
        "_Comparable", (str,), {"__eq__": compared.append, "__hash__": str.__hash__}
    )
    return kind(word)


class Watch:
    """Whether something is another's, told without a look at all as long as nothing is changed.

    Python remembers where it has found a name in a class until that or a base of it is changed:
    only then what is looked up is compared anew with the names of an heir of all. Three names,
    since it may have to forget one for want of room, but hardly all.
    """

    def __init__(self) -> None:
        self._compared = tuple(deque[str](maxlen=1) for _ in range(3))
        own = dict.fromkeys(map(_comparable, ("one", "other", "third"), self._compared))
        each = NAMES[""].split()
        bases: tuple[type, ...] = (_Heirless,)
        for place in filter(_present, filter(None, NAMES)):
            try:
                type("_Heir", (*bases, attrgetter(place)(aiohttp)), {})
            except TypeError:  # no class can have the slots of both
                each += [name for name in names() if name.startswith(f"{place}.")]
            else:
                bases = (*bases, attrgetter(place)(aiohttp))
        self._heir: Any = type("_Heir", bases, own)
        self._each: Any = attrgetter(*filter(_present, each))
        self._own: tuple[Any, ...] = ()
        self._all = Look(names())

    def is_changed(self) -> bool:
        """Return whether something is another's."""
        heir = self._heir
        _ = heir.one, heir.other, heir.third  # to see whether they are remembered
        seen = self._each(aiohttp)
        if not all(self._compared) and self._own and all(map(is_, seen, self._own)):
            return False
        self._own = ()  # first: another thread may ask in between
        for each in self._compared:
            each.clear()
        if self._all.is_changed():
            return True
        self._own = seen
        return False


is_touched: Callable[[], bool] = Watch().is_changed
"""Whether aiohttp's public face is changed at this moment."""


def maker() -> tuple[object, object]:
    """Return what makes a client session at this moment; the same while nobody changes it."""
    made_by = aiohttp.ClientSession
    return made_by, inspect.getattr_static(made_by, "__init__", None)


def foreign_connector() -> Any:
    """Return what others have put into the place of aiohttp's connector; None when they did not."""
    places = filter(_is_foreign, ("TCPConnector", "client.TCPConnector"))
    return next((attrgetter(each)(aiohttp) for each in places), None)


def is_resolving_touched() -> bool:
    """Return whether connectors that are made now look names up by what is another's."""
    return _is_foreign("connector.DefaultResolver")


def foreign_reader() -> str:
    """Return which of a response's methods that give its body is another's; "" for none."""
    if not is_touched():
        return ""
    if any(map(_is_foreign, ("StreamReader.read", "StreamReader.readany"))):
        return "read"
    return next(filter(is_foreign, ("json", "text", "read")), "")


def is_foreign(name: str) -> bool:
    """Return whether a method of aiohttp's response is another's."""
    return _is_foreign(f"ClientResponse.{name}")


def _is_foreign(name: str) -> bool:
    return _present(name) and not is_aiohttps(attrgetter(name)(aiohttp))


def is_aiohttps(value: Any) -> bool:
    """Return whether a class, function or property is as aiohttp has made it."""
    if type(value) is property:
        value = value.fget
    elif type(value).__module__.startswith("propcache."):
        value = value.wrapped
    if not str(getattr(value, "__module__", "")).startswith(("aiohttp.", "yarl")):
        return False
    if isinstance(value, type):
        return True
    return (
        type(value) is FunctionType
        and not hasattr(value, "__wrapped__")
        and value.__code__.co_filename.startswith(_HOMES)
    )
