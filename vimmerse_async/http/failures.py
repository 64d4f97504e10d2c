"""aiohttp's errors, named by where they happened, not by what they say of themselves.

A garbled reply calls itself "400", and its repr holds the key.
"""

import errno
import os
import re
import ssl as tls
from collections.abc import Callable, Iterator
from pathlib import Path
from traceback import extract_tb
from typing import Any

import aiohttp

from vimmerse_async._version import __version__
from vimmerse_async.http.causes import (
    TURNS_AWAY,
    Cause,
    certificate_fault,
    handshake_fault,
    stranger,
)
from vimmerse_async.http.multipart import FormError
from vimmerse_async.http.surface import HttpProcessingError
from vimmerse_async.http.unsent import (
    CertificateError,
    HandshakeError,
    SpokeFirstError,
    UnaskedEndError,
    UnopenedError,
    UnresolvedError,
)
from vimmerse_async.wire import Failure, Lease

BUGS = (AttributeError, TypeError, NameError, AssertionError, NotImplementedError)
"""What no reply can cause: faults of our code or of aiohttp's, which calls its own a reply's."""

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])").sub
_LOCAL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


def failure_of(error: Exception, lease: Lease, status: int | None, place: str) -> Failure:
    """Return the `Failure` that an error of aiohttp's means.

    Args:
        error: What was raised.
        lease: What became of the connection.
        status: The reply's status; None when none was read.
        place: The server's host and port.
    """
    if isinstance(error.__cause__, FormError):
        return Failure("source", sent=False, message=str(error.__cause__))
    bug = next((each for each in _causes(error) if isinstance(each, BUGS)), None)
    if bug is not None:
        return _bug(bug, sent=lease.connected)
    if not lease.connected:
        kind, message = _name_unsent(error, place)
        return Failure(kind, sent=False, message=message)
    cause = None if status is not None else _cause(error, place)
    if cause is not None:  # whoever says this has not understood, or not let in, the request
        return Failure(cause[0], sent=False, message=cause[1])
    kind, message = _name_sent(error, begun=status is not None)
    return Failure(kind, sent=True, message=message, reused=lease.reused, status=status)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _bug(bug: BaseException, *, sent: bool) -> Failure:
    trace = extract_tb(bug.__traceback__)
    where = f", {Path(trace[-1].filename).name} line {trace[-1].lineno}" if trace else ""
    message = (
        f"a fault of vimmerse-async {__version__} or aiohttp {aiohttp.__version__}, not of the "
        f"input or the server ({type(bug).__name__}: {ascii(str(bug))[1:-1]:.200}{where})"
    )
    return Failure("internal", sent=sent, message=message)


def _cause(error: Exception, place: str) -> Cause | None:
    """Return what the server said below HTTP, in an alert of TLS or in another protocol."""
    for each in _causes(error):
        found = stranger(getattr(each, "first_bytes", b""), place)
        if found is None and isinstance(each, OSError) and "[SSL" in str(each):
            found = handshake_fault(each, place)
        if found is not None:
            return found
    return None


def _name_unsent(error: Exception, place: str) -> Cause:
    number = getattr(error, "errno", None) or getattr(
        getattr(error, "os_error", None), "errno", None
    )
    if number in _LOCAL:
        return "local", f"this process has no sockets left ({errno.errorcode[number]})"
    if isinstance(error, SpokeFirstError):
        known = stranger(error.first_bytes, place)
        kind, message = known or ("connect", place)
        return kind, f"{message} (it spoke before it was asked)"
    if isinstance(error, UnaskedEndError):
        return "tls" if error.answered else "protocol", f"{place} {TURNS_AWAY}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _name_proxy(error, place)
    for family, name in _UNSENT:
        if isinstance(error, family):
            return name(error)
    if (cause := _cause(error, place)) is not None:
        return cause
    return "connect", f"no connection to {place} ({_reason(error)})"


def _name_proxy(error: aiohttp.ClientHttpProxyError, place: str) -> Cause:
    if error.status == 407:
        offers = " ".join(error.headers.getall("Proxy-Authenticate", [])) if error.headers else ""
        if offers and "basic" not in offers.lower():
            return "proxy", (
                f"the proxy wants a login of a kind that is not spoken here (407, "
                f"{_kind_of(offers)}): use a relay on this machine that speaks it"
            )
        return "proxy", (
            "the proxy wants other credentials (407): put them into its address, as in "
            "http://user:password@host:3128"
        )
    if error.status < 500 and error.status != 429:
        return "proxy", (
            f"the proxy refuses to connect to {place} ({error.status}): ask its operator to allow "
            "that, reach it without the proxy (NO_PROXY), or check that this is an HTTP proxy"
        )
    return "connect", f"the proxy cannot connect to {place} ({error.status})"


def _name_no_proxy(_error: aiohttp.ClientResponseError) -> Cause:
    return "proxy", "the proxy's answer is not HTTP: check that it is an HTTP proxy, and its port"


def _name_certificate(error: aiohttp.ClientConnectorCertificateError) -> Cause:
    fault: Any = error.certificate_error
    return "certificate", certificate_fault(fault, _place(error))


def _name_handshake(error: aiohttp.ClientConnectorSSLError) -> Cause:
    cause, place = error.os_error, _place(error)
    if isinstance(cause, (tls.SSLEOFError, tls.SSLZeroReturnError)):
        return "tls", f"{place} ended the TLS handshake"
    reason = getattr(cause, "reason", None) or _reason(cause)
    return handshake_fault(cause, place) or ("tls", f"no TLS with {place} ({reason})")


def _name_unreachable(error: aiohttp.ClientConnectorError) -> Cause:
    whom = "the proxy " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
    return "connect", f"no connection to {whom}{_place(error)}: {_reason(error.os_error)}"


def _place(error: aiohttp.ClientConnectorError | UnopenedError) -> str:
    host = f"[{error.host}]" if ":" in error.host else error.host
    return f"{host}:{error.port}"


_UNSENT: tuple[tuple[tuple[type[Exception], ...], Callable[[Any], Cause]], ...] = (
    ((aiohttp.ClientResponseError,), _name_no_proxy),
    ((aiohttp.ClientConnectorCertificateError, CertificateError), _name_certificate),
    (
        (aiohttp.ClientConnectorDNSError, UnresolvedError),
        lambda error: ("dns", f"the name {error.host} cannot be resolved"),
    ),
    ((aiohttp.ClientConnectorSSLError, HandshakeError), _name_handshake),
    ((TimeoutError,), lambda _error: ("connect_timeout", "no connection in time")),
    ((aiohttp.ClientConnectorError, UnopenedError), _name_unreachable),
    (
        (aiohttp.ServerDisconnectedError,),
        lambda _error: ("connect", "the proxy ended the connection: it may be no HTTP proxy"),
    ),
)
"""How a failure before the first byte is named; the first class that fits."""


def _name_sent(error: Exception, *, begun: bool) -> tuple[str, str]:
    if isinstance(error, (aiohttp.ClientResponseError, HttpProcessingError)):
        return "malformed", f"the reply is not HTTP ({_kind_of(error.message)})"
    if isinstance(error, aiohttp.ClientPayloadError):
        cause = error.__cause__
        if isinstance(cause, HttpProcessingError) and "Not enough data" not in cause.message:
            return "malformed", f"the reply's body is not HTTP ({_kind_of(cause.message)})"
        return "truncated", "the reply ended before it was complete"
    if isinstance(error, TimeoutError):
        return "timeout", "no answer in time"
    if begun:
        return "truncated", "the connection was lost in the middle of the reply"
    return "lost", f"the connection was lost before a reply came ({_reason(error)})"


def _kind_of(message: str) -> str:
    """Return what a parser says is wrong, without the bytes that it quotes: they may be the key."""
    return ascii(re.split(r"[^A-Za-z0-9 -]", message, maxsplit=1)[0].strip()[:60])[1:-1]


def _reason(error: BaseException) -> str:
    """Return the system's words for an error; those of TLS count in numbers of their own."""
    number = getattr(error, "errno", None)
    if number is None or number not in errno.errorcode or "[SSL" in str(error):
        name = type(error).__name__.removesuffix("Error")
        return _WORD(" ", name).strip().lower()
    return os.strerror(number).lower()
