"""Asks a port that hangs up on plain HTTP whether it speaks TLS: then it has read no request."""

import asyncio
import ssl as tls
from contextlib import suppress

PATIENCE = 1.0
"""Seconds; only servers of this machine are spoken to without TLS."""
_RECORDS = (b"\x15\x03", b"\x16\x03")
"""How an alert and an answer to a greeting begin."""


async def speaks_tls(host: str, port: int) -> bool:
    """Return whether a greeting of TLS is answered in TLS, be it by a refusal."""
    with suppress(OSError, TimeoutError, EOFError):
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_greeting())
                return await reader.readexactly(2) in _RECORDS
            finally:
                writer.transport.abort()
                await writer.wait_closed()
    return False


def _greeting() -> bytes:
    outgoing = tls.MemoryBIO()
    context = tls.create_default_context()  # nothing is trusted, as nothing is agreed on
    end = context.wrap_bio(tls.MemoryBIO(), outgoing, server_hostname="localhost")
    with suppress(tls.SSLWantReadError):
        end.do_handshake()
    return outgoing.read()
