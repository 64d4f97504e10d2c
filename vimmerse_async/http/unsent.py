"""Why a connection could not be opened, or not be used: nothing was sent."""

import ssl as tls

import aiohttp


class SpokeFirstError(aiohttp.ClientConnectionError):
    """On a new connection there were bytes before anything was asked.

    Args:
        first_bytes: Those.
    """

    def __init__(self, first_bytes: bytes) -> None:
        super().__init__()
        self.first_bytes = first_bytes


class UnaskedEndError(aiohttp.ClientConnectionError):
    """A new TLS connection was ended before anything was asked.

    Args:
        answered: Whether the server ever answered anything.
    """

    def __init__(self, *, answered: bool) -> None:
        super().__init__()
        self.answered = answered


class UnopenedError(aiohttp.ClientConnectionError):
    """No connection: the last of the server's addresses that was tried says why.

    Args:
        host: The server's host.
        port: Its port.
        os_error: What was raised.
    """

    def __init__(self, host: str, port: int, os_error: OSError) -> None:
        super().__init__()
        self.host = host
        self.port = port
        self.os_error = os_error


class UnresolvedError(UnopenedError):
    """The host's name has no address."""


class HandshakeError(UnopenedError):
    """TLS could not be agreed on."""


class CertificateError(UnopenedError):
    """The server's certificate is not trusted."""

    @property
    def certificate_error(self) -> OSError:
        """What is wrong with it."""
        return self.os_error


def unopened(host: str, port: int, error: OSError) -> UnopenedError:
    """Return what an error at connecting means."""
    if isinstance(error, tls.CertificateError):
        return CertificateError(host, port, error)
    kind = HandshakeError if isinstance(error, tls.SSLError) else UnopenedError
    return kind(host, port, error)
