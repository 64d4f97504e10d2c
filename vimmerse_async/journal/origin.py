"""Whose answers a journal holds, so that an emulator's never end in a paid run."""

from typing import TYPE_CHECKING, Protocol

from vimmerse_async.errors import APIResponseError, APIStatusError, VimmerseError

if TYPE_CHECKING:
    from vimmerse_async.journal.journal import PromptJournal

EMULATOR = "emulator"


class Server(Protocol):
    """Who answers; a `VimmerseSession` stands for one."""

    @property
    def base_url(self) -> str:
        """Its address."""
        ...

    async def emulated(self) -> bool | None:
        """Return whether it says that it is an emulator; None: it does not answer."""
        ...


class Binding:
    """Sees to it that a journal gets the answers of one server only.

    A server that does not answer yet leaves the question open, and a new journal nobody's, until it
    has answered a row: what is said then is known before the row is kept.

    Args:
        journal: Open.
        server: Whose answers it gets.

    Attributes:
        is_open: True while nobody knows who answers.
    """

    def __init__(self, journal: "PromptJournal", server: Server) -> None:
        self.is_open: bool = True
        self._journal = journal
        self._server = server

    async def begin(self) -> None:
        """Ask who answers, before anything is sent.

        Raises:
            JournalError: The journal belongs to another server ("mismatch").
        """
        self._bind(await self._server.emulated())

    async def confirm(self, failed: VimmerseError | None) -> None:
        """Ask again, once a row has come back.

        Args:
            failed: Why it has no answer; None when it has one.

        Raises:
            JournalError: The journal belongs to another server ("mismatch").
        """
        spoke = failed is None or isinstance(failed, (APIStatusError, APIResponseError))
        if self.is_open and spoke:  # what answers rows, but not who it is, is no emulator
            self._bind(bool(await self._server.emulated()))

    def _bind(self, emulated: bool | None) -> None:
        self._journal.bind(self._server.base_url, emulated=emulated)
        self.is_open = emulated is None


def origins_of(base_url: str, *, emulated: bool | None) -> tuple[str, ...]:
    """Return the names under which a server's answers may be kept; the last is its address.

    Args:
        base_url: The server's address.
        emulated: Whether it is an emulator, whose port changes from run to run; None: nobody knows.
    """
    if emulated is None:
        return EMULATOR, base_url
    return (EMULATOR,) if emulated else (base_url,)
