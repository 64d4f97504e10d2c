"""Which proxy the environment names for an address, as curl reads it: pure, no I/O.

`https_proxy` or `http_proxy` by the address's scheme, else `all_proxy`; lower case goes first, and
a variable that is set to nothing means no proxy. `no_proxy` lists hosts that are reached directly:
names with all below them, addresses, networks, each with a port or without; `*` is everything.
"""

import ipaddress
from collections.abc import Mapping

from yarl import URL

from vimmerse_async.errors import ConfigurationError
from vimmerse_async.urls import host_objection, parse

CGI_VARIABLE = "REQUEST_METHOD"
"""Where this is set, HTTP_PROXY is a header of somebody's request."""
SCHEMES = frozenset({"http", "https"})


def proxy_of(base_url: str, environment: Mapping[str, str]) -> str | None:
    """Return the proxy that the environment names for an address; None for none.

    Args:
        base_url: Where requests go.
        environment: Variables.

    Raises:
        ConfigurationError: The variable names no HTTP proxy; says what is wrong with it, and shows
            no password.
    """
    url = URL(base_url)
    for name in (f"{url.scheme}_proxy", "all_proxy"):
        for spelling in (name, name.upper()):
            value = environment.get(spelling)
            if value is None or (spelling == "HTTP_PROXY" and CGI_VARIABLE in environment):
                continue
            if not value.strip() or is_direct(url, _get(environment, "no_proxy")):
                return None
            return _checked(spelling, value.strip())
    return None


def is_direct(url: URL, no_proxy: str) -> bool:
    """Return whether `no_proxy` says that an address is reached without a proxy."""
    host = (url.raw_host or "").rstrip(".").lower()
    entries = no_proxy.lower().replace(",", " ").split()
    return any(entry == "*" or _covers(entry, host, url.port) for entry in entries)


def _get(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, environment.get(name.upper(), ""))


def _covers(entry: str, host: str, port: int | None) -> bool:
    address = _address(host)
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, wanted = _split_port(entry)
    if wanted is not None and wanted != str(port):
        return False
    if address is not None:
        return _address(name) == address
    name = name.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _split_port(entry: str) -> tuple[str, str | None]:
    """Return a host and a port; a bare IPv6 address has colons of its own."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":") or None
    name, colon, port = entry.rpartition(":")
    return (name, port) if colon and ":" not in name else (entry, None)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _checked(name: str, value: str) -> str:
    scheme, colon, _ = value.partition("://")
    if not colon:
        fault = "has no scheme; write http:// before its host"
    elif scheme.lower().startswith("socks"):
        fault = (
            "names a SOCKS proxy, which is not spoken here; name an HTTP proxy, or a relay on "
            "this machine that turns HTTP into SOCKS"
        )
    elif not is_proxy(value):
        fault = "must be the address of an HTTP proxy, like http://user:password@host:3128"
    else:
        return value
    raise ConfigurationError(f"the variable {name} {fault} (its value is not shown)", field=name)


def is_proxy(value: str) -> bool:
    """Return whether requests can go through a proxy of this address."""
    url = parse(value)
    return (
        url is not None
        and url.scheme in SCHEMES
        and url.port != 0
        and host_objection(url.raw_host) is None
    )
