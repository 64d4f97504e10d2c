"""Whose answers a journal holds, so that an emulator's never end in a paid run."""

from yarl import URL

from vimmerse_async.config import is_loopback

EMULATOR = "emulator"


def origin_of(base_url: str) -> str:
    """Return the name under which a server's answers are kept.

    unknown: whether the service can be reached at an address of this machine is assumed to be no,
    because what listens there is the emulator, whose port changes from run to run. A tunnel to the
    service needs a journal of its own.
    """
    host = URL(base_url).host or ""
    return EMULATOR if is_loopback(host) else base_url
