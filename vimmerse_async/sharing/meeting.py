"""What a place where processes meet has to do: a host's folder, a Redis server, or Ray."""

from collections.abc import Callable
from typing import Protocol

from vimmerse_async.sharing.records import Record

OnRecords = Callable[[list[Record]], None]
OnLost = Callable[[], None]


class Channel(Protocol):
    """One end of a connection between a member and the leader."""

    def send(self, data: bytes) -> None:
        """Say something soon."""
        ...

    def flush(self) -> None:
        """Say now what is to be said."""
        ...

    def close(self) -> None:
        """Close it; nobody is told."""
        ...


OnMember = Callable[[Callable[[OnRecords, OnLost], Channel]], None]
"""Called with what makes a channel to a member that has come."""


class Claim(Protocol):
    """The right to lead, until it is closed or lost."""

    def open(self, on_member: OnMember) -> None:
        """Let members come, in the running loop."""
        ...

    def is_held(self) -> bool:
        """Return whether this is still who leads."""
        ...

    def close(self) -> None:
        """Let others lead."""
        ...


class Meeting(Protocol):
    """Where the processes of one account meet.

    Attributes:
        scope: What is shared: `host`, `redis` or `ray`.
        patience: Seconds without a word of the leader after which it hangs.
        starting: The same for the first leader, who may have to be started.
    """

    scope: str
    patience: float
    starting: float

    async def claim(self) -> Claim | None:
        """Return the right to lead; None while another has it.

        Raises:
            OSError: It cannot be asked for right now; its words say why.
            CannotShareError: Processes cannot meet here.
        """
        ...

    async def connect(self, on_records: OnRecords, on_lost: OnLost) -> Channel:
        """Return a channel to the leader.

        Raises:
            OSError: Nobody leads right now; its words, if any, say why.
            CannotShareError: Processes cannot meet here.
        """
        ...

    def holder(self) -> object:
        """Return a mark of who has the right to lead; equal while it is the same."""
        ...

    async def overthrow(self, holder: object) -> Claim | None:
        """Take the right to lead from a holder that does not answer; None: it is another by now.

        Raises:
            CannotShareError: Processes cannot meet here.
        """
        ...
