"""The session of a command, and the emulator behind it where one is wanted."""

import contextlib
import logging
from collections.abc import AsyncGenerator
from typing import Any

import attrs

from vimmerse_async.cli.credentials import credentials
from vimmerse_async.cli.options import Connection
from vimmerse_async.cli.terminal import note
from vimmerse_async.cli.trust import context_of
from vimmerse_async.config import choose_share
from vimmerse_async.errors import APIError
from vimmerse_async.hooks import CallEvent, RetryEvent
from vimmerse_async.options import RetryPolicy, Timeouts
from vimmerse_async.session import VimmerseSession

_LOG = logging.getLogger("vimmerse_async")


class Trouble:
    """A hook that remembers why the server is being waited for.

    It is not told of calls that end, which would cost each of them an event: who sees their results
    forgets the failure.

    Attributes:
        error: The latest failure that is being retried; None since a call succeeded.
    """

    error: APIError | None = None

    def on_retry(self, event: RetryEvent) -> None:
        """Remember the failure."""
        self.error = event.error


class CallLog:
    """A hook that logs each call, for whoever wants to know all."""

    def on_retry(self, event: RetryEvent) -> None:
        """Do nothing: retries are logged anyway."""

    def on_call(self, event: CallEvent) -> None:
        """Log a call that has ended."""
        how = "cancelled" if event.cancelled else event.error or "answered"
        _LOG.debug("%s: %s after %.3f s", event.operation, how, event.elapsed)


@attrs.frozen
class Link:
    """An open session and what troubles it."""

    session: VimmerseSession
    trouble: Trouble


@contextlib.asynccontextmanager
async def connected(connection: Connection) -> AsyncGenerator[Link, None]:
    """Open a session, to the embedded emulator where it is asked for.

    Raises:
        ConfigurationError: There is no key, or an address or key that cannot work.
        UsageError: A file of certificates cannot be read.
    """
    key: str | None
    base_url: str | None
    async with contextlib.AsyncExitStack() as stack:
        if connection.emulator:
            choose_share(connection.share)  # a typo is told here, too
            from vimmerse_async.emulator import Emulator  # noqa: PLC0415 - few runs need it

            emulator = await stack.enter_async_context(Emulator(unknown_media="placeholder"))
            key, base_url = emulator.key, emulator.url
            note("the emulator answers, which is no model: it measures local pictures")
        else:
            found = credentials(connection.api_key_file, connection.base_url)
            key, base_url = found.key, found.base_url
        trouble = Trouble()
        hooks: list[Any] = [trouble]
        if _LOG.isEnabledFor(logging.DEBUG):
            hooks.append(CallLog())
        timeout = connection.timeout
        session = VimmerseSession(
            key,
            base_url=base_url,
            limit=connection.limit,
            share="off" if connection.emulator else connection.share,
            timeouts=Timeouts(attempt=timeout, total=timeout),
            retry=RetryPolicy(max_throttle_wait=connection.patience),
            hooks=hooks,
            ssl=context_of(connection.ca_file, connection.client_cert),
            trust_env=connection.trust_env and not connection.emulator,
        )
        yield Link(await stack.enter_async_context(session), trouble)
