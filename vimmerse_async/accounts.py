"""What the sessions of one account share: a gate, found under a name that does not tell the key."""

import asyncio
import hashlib
import math
import os
import weakref
from collections.abc import Callable

import attrs

from vimmerse_async.control.limit import Limit
from vimmerse_async.gate import Gate
from vimmerse_async.loops import clock_of

FORGET_AFTER = 600.0
"""Seconds that a learned limit is kept after the last session that used it closed."""


@attrs.define
class _Shared:
    gate: Gate
    users: int = 0
    unused_since: float = math.inf


_shared: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, _Shared]] = (
    weakref.WeakKeyDictionary()
)
_digest_key = os.urandom(16)


def identity(base_url: str, key: str) -> bytes:
    """Return a name for an account at an address that does not tell the key."""
    return hashlib.blake2b(f"{base_url}\n{key}".encode(), key=_digest_key, digest_size=16).digest()


def join_gate(
    name: object,
    make_limit: Callable[[], Limit],
    make_gate: Callable[[Callable[[], Limit], Callable[[], float]], Gate] | None = None,
) -> Gate:
    """Return the running loop's gate of that name, which sessions share; None: one of its own.

    Args:
        name: The account's.
        make_limit: Makes the limit of a new gate.
        make_gate: Makes one that other processes share, from `make_limit` and the clock; None: it
            is this loop's alone.
    """
    loop = asyncio.get_running_loop()
    if name is None:
        return Gate(make_limit(), clock_of(loop))
    gates = _shared.setdefault(loop, {})
    now = loop.time()
    for reference in _shared.keyrefs():  # one step: other threads' loops come and go meanwhile
        other = reference()
        if other is not None and other.is_closed():
            _shared.pop(other, None)
    for old in [each for each, entry in gates.items() if now > entry.unused_since + FORGET_AFTER]:
        del gates[old]
    entry = gates.get(name)
    if entry is None:
        clock = clock_of(loop)
        gate = make_gate(make_limit, clock) if make_gate else Gate(make_limit(), clock)
        entry = gates[name] = _Shared(gate)
    entry.users += 1
    entry.unused_since = math.inf
    return entry.gate


def leave_gate(
    loop: asyncio.AbstractEventLoop, name: object, gate: Gate, *, keep: bool = True
) -> None:
    """Note that a session has no more use for a gate.

    Args:
        loop: Where it was joined.
        name: As it was joined.
        gate: The gate.
        keep: True keeps for a while what it learned; False: whoever made its limit keeps that.
    """
    entry = _shared.get(loop, {}).get(name)
    if entry is not None:
        entry.users -= 1
        if entry.users:
            return
        entry.unused_since = loop.time()
        if not keep:
            del _shared[loop][name]
    gate.close()
