"""Key, address and headers: gathered, checked and frozen before anything is sent."""

import ipaddress
import os
import platform
import re
from collections.abc import Mapping
from typing import Any, NoReturn, Self

import attrs
from yarl import URL

from vimmerse_async._version import __version__
from vimmerse_async.errors import ConfigurationError, brief
from vimmerse_async.proxies import is_proxy, proxy_of
from vimmerse_async.urls import host_objection, parse, shown

DEFAULT_BASE_URL = "https://api.vimmerse.net"
KEY_VARIABLE = "VIMMERSE_API_KEY"
BASE_URL_VARIABLE = "VIMMERSE_BASE_URL"
SHARE_VARIABLE = "VIMMERSE_SHARE"

_VISIBLE = re.compile(r"[!-~]+").fullmatch
_AUTHORITY = re.compile(r"[^?#\\]+(?<!:)").fullmatch
_PREFIX = re.compile(
    r"(?:(?!(?:\.|%2e){1,2}(?:/|\Z))(?:[!$&-.0-;=@A-Z_a-z~]|%[0-9A-Fa-f]{2})+(?:/|\Z))*",
    re.IGNORECASE,
).fullmatch
"""Segments of a path that no server takes for "here" or "one up"."""
_PRINTABLE = re.compile(r"[!-~](?:[ -~]*[!-~])?").fullmatch


class Secret(str):
    """A str that goes out as it is, but shows nothing, is never pickled, and copies as itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self  # tools that record requests copy their headers

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled")


def conceal(value: object) -> Any:
    """Return a secret that shows nothing; of one that is no text, what it is instead."""
    if value is None or isinstance(value, _NoText):
        return value
    return Secret(value) if isinstance(value, str) else _NoText(type(value).__name__)


@attrs.frozen
class _NoText:
    kind: str


@attrs.frozen
class Config:
    """Where requests go and what they carry.

    Attributes:
        base_url: Scheme, host, port and path below which requests go; no slash at its end.
        headers: Sent with every request, the key among them.
        secrets: What must never be shown.
        origin: Scheme, host and port alone: nothing goes to another.
    """

    base_url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    secrets: tuple[Secret, ...] = attrs.field(repr=False)
    origin: str = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: str(URL(self.base_url).origin()), takes_self=True),
    )

    def without_secrets(self) -> "Config":
        """Return what may be kept of it when nothing more is sent."""
        return Config(self.base_url, {}, ())


def build_config(
    api_key: str | None,
    base_url: str | None,
    authorization: str | None,
    username: str | None,
    client_type: str | None,
) -> Config:
    """Return the checked configuration.

    Raises:
        ConfigurationError: Names the argument, its environment variable and the mend; never
            shows a key.
    """
    key = _check_key(conceal(os.environ.get(KEY_VARIABLE) if api_key is None else api_key))
    if base_url is None:
        base_url = conceal(os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL)
    base_url = _check_base_url(base_url)
    optional = {
        "Authorization": _check_header("authorization", authorization),
        "Username": _check_header("username", username),
        "X-Client-Type": _check_header("client_type", client_type),
    }
    secrets = [key] if optional["Authorization"] is None else [key, optional["Authorization"]]
    headers: dict[str, str] = {
        "X-Api-Key": key,
        "User-Agent": f"vimmerse-async/{__version__} python/{platform.python_version()}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
    }
    headers |= {name: value for name, value in optional.items() if value is not None}
    return Config(base_url, headers, tuple(secrets))


def _check_key(key: Any) -> Secret:
    if key is None or key == "":
        raise ConfigurationError(
            f"no API key: pass api_key=… or set {KEY_VARIABLE}", field="api_key"
        )
    fault = _key_fault(key)
    if fault is not None:
        raise ConfigurationError(f"api_key {fault} (its value is not shown)", field="api_key")
    return Secret(key)


def _key_fault(key: Any) -> str | None:
    if isinstance(key, _NoText):
        return f"must be a str, not {key.kind}"
    faults = {
        "is longer than 1,024 characters": len(key) > 1024,
        "has white space at its ends; strip it": key != key.strip(),
        "begins with 'Bearer '; pass the bare key": key[:7].lower() == "bearer ",
        "stands in quotes; pass it without them": key[0] in "'\"" and key[-1] == key[0],
        "holds a character that is not visible ASCII": not _VISIBLE(key),
    }
    return next(
        (f"of {len(key)} characters {fault}" for fault, true in faults.items() if true), None
    )


def _check_header(name: str, value: object) -> Secret | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 4096 or not _PRINTABLE(value):
        raise ConfigurationError(
            f"{name} must be printable ASCII without white space at its ends, "
            "at most 4,096 characters",
            field=name,
        )
    return Secret(value)


def _check_base_url(base_url: object) -> str:
    fault = _address_fault(base_url)
    if fault is not None:
        raise ConfigurationError(
            f"base_url (or {BASE_URL_VARIABLE}) {fault}; it must be an address like "
            f"{DEFAULT_BASE_URL!r}: {shown(base_url)}",
            field="base_url",
        )
    url = URL(str(base_url))
    return f"{url.origin()}{url.raw_path.removesuffix('/')}"


def _address_fault(base_url: object) -> str | None:
    if not isinstance(base_url, str) or not _VISIBLE(base_url):
        return "must be a str of visible ASCII characters"
    url = parse(base_url)
    if url is None:
        return "is not a URL that can be read"
    if url.scheme not in {"https", "http"} or not url.host or url.explicit_port == 0:
        return "must begin with https:// and name a host"
    if url.scheme == "http" and not is_loopback(url.host):
        return "must begin with https:// (plain http is for loopback addresses only)"
    authority, _, path = base_url.partition("://")[2].partition("/")
    return (
        _authority_fault(authority) or _path_fault(url.host, path) or host_objection(url.raw_host)
    )


def _authority_fault(authority: str) -> str | None:
    if "@" in authority:
        return "must not hold a user name or password"
    return None if _AUTHORITY(authority) else "must not hold a query, fragment or empty port"


def _path_fault(host: str, path: str) -> str | None:
    if not _PREFIX(path):
        return (
            "may end with a path of plain segments, percent-encoded where necessary, and must not "
            "hold a query or fragment"
        )
    if path and host == URL(DEFAULT_BASE_URL).host:
        return "must not have a path, because the routes bring their own"
    return None


def choose_share(share: object) -> Any:
    """Return with whom a limit is shared; None: with nobody outside this process.

    Raises:
        ConfigurationError: There is no such way to share.
    """
    chosen = os.environ.get(SHARE_VARIABLE) or None if share is None else share
    if chosen is None or chosen == "off":
        return None
    if hasattr(chosen, "overthrow"):  # a meeting place of an integration's
        return chosen
    if isinstance(chosen, str) and chosen.startswith(("redis://", "rediss://", "unix://")):
        return Secret(chosen)  # it may have a password
    if chosen != "host":
        raise ConfigurationError(
            f"share (or {SHARE_VARIABLE}) must be 'host', for all processes of this user on this "
            f"machine, the address of a Redis server, or 'off', not {brief(chosen)}",
            field="share",
        )
    return "host"


def choose_proxy(proxy: Any, base_url: str, *, trust_env: bool) -> Secret | None:
    """Return the proxy that requests go through; None for none.

    Args:
        proxy: The one that was asked for; None: nobody did.
        base_url: Where requests go.
        trust_env: Whether the environment is asked when nobody did, and `.netrc` for the
            credentials of the proxy that it names.

    Raises:
        ConfigurationError: No request can go through it; shows no password.
    """
    if proxy is not None:
        _check_proxy(proxy)
        return Secret(proxy)
    named = proxy_of(base_url, os.environ) if trust_env else None
    if named is None:
        return None
    url = URL(named)
    login = None if url.user is not None else _login(url.host)
    if login is not None:
        url = url.with_user(login[0]).with_password(login[1])
    return Secret(url)


def _login(host: str | None) -> tuple[str, str] | None:
    """Return the user and password that `.netrc` has for a proxy; an unreadable file has none."""
    from netrc import NetrcParseError, netrc  # noqa: PLC0415 - few sessions need it

    try:
        found = netrc(os.environ.get("NETRC")).authenticators(host or "")
    except (OSError, NetrcParseError, UnicodeDecodeError):
        return None
    return None if found is None else (found[0] or found[1] or "", found[2] or "")


def _check_proxy(proxy: object) -> None:
    if not isinstance(proxy, str) or not _VISIBLE(proxy) or not is_proxy(proxy):
        raise ConfigurationError(
            "proxy must be the address of an HTTP proxy, like 'http://user:password@host:3128' "
            "(its value is not shown)",
            field="proxy",
        )


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its name or address alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
