"""aiohttp's errors, named by where they happened, not by what they say of themselves.

A garbled reply calls itself "400", and its repr holds the key.
"""

import errno
import re
import ssl as tls
from collections.abc import Callable
from typing import Any

import aiohttp

from vimmerse_async.http.multipart import FormError
from vimmerse_async.http.pool import SpokeFirstError
from vimmerse_async.http.surface import HttpProcessingError
from vimmerse_async.wire import Failure, Lease

_LOCAL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


def failure_of(error: Exception, lease: Lease, status: int | None) -> Failure:
    """Return the `Failure` that an error of aiohttp's means.

    Args:
        error: What was raised.
        lease: What became of the connection.
        status: The reply's status; None when none was read.
    """
    if isinstance(error.__cause__, FormError):
        return Failure("source", sent=False, message=str(error.__cause__))
    if not lease.connected:
        kind, message = _name_unsent(error)
        return Failure(kind, sent=False, message=message)
    kind, message = _name_sent(error, begun=status is not None)
    return Failure(kind, sent=True, message=message, reused=lease.reused, status=status)


def _name_unsent(error: Exception) -> tuple[str, str]:
    if isinstance(error, OSError) and error.errno in _LOCAL:
        return "local", f"this process has no sockets left ({errno.errorcode[error.errno]})"
    for kind, name in _UNSENT:
        if isinstance(error, kind):
            return name(error)
    return "connect", f"no connection ({type(error).__name__})"


def _name_proxy(error: aiohttp.ClientHttpProxyError) -> tuple[str, str]:
    if error.status == 407:
        return "proxy", "the proxy wants other credentials (407)"
    return "connect", f"the proxy refused to connect ({error.status})"


def _name_certificate(error: aiohttp.ClientConnectorCertificateError) -> tuple[str, str]:
    reason = getattr(error.certificate_error, "verify_message", "") or "not valid"
    return "certificate", (
        f"the certificate of {error.host} is not trusted ({reason}); "
        "for a private authority pass ssl=ssl.create_default_context(cafile=…), or name its file "
        "in SSL_CERT_FILE"
    )


def _name_handshake(error: aiohttp.ClientConnectorSSLError) -> tuple[str, str]:
    cause = error.certificate_error if hasattr(error, "certificate_error") else error.os_error
    if isinstance(cause, (tls.SSLEOFError, tls.SSLZeroReturnError)):
        return "tls", f"{error.host} ended the TLS handshake"
    reason = getattr(cause, "reason", None) or type(cause).__name__
    return "certificate", f"no TLS with {error.host} ({reason}); is it the right port and host?"


_UNSENT: tuple[tuple[type[Exception], Callable[[Any], tuple[str, str]]], ...] = (
    (aiohttp.ClientHttpProxyError, _name_proxy),
    (aiohttp.ClientConnectorCertificateError, _name_certificate),
    (
        aiohttp.ClientConnectorDNSError,
        lambda error: ("dns", f"the name {error.host} cannot be resolved"),
    ),
    (aiohttp.ClientConnectorSSLError, _name_handshake),
    (TimeoutError, lambda _error: ("connect_timeout", "no connection in time")),
    (SpokeFirstError, lambda _error: ("connect", "the server spoke before it was asked")),
    (
        aiohttp.ClientConnectorError,
        lambda error: ("connect", f"no connection to {error.host}: {_reason(error.os_error)}"),
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
    number = getattr(error, "errno", None)
    return errno.errorcode.get(number, str(number)) if number else type(error).__name__
