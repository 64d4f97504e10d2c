"""The one place where a session gets a shared gate."""

from collections.abc import Callable
from functools import partial

from vimmerse_async.config import Config, Secret
from vimmerse_async.control.limit import Limit
from vimmerse_async.errors import ConfigurationError
from vimmerse_async.gate import Gate
from vimmerse_async.sharing.folder import find_place
from vimmerse_async.sharing.gate import SharedGate
from vimmerse_async.sharing.host import HostMeeting
from vimmerse_async.sharing.meeting import Meeting
from vimmerse_async.sharing.redis_server import RedisMeeting

OpenGate = Callable[[Callable[[], Limit], Callable[[], float]], Gate]


def opener(config: Config, share: str | Meeting, limit: int | Limit | None) -> OpenGate:
    """Return what makes the gate of an account that is shared.

    Args:
        config: Names the account.
        share: `host`, or where the processes meet.
        limit: The most requests in flight that are wanted for all processes together; None: any.

    Raises:
        ConfigurationError: The limit is an object, which no other process can see.
    """
    if limit is not None and not isinstance(limit, int):
        raise ConfigurationError(
            "limit must be a whole number or None where it is shared: other processes cannot see "
            "an object",
            field="limit",
        )
    number = limit or 0
    meeting: Meeting
    if isinstance(share, Secret):
        meeting = RedisMeeting(share, config.base_url, config.secrets[0])
    elif isinstance(share, str):
        find = partial(find_place, config.base_url, config.secrets[0])
        meeting = HostMeeting(find, config.origin)
    else:
        meeting = share
    return lambda make_limit, clock: SharedGate(meeting, make_limit, clock, number)
