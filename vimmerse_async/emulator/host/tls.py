"""Certificates of a certification authority that lives as long as its server."""

import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import trustme

_NAMES = ("127.0.0.1", "::1", "localhost")


class Certificates:
    """Server contexts, right ones and wrong ones, and what a client needs to trust the right one.

    Raises:
        RuntimeError: trustme is not installed; the message names the extra.
    """

    def __init__(self) -> None:
        try:
            import trustme  # noqa: PLC0415 - an extra, needed for HTTPS only
        except ImportError:
            raise RuntimeError(
                'HTTPS needs the extra: pip install "vimmerse-async[emulator]"'
            ) from None
        self._authority = trustme.CA()
        self._stranger = trustme.CA()
        self.ca_pem: bytes = self._authority.cert_pem.bytes()
        self.context: Callable[..., ssl.SSLContext] = cache(self._context)

    def client_context(self) -> ssl.SSLContext:
        """Return a client's context that trusts this server and nobody else."""
        return ssl.create_default_context(cadata=self.ca_pem.decode())

    def _context(self, fault: str | None = None) -> ssl.SSLContext:
        """Return the server's context; with a TLS fault, one that no client should accept."""
        issue: Mapping[str | None, Callable[[], trustme.LeafCert]] = {
            None: lambda: self._authority.issue_cert(*_NAMES),
            "tls-unknown-ca": lambda: self._stranger.issue_cert(*_NAMES),
            "tls-wrong-host": lambda: self._authority.issue_cert("elsewhere.vimmerse.test"),
            "tls-expired": lambda: self._authority.issue_cert(
                *_NAMES,
                not_before=datetime.now(UTC) - timedelta(days=2),
                not_after=datetime.now(UTC) - timedelta(days=1),
            ),
        }
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issue[fault]().configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
        return context
