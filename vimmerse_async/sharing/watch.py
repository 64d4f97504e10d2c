"""Who shares what on this host, as each leader tells it."""

import contextlib
import socket
from collections.abc import Iterator

import attrs

from vimmerse_async.sharing.folder import CannotShareError, Place, folder_path
from vimmerse_async.sharing.host import dial
from vimmerse_async.sharing.records import (
    TELLING,
    Kind,
    ProtocolError,
    Reader,
    Record,
    Standing,
    pack,
    told,
)

PATIENCE = 1.0
"""Seconds in which a leader answers that does not hang."""


@attrs.frozen
class Sharer:
    """One gate of one process.

    Attributes:
        process: Its number; `pid_of` tells people's.
        in_flight: Its requests under way.
        waiting: Its requests that wait.
    """

    process: int
    in_flight: int
    waiting: int


@attrs.frozen
class SharedAccount:
    """One account whose limit is shared on this host.

    Attributes:
        name: What its files are called.
        about: The server's address.
        standing: How the limit stands; None: whoever leads does not answer.
        sharers: Who shares it.
    """

    name: str
    about: str
    standing: Standing | None = None
    sharers: tuple[Sharer, ...] = ()


def shared_accounts() -> Iterator[SharedAccount]:
    """Yield every account that processes of this user share now."""
    folder = folder_path()
    for lock in sorted(folder.glob("*.lock")):
        place = Place(folder, lock.stem)
        about = _about(place)
        try:
            with contextlib.closing(dial(place)) as sock:
                sock.settimeout(PATIENCE)
                yield _ask(sock, place.name, about)
        except (TimeoutError, ProtocolError):
            yield SharedAccount(place.name, about)
        except (OSError, CannotShareError):
            continue  # nobody leads there


def _about(place: Place) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return place.lock.read_text("ascii").partition(" ")[2].strip()
    return ""


def _ask(sock: socket.socket, name: str, about: str) -> SharedAccount:
    sock.sendall(pack(Record(Kind.LOOK)))
    reader, records = Reader(), list[Record]()
    while not records or records[-1].kind != Kind.END:
        data = sock.recv(65_536)
        if not data:
            raise TimeoutError
        records += reader.feed(data)
    sharers = tuple(
        Sharer(each.number, int(each.a), each.lane) for each in records if each.kind == Kind.MEMBER
    )
    return SharedAccount(name, about, told(records[: len(TELLING)]), sharers)
