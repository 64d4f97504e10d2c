"""Servers that misbehave, sessions that talk to them, and a scan for the key after every test."""

import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import fault_behaviours  # noqa: F401 - registers them
import pytest
import trustme
from fault_server import FaultServer
from secret_scan import CORE, KEY, check_error
from wire_kit import AT_ONCE, OpenLimit, Witness, nobody, server_context

from vimmerse_async import VimmerseSession


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture(autouse=True)
def no_key_shown(
    witness: Witness, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Fail when the key appears in an error, a log record, or on the terminal."""
    caplog.set_level(logging.DEBUG)
    yield
    for error in witness.errors:
        check_error(error)
        error.__traceback__ = None
    witness.errors.clear()
    logged = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    assert CORE not in logged
    assert CORE not in "".join(capsys.readouterr())


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that trusts the test authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="session")
def certified(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context for 127.0.0.1."""
    return server_context(authority.issue_cert("127.0.0.1"))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


Serve = Callable[..., Awaitable[FaultServer]]
Connect = Callable[..., Awaitable[VimmerseSession]]


@pytest.fixture
def unheard() -> Iterator[str]:
    """The address of a port at which nobody listens."""
    with nobody() as address:
        yield address


@pytest.fixture
def serve(stack: AsyncExitStack) -> Serve:
    """Start a server with these instructions."""

    async def start(*instructions: Any, **options: Any) -> FaultServer:
        return await stack.enter_async_context(FaultServer(instructions, **options))

    return start


@pytest.fixture
def way() -> str:
    """Small requests go straight to a connection; modules that test both ways override this."""
    return "direct"


@pytest.fixture
def connect(stack: AsyncExitStack, witness: Witness, way: str) -> Connect:
    """Open a session to a server; nothing holds its requests back but what is asked for."""
    traced = {} if way == "direct" else {"trace_configs": [aiohttp.TraceConfig()]}

    async def open_session(server: FaultServer | str, **options: Any) -> VimmerseSession:
        base_url = server if isinstance(server, str) else server.url
        options = {"limit": OpenLimit(), "retry": AT_ONCE, "hooks": [witness], **traced, **options}
        return await stack.enter_async_context(VimmerseSession(KEY, base_url=base_url, **options))

    return open_session
