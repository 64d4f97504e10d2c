"""The session of a command, and the emulator behind it where one is wanted."""

import contextlib
import os
import stat
from collections.abc import AsyncGenerator

import attrs

from vimmerse_async.cli.options import Connection
from vimmerse_async.cli.terminal import note
from vimmerse_async.config import KEY_VARIABLE, Secret
from vimmerse_async.errors import APIError, ConfigurationError
from vimmerse_async.hooks import CallEvent, RetryEvent
from vimmerse_async.options import Timeouts
from vimmerse_async.session import VimmerseSession

_LONGEST_KEY_FILE = 4_096


class Trouble:
    """A hook that remembers why the server is being waited for.

    Attributes:
        error: The latest failure that is being retried; None since a call succeeded.
    """

    error: APIError | None = None

    def on_retry(self, event: RetryEvent) -> None:
        """Remember the failure."""
        self.error = event.error

    def on_call(self, event: CallEvent) -> None:
        """Forget it when a call succeeds."""
        if event.error is None:
            self.error = None


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
    """
    async with contextlib.AsyncExitStack() as stack:
        key: str | None = None
        base_url = connection.base_url
        if connection.api_key_file is not None:
            key = read_key(connection.api_key_file)
        if connection.emulator:
            from vimmerse_async.emulator import Emulator  # noqa: PLC0415 - few runs need it

            emulator = await stack.enter_async_context(Emulator(unknown_media="placeholder"))
            key, base_url = emulator.key, emulator.url
            note("the emulator answers, which is no model: it measures local pictures")
        if key is None and not os.environ.get(KEY_VARIABLE):
            raise ConfigurationError(
                f"no API key: set {KEY_VARIABLE}, name a file with --api-key-file, or try it with "
                "--emulator",
                field="api_key",
            )
        trouble = Trouble()
        patience = connection.timeout
        session = VimmerseSession(
            key,
            base_url=base_url,
            limit=connection.limit,
            timeouts=Timeouts(attempt=patience, total=patience),
            hooks=(trouble,),
            trust_env=connection.trust_env and not connection.emulator,
        )
        yield Link(await stack.enter_async_context(session), trouble)


def read_key(name: str) -> Secret:
    """Return the key that a file holds, without white space around it.

    Raises:
        ConfigurationError: The file cannot be read, or holds nothing.
    """
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - may be /dev/fd/63
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LONGEST_KEY_FILE)
        key = Secret(content.decode("utf-8-sig").strip())
    except OSError as error:
        raise ConfigurationError(
            f"the key file {name!a:.200} cannot be read: {error.strerror}", field="api_key"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"the key file {name!a:.200} holds no text", field="api_key"
        ) from None
    if not key:
        raise ConfigurationError(f"the key file {name!a:.200} is empty", field="api_key")
    if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        note(f"warning: other users can read the key file {name}: chmod 600 {name}")
    return key
